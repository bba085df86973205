"""Vectors of any format to begin from: words that are among them begin with those numbers, the others at random."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from streamvec.corpus.sources import Source, fingerprint, without_date
from streamvec.disk.arrow import verify_arrow
from streamvec.errors import StreamvecError
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.vectors.arrays import words_beside
from streamvec.vectors.blocks import Block, Notes
from streamvec.vectors.finding import find_vectors
from streamvec.vectors.formats import read_all_rows
from streamvec.vectors.store import Chunk, read_chunks


@dataclass(frozen=True)
class FromVectors:
    """A file of vectors, and what it was when a training was begun from it."""

    path: str
    fingerprints: list[dict[str, Any]]  # of the file, and of what belongs to it

    @classmethod
    def choose(cls, path: Path, options: Mapping[str, Any]) -> tuple["FromVectors", dict[str, Any]]:
        """The vectors at *path*, and the options with their length as ``dim``."""
        if options.get("subwords"):
            raise StreamvecError(
                f"{path}: with --subwords a word's vector is the mean of several rows, which no file of vectors holds: "
                "leave --subwords out, or go on from a RUN that has them with --from"
            )
        first = next(iter(_blocks(path, Notes())), None)
        if first is None:
            raise StreamvecError(f"{path}: there are no vectors in it")
        dim = first.vectors.shape[1]
        if options.get("dim", dim) != dim:
            raise StreamvecError(
                f"{path}: its vectors have {dim} numbers, not {options['dim']}: leave --dim out, or give --dim {dim}"
            )
        return cls(str(path.absolute()), _fingerprints(path)), {**options, "dim": dim}

    @property
    def earlier(self) -> None:
        """Vectors bring no counts."""
        return

    def to_json(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {"what": "vectors", **asdict(self)}

    def blocks(
        self, out: Path, config: SkipGramConfig, note: Callable[[str], None]
    ) -> Iterator[tuple[str, pa.Array, np.ndarray]]:
        """The rows of all its words, in the inputs."""
        try:
            found = _fingerprints(Path(self.path))
        except StreamvecError as problem:
            raise StreamvecError(f"{problem}; until {out} has its first checkpoint it needs {self.path}") from problem
        if [without_date(one) for one in found] != [without_date(one) for one in self.fingerprints]:
            raise StreamvecError(f"{self.path}: changed since {out} was begun: train again with --overwrite")
        notes = Notes()
        for block in _blocks(Path(self.path), notes):
            yield "inputs", block.words, np.asarray(block.vectors, np.float32)
        for sentence in notes.sentences(Path(self.path)):
            note(sentence)

    def ngrams_of(self, config: SkipGramConfig) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """None."""
        return iter(())

    def notes(self, config: SkipGramConfig, words: int, found: int, read: int) -> list[str]:
        """How many words were found."""
        if not found:
            raise StreamvecError(
                f"{self.path}: none of its {read:,} words is in the vocabulary: another language, or another case "
                "(--keep-case)? Train again with --overwrite, with other vectors or without"
            )
        others = "; the others begin at random" if found < words else ""
        return [f"{found:,} of {words:,} words found in {self.path}{others}"]


def _blocks(path: Path, notes: Notes) -> Iterator[Block | Chunk]:
    """Words and vectors a block at a time; nothing in memory grows with the file."""
    place, ours = find_vectors(path)
    return read_chunks(place) if ours else read_all_rows(place, notes)


def _fingerprints(path: Path) -> list[dict[str, Any]]:
    place, ours = find_vectors(path)
    if ours:
        return [{"path": str(place.absolute()), "checksum": verify_arrow(place)}]
    files = sorted(place.glob("*.tsv")) if place.is_dir() else [place, words_beside(place)]
    return [fingerprint(Source(str(file.absolute()), "vectors", "", None)) for file in files if file.exists()]
