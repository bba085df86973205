"""info and verify: what a RUN or a file holds, and whether every byte of it is as it was written."""

from pathlib import Path
from typing import Any

import click

from streamvec.errors import StreamvecError

from .options import json_option
from .terminal import json_text, say, say_json

_LOST = (
    ("joined_tokens", "tokens joined to the one before, as phrases"),
    ("dropped_rare", "tokens of rarer words left out"),
    ("dropped_long", "tokens of more than 1,000 bytes dropped"),
    ("replaced_bytes", "bytes that were not text replaced"),
    ("empty_documents", "documents without a token"),
    ("documents_dropped", "documents without a word of the vocabulary left out"),
    ("documents_split", "documents of more than 65,536 tokens divided"),
    ("repeated_documents", "documents that repeat an earlier one, kept"),
    ("cut", "sequences of more than --max-length words cut"),
    ("targets_cut", "targets of more than --max-length words cut"),
    ("unknown", "tokens unknown"),
    ("unknown_targets", "labels or target words unknown"),
    ("empty_lines", "empty lines passed over"),
    ("without_text", "lines without text passed over"),
    ("without_target", "lines without a label or target passed over"),
    ("replaced", "characters that were not text replaced"),
)

_LABELS = 20  # that are named
_SIZES = ("examples", "documents", "tokens")


@click.command("info")
@click.argument("path", type=click.Path())
@json_option
def info_(path: str, as_json: bool) -> None:
    """What PATH is: a RUN, vectors of streamvec or of another tool, n-grams, a vocabulary, shards, co-occurrences,
    labelled examples, a checkpoint.

    \b
    Example:
      streamvec info wiki-run
    """
    from streamvec.training.info import info

    found = info(Path(path))
    say(json_text(found)) if as_json else say(*_lines(found))


@click.command("verify")
@click.argument("path", type=click.Path())
@json_option
def verify_(path: str, as_json: bool) -> None:
    """Read every byte of PATH against its checksum: a RUN, shards, co-occurrences, a checkpoint, or one file.

    A line a file: path, bytes, checksum, and ok or what is wrong. What a RUN has not written yet is said, and is no
    fault. Exit status 1 when anything is damaged, or nothing has a checksum.

    \b
    Example:
      streamvec verify wiki-run
    """
    from streamvec.training.checking import DAMAGED, OK
    from streamvec.training.verify import verify

    states = []
    for file in verify(Path(path)):
        states.append(file.state)
        if as_json:
            say_json({**file._asdict(), "path": str(file.path)})
        else:
            state = f"{file.state}: {file.what}" if file.what else file.state
            say(f"{file.path}  {file.bytes:,}  {file.checksum or '-'}  {state}")
    if damaged := states.count(DAMAGED):
        raise StreamvecError(f"{path}: {damaged} of {len(states)} files damaged, as listed")
    if OK not in states:
        raise StreamvecError(f"{path}: there is no checksum to read it against")


def _lines(found: dict[str, Any]) -> list[str]:
    """A name and what it is on each line."""
    rows: list[tuple[str, str]] = [("path", found["path"]), ("what", _what(found))]
    if "inputs" in found:
        rows += [("input", _input(source)) for source in found["inputs"]]
    if found.get("start"):
        what = "the rows and counts of a RUN" if found["start"]["what"] == "run" else "vectors"
        rows.append(("begun from", f"{found['start']['path']} ({what})"))
    for name in ("options", "made"):
        if found.get(name):
            rows.append((name, " ".join(f"{key}={value}" for key, value in found[name].items() if value is not None)))
    for name in (
        "format",
        "words",
        "rows",
        "dim",
        "dtype",
        "minn",
        "maxn",
        "buckets",
        "connectivity",
        "expansion",
        "parts",
        "distinct_words",
        "tokens_in_corpus",
        "tokens",
        "documents",
        "examples",
        "longest",
        "entries",
        "stored",
        "batches",
    ):
        if name in found:
            rows.append((name.replace("_", " "), _shown(found[name])))
    if said := _counted(found.get("counted", {})):
        rows.append(("counted", said))
    if labels := found.get("labels"):
        some = ", ".join(f"{label!r} {count:,}" for label, count in [*labels.items()][:_LABELS])
        rows.append(("labels", some + (f" and {len(labels) - _LABELS:,} more" if len(labels) > _LABELS else "")))
    if found["what"] == "checkpoint":
        rows += [(name, _shown(found[name])) for name in ("epoch", "batch", "bytes")]
    if "most_frequent" in found:
        rows.append(("most frequent", ", ".join(f"{word!r} {count:,}" for word, count in found["most_frequent"])))
    counts = found.get("counts", {})
    about = "about " if counts.get("repeats_sampled", 1) > 1 else ""
    for name, text in _LOST:
        if counts.get(name):
            rows.append(("", f"{about if name == 'repeated_documents' else ''}{counts[name]:,} {text}"))
    rows += [("note", note) for note in found.get("notes", ())]
    if found["what"] == "run":
        rows += _progress(found)
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def _progress(found: dict[str, Any]) -> list[tuple[str, str]]:
    now = ", in use by a streamvec that is at work" if found["in_use"] else ""
    rows = []
    if pairs := found.get("cooccurrences"):
        counted = _counted(pairs["counted"])
        said = f"{pairs['entries']:,} in {pairs['batches']:,} batches" + (f", {counted}" if counted else "")
        rows.append(("co-occurrences", said))
    stage = [f"{found['stage']}"]
    if found["stage"] == "training" and "progress" in found:
        stage.append(f"{found['progress']:.1%} in checkpoints")
    if "pairs_counted" in found:
        stage.append(f"{found['pairs_counted']:.1%} of the text in runs")
    if "files_written" in found:
        stage.append(f"{found['files_written']:,} files written")
    rows.append(("stage", ", ".join(stage) + now))
    if held_out := found.get("heldout"):
        rows.append(("held out", ", ".join(f"{held_out[name]:,} {name}" for name in _SIZES if name in held_out)))
    if found.get("best"):
        rows.append(("best", " ".join(f"{name}={_shown(value)}" for name, value in found["best"].items())))
    if found.get("metrics"):
        shown = {name: value for name, value in found["metrics"].items() if name != "time" and value is not None}
        rows.append(("metrics", " ".join(f"{name}={_shown(value)}" for name, value in shown.items())))
    for one in found.get("checkpoints", ()):
        rows.append(("checkpoint", one["path"] + (f" ({one['progress']:.1%})" if "progress" in one else "")))
    return rows + [
        (name, found[name]) for name in ("vectors", "ngrams", "index", "gradients", "resume") if name in found
    ]


def _what(found: dict[str, Any]) -> str:
    if found["what"] == "run":
        return f"a RUN of {found['kind']}, by streamvec {found['streamvec']}"
    return "vectors of another tool" if found["what"] == "foreign vectors" else found["what"]


def _counted(counted: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in counted.items() if isinstance(value, str | int | float))


def _input(source: dict[str, Any]) -> str:
    kind = ", ".join(text for text in (source["kind"], source["compression"]) if text)
    return (
        f"{source['path']} ({kind})"
        if source["size"] is None
        else f"{source['path']} ({kind}, {source['size']:,} bytes)"
    )


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
