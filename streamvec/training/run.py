"""A RUN: the folder that holds one training from its options to its vectors."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from streamvec.corpus.layout import COOCCURRENCES, COUNTING, PHRASES, PREPARED, SHARDS, VOCABULARY
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.sources import Source, fingerprint
from streamvec.disk.lock import locked
from streamvec.disk.reading import checksum_of
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.writing import PARTIAL, REMOVED, make_folder, remove, remove_partial
from streamvec.errors import StreamvecError
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.metrics import Metrics

RUN_JSON, VECTORS, METRICS, CHECKPOINTS = "run.json", "vectors.arrow", "metrics.jsonl", "checkpoints"
NGRAMS = "vectors.ngrams.arrow"
GRADIENTS = "gradients.jsonl"  # of a language model: norms by distance in time
BEST = "best"
HELD_OUT = "heldout"  # what a language model or a task is measured on: shards of that text, or examples
EXAMPLES, LABELS, TARGETS = "examples", "labels.json", "targets.arrow"  # of tasks on labelled examples
KNOWN, ROWS = "known.arrow", "rows.arrow"  # of these: vectors that training began with; rows while they are numbered
LABELLED = ("classifier", "tagger", "translator")  # kinds of RUNs that learn from labelled examples
SPOOL = "input.zst"  # standard input, until it is numbers
_FORMAT = 1
_OWN = {RUN_JSON, VECTORS, NGRAMS, METRICS, GRADIENTS, CHECKPOINTS, BEST, "lock", SPOOL, HELD_OUT}
_OWN |= {EXAMPLES, LABELS, TARGETS, KNOWN, ROWS}
_OWN |= {PREPARED, VOCABULARY, SHARDS, COUNTING, PHRASES, COOCCURRENCES}


class Run:
    """The paths of a RUN and what its run.json says."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about

    @property
    def kind(self) -> str:
        """What is trained: "skipgram", "cbow", "glove", "lm", or a task: "classifier", "tagger", "translator"."""
        return self.about["kind"]

    @property
    def vocabulary(self) -> Path:
        """vocabulary.arrow"""
        return self.folder / VOCABULARY

    @property
    def shards(self) -> Path:
        """The folder of shards."""
        return self.folder / SHARDS

    @property
    def cooccurrences(self) -> Path:
        """The folder of co-occurrences, of GloVe."""
        return self.folder / COOCCURRENCES

    @property
    def vectors(self) -> Path:
        """vectors.arrow"""
        return self.folder / VECTORS

    @property
    def ngrams(self) -> Path:
        """vectors.ngrams.arrow, with --subwords"""
        return self.folder / NGRAMS

    @property
    def is_finished(self) -> bool:
        """Whether all of its result is there."""
        return self.vectors.exists() and (not self.about["config"].get("subwords") or self.ngrams.exists())

    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints."""
        return Checkpoints(self.folder / CHECKPOINTS)

    @property
    def best(self) -> Path:
        """The folder of the best epoch's checkpoint, where --patience keeps one."""
        return self.folder / BEST

    def best_scores(self) -> dict[str, Any]:
        """What metrics.jsonl says of the best epoch on held-out data; empty where none was kept."""
        position = Checkpoints(self.best).newest()
        record = self.metrics.at(position) if position is not None else {}
        kept = ("epoch", "judged_by")
        return {name: value for name, value in record.items() if name in kept or name.startswith("heldout_")}

    @property
    def metrics(self) -> Metrics:
        """Its metrics.jsonl."""
        return Metrics(self.folder / METRICS)

    @property
    def gradients(self) -> Metrics:
        """Its gradients.jsonl, with --report-gradients."""
        return Metrics(self.folder / GRADIENTS)

    @property
    def is_marked(self) -> bool:
        """Whether rare words keep their places in its shards: a language model reads what they stand between."""
        return self.kind == "lm"

    @property
    def is_labelled(self) -> bool:
        """Whether it learns from labelled examples, and has these in place of shards."""
        return self.kind in LABELLED

    @property
    def examples(self) -> Path:
        """The folder of labelled examples."""
        return self.folder / EXAMPLES

    @property
    def is_prepared(self) -> bool:
        """Whether its vocabulary and shards, or examples, are complete, so that the text is not needed any more."""
        folder = self.examples if self.is_labelled else self.shards
        return self.vocabulary.exists() and (folder / INDEX).exists()

    @property
    def sources(self) -> list[Source]:
        """The inputs as they were resolved when the RUN was made."""
        return [Source(**source) for source in self.about["inputs"]]

    @classmethod
    def open(cls, folder: Path | str) -> "Run":
        """The RUN in *folder*; StreamvecError when there is none, or it is of another version."""
        folder = Path(folder)
        if not (folder / RUN_JSON).is_file():
            what = "a folder without run.json" if folder.is_dir() else "no such folder"
            raise StreamvecError(f"{folder}: not a RUN of streamvec ({what}): check the spelling")
        about = read_json(folder / RUN_JSON)
        if about.get("format") != _FORMAT:
            raise StreamvecError(
                f"{folder}: this streamvec reads RUNs of format {_FORMAT}, found {about.get('format')}: "
                f"use streamvec {about.get('streamvec')}"
            )
        return cls(folder, about)

    @classmethod
    def create(cls, folder: Path | str, kind: str, options: dict[str, Any], sources: Sequence[Source]) -> "Run":
        """Makes the folder, which holds nothing yet, and its run.json."""
        folder = Path(folder)
        about = {
            "format": _FORMAT,
            "streamvec": version("streamvec"),
            "kind": kind,
            **options,
            "inputs": [asdict(source) for source in sources],
            "fingerprints": [fingerprint_of(source) for source in sources],
        }
        make_folder(folder)
        with locked(folder):
            if (folder / RUN_JSON).exists():
                raise StreamvecError(f"{folder}: another streamvec has just begun a RUN here: choose another --out")
            write_json(folder / RUN_JSON, about)
        return cls(folder, about)

    def remove_if_empty(self) -> None:
        """After a failure: removes the RUN when it holds nothing that a resume could go on with."""
        names = {path.name for path in self.folder.iterdir()}
        if names <= {RUN_JSON, "lock"}:
            with contextlib.suppress(StreamvecError):  # what went wrong before is told, not this
                remove(self.folder)

    def remove(self) -> None:
        """After a failure before anything was trained: removes the RUN, unless something else lies in it."""
        if {path.name.removesuffix(PARTIAL) for path in self.folder.iterdir()} <= _OWN:
            with contextlib.suppress(StreamvecError):
                remove(self.folder)

    def refuse_links(self) -> None:
        """StreamvecError where one of its files is a symbolic link: what that leads to would be written over."""
        for at, _, names in os.walk(self.folder):  # folders that are links are somebody's wish, and not entered
            for path in (Path(at) / name for name in names):
                if path.is_symlink() and path.relative_to(self.folder).parts[0] in _OWN:
                    raise StreamvecError(
                        f"{path}: a symbolic link to {path.readlink()}, which would be written over: put the file "
                        "itself in its place, or remove the link"
                    )

    def tidy(self) -> None:
        """Removes what a kill or a power cut left half-written, or had no time to remove; for who holds its lock."""
        for path in self.folder.iterdir():
            if path.name.removesuffix(REMOVED).removesuffix(PARTIAL) in _OWN:
                remove_partial(path)
        self.checkpoints.remove_old()
        Checkpoints(self.best, kept=1).remove_old()


def foreign_names(folder: Path) -> list[str]:
    """What lies in the folder of a RUN, and is not the RUN's."""
    return [path.name for path in folder.iterdir() if path.name not in _OWN and not path.name.endswith(PARTIAL)]


def fingerprint_of(source: Source) -> dict[str, Any]:
    """What an input was when the RUN was made, so that a change is noticed."""
    if source.path == "-":
        return {"path": "-"}
    if source.kind == "run":
        return {"path": source.path, "shards": checksum_of(Path(source.path) / SHARDS / INDEX)}
    return fingerprint(source)


def is_prepared_folder(path: str) -> bool:
    """Whether an INPUT is a RUN whose shards can be used as they are."""
    folder = Path(path)
    return (folder / RUN_JSON).is_file() and (folder / SHARDS / INDEX).is_file() and (folder / VOCABULARY).is_file()
