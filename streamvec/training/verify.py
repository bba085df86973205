"""Reads every byte of what streamvec wrote against its checksum, and goes on after a problem: all are found."""

import itertools
import json
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.corpus.layout import (
    COUNTING,
    IDS,
    PAIRS,
    PHRASES,
    PREPARED,
    RECORD,
    SHARDS,
    VOCABULARY,
    WORDS,
    joins_name,
)
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.arrow import CHECKSUM_KEY, verify_arrow
from streamvec.disk.files import PARTIAL, checksum_of, named_problems, read_json
from streamvec.errors import StreamvecError
from streamvec.training.checkpoint import ARRAYS, STATE, Checkpoints
from streamvec.training.run import BEST, CHECKPOINTS, METRICS, NGRAMS, RUN_JSON, VECTORS

OK, DAMAGED, UNFINISHED, NO_CHECKSUM = "ok", "damaged", "unfinished", "no checksum"
_JSON = (RUN_JSON, PREPARED, INDEX, RECORD, STATE)
_KEPT = 2  # checkpoints that a trainer keeps
_END = 1 << 16  # the schema with the checksum lies within so many bytes of either end of an Arrow file
_AGAIN = "train again with --overwrite"
_FOREIGN = "written by another program, which kept none: streamvec import makes a file that carries one"


class Checked(NamedTuple):
    """What was found of one file."""

    path: Path
    bytes: int
    checksum: str | None  # xxh3-128, 32 hexadecimal digits, when it is what it should be
    state: str  # OK, DAMAGED, UNFINISHED (it is yet to be written, or not needed) or NO_CHECKSUM
    what: str = ""  # what is wrong and what to do


def verify(path: Path) -> Iterator[Checked]:
    """Checks a RUN, a folder of shards, a checkpoint or a single file; yields one Checked a file, whatever is wrong.

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
    elif any((path / name).exists() for name in (INDEX, RECORD)) or any(path.glob("[0-9]*.arrow")):
        yield from _shards(path, finished=True, vocabulary=None)
    elif Checkpoints(path).paths():
        for folder in Checkpoints(path).paths():
            yield from _checkpoint(folder)
    else:
        raise StreamvecError(f"{path}: a folder, but neither a RUN nor shards nor a checkpoint: name one of these")


def _run(run: Path) -> Iterator[Checked]:
    done = (run / VECTORS).exists()
    trains = done or (run / CHECKPOINTS).is_dir()
    encodes = trains or (run / SHARDS).is_dir()
    yield _json(run / RUN_JSON, f"nothing else says how this RUN was made: {_AGAIN}")
    begun = (PREPARED, COUNTING, PHRASES, VOCABULARY)
    counts = encodes or any((run / name).exists() for name in begun)
    yield _json(run / PREPARED, _AGAIN) if counts else _unfinished(run / PREPARED, "preparation has not begun")
    if (run / COUNTING).exists():
        yield from _counting(run / COUNTING)
    if (run / PHRASES).exists():
        yield from _phrases(run / PHRASES)
    words = run / VOCABULARY
    if encodes or words.exists():
        yield _checked(words, lambda: verify_arrow(words), _AGAIN)
    else:
        yield _unfinished(words, "words are still to be counted")
    if encodes:
        yield from _shards(run / SHARDS, trains, words)
    else:
        yield _unfinished(run / SHARDS, "shards are still to be written")
    for folder in [*Checkpoints(run / CHECKPOINTS).paths(), *Checkpoints(run / BEST).paths()]:
        yield from _checkpoint(folder)
    if (run / METRICS).exists():
        yield _metrics(run / METRICS)
    vectors, resume = run / VECTORS, f"streamvec resume {shlex.quote(str(run))}"
    if done:
        ngrams = run / NGRAMS
        if ngrams.exists() or _content(run / RUN_JSON).get("config", {}).get("subwords"):
            yield _checked(ngrams, lambda: verify_arrow(ngrams), f"remove it, and {resume} writes it again")
        yield _checked(vectors, lambda: verify_arrow(vectors), f"remove it, and {resume} writes it again")
    else:
        yield _unfinished(vectors, f"training has not finished: {resume}")
    pieces = [
        Path(at) / name for at, *found in os.walk(run) for names in found for name in names if name.endswith(PARTIAL)
    ]
    for piece in sorted(pieces):  # os.walk, unlike rglob, does not mind folders that go while it looks
        yield _unfinished(piece, "left by a write that was interrupted, or one that goes on: not needed")


def _counting(folder: Path) -> Iterator[Checked]:
    """Runs of words while they are counted; what no record names will be counted again."""
    if not (folder / RECORD).exists():
        yield _unfinished(folder / RECORD, "counting has not come to its first record")
        return
    yield _json(folder / RECORD, _AGAIN)
    for name in (run["name"] for run in _content(folder / RECORD).get("runs", ())):
        yield _arrow(folder / name, _AGAIN)


def _phrases(folder: Path) -> Iterator[Checked]:
    """What phrases are found in: words, their ids, pairs that are being counted, and what passes found."""
    words = folder / WORDS
    if not words.exists():
        yield _unfinished(words, "words are still to be counted")
        return
    yield _arrow(words, _AGAIN)
    if (folder / IDS).exists():
        yield from _shards(folder / IDS, False, words)
    pairs = folder / PAIRS
    if (pairs / RECORD).exists():
        content = _content(pairs / RECORD)
        yield _json(pairs / RECORD, _AGAIN)
        for name in (run["name"] for run in content.get("runs", ())):
            yield _arrow(pairs / name, _AGAIN)
        if counts := content.get("counts"):
            yield _checked(
                pairs / counts["name"], lambda: _as_stated(pairs / counts["name"], counts["checksum"]), _AGAIN
            )
    elif pairs.exists():
        yield _unfinished(pairs / RECORD, "a pass has not come to its first record")
    for path in sorted(folder.glob(joins_name("*"))):
        yield _arrow(path, _AGAIN)


def _as_stated(path: Path, stated: str) -> str:
    found = checksum_of(path)
    if found != stated:
        raise StreamvecError(f"its content has checksum {found}, {RECORD} says {stated}")
    return found


def _shards(folder: Path, finished: bool, vocabulary: Path | None) -> Iterator[Checked]:
    index = folder / INDEX
    stated: list[dict[str, Any]] = []
    if finished or index.exists():
        found = _json(index, _AGAIN)
        content = _content(index)
        yield _fits(found, content, vocabulary) if found.state == OK and vocabulary else found
    else:
        yield _unfinished(index, "shards are still being written")
        content = {}
        if (folder / RECORD).exists():
            yield _json(folder / RECORD, _AGAIN)
            content = _content(folder / RECORD)
    stated = content.get("shards", [])
    for shard in stated:
        yield _shard(folder / shard["name"], shard)
    for path in sorted(set(folder.glob("*.arrow")) - {folder / shard["name"] for shard in stated}):
        if content:
            yield _unfinished(path, "no index names it: not needed")
        else:
            yield _arrow(path, _AGAIN)


def _shard(path: Path, stated: dict[str, Any]) -> Checked:
    def read() -> str:
        found = verify_arrow(path)
        if found != stated["checksum"]:
            raise StreamvecError(
                f"whole, but another one: it has checksum {found}, its index says {stated['checksum']}"
            )
        return found

    return _checked(path, read, _AGAIN)


def _fits(index: Checked, content: dict[str, Any], vocabulary: Path) -> Checked:
    """Ids mean nothing with another vocabulary than that of the index."""
    try:
        checksum = Vocabulary.load(vocabulary).checksum
    except StreamvecError:
        return index  # the vocabulary has a line of its own
    if checksum == content["vocabulary_checksum"]:
        return index
    return index._replace(
        checksum=None, state=DAMAGED, what=f"made with another vocabulary than {vocabulary.name}: {_AGAIN}"
    )


def _checkpoint(folder: Path) -> Iterator[Checked]:
    found = [_json(folder / STATE, ""), _arrays(folder)]
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
    stated = _content(folder / STATE).get("arrays")

    def read() -> str:
        found = checksum_of(path)
        if found != stated:
            raise StreamvecError(f"its content has checksum {found}, {STATE} says {stated}")
        return found

    if stated is None and path.exists():
        return Checked(path, _size(path), None, NO_CHECKSUM, f"it stands in {STATE}, which cannot be read")
    return _checked(path, read, "")


def _metrics(path: Path) -> Checked:
    """A log that grows has no checksum; each line must be an object, but for a last one cut short by a kill.

    A line without an end is also what a trainer is writing just now: the reading stops there, lest the rest
    of that line, there a moment later, be taken for a line of its own.
    """
    wrong, records = 0, 0
    with named_problems(path), path.open("rb") as lines:
        for line in itertools.takewhile(lambda line: line.endswith(b"\n"), lines):
            records += 1
            try:
                wrong += not isinstance(json.loads(line), dict)
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
        return _json(path, "")
    if path.name == ARRAYS and path.with_name(STATE).exists():
        return _arrays(path.parent)
    with named_problems(path), path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END))
        ends = file.read()
        file.seek(0)
        ends += file.read(_END)
    if CHECKSUM_KEY in ends:
        return _arrow(path, "take it from where it came from")
    if not size:
        return Checked(path, 0, None, DAMAGED, "empty")
    return Checked(path, size, None, NO_CHECKSUM, _FOREIGN)


def _arrow(path: Path, advice: str) -> Checked:
    return _checked(path, lambda: verify_arrow(path), advice)


def _json(path: Path, advice: str) -> Checked:
    def read() -> str:
        read_json(path)
        with named_problems(path):
            return json.loads(path.read_bytes())["checksum"]

    return _checked(path, read, advice)


def _content(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except StreamvecError:
        return {}


def _unfinished(path: Path, what: str) -> Checked:
    return Checked(path, 0 if path.is_dir() else _size(path), None, UNFINISHED, what)


def _checked(path: Path, read: Callable[[], str], advice: str) -> Checked:
    size, what = _size(path), "missing"
    if path.exists():
        try:
            return Checked(path, size, read(), OK)
        except StreamvecError as problem:
            what = str(problem).removeprefix(f"{path}: ").removeprefix("damaged: ")
    return Checked(path, size, None, DAMAGED, f"{what}: {advice}" if advice else what)


def _size(path: Path) -> int:
    """Bytes of a file; 0 for one that is not there, or not any more: a trainer may be at work."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
