"""What a training begins from when it is not chance: the rows of a finished RUN, or vectors from any file.

The rows go into the model a block at a time, and the first checkpoint is written before the first step: from then on
nothing but the RUN itself is needed. Until then what it was begun from must be what it was; run.json holds checksums.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from streamvec.corpus.earlier import Earlier
from streamvec.corpus.lookup import Lookup
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.startrun import FromRun
from streamvec.training.startvectors import FromVectors


class Start(Protocol):
    """Something to begin from."""

    @property
    def path(self) -> str:
        """Where it is, as an absolute path."""

    @property
    def earlier(self) -> Earlier | None:
        """The vocabulary whose words stay and whose counts are added, if there is one."""

    def to_json(self) -> dict[str, Any]:
        """What run.json says of it."""

    def blocks(
        self, out: Path, config: SkipGramConfig, note: Callable[[str], None]
    ) -> Iterator[tuple[str, pa.Array, np.ndarray]]:
        """(name of one of the model's arrays, words[n], their rows float32[n, dim]), block after block.

        StreamvecError when it is not what it was when *out* was begun.
        """

    def ngrams_of(self, config: SkipGramConfig) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(buckets of n-grams int32[n], their rows float32[n, dim]), block after block."""

    def notes(self, config: SkipGramConfig, words: int, found: int, read: int) -> list[str]:
        """What a person should know of *read* words read, *found* of them among the *words* of the vocabulary."""


class Fillable(Protocol):
    """A model whose words can be given rows to begin with."""

    @property
    def config(self) -> Any:
        """Its options."""

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """Gives words int64[n] the rows float32[n, dim] in the array *name*."""

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """Gives the n-grams in buckets int32[n] the rows float32[n, dim]."""


def choose(
    kind: str, start_from: str | Path | None, vectors: str | Path | None, options: Mapping[str, Any]
) -> tuple[Start | None, dict[str, Any]]:
    """What to begin from, and the options with those it decides where they are not given.

    kind: what a RUN must have been trained by; options: only those that were given. Raises ValueError
    where both are asked for, StreamvecError where what is named does not fit or cannot be read.
    """
    if start_from is not None and vectors is not None:
        raise ValueError(
            "start_from and vectors cannot be given together: a RUN already gives the rows of all its words"
        )
    if start_from is not None:
        return FromRun.choose(Path(start_from), kind, options)
    if vectors is not None:
        return FromVectors.choose(Path(vectors), options)
    return None, dict(options)


def start_of(about: Mapping[str, Any]) -> Start | None:
    """What run.json says that a RUN was begun from; None for chance."""
    said = about.get("start")
    if said is None:
        return None
    fields = {name: value for name, value in said.items() if name != "what"}
    return FromRun(**fields) if said["what"] == "run" else FromVectors(**fields)


def refuse_shards(path: str, start: Start | None) -> None:
    """StreamvecError where a RUN is INPUT whose shards do not go with *start*."""
    if start and start.earlier:
        raise StreamvecError(
            f"{path}: its shards are numbered by its own vocabulary, and --from makes a new one: name the text itself "
            "as INPUT"
        )


def fill(
    model: Fillable,
    vocabulary: Vocabulary,
    start: Start,
    out: Path,
    note: Callable[[str], None],
    stop: Callable[[], bool],
) -> None:
    """Gives the words of *vocabulary* that *start* knows their rows, the first where a word comes twice.

    *out* is the RUN that is begun. Raises Interrupted when *stop* says so, StreamvecError when *start* is not what it
    was, or knows no word.
    """
    lookup = Lookup(vocabulary)
    done: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(vocabulary), bool))
    read = 0
    for name, words, rows in start.blocks(out, model.config, note):
        if stop():
            raise Interrupted(f"stopped while {start.path} was read")
        numbers = lookup.numbers(words)
        _, first = np.unique(numbers, return_index=True)
        first = first[(numbers[first] >= 0) & ~done[name][numbers[first]]]
        model.set_rows(name, numbers[first], rows[first])
        done[name][numbers[first]] = True
        read += len(words) if name == "inputs" else 0
    for buckets, rows in start.ngrams_of(model.config):
        model.set_ngrams(buckets, rows)
    for sentence in start.notes(model.config, len(vocabulary), int(done["inputs"].sum()), read):
        note(sentence)
