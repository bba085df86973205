"""What every reader of another tool's file gives: blocks of words and vectors, and notes on what it left out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.compression import compression_by_magic, plain_pieces
from streamvec.disk.reading import opened
from streamvec.errors import StreamvecError
from streamvec.vectors.words import word_hashes

_NAMED = 3  # duplicates named in a note
_SHOWN = 40  # characters of a word in a note


class Block(NamedTuple):
    """Neighbouring rows of a file: words[n], vectors float32[n, dim], counts int64[n] (0 where unknown)."""

    words: pa.StringArray
    vectors: np.ndarray
    counts: np.ndarray


@dataclass
class Notes:
    """What a reader left out or changed: counted, never silent."""

    duplicates: int = 0
    named: list[str] = field(default_factory=list)
    undecodable: int = 0
    first_undecodable: str = ""  # as it was read
    unended: str = ""  # a text whose last line has no end

    def sentences(self, path: Path) -> list[str]:
        """A sentence a person can read for each kind of thing that happened."""
        said = []
        if self.duplicates:
            names = ", ".join(self.named) + (", ..." if self.duplicates > len(self.named) else "")
            said.append(f"{path}: {self.duplicates:,} rows repeat an earlier word and were left out ({names})")
        if self.undecodable:
            said.append(
                f"{path}: {self.undecodable:,} words are not UTF-8: their wrong bytes were replaced by U+FFFD "
                f"(the first is {self.first_undecodable!r})"
            )
        if self.unended:
            said.append(f"{self.unended}: its last line has no end: where it was cut short, what stands last is wrong")
        return said


class Seen:
    """Which words came before, as sorted runs of 64-bit hashes, each at least twice as long as the next.

    8 bytes a word. The chance that two of 100 million distinct words share a hash is 3 in 10,000.
    """

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def new(self, words: pa.StringArray) -> np.ndarray:
        """bool[n]: whether each word comes for the first time; it counts as seen from now on."""
        hashes, first = np.unique(word_hashes(words), return_index=True)
        known = np.zeros(len(hashes), bool)
        for run in self._runs:
            known |= run[np.minimum(np.searchsorted(run, hashes), len(run) - 1)] == hashes
        mask = np.zeros(len(words), bool)
        mask[first[~known]] = True
        if not known.all():
            self._runs.append(hashes[~known])
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")
        return mask


def distinct(blocks: Iterable[Block], notes: Notes, path: Path) -> Iterator[Block]:
    """The blocks without rows that repeat an earlier word; a NaN or an infinity is refused with its word."""
    seen, row = Seen(), 1
    for block in finite(blocks, path):
        keep = seen.new(block.words)
        first, row = row, row + len(block.words)
        if not keep.all():
            again = np.flatnonzero(~keep)
            notes.duplicates += len(again)
            some = again[: _NAMED - len(notes.named)].tolist()
            notes.named += [f"{block.words[place].as_py()[:_SHOWN]!r} in row {first + place:,}" for place in some]
            block = Block(block.words.filter(pa.array(keep)), block.vectors[keep], block.counts[keep])
        yield block


def finite(blocks: Iterable[Block], path: Path) -> Iterator[Block]:
    """The blocks as they are; a NaN or an infinity is refused with its row and word."""
    done = 0
    for block in blocks:
        if not np.isfinite(block.vectors).all():
            row = int(np.flatnonzero(~np.isfinite(block.vectors).all(axis=1))[0])
            raise StreamvecError(
                f"{path}, row {done + row + 1:,}: the vector of {block.words[row].as_py()!r} holds NaN or infinity: "
                "take the row out, or train again"
            )
        done += len(block.words)
        yield block


def decoded(words: pa.BinaryArray, notes: Notes) -> pa.StringArray:
    """The words as text; bytes that are not UTF-8 are replaced, and the words counted."""
    try:
        text = words.view(pa.utf8())
        text.validate(full=True)
    except pa.ArrowInvalid:
        every = []
        for raw in words.to_pylist():
            word = raw.decode("utf-8", "replace")
            if word.encode() != raw:
                notes.undecodable += 1
                notes.first_undecodable = notes.first_undecodable or word[:_SHOWN]
            every.append(word)
        text = pa.array(every, pa.utf8())
    return text


def noted_end(pieces: Iterable[bytes], notes: Notes, path: Path) -> Iterator[bytes]:
    """The pieces of a text as they are; it is noted when its last line has no end."""
    last = b"\n"
    for last in pieces:
        yield last
    if not last.endswith(b"\n"):
        notes.unended = str(path)


def plain_bytes(path: Path) -> Iterator[bytes]:
    """The bytes of a file in pieces, decompressed when its first bytes say so; StreamvecError when it is damaged."""
    with opened(path) as file:
        compression = compression_by_magic(file.read(16))
        file.seek(0)
        yield from plain_pieces(file, compression, str(path))
