"""What must be said to the library of matrix products before numpy loads it.

OpenBLAS knows processors by their model number, and takes one that it does not know for an old one: AMD's with AVX-512
then multiply matrices at half of their speed (130 of 245 GFLOP/s a thread, measured on Zen 5).
"""

import os
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
_CORE = "OPENBLAS_CORETYPE"
_NEEDED = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}  # what the kernels of that name are made of
_FIRST = 8192  # bytes that hold all of the first processor


def wide_core(cpuinfo: str) -> str | None:
    """The name of OpenBLAS's kernels with AVX-512 where the processor can run them and would not be given them."""
    first = cpuinfo.split("\n\n", 1)[0]
    lines = dict(line.replace("\t", "").split(":", 1) for line in first.splitlines() if ":" in line)
    if "AuthenticAMD" in lines.get("vendor_id", "") and set(lines.get("flags", "").split()) >= _NEEDED:
        return "SkylakeX"
    return None


def choose_products() -> None:
    """Asks for the widest kernels that this processor can run, unless the environment names some."""
    try:
        with CPUINFO.open("rb") as file:
            cpuinfo = file.read(_FIRST).decode("utf-8", "replace")
    except OSError:
        return  # not Linux
    core = wide_core(cpuinfo)
    if core is not None:
        os.environ.setdefault(_CORE, core)
