"""Says what a RUN or a file is, from what it says of itself: little is read, and neither the compiler nor a model."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from streamvec.corpus.cooccurrences import KIND as COOCCURRENCES
from streamvec.corpus.cooccurrences import SCHEMA as ENTRIES
from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.examples import SCHEMA as EXAMPLES
from streamvec.corpus.examples import Examples
from streamvec.corpus.layout import PHRASES, RECORD, RUNS, VOCABULARY_KEY, WORDS
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.shards import MarkedShards, Shards
from streamvec.corpus.stretches import has_ends, steps_of, stream_tokens
from streamvec.disk.arrow import open_arrow
from streamvec.disk.jsontext import parsed
from streamvec.disk.pasting import pasted
from streamvec.disk.problems import named_problems
from streamvec.disk.reading import opened
from streamvec.disk.sealed import read_json
from streamvec.errors import StreamvecError
from streamvec.training.checking import content_of, steps_told
from streamvec.training.checkpoint import ARRAYS, STATE
from streamvec.training.infotask import about_examples, about_task
from streamvec.training.run import HELD_OUT, RUN_JSON, Run
from streamvec.vectors.annindex import SUFFIX, index_beside, read_about
from streamvec.vectors.finding import find_vectors
from streamvec.vectors.ngramfile import about_ngrams, is_ngrams
from streamvec.vectors.store import INFO_KEY, stored_dtype

_TAIL = 1 << 16  # bytes at the end of metrics.jsonl in which its last whole line lies
_SHOWN = 10  # words that stand for a vocabulary


def info(path: Path) -> dict[str, Any]:
    """What *path* is, as a JSON object whose "what" is "run", "vectors", "n-grams", "vocabulary", "shards",
    "shard", "co-occurrences", "shard of co-occurrences", "examples", "shard of examples" or "checkpoint"; "foreign
    vectors" are another tool's, and are read to be counted, a block at a time.

    Raises StreamvecError when there is nothing, it is damaged, or it is none of these.
    """
    with named_problems(path), _damage_named(path):
        path.stat()
        return _info(path)


def _info(path: Path) -> dict[str, Any]:
    if path.is_dir():
        if (path / RUN_JSON).exists():
            return _run(Run.open(path))
        if (path / INDEX).exists() and read_json(path / INDEX).get("kind") == COOCCURRENCES:
            return {"what": "co-occurrences", "path": str(path), **_cooccurrences(Cooccurrences.open(path))}
        if (path / INDEX).exists() and read_json(path / INDEX).get("kind") == Examples.KIND:
            return {"what": "examples", "path": str(path), **about_examples(Examples.open(path))}
        if (path / INDEX).exists():
            kind = MarkedShards if read_json(path / INDEX).get("kind") == MarkedShards.KIND else Shards
            return {"what": "shards", "path": str(path), **_shards(kind.open(path))}
        if (path / STATE).exists():
            return _checkpoint(path)
    else:
        if path.suffix == SUFFIX:
            return _index(path)
        with opened(path) as file:
            is_arrow = file.read(6) == b"ARROW1"
        if is_arrow and (found := _arrow(path)):
            return found
    return _vectors(path)


def _index(path: Path) -> dict[str, Any]:
    about = read_about(path)
    named = {name: about[name] for name in ("rows", "dim", "dtype", "connectivity", "expansion")}
    return {"what": "index", "path": str(path), **named, "parts": len(about["parts"])}


def _run(run: Run) -> dict[str, Any]:
    about = run.about
    said: dict[str, Any] = {
        "what": "run",
        "path": str(run.folder),
        "kind": run.kind,
        "streamvec": about["streamvec"],
        "options": {**about["config"], **about["text"]},
        "inputs": about["inputs"],
        "start": about.get("start"),
        "stage": "counting",
    }
    if (run.folder / PHRASES / WORDS).exists():
        said["stage"] = "phrases"
    if run.vocabulary.exists():
        said |= {"stage": "encoding", "words": _vocabulary(open_arrow(run.vocabulary), run.vocabulary)["words"]}
    if run.is_labelled:
        said |= about_task(run)
    elif run.is_prepared:
        said |= {"stage": "training", **_shards((MarkedShards if run.is_marked else Shards).open(run.shards))}
    if run.kind == "glove":
        said |= _glove(run, said)
    elif run.is_labelled:
        said |= _training(run, said.get("steps"))
    elif run.kind == "lm" and run.is_prepared:
        said |= _language_model(run)
    elif run.is_prepared:
        said |= _training(run, steps_told(run.checkpoints) or said["batches"])  # lanes have fewer
    if run.gradients.path.exists():
        said["gradients"] = str(run.gradients.path)
    in_use = _in_use(run.folder / "lock")
    if run.is_finished:
        said |= {"stage": "finished", "progress": 1.0, "vectors": str(run.vectors)}
        said |= {"ngrams": str(run.ngrams)} if run.ngrams.exists() else {}
        index = index_beside(run.vectors)
        said |= {"index": str(index)} if index.exists() else {}
    elif not in_use:
        said["resume"] = f"streamvec resume {pasted(run.folder)}"
    return said | {"in_use": in_use}


def _glove(run: Run, said: dict[str, Any]) -> dict[str, Any]:
    """What comes after the shards of GloVe: pairs are counted and written, then their record batches trained on."""
    from_pairs = any(source.kind == COOCCURRENCES for source in run.sources)  # there are no shards
    if (run.cooccurrences / INDEX).exists():
        found = Cooccurrences.open(run.cooccurrences)
        return {"stage": "training", "cooccurrences": _cooccurrences(found), **_training(run, found.batches)}
    if not run.is_prepared and not from_pairs:
        return {}
    making: dict[str, Any] = {}
    counted, written = (content_of(run.cooccurrences / name) for name in (f"{RUNS}/{RECORD}", RECORD))
    if "batch" in counted and "batches" in said:
        making["pairs_counted"] = round(counted["batch"] / max(1, said["batches"]), 6)
    if "shards" in written:
        making["files_written"] = len(written["shards"])
    return {"stage": "cooccurrences", **making, **_training(run, None)}


def _language_model(run: Run) -> dict[str, Any]:
    """How far a language model is: its steps are of lanes, or of sequences, whose number its checkpoints tell."""
    config = run.about["config"]
    if config.get("separate"):
        steps = steps_told(run.checkpoints)
    else:
        tokenizer = _about(open_arrow(run.vocabulary), run.vocabulary)["tokenizer"]
        tokens = stream_tokens(MarkedShards.open(run.shards), has_ends(tokenizer))
        steps = steps_of(tokens, config["batch"], config["bptt"])
    held_out = run.folder / HELD_OUT
    more = {"heldout": _shards(MarkedShards.open(held_out))} if (held_out / INDEX).exists() else {}
    return {**({"steps": steps} if steps else {}), **more, **_training(run, steps)}


def _cooccurrences(found: Cooccurrences) -> dict[str, Any]:
    return {
        "words": found.vocabulary_size,
        "entries": found.entries,
        "stored": found.stored,
        "batches": found.batches,
        "counted": found.counted,
    }


def _training(run: Run, batches: int | None) -> dict[str, Any]:
    """How far training is: where its newest checkpoint and the last line of its metrics are.

    batches: of an epoch; None where it is not known: then nothing is said of how far a checkpoint within one is.
    """
    epochs = run.about["config"]["epochs"]
    checkpoints = []
    for path in run.checkpoints.paths():
        epoch, batch = map(int, path.name.split("-"))
        one: dict[str, Any] = {"path": str(path), "epoch": epoch, "batch": batch}
        if batches or not batch:
            one["progress"] = round((epoch + (batch / batches if batches else 0)) / epochs, 6)
        checkpoints.append(one)
    known = [one["progress"] for one in checkpoints if "progress" in one]
    progress = {"progress": max([0.0, *known])} if len(known) == len(checkpoints) else {}
    return {**progress, "checkpoints": checkpoints, "metrics": _last_line(run.metrics.path)}


def _last_line(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    with opened(path) as file:
        file.seek(max(0, file.seek(0, 2) - _TAIL))
        lines = file.read().splitlines()
    for line in reversed(lines):
        try:
            record = parsed(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            return record
    return None


def _in_use(lock: Path) -> bool:
    """Whether a living process holds the lock: asked of the system, since trying the lock could refuse a trainer."""
    try:
        inode = str(lock.stat().st_ino)
        held = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except OSError:
        return False
    return any(fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode for fields in held)


def _shards(shards: Shards) -> dict[str, Any]:
    return {
        "words": shards.vocabulary_size,
        "tokens": shards.tokens,
        "documents": shards.documents,
        "batches": shards.batches,
        "counts": shards.counts,
    }


def _checkpoint(path: Path) -> dict[str, Any]:
    epoch, batch = read_json(path / STATE)["position"]
    with named_problems(path / ARRAYS):
        size = (path / ARRAYS).stat().st_size
    return {"what": "checkpoint", "path": str(path), "epoch": epoch, "batch": batch, "bytes": size}


def _arrow(path: Path) -> dict[str, Any] | None:
    """What an Arrow file of streamvec's says of itself; None for another's."""
    reader = open_arrow(path)
    metadata = reader.schema.metadata or {}
    if dtype := stored_dtype(reader.schema):
        try:
            made = parsed(metadata.get(INFO_KEY, b"{}"))
        except ValueError as problem:
            raise StreamvecError(f"{path}: damaged: its streamvec.info is not JSON: run streamvec verify") from problem
        dim = reader.schema.field("vector").type.list_size
        return {"what": "vectors", "path": str(path), "words": _rows(reader), "dim": dim, "dtype": dtype, "made": made}
    if is_ngrams(reader.schema):
        return {"what": "n-grams", "path": str(path), "rows": _rows(reader), **about_ngrams(reader.schema, path)}
    if VOCABULARY_KEY in metadata:
        return {"what": "vocabulary", "path": str(path), **_vocabulary(reader, path)}
    if reader.schema.names == ENTRIES.names:
        stored, batches = _rows(reader), reader.num_record_batches
        return {"what": "shard of co-occurrences", "path": str(path), "stored": stored, "batches": batches}
    if reader.schema.names == EXAMPLES.names:
        return {"what": "shard of examples", "path": str(path), "examples": _rows(reader)}
    if reader.schema.names == ["tokens"]:
        tokens = sum(len(batch.column(0).values) for batch in _batches(reader))
        return {
            "what": "shard",
            "path": str(path),
            "tokens": tokens,
            "documents": _rows(reader),
            "batches": reader.num_record_batches,
        }
    return None


def _about(reader: pa.ipc.RecordBatchFileReader, path: Path) -> dict[str, Any]:
    """What a vocabulary says of the text that it was counted in."""
    try:
        return parsed(reader.schema.metadata[VOCABULARY_KEY])
    except (ValueError, KeyError, TypeError) as problem:
        raise StreamvecError(f"{path}: not a vocabulary, or damaged: run streamvec verify") from problem


def _vocabulary(reader: pa.ipc.RecordBatchFileReader, path: Path) -> dict[str, Any]:
    about = _about(reader, path)
    first = next(_batches(reader), None)
    most: list[list[Any]] = []
    if first is not None:
        some = first.slice(0, _SHOWN)
        some.validate(full=True)  # a wrong offset within would lead anywhere in memory
        most = [list(pair) for pair in zip(*some.to_pydict().values(), strict=True)]
    return {"words": _rows(reader), "most_frequent": most, **about}


def _rows(reader: pa.ipc.RecordBatchFileReader) -> int:
    return sum(batch.num_rows for batch in _batches(reader))


def _batches(reader: pa.ipc.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    """The mapped record batches, of which only what is looked at is read."""
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        batch.validate()
        yield batch


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise  # the system's, not pyarrow's
        raise StreamvecError(f"{path}: damaged ({problem}): run streamvec verify") from problem


def _vectors(path: Path) -> dict[str, Any]:
    """Another tool's vectors, counted a block at a time."""
    from streamvec.vectors.blocks import Notes
    from streamvec.vectors.formats import detect, read_blocks

    place, _ = find_vectors(path)
    format, notes, words, dim = detect(place), Notes(), 0, 0
    for block in read_blocks(place, notes, format):
        words, dim = words + len(block.words), block.vectors.shape[1]
    said = {"what": "foreign vectors", "path": str(path), "format": format, "words": words, "dim": dim}
    return said | {"notes": notes.sentences(place)}
