"""Pickles of gensim, damaged and hostile: nothing is run, nothing is followed without end, and memory stays small."""

import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_files import saved, vectors

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors
from streamvec.vectors.exports import export_vectors
from streamvec.vectors.formats import import_vectors


class Hostile:
    """Would run when unpickled."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.code,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    gensim = pytest.importorskip("gensim.models")
    sign = tmp_path / "executed"
    code = f"open({str(sign)!r}, 'w').close()"
    innocent = gensim.KeyedVectors(2)
    innocent.add_vectors(["a"], np.ones((1, 2), np.float32))
    innocent.mapfile_path = Hostile(code)
    path = tmp_path / "v.kv"
    innocent.save(str(path), pickle_protocol=protocol)
    with pytest.raises(StreamvecError, match=r"byte \d+: refers to \w+\.exec, which has no place in a model"):
        KeyedVectors.load(path)
    with pytest.raises(StreamvecError, match=r"refers to \w+\.exec"):
        import_vectors(path, tmp_path / "v.arrow")
    assert not sign.exists()
    gensim.KeyedVectors.load(str(path))
    assert sign.exists()  # so the file was one that runs


GLOBALS = [
    ("os", "system"),
    ("builtins", "eval"),
    ("builtins", "getattr"),
    ("gensim", "utils"),
    ("numpyx", "a"),
    ("", ""),
]


@pytest.mark.parametrize("name", GLOBALS, ids=".".join)
@pytest.mark.parametrize("how", ["GLOBAL", "STACK_GLOBAL", "dotted", "INST", "EXT", "PERSID"])
def test_no_other_name_is_taken(tmp_path: Path, name: tuple[str, str], how: str) -> None:
    module, function = (one.encode() for one in name)
    texts = b"".join(b"\x8c" + bytes([len(one)]) + one for one in (module, function))
    code = {
        "GLOBAL": b"c" + module + b"\n" + function + b"\n)R.",
        "STACK_GLOBAL": texts + b"\x93)R.",
        "dotted": b"cnumpy\n" + b"linalg." + function + b"\n)R.",
        "INST": b"(i" + module + b"\n" + function + b"\n.",
        "EXT": b"\x82\x01)R.",
        "PERSID": b"Pabc\n.",
    }[how]
    (tmp_path / "v.kv").write_bytes(b"\x80\x04" + code)
    with pytest.raises(StreamvecError, match="a Python pickle"):
        KeyedVectors.load(tmp_path / "v.kv")


def test_pickles_that_would_take_all_memory_or_the_stack(tmp_path: Path) -> None:
    path = tmp_path / "v.kv"
    deep = b")" + b"\x85" * 300_000
    bombs = [
        b"}" + deep + b"Ns.",  # the hash of a tuple very deep
        deep + b".",
        b"]" + b"\x94" * 1 + b"(" + b"h\0" * 100_000 + b"e.",  # a list that holds itself
        b"(" * 300_000,
        b"]" * 300_000 + b".",
        b"X\x0a\0\0\0" + b"a" * 10 + b"\x94" + b"c_codecs\nencode\nh\0\x8c\6latin1\x86R" * 1000 + b".",
        pickle.dumps({"a": 1}, 4)[2:],
    ]
    for bomb in bombs:
        path.write_bytes(b"\x80\4" + bomb)
        with pytest.raises(StreamvecError, match="a Python pickle"):
            KeyedVectors.load(path)


def test_arrays_of_a_pickle_must_fit(tmp_path: Path) -> None:
    pytest.importorskip("gensim.models")
    path = tmp_path / "v.kv"
    saved(path, ["a", "b"], np.ones((2, 3), np.float32))
    whole = path.read_bytes()
    for found, put in ((b"K\2K\3\x86", b"K\2K\4\x86"), (b"K\2K\3\x86", b"K\3K\2\x86"), (b"f4", b"O8"), (b"f4", b"f9")):
        assert found in whole
        path.write_bytes(whole.replace(found, put, 1))
        with pytest.raises(StreamvecError, match=r"an array in it cannot be read|holds 2 words, but an array of shape"):
            KeyedVectors.load(path)


def test_files_beside_are_missed_by_name(tmp_path: Path) -> None:
    path = tmp_path / "v.kv"
    export_vectors(vectors(), path)
    (tmp_path / "v.kv.vectors.npy").unlink()
    with pytest.raises(StreamvecError, match=r"its vectors are in v\.kv\.vectors\.npy, which is not beside it"):
        KeyedVectors.load(path)


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def name(module: str, called: str) -> bytes:
    return f"c{module}\n{called}\n".encode()


def pickled(words: bytes, kind: bytes, data: bytes, shape: bytes, more: bytes = b"") -> bytes:
    """KeyedVectors of *words* and an array of *kind*, both as opcodes."""
    array = name("numpy.core.multiarray", "_reconstruct") + name("numpy", "ndarray") + b"K\0\x85C\1b\x87R"
    dtype = (
        name("numpy", "dtype") + kind + b"\x89\x88\x87R(K\3" + text("<") + b"NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\0tb"
    )
    array += b"(K\1" + shape + dtype + b"\x89B" + struct.pack("<I", len(data)) + data + b"tb"
    start = b"\x80\x04" + name("gensim.models.keyedvectors", "KeyedVectors") + b")\x81}(" + text("index_to_key")
    return start + b"](" + words + b"e" + text("vectors") + array + more + b"ub."


TWO, FOUR, SQUARE = text("a") + text("b"), struct.pack("<4f", 1, 2, 3, 4), b"K\2K\2\x86"
DEEP = b")" + b"\x85" * 3_000_000  # a tuple within a tuple, and so on: to hash it ends the process


def test_what_pickled_does_is_read(tmp_path: Path) -> None:
    (tmp_path / "v.kv").write_bytes(pickled(TWO, text("f4"), FOUR, SQUARE))
    assert KeyedVectors.load(tmp_path / "v.kv").vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(("kind", "shape"), [(DEEP, SQUARE), (text("f4"), DEEP)], ids=["a deep type", "a deep shape"])
def test_what_has_no_end_is_not_followed(tmp_path: Path, kind: bytes, shape: bytes) -> None:
    (tmp_path / "v.kv").write_bytes(pickled(TWO, kind, FOUR, shape))
    with pytest.raises(StreamvecError, match="an array in it cannot be read"):
        KeyedVectors.load(tmp_path / "v.kv")


def test_names_of_arrays_beside_that_are_no_list_are_none(tmp_path: Path) -> None:
    (tmp_path / "v.kv").write_bytes(pickled(TWO, text("f4"), FOUR, SQUARE, text("__numpys") + b"K\5"))
    assert len(KeyedVectors.load(tmp_path / "v.kv")) == 2


def test_a_long_word_that_is_named_often_takes_little(tmp_path: Path) -> None:
    number, long = 16_384, "x" * 20_000
    words = text(long) + b"\x94" + b"h\0" * (number - 1)
    shape = b"M" + struct.pack("<H", number) + b"K\1\x86"
    (tmp_path / "v.kv").write_bytes(pickled(words, text("i1"), b"\1" * number, shape))
    code = (
        "import sys; from pathlib import Path; from streamvec.vectors.formats import import_vectors; "
        "done = import_vectors(Path(sys.argv[1]), Path(sys.argv[2])); print(len(done.notes[0])); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "v.kv"), str(tmp_path / "v.arrow")], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    note, peak = map(int, ended.stdout.split())
    assert note < 1000 and peak < 250 << 10
