"""gensim's KeyedVectors: FILE, a pickle of the words and counts, and FILE.vectors.npy, the matrix.

Written opcode by opcode, as gensim writes it, with large arrays beside: ``KeyedVectors.load(FILE, mmap="r")`` maps the
matrix. Read by the machine of pickles.py, which runs nothing; also the KeyedVectors within a model of Word2Vec.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from streamvec.disk.reading import mapped
from streamvec.errors import StreamvecError
from streamvec.vectors.arrays import mapped_npy
from streamvec.vectors.blocks import Block, Notes, decoded
from streamvec.vectors.pickles import Made, Named, read_pickle
from streamvec.vectors.storage import as_float32
from streamvec.vectors.store import ROWS, Chunk

_WRITTEN = 1000  # items of a list or dict between two marks, as Python's own pickler has it
_HELD = 1 << 22  # characters of words at once
_KINDS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}


def vectors_beside(path: Path) -> Path:
    """Where the matrix of such a file is."""
    return path.with_name(path.name + ".vectors.npy")


def write_gensim(chunks: Iterable[Chunk], words: int, dim: int, file: IO[bytes]) -> None:
    """Writes the pickle (protocol 4) of KeyedVectors whose matrix is beside it; what is held does not grow."""
    file.write(b"\x80\x04" + _global("gensim.models.keyedvectors", "KeyedVectors") + b")\x81}(")
    file.write(_text("vector_size") + _number(dim) + _text("next_index") + _number(words))
    file.write(_text("norms") + b"N" + _text("mapfile_path") + b"N" + _text("index_to_key") + b"](")
    place, firsts = 0, []
    for some in _parts(chunks):
        firsts.append(place)
        file.write(b"".join(map(_remembered, some)) + b"e(")
        place += len(some)
    file.write(b"e" + _text("key_to_index") + b"}(")
    for first in firsts:
        file.write(_references(np.arange(first, min(first + _WRITTEN, words))) + b"u(")
    file.write(b"u" + _text("expandos") + b"}")
    if any(chunk.counts.any() for chunk in chunks):
        file.write(_text("count") + _array_head(words))
        for chunk in chunks:
            file.write(np.ascontiguousarray(chunk.counts, "<i8").data)
        file.write(b"tbs")
    file.write(_text("__numpys") + b"]" + _text("vectors") + b"a")
    file.write(b"".join(_text(name) + b"]" for name in ("__scipys", "__ignoreds", "__recursive_saveloads")) + b"ub.")


def read_gensim(path: Path, notes: Notes) -> Iterator[Block]:
    """The words, counts and vectors of a saved KeyedVectors, or of those within a saved Word2Vec.

    Raises StreamvecError when it is another pickle, a file of arrays is missing, or words and rows do not fit.
    """
    state, stem = _keyed_vectors(read_pickle(memoryview(mapped(path)), path), path)
    words = state.get("index_to_key", state.get("index2word"))
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise StreamvecError(f"{path}: a Python pickle of gensim, but its words are missing or are no text")
    matrix = _array(state, "vectors" if "syn0" not in state else "syn0", path, stem)
    if matrix is None or matrix.ndim != 2 or len(matrix) != len(words) or not matrix.shape[1]:
        found = "none" if matrix is None else f"an array of shape {matrix.shape}"
        raise StreamvecError(f"{path}: holds {len(words):,} words, but {found} of vectors: save it again")
    expandos = state.get("expandos")
    counts = _array(expandos, "count", path, stem) if isinstance(expandos, dict) else None
    if counts is None or counts.shape != (len(words),) or counts.dtype.kind not in "iu":
        counts = np.zeros(len(words), np.int64)
    for some in _slices(words):
        raw = pa.array([word.encode("utf-8", "surrogatepass") for word in words[some]], pa.binary())
        yield Block(decoded(raw, notes), as_float32(np.asarray(matrix[some])), counts[some].astype(np.int64))


def _keyed_vectors(found: Any, path: Path) -> tuple[dict[Any, Any], Path]:
    """(the attributes of the KeyedVectors, the start of the names of the files beside)."""
    if isinstance(found, Made) and isinstance(inner := found.attributes.get("wv"), Made):
        found, stem = inner, path.with_name(path.name + ".wv")
    else:
        stem = path
    of = found.of if isinstance(found, Made) else None
    if not isinstance(of, Named) or not of.module.startswith("gensim.models."):
        raise StreamvecError(
            f"{path}: a Python pickle, but not of gensim's KeyedVectors or Word2Vec: export its vectors as word2vec "
            "text where it was made"
        )
    if "vectors_ngrams" in found.attributes or of.name == "FastTextKeyedVectors":
        raise StreamvecError(
            f"{path}: a FastText model of gensim: in gensim, save_facebook_model(model, FILE), or "
            "model.wv.save_word2vec_format(FILE) for its words alone, then give that file"
        )
    return found.attributes, stem


def _array(state: dict[Any, Any], name: str, path: Path, stem: Path) -> np.ndarray | None:
    """An array among the attributes, or in the file beside that holds it; None where there is none."""
    beside = state.get("__numpys")
    if isinstance(beside, list) and name in [one for one in beside if isinstance(one, str)]:
        array = stem.with_name(f"{stem.name}.{name}.npy")
        if not array.exists():
            raise StreamvecError(f"{path}: its {name} are in {array.name}, which is not beside it: fetch that, too")
        return mapped_npy(array)
    made = state.get(name)
    return _from_pickle(made, path) if isinstance(made, Made) else None


def _from_pickle(made: Made, path: Path) -> np.ndarray:
    """An array of numbers as numpy pickles it."""
    order: Any
    try:
        if made.of == Named(made.of.module, "_reconstruct"):
            _, shape, dtype, fortran, raw = made.state
            order = "F" if fortran else "C"
        elif made.of == Named(made.of.module, "_frombuffer"):
            raw, dtype, shape, order = made.arguments
        else:
            raise ValueError(f"made by {made.of.name}")
        kind: Any = dtype.arguments[0]
        byte_order: Any = dtype.state[1]
        if not (isinstance(kind, str) and isinstance(byte_order, str) and _is_shape(shape)):  # hashing may not end
            raise ValueError("its type or shape is none")
        if dtype.of != Named("numpy", "dtype") or kind not in _KINDS or byte_order not in ("<", ">", "|"):
            raise ValueError(f"numbers of type {kind[:20]!r}")
        if isinstance(raw, Made):  # of protocol 2: text that stands for bytes
            raw = raw.arguments[0]
        numbers = raw.encode("latin-1") if isinstance(raw, str) else raw
        flat = np.frombuffer(numbers, np.dtype(byte_order + kind))
        found: np.ndarray = flat.reshape(shape, order=order)
    except (ValueError, TypeError, AttributeError, IndexError, KeyError, OverflowError) as problem:
        raise StreamvecError(f"{path}: damaged: an array in it cannot be read ({problem}): save it again") from None
    return found


def _slices(words: Sequence[str]) -> Iterator[slice]:
    """Places of words that are worked on at once: so many, or so few that they take no more than some megabytes.

    A pickle names a long word as often as it likes in three bytes each.
    """
    start = held = 0
    for place, word in enumerate(words):
        held += len(word)
        if place + 1 - start == ROWS or held > _HELD:
            yield slice(start, place + 1)
            start, held = place + 1, 0
    if start < len(words):
        yield slice(start, len(words))


def _is_shape(found: Any) -> bool:
    return isinstance(found, tuple) and all(isinstance(one, int) for one in found)


def _parts(chunks: Iterable[Chunk]) -> Iterator[list[str]]:
    """The words, exactly _WRITTEN at a time but for the last."""
    held: list[str] = []
    for chunk in chunks:
        held += chunk.words.to_pylist()
        for start in range(0, len(held) - _WRITTEN + 1, _WRITTEN):
            yield held[start : start + _WRITTEN]
        held = held[len(held) - len(held) % _WRITTEN :]
    if held:
        yield held


def _text(text: str) -> bytes:
    raw = text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _remembered(word: str) -> bytes:
    """A word, under the next number of the memo: they are counted from 0, as nothing else is remembered."""
    return _text(word) + b"\x94"


def _number(number: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", number)


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _references(numbers: np.ndarray) -> bytes:
    """The words remembered under these numbers, each before its number: keys and values."""
    pairs = np.empty(len(numbers), [("get", "u1"), ("place", "<u4"), ("push", "<u2"), ("number", "<i8")])
    pairs["get"], pairs["place"], pairs["push"], pairs["number"] = ord("j"), numbers, 0x088A, numbers
    return pairs.tobytes()


def _array_head(rows: int) -> bytes:
    """An array of int64[rows] up to where its bytes stand."""
    array = _global("numpy.core.multiarray", "_reconstruct") + _global("numpy", "ndarray") + b"K\0\x85C\1b\x87R"
    dtype = (
        _global("numpy", "dtype") + _text("i8") + b"\x89\x88\x87R(K\3" + _text("<") + b"NNN" + 2 * b"J\xff\xff\xff\xff"
    )
    return array + b"(K\1" + _number(rows) + b"\x85" + dtype + b"K\0tb\x89\x8e" + struct.pack("<Q", 8 * rows)
