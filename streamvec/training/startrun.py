"""A finished RUN to begin from: its words keep their rows of both matrices, and bring their counts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from streamvec.corpus.earlier import Earlier
from streamvec.disk.arrow import read_batches, verify_arrow
from streamvec.disk.pasting import pasted
from streamvec.disk.tensors import Tensors
from streamvec.errors import StreamvecError
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.checkpoint import ARRAYS, Checkpoints
from streamvec.training.run import RUN_JSON, Run

_ROWS = 4096  # copied at once
_TOKENS = ("tokens", "token_pattern", "keep_case")  # options that decide what a word is
_PHRASES = ("phrases", "phrase_score", "phrase_threshold", "phrase_min_count")
_MODEL = ("dim", "subwords", "buckets")  # and what its rows are


@dataclass(frozen=True)
class FromRun:
    """A RUN, and what it was when another training was begun from it."""

    path: str
    vocabulary: str  # checksum of vocabulary.arrow
    checkpoint: str  # the folder within it whose arrays are its vectors
    arrays: str  # checksum of these
    objective: str  # what its outputs mean
    ngrams: str | None = None  # checksum of its n-grams, where it has subwords

    @classmethod
    def choose(cls, folder: Path, kind: str, options: Mapping[str, Any]) -> tuple["FromRun", dict[str, Any]]:
        """The RUN in *folder*, and the options with those that must be as its own."""
        if folder.exists() and not (folder / RUN_JSON).is_file():
            raise StreamvecError(f"{folder}: not a RUN of streamvec: vectors alone are begun from with --vectors")
        run = Run.open(folder)
        about, where = run.about, pasted(folder)
        if run.kind == "glove" or run.is_labelled:
            raise StreamvecError(
                f"{folder}: was trained by {run.kind}, whose rows are not those of {kind}: take its vectors alone: "
                f"--vectors {where}"
            )
        if run.kind != kind:
            raise StreamvecError(
                f"{folder}: was trained by {run.kind}, not {kind}: streamvec train {run.kind} goes on from it, or take "
                f"its vectors alone: --vectors {where}"
            )
        if not run.vectors.exists():
            raise StreamvecError(f"{folder}: its training has not finished: streamvec resume {where}")
        model = {name: about["config"][name] for name in _MODEL if name in about["config"]}
        fixed = {**model, **{name: about["text"][name] for name in _TOKENS}}
        for name, value in fixed.items():
            if options.get(name, value) != value:
                raise StreamvecError(
                    f"{folder}: was made with {name}={value}, not {options[name]}: leave --{name.replace('_', '-')} "
                    "out, or train without --from"
                )
        checkpoint = _last(run)
        state = Checkpoints(checkpoint.parent).verify(checkpoint)
        start = cls(
            str(folder.absolute()),
            verify_arrow(run.vocabulary),
            str(checkpoint.relative_to(folder)),
            state["arrays"],
            about["config"]["objective"],
            verify_arrow(run.ngrams) if model.get("subwords") else None,
        )
        for name in _PHRASES:  # which words are joined is inherited, too, unless it is said anew
            if "phrases" not in options and name in about["text"]:
                fixed[name] = about["text"][name]
        return start, {**options, **fixed}

    @property
    def earlier(self) -> Earlier:
        """Its vocabulary, whose words stay and whose counts are added."""
        return Earlier(Path(self.path) / "vocabulary.arrow", self.vocabulary)

    def to_json(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {"what": "run", **asdict(self)}

    def blocks(
        self, out: Path, config: SkipGramConfig, note: Callable[[str], None]
    ) -> Iterator[tuple[str, pa.Array, np.ndarray]]:
        """The rows of its words in the inputs, and in the outputs where these mean the same to *config*."""
        folder = Path(self.path) / self.checkpoint
        try:
            state, vocabulary = Checkpoints(folder.parent).verify(folder), verify_arrow(self.earlier.path)
        except StreamvecError as problem:
            raise StreamvecError(f"{problem}; until {out} has its first checkpoint it needs {self.path}") from problem
        if (state["arrays"], vocabulary) != (self.arrays, self.vocabulary):
            raise StreamvecError(f"{self.path}: changed since {out} was begun: train again with --overwrite")
        arrays, config = ("inputs", "outputs") if self._keeps_outputs(config) else ("inputs",), self._laid_out(config)
        with Tensors(folder / ARRAYS) as tensors:
            first = 0
            for batch in read_batches(self.earlier.path, mapped=False):
                for start in range(0, batch.num_rows, _ROWS):
                    words = batch.column(0).slice(start, _ROWS)
                    for name in arrays:
                        yield name, words, _rows(tensors, name, config, first + start, len(words))
                first += batch.num_rows

    def ngrams_of(self, config: SkipGramConfig) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(buckets int32[n], rising; their rows float32[n, dim]) of its n-grams, once `blocks` found it unchanged."""
        if self.ngrams is None:
            return
        run = Run(Path(self.path), {})
        if verify_arrow(run.ngrams) != self.ngrams:
            raise StreamvecError(
                f"{run.ngrams}: changed since training was begun from it: train again with --overwrite"
            )
        first, config = (
            sum(batch.num_rows for batch in read_batches(self.earlier.path, mapped=False)),
            self._laid_out(config),
        )
        with Tensors(Path(self.path) / self.checkpoint / ARRAYS) as tensors:
            for batch in read_batches(run.ngrams, mapped=False):
                for start in range(0, batch.num_rows, _ROWS):
                    buckets = batch.column(0).slice(start, _ROWS).to_numpy()
                    yield buckets, _rows(tensors, "inputs", config, first + start, len(buckets))
                first += batch.num_rows

    def notes(self, config: SkipGramConfig, words: int, found: int, read: int) -> list[str]:
        """How many words keep their rows, and what begins anew."""
        said = [f"{found:,} words begin with their rows of {self.path}, {words - found:,} are new"]
        if found < read:
            said.append(f"{read - found:,} words of {self.path} are left out by --max-vocab")
        if not self._keeps_outputs(config):
            why = (
                "another vocabulary has another Huffman tree"
                if self.objective == config.objective
                else f"it was trained with --objective {self.objective}"
            )
            said.append(f"only the vectors of {self.path} are taken, the output rows begin at zero: {why}")
        return said

    def _laid_out(self, config: SkipGramConfig) -> SkipGramConfig:
        """A configuration whose slices are those of its arrays: they depend on the objective, too."""
        return replace(config, objective=self.objective, mode="exact", subwords=None)

    def _keeps_outputs(self, config: SkipGramConfig) -> bool:
        return self.objective == config.objective != "hs"


def _last(run: Run) -> Path:
    """The checkpoint whose arrays are the RUN's vectors: the best epoch's with --patience, else that of its end."""
    config = run.about["config"]
    best = Checkpoints(run.best).paths() if config.get("patience") else []
    paths = best or run.checkpoints.paths()
    end = f"{config['epochs']:04d}-{0:09d}"
    if paths and (best or paths[0].name == end):
        return paths[0]
    raise StreamvecError(
        f"{run.folder}: the checkpoint of its end is gone, and with it the output rows: take its vectors alone with "
        f"--vectors {pasted(run.folder)}"
    )


def _rows(tensors: Tensors, name: str, config: SkipGramConfig, first: int, number: int) -> np.ndarray:
    """float32[number, dim]: the rows of an array that lies slice after slice, as *config* has them."""
    rows = np.empty((number, config.dim), np.float32)
    (size,) = tensors.shape(name)
    all_rows = size // config.columns[-1][1]
    for low, high in config.columns:
        width = high - low
        part = tensors.part(name, all_rows * low + first * width, number * width).reshape(number, width)
        wanted = rows[:, low:high]
        wanted[:] = part[:, : wanted.shape[1]]
    return rows
