"""What a training on labelled examples is asked: its options sorted out and checked before anything is made."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamvec.corpus.sources import Source, resolve
from streamvec.errors import StreamvecError
from streamvec.models.blas import products
from streamvec.training.lmtext import valid_settings
from streamvec.training.options import LabelledOptions, MachineOptions, pick
from streamvec.training.startvectors import FromVectors
from streamvec.training.task import Task


def asked_of_task(
    task: Task, train: str, valid: str | Path | None, vectors: str | Path | None, options: Mapping[str, Any]
) -> tuple[dict[str, Any], Source, MachineOptions]:
    """(what run.json says, the training data, the machine's options).

    Raises ValueError for options that can never be right, StreamvecError for files that are not there.
    """
    kinds = (task.config, LabelledOptions, MachineOptions)
    unknown = set(options) - {name for each in kinds for name in pick(each, options)}
    if unknown:
        raise ValueError(f"options must be those of train {task.kind}, got {', '.join(sorted(unknown))}")
    if options.get("freeze") and vectors is None:
        raise ValueError("freeze needs vectors that stay as they are (vectors), got none")
    if options.get("patience") and valid is None:
        raise ValueError("patience needs examples to measure on (valid), got none")
    settings: dict[str, Any] = {"vectors": None}
    options = task.tokens(dict(options))
    if vectors is not None:
        begin, options = FromVectors.choose(Path(vectors), options)
        settings["vectors"] = asdict(begin)
    config, text = task.config(**pick(task.config, options)), LabelledOptions(**pick(LabelledOptions, options))
    source = one_source(train)
    settings |= {"config": asdict(config), "text": asdict(text), "start": None, "products": products()}
    if valid is not None:
        settings |= valid_settings(one_source(str(valid)).path, None)
    return settings, source, MachineOptions(**pick(MachineOptions, options))


def one_source(path: str) -> Source:
    """The one file that is named; StreamvecError for none, several, or one that is no text."""
    found = resolve([path])
    if path == "-":
        raise StreamvecError("-: examples are read twice, and standard input only once: name a file")
    if len(found) > 1:
        raise StreamvecError(f"{path}: stands for {len(found)} files, and one of examples is read: join them")
    source = found[0]
    if source.kind != "text":
        raise StreamvecError(f"{path}: examples are lines of text, and this is {source.kind}")
    absolute = str(Path(source.path).absolute()) if Path(source.path).exists() else source.path
    return Source(absolute, source.kind, source.compression, source.size)
