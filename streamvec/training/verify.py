"""Reads every byte of what streamvec wrote against its checksum, and goes on after a problem: all are found."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamvec.corpus.layout import COOCCURRENCES, COUNTING, PHRASES, PREPARED, RECORD, RUNS, SHARDS, VOCABULARY
from streamvec.corpus.shardfiles import INDEX
from streamvec.disk.arrow import CHECKSUM_KEY
from streamvec.disk.jsontext import parsed
from streamvec.disk.pasting import pasted
from streamvec.disk.problems import named_problems
from streamvec.disk.reading import opened
from streamvec.disk.writing import PARTIAL
from streamvec.errors import StreamvecError
from streamvec.training.checking import (
    AGAIN,
    DAMAGED,
    NO_CHECKSUM,
    Checked,
    check_arrow,
    check_json,
    check_stated,
    checked,
    content_of,
    size_of,
    unfinished,
)
from streamvec.training.checkpoint import ARRAYS, STATE, Checkpoints
from streamvec.training.run import (
    BEST,
    CHECKPOINTS,
    GRADIENTS,
    HELD_OUT,
    LABELLED,
    LABELS,
    METRICS,
    NGRAMS,
    RUN_JSON,
    SPOOL,
    VECTORS,
)
from streamvec.training.verifystages import (
    check_cooccurrences,
    check_counting,
    check_kept,
    check_phrases,
    check_runs,
    check_shards,
    counted_again,
    is_cooccurrences,
)
from streamvec.training.verifytask import check_task
from streamvec.vectors.annindex import SUFFIX, index_beside, verify_index
from streamvec.vectors.arrays import verify_safetensors

_JSON = (RUN_JSON, PREPARED, INDEX, RECORD, STATE, LABELS)
_KEPT = 2  # checkpoints that a trainer keeps
_END = 1 << 16  # the schema with the checksum lies within so many bytes of either end of an Arrow file
_FOREIGN = "written by another program, which kept none: streamvec import makes a file that carries one"


def verify(path: Path) -> Iterator[Checked]:
    """Checks a RUN, a folder of one, or a single file; yields one Checked a file, whatever is wrong.

    Raises StreamvecError when there is nothing at *path*, or a folder that is none of these.
    """
    with named_problems(path):
        path.stat()
    if not path.is_dir():
        yield _file(path)
    elif any((path / name).exists() for name in (RUN_JSON, PREPARED, VOCABULARY)):
        yield from _run(path)
    elif (path / STATE).exists() or (path / ARRAYS).exists():
        yield from _checkpoint(path)
    elif "runs" in content_of(path / RECORD) or any(path.glob("run-*.arrow")):
        yield from check_runs(path, counted_again(path.parent) if path.name == RUNS else AGAIN)
    elif is_cooccurrences(path):
        yield from check_cooccurrences(path, None, counted_again(path))
    elif any((path / name).exists() for name in (INDEX, RECORD)) or any(path.glob("[0-9]*.arrow")):
        yield from check_shards(path, finished=True, vocabulary=None)
    elif Checkpoints(path).paths():
        for folder in Checkpoints(path).paths():
            yield from _checkpoint(folder)
    else:
        raise StreamvecError(f"{path}: a folder, but neither a RUN nor shards nor a checkpoint: name one of these")


def _run(run: Path) -> Iterator[Checked]:
    about = content_of(run / RUN_JSON)
    done = (run / VECTORS).exists()
    yield check_json(run / RUN_JSON, f"nothing else says how this RUN was made: {AGAIN}")
    if about.get("kind") in LABELLED or (run / LABELS).exists():
        yield from check_task(run, about, done)
    else:
        yield from _before_training(run, about, done)
    for folder in [*Checkpoints(run / CHECKPOINTS).paths(), *Checkpoints(run / BEST).paths()]:
        yield from _checkpoint(folder)
    for log in (METRICS, GRADIENTS):
        if (run / log).exists():
            yield _log(run / log)
    vectors, resume = run / VECTORS, f"streamvec resume {pasted(run)}"
    if done:
        ngrams = run / NGRAMS
        if ngrams.exists() or about.get("config", {}).get("subwords"):
            yield check_arrow(ngrams, f"remove it, and {resume} writes it again")
        yield check_arrow(vectors, f"remove it, and {resume} writes it again")
        if (index := index_beside(vectors)).exists():
            yield checked(index, lambda: verify_index(index), "")
    else:
        yield unfinished(vectors, f"training has not finished: {resume}")
    pieces = [
        Path(at) / name for at, *found in os.walk(run) for names in found for name in names if name.endswith(PARTIAL)
    ]
    for piece in sorted(pieces):  # os.walk, unlike rglob, does not mind folders that go while it looks
        yield unfinished(piece, "left by a write that was interrupted, or one that goes on: not needed")


def _before_training(run: Path, about: dict[str, Any], done: bool) -> Iterator[Checked]:
    """What trainers that read text leave before they train."""
    yield from _preparation(run, about, done)
    if about.get("kind") == "glove" or (run / COOCCURRENCES).exists():
        yield from _pairs(run, done)
    if about.get("valid") is not None or (run / HELD_OUT).exists():
        yield from _held_out(run, done)


def _preparation(run: Path, about: dict[str, Any], done: bool) -> Iterator[Checked]:
    """What comes before training: of a RUN that began from a file of co-occurrences, the vocabulary alone."""
    from_text = not any(source.get("kind") == "cooccurrences" for source in about.get("inputs", ()))
    trains = done or any((run / name).is_dir() for name in (CHECKPOINTS, COOCCURRENCES))
    encodes = trains or (run / SHARDS).is_dir()
    begun = (PREPARED, COUNTING, PHRASES, VOCABULARY)
    counts = encodes or any((run / name).exists() for name in begun)
    if from_text or (run / PREPARED).exists():
        prepared = run / PREPARED
        yield check_json(prepared, AGAIN) if counts else unfinished(prepared, "preparation has not begun")
    if (run / SPOOL).exists():
        yield check_kept(run / SPOOL)
    if (run / COUNTING).exists():
        yield from check_counting(run / COUNTING)
    if (run / PHRASES).exists():
        yield from check_phrases(run / PHRASES)
    words = run / VOCABULARY
    if encodes or words.exists():
        yield check_arrow(words, AGAIN)
    else:
        yield unfinished(words, "words are still to be counted" if from_text else "still to be made")
    if not from_text and not (run / SHARDS).exists():
        return
    from_run = any(source.get("kind") == "run" for source in about.get("inputs", ()))
    if from_run and not (run / SHARDS / INDEX).exists() and not (run / CHECKPOINTS).is_dir() and not done:
        yield unfinished(run / SHARDS, "shards are still to be taken from the RUN that is INPUT")
    elif encodes:
        yield from check_shards(run / SHARDS, trains, words)
    else:
        yield unfinished(run / SHARDS, "shards are still to be written")


def _pairs(run: Path, done: bool) -> Iterator[Checked]:
    folder = run / COOCCURRENCES
    if folder.exists():
        needless = f"the vectors are finished and do not need it: remove the folder {folder}"
        yield from check_cooccurrences(folder, run / VOCABULARY, needless if done else counted_again(folder))
    elif done:
        yield unfinished(folder, "not there, and not needed: training has finished")
    else:
        yield unfinished(folder, "pairs are still to be counted")


def _held_out(run: Path, done: bool) -> Iterator[Checked]:
    """The text that a language model is measured on: made in one go when training begins."""
    folder = run / HELD_OUT
    if folder.exists():
        advice = f"remove the folder {folder}, and streamvec resume {pasted(run)} makes it again"
        needless = f"training is finished and does not need it: remove the folder {folder}"
        yield from check_shards(folder, True, run / VOCABULARY, needless if done else advice)
    elif done:
        yield unfinished(folder, "not there, and not needed: training has finished")
    else:
        yield unfinished(folder, "the text to measure on is still to be read")


def _checkpoint(folder: Path) -> Iterator[Checked]:
    found = [check_json(folder / STATE, ""), _arrays(folder)]
    damaged = any(one.state == DAMAGED for one in found)
    if damaged and (folder in _outdated(folder.parent) or not folder.exists()):
        return
    advice = "streamvec resume goes on from the one before"
    for one in found:
        yield one._replace(what=f"{one.what}: {advice}") if one.state == DAMAGED else one


def _outdated(checkpoints: Path) -> list[Path]:
    """Checkpoints that a trainer has saved enough newer ones after: it removes them, file by file, perhaps just now."""
    return Checkpoints(checkpoints).paths()[_KEPT:]


def _arrays(folder: Path) -> Checked:
    path = folder / ARRAYS
    stated = content_of(folder / STATE).get("arrays")
    if stated is None and path.exists():
        return Checked(path, size_of(path), None, NO_CHECKSUM, f"it stands in {STATE}, which cannot be read")
    return check_stated(path, stated or "", STATE, "")


def _log(path: Path) -> Checked:
    """What _metrics says, or why it cannot be read."""
    try:
        return _metrics(path)
    except StreamvecError as problem:
        return Checked(path, 0, None, DAMAGED, str(problem).removeprefix(f"{path}: "))


def _metrics(path: Path) -> Checked:
    """A log that grows has no checksum; each line must be an object, but for a last one cut short by a kill.

    A line without an end is also what a trainer is writing just now: the reading stops there, lest the rest
    of that line, there a moment later, be taken for a line of its own.
    """
    wrong, records = 0, 0
    with opened(path) as lines:
        for line in itertools.takewhile(lambda line: line.endswith(b"\n"), lines):
            records += 1
            try:
                wrong += not isinstance(parsed(line), dict)
            except ValueError:
                wrong += 1
    size = path.stat().st_size
    if wrong:
        what = f"{wrong:,} of its {records:,} lines are not JSON objects: only the log of the training is hurt"
        return Checked(path, size, None, DAMAGED, what)
    return Checked(path, size, None, NO_CHECKSUM, f"a log that grows, {records:,} lines, all readable")


def _file(path: Path) -> Checked:
    """A file that was named by itself."""
    if path.name in _JSON:
        return check_json(path, "")
    if path.name == ARRAYS and path.with_name(STATE).exists():
        return _arrays(path.parent)
    with opened(path) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END))
        ends = file.read()
        file.seek(0)
        ends += (head := file.read(_END))
    if CHECKSUM_KEY in head and head[8:9] == b"{":
        return checked(path, lambda: verify_safetensors(path), "export it again")
    if CHECKSUM_KEY in ends:
        return check_arrow(path, _advice_for(path))
    if path.suffix == SUFFIX:
        return checked(path, lambda: verify_index(path), "")
    if not size:
        return Checked(path, 0, None, DAMAGED, "empty")
    return Checked(path, size, None, NO_CHECKSUM, _FOREIGN)


def _advice_for(path: Path) -> str:
    """What to do about a damaged Arrow file, told by what lies beside it."""
    folder = path.parent.parent if path.parent.name == RUNS else path.parent
    return counted_again(folder) if is_cooccurrences(folder) else "take it from where it came from"
