"""The library of matrix products is asked for AVX-512 where it would not use it."""

import os
import subprocess
import sys

import pytest

from streamvec.processor import CPUINFO, wide_core

FLAGS = "fpu sse2 avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_bf16"


def cpuinfo(vendor: str, flags: str) -> str:
    first = f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: X: Y\nflags\t\t: {flags}\nbugs\t\t:\n"
    return first + "\n" + first.replace("processor\t: 0", "processor\t: 1")


@pytest.mark.parametrize(
    ("text", "core"),
    [
        (cpuinfo("AuthenticAMD", FLAGS), "SkylakeX"),
        (cpuinfo("AuthenticAMD", FLAGS.replace("avx512bw ", "")), None),
        (cpuinfo("GenuineIntel", FLAGS), None),  # whose models it knows
        ("", None),
        ("processor : 0\nFeatures : fp asimd\n", None),
    ],
)
def test_only_where_it_would_not_be_used_by_itself(text: str, core: str | None) -> None:
    assert wide_core(text) == core


@pytest.mark.parametrize("chosen", [None, "Haswell"])
def test_what_numpy_multiplies_with(chosen: str | None) -> None:
    code = "import streamvec, os, numpy, threadpoolctl as t; "
    code += "print(os.environ.get('OPENBLAS_CORETYPE'), t.threadpool_info())"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    if chosen is not None:
        environment["OPENBLAS_CORETYPE"] = chosen
    told = output_of(code, environment)
    wanted = chosen or (wide_core(CPUINFO.read_text()) if CPUINFO.exists() else None)
    assert told.startswith(f"{wanted} ")
    if wanted is not None and "openblas" in told:
        assert f"'architecture': '{wanted}'" in told
        named = output_of("from streamvec.models.blas import products; print(products())", environment)
        assert named == f"openblas {wanted}\n"


def output_of(code: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
