"""Kernels are compiled before memory is divided, and what is left is divided within what is allowed."""

import subprocess
import sys
from pathlib import Path

import pytest

from streamvec.corpus.compiling import resident_bytes
from streamvec.corpus.shares import shares

COMPILED = """
import sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from streamvec.corpus.compiling import compile_kernels
from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.prepare import prepare
from streamvec.corpus.sources import resolve
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.tokens import Tokenizer
from streamvec.kernels import pairmerge, pairs, phrases, repeats, scan, wordruns, wordtable
kernels = {(m.__name__, k.py_func.__name__): k for m in (pairmerge, pairs, phrases, repeats, scan, wordruns, wordtable)
           for k in vars(m).values() if isinstance(k, Dispatcher)}
rare = {"repair", "open_token", "_character", "_goes_on"}  # small, and for damage and rare scripts only
tokenizer, passes = Tokenizer(*eval(sys.argv[3])), int(sys.argv[4])
compile_kernels(tokenizer, passes > 0)
before = {name: len(kernel.signatures) for name, kernel in kernels.items() if name[1] not in rare}
numbers = {name[1]: number for name, number in before.items()}
assert numbers["count_tokens"] == numbers["merge_words"] == numbers["encode_tokens"] == 1
assert numbers["merge_pairs"] == numbers["join"] == numbers["select_pairs"] == min(1, passes)
prepare(resolve([sys.argv[1]]), Path(sys.argv[2]), tokenizer, min_count=1, crews=ThreadCrews(2, 1),
        phrases=PhraseOptions(passes), report=lambda _: None, stop=lambda: False)
after = {name: len(kernel.signatures) for name, kernel in kernels.items() if name[1] not in rare}
assert before == after, (before, after)
"""


@pytest.mark.parametrize(
    ("arguments", "passes"),
    [("()", 0), ("()", 2), ("('words', True)", 0), ("('regex', False, '[a-z]+')", 0), ("('characters',)", 0)],
)
def test_every_kernel_is_compiled_before_memory_is_divided(tmp_path: Path, arguments: str, passes: int) -> None:
    source = tmp_path / "corpus.txt"
    source.write_text("".join(f"word{n % 4000} internationalisation{n % 977} \n" for n in range(20_000)))
    command = [sys.executable, "-c", COMPILED, str(source), str(tmp_path / "run"), arguments, str(passes)]
    subprocess.run(command, check=True)


def test_resident_memory_is_that_of_the_system() -> None:
    before = resident_bytes()
    if before is None:
        pytest.skip("this system does not tell")
    block = bytearray(b"x") * (64 << 20)
    after = resident_bytes()
    assert after is not None and 50 << 20 < after - before < 80 << 20 and len(block) == 64 << 20


def test_memory_is_divided_within_what_is_allowed() -> None:
    for megabytes in (300, 500, 1000, 64_000):
        for threads in (1, 2, 16, 64):
            block_bytes, table_bytes = shares(megabytes << 20, threads)
            blocks = 2 * (threads + 4) + 2 * threads
            assert block_bytes * blocks + table_bytes <= max((megabytes - 240) << 20, 80 * threads << 20)
            assert 1 << 16 <= block_bytes <= 1 << 22
    assert shares(64 << 30, 2).table_bytes > 60 << 30
    assert shares(1, 3) == (1 << 16, 3 << 20)
    sums = [16 * share.block_bytes + share.table_bytes for share in (shares(500 << 20, 2), shares(400 << 20, 2))]
    assert sums[0] - sums[1] == 100 << 20
    assert shares(500 << 20, 2, taken=310 << 20) == shares(400 << 20, 2)
    assert shares(2 << 30, 2, taken=8 << 30) == shares(2 << 30, 2, taken=400 << 20)
