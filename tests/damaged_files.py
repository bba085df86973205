"""Reads damaged files of every format, in a process of its own: python damaged_files.py FOLDER PREFIXES FLIPS SEED.

Of a small valid file of each kind it tries prefixes, flipped bits, bytes and numbers that were changed, and bytes put
in or left out. It prints a JSON object a kind: how many damaged files were tried, refused (StreamvecError), read as the
same vectors or as others, what went wrong otherwise, and the most memory. FOLDER/current says what is being read,
should the process die.
"""

import base64
import json
import resource
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamvec.disk.arrow import verify_arrow
from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors
from streamvec.vectors.exports import export_vectors
from streamvec.vectors.ngramfile import CHECKSUM, beside, write_ngrams

WORDS = ["the", "of", "new york", "서울", "x", "an", "river", "was"]
ROOM = 1 << 30  # bytes that reading may map or allocate beyond what the process has when it begins
SECONDS = 20  # for one file
HUGE = (0, 2**31 - 1, 2**32 - 1, 10**18, 2**63 - 1, 2**64 - 1)

Found = tuple[list[str], bytes]


class Kind(NamedTuple):
    """A valid file, which of its bytes are damaged, and how it is read."""

    name: str
    damaged: Path
    read: Callable[[], Found]


def vectors(dim: int = 3) -> KeyedVectors:
    rows = np.random.default_rng(5).standard_normal((len(WORDS), dim)).astype(np.float32)
    return KeyedVectors.from_arrays(WORDS, rows, np.arange(len(WORDS), 0, -1))


def saved(path: Path, words: list[str], matrix: np.ndarray) -> None:
    """Vectors as gensim, which must be there, saves them."""
    from gensim.models import KeyedVectors as Theirs

    made = Theirs(matrix.shape[1])
    made.add_vectors(words, matrix)
    made.save(str(path))


def loaded(path: Path) -> Found:
    """All that a file holds: every word, every number; and a search among them."""
    found = KeyedVectors.load(path)
    words, rows = list(found.words), found.vectors
    assert rows.shape == (len(words), found.dim) and rows.dtype == np.float32
    if found.file is None:
        assert np.isfinite(rows).all() and len(set(words)) == len(words)
    assert len(found.counts) == len(words)
    if words and np.isfinite(rows).all():
        found.most_similar(rows[0], topn=3)
        assert "no such word" not in found
    return words, rows.tobytes()


def ours(path: Path) -> Callable[[], Found]:
    """vectors.arrow is opened without reading it all: what reads all of it must then notice."""

    def read() -> Found:
        found = loaded(path)
        verify_arrow(path)
        return found

    return read


def kinds(folder: Path) -> Iterator[Kind]:
    """Every format, ours and others'."""
    these = vectors()
    for name in ("v.vec", "v.bin", "v.safetensors", "v.parquet", "v.feather", "glove", "v.vec.gz", "v.vec.zst"):
        path = folder / name
        export_vectors(these, path, "glove" if name == "glove" else "fasttext-vec" if ".vec" in name else None)
        yield Kind(name, path, lambda path=path: loaded(path))
    bare = folder / "gensim.bin"  # no line feed after a row
    rows = zip(WORDS, these.vectors, strict=True)
    bare.write_bytes(
        b"%d 3\n" % len(WORDS) + b"".join(word.replace(" ", "_").encode() + b" " + row.tobytes() for word, row in rows)
    )
    yield Kind("gensim.bin", bare, lambda: loaded(bare))
    for name in ("small.safetensors", "small.parquet", "small.feather"):
        path = folder / name
        export_vectors(these, path, dtype="int8")
        yield Kind(name, path, lambda path=path: loaded(path))
    yield from _foreign_tables(folder, these)
    array = folder / "a.npy"
    export_vectors(these, array)
    yield Kind("a.npy", array, lambda: loaded(array))
    yield Kind("a.words.txt", folder / "a.words.txt", lambda: loaded(array))
    projector = folder / "projector"
    export_vectors(these, projector, "projector")
    for name in ("tensors.tsv", "metadata.tsv"):
        yield Kind(name, projector / name, lambda: loaded(projector))
    model = folder / "k.kv"
    export_vectors(these, model)
    yield Kind("k.kv", model, lambda: loaded(model))
    yield Kind("k.kv.vectors.npy", folder / "k.kv.vectors.npy", lambda: loaded(model))
    inline = folder / "inline.kv"
    inline.write_bytes(INLINE)
    yield Kind("inline.kv", inline, lambda: loaded(inline))
    for dtype in ("float32", "float16", "int8"):
        path = folder / f"{dtype}.arrow"
        these.save(path, dtype)
        yield Kind(path.name, path, ours(path))
    yield from _ngrams(folder, these)
    fasttext = folder / "f.bin"
    fasttext.write_bytes(fasttext_model())
    yield Kind("fasttext.bin", fasttext, lambda: _unseen(fasttext))


def _foreign_tables(folder: Path, these: KeyedVectors) -> Iterator[Kind]:
    """Tables as other programs write them: no checksums, other types."""
    lists = pa.array(these.vectors.astype(np.float64).tolist(), pa.list_(pa.float64()))
    table = pa.table({"token": pa.array(WORDS).dictionary_encode(), "freq": these.counts, "embedding": lists})
    wide = pa.table({"word": WORDS, **{str(column): these.vectors[:, column] for column in range(3)}})
    for name, one in (("lists.parquet", table), ("wide.parquet", wide)):
        path = folder / name
        pq.write_table(one, path)
        yield Kind(name, path, lambda path=path: loaded(path))
    for name, compression in (("lists.feather", None), ("packed.feather", "zstd")):
        path = folder / name
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
            writer.write_table(table)
        yield Kind(name, path, lambda path=path: loaded(path))


def _ngrams(folder: Path, these: KeyedVectors) -> Iterator[Kind]:
    path = folder / "n.arrow"
    rows = np.random.default_rng(6).standard_normal((50, 3)).astype(np.float32)
    checksum = write_ngrams(beside(path), np.arange(50, dtype=np.int32), lambda a, b: rows[a:b], 3, (3, 4), 50)
    KeyedVectors.from_arrays(WORDS, these.vectors, info={CHECKSUM: checksum}).save(path)

    def read() -> Found:
        found = _unseen(path)
        verify_arrow(beside(path))
        return found

    yield Kind("n.ngrams.arrow", beside(path), read)


def _unseen(path: Path) -> Found:
    words, rows = loaded(path)
    return words, rows + KeyedVectors.load(path)["riverside"].tobytes()


def fasttext_model(dim: int = 2, buckets: int = 5) -> bytes:
    """A .bin of fastText, version 12, of a few words without labels."""
    words = b"".join(word.encode() + b"\0" + struct.pack("<qb", 9 - place, 0) for place, word in enumerate(WORDS))
    settings = struct.pack("<12id", dim, 5, 5, 1, 5, 1, 1, 2, buckets, 3, 4, 100, 1e-4)
    sizes = struct.pack("<iiiqq", len(WORDS), len(WORDS), 0, 100, -1)
    rows = np.random.default_rng(7).standard_normal((2 * len(WORDS) + buckets, dim)).astype("<f4")
    inside, outside = rows[: len(WORDS) + buckets], rows[len(WORDS) + buckets :]
    matrices = b"".join(b"\0" + struct.pack("<qq", *one.shape) + one.tobytes() for one in (inside, outside))
    return b"\xba\x16\x4f\x2f" + struct.pack("<i", 12) + settings + sizes + words + matrices


def damages(whole: bytes, prefixes: int, flips: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(what was done, the damaged bytes): prefixes, then changes by draws of the seed."""
    step = max(1, len(whole) // prefixes)
    for length in [*range(0, len(whole), step), *range(max(0, len(whole) - 16), len(whole))]:
        yield f"the first {length} bytes", whole[:length]
    draws = np.random.default_rng(seed)
    for _ in range(flips):
        place, bit = int(draws.integers(len(whole))), int(draws.integers(8))
        changed = bytearray(whole)
        changed[place] ^= 1 << bit
        yield f"bit {bit} of byte {place} flipped", bytes(changed)
    for _ in range(flips):
        place, much = int(draws.integers(len(whole))), int(draws.integers(1, 20))
        kind = int(draws.integers(4))
        if kind == 0:
            yield f"{much} bytes left out at {place}", whole[:place] + whole[place + much :]
        elif kind == 1:
            noise = draws.integers(0, 256, much, dtype=np.uint8).tobytes()
            yield f"{much} bytes put in at {place}", whole[:place] + noise + whole[place:]
        else:
            number = HUGE[int(draws.integers(len(HUGE)))].to_bytes(8, "little")[: 4 * kind - 4]
            yield f"{number!r} at {place}", (whole[:place] + number + whole[place + len(number) :])[: len(whole)]


def tried(kind: Kind, folder: Path, prefixes: int, flips: int, seed: int) -> dict[str, Any]:
    """What came of the damaged files of one kind."""
    whole = kind.damaged.read_bytes()
    right = kind.read()
    counts = {"tried": 0, "refused": 0, "same": 0, "other": 0}
    wrong: list[str] = []
    others: list[str] = []
    for what, damaged in damages(whole, prefixes, flips, seed):
        if damaged == whole:
            continue
        (folder / "current").write_text(f"{kind.name}: {what}", encoding="utf-8")
        kind.damaged.unlink(missing_ok=True)  # a mapping of the one before keeps its bytes
        kind.damaged.write_bytes(damaged)
        counts["tried"] += 1
        signal.alarm(SECONDS)
        try:
            same = kind.read() == right
            counts["same" if same else "other"] += 1
            if not same:
                others.append(what)
        except StreamvecError as problem:
            counts["refused"] += 1
            if "\n" in str(problem):
                wrong.append(f"{what}: more than a line: {problem}")
        except BaseException:
            wrong.append(f"{what}: {traceback.format_exc(limit=-6)}")
        finally:
            signal.alarm(0)
    kind.damaged.unlink()
    kind.damaged.write_bytes(whole)
    assert kind.read() == right
    status = Path("/proc/self/status").read_text(encoding="ascii")  # ru_maxrss would hold what the parent took
    memory = int(status.partition("VmHWM:")[2].split()[0]) << 10
    return {"kind": kind.name, "bytes": len(whole), **counts, "others": others, "wrong": wrong, "memory": memory}


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} seconds")


# What gensim 4.4 saves for three words, the array within: KeyedVectors(2), counts 3, 2, 1, pickle protocol 4.
INLINE = base64.b85decode(
    "fCQBw0ssI20001t8fRs0b7^fZZEs{{Y;!JaWqD;}c4cF9Z*p^#j0{U<d1Yi)Wn*-"
    "2a&wfElqrFfeUvDS3wC8=bZ>HBb7^{IluH7P3~6p;Wq4n7Z(nO=d6Zq0D2xGNl#BynAY+t_0c4bAj0$dLcywQBZe(S6luH1N3~Ob1UvzI@X>Md"
    "?c$9sVC};>v0B8wI0cZ+K0(FcBc4cF9Z*p^#j23QnZE$%mUt@1_WiD-XY;<X1a&lpLl#C2ta%E$0ZgX^Ubz^jtla!1FZgp*Nd6bL?Ze(F{a$$L"
    "tlaxyUg_J`9Vw8uJQj{o50ZRi*0)~`m5{w08ba`-"
    "Pl#`T<0%kOniHL`kQj{o51B?MYluk}gO8@`=|4RS=|Nlz>bd+L=Ll^)600000fIa{K06zc#KtBKgfIk2Lpg)v!lwynpZf|mJbCgbu2xWM1VQyq"
    "^bCi9Qj0IzFb#8Q&Xc1@>O8|wGXcmW*Qj{o50ZRjglxQ1_0%<suiHL`kQj{o5185&kPEJby|Ns9=|NsC0O8|6~Vu?c-"
    "0{{R3000000ssI2000000RR9100000lysD0bBqjaVQ^+?Y-L|?VRUGePK*$2X=Y_(d1Gv4UuAY>Zgg{$PK*d&Uv716aCvi-"
    "U6hOnUte=$X>fUSlwFjJ3SVDoXKrtDWn^=dU6hO!Ute-%V|8+KX?A5_b76L6Y;R#?bCg|_bz&|"
)


def main(folder: Path, prefixes: int, flips: int, seed: int, names: list[str]) -> None:
    signal.signal(signal.SIGALRM, _too_long)
    warnings.filterwarnings("ignore", module="streamvec.vectors.neighbours")  # a search before the checksum is read
    every = list(kinds(folder))
    for kind in every:
        kind.read()
    mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM, mapped + ROOM))
    for kind in every:
        if not names or kind.name in names:
            print(json.dumps(tried(kind, folder, prefixes, flips, seed)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5:])
