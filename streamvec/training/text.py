"""The first half of every training: the inputs, their vocabulary, and shards, made or taken from another RUN."""

import contextlib
import functools
import io
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from streamvec.cluster.nodes import Cluster
from streamvec.corpus import pipeline
from streamvec.corpus.cooccurrences import KIND as COOCCURRENCES
from streamvec.corpus.estimate import estimate_text_bytes
from streamvec.corpus.layout import PHRASES, PREPARED, RECORD
from streamvec.corpus.prepare import prepare
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.shards import MarkedShards, Shards
from streamvec.corpus.sources import Source, fingerprint, inspect, resolve, spool, without_date
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.sealed import read_json
from streamvec.disk.writing import remove
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.adopt import adopt
from streamvec.training.crews import crews_of, despite_losses, records
from streamvec.training.options import MachineOptions, TextOptions
from streamvec.training.progress import Progress, Reporter
from streamvec.training.run import RUN_JSON, SPOOL, Run, fingerprint_of, is_prepared_folder
from streamvec.training.start import start_of

_NO_SHARDS = "it was made from co-occurrences: name their files, with --vocab"


def resolve_inputs(inputs: Sequence[str], text: TextOptions) -> list[Source]:
    """The sources that *inputs* name, in order; a finished RUN stands for its shards. ValueError for none."""
    if not inputs:
        raise ValueError("inputs must name at least one file, folder or address, got none")
    if any(is_prepared_folder(name) for name in inputs):
        if len(inputs) > 1:
            raise StreamvecError(f"{inputs[0]}: a RUN as INPUT must be the only one: it stands for its finished shards")
        return [Source(str(Path(inputs[0]).absolute()), "run", "", None)]
    for name in inputs:
        if (Path(name) / RUN_JSON).is_file():
            run = Run.open(name)
            if run.is_labelled:
                raise StreamvecError(
                    f"{name}: a RUN of {run.kind}, which learns from labelled examples and keeps no shards: name text"
                )
            from_text = not any(source.kind == COOCCURRENCES for source in run.sources)
            what = "its shards are not finished: streamvec resume goes on with them" if from_text else _NO_SHARDS
            raise StreamvecError(f"{name}: a RUN whose shards cannot be taken: {what}")
    if inputs.count("-") > 1:
        raise StreamvecError("-: standard input can be read once: name it once")
    sources = resolve(inputs, text.column)
    local = [Path(source.path).exists() for source in sources]
    return [
        Source(str(Path(source.path).absolute()), source.kind, source.compression, source.size) if here else source
        for source, here in zip(sources, local, strict=True)
    ]


def text_of_run(source: Source, wanted: TextOptions) -> TextOptions:
    """The text options of a RUN that stands for its shards; StreamvecError where others were asked for."""
    made = TextOptions(**Run.open(source.path).about["text"])
    for field in fields(TextOptions):
        name, value, fixed = field.name, getattr(wanted, field.name), getattr(made, field.name)
        if value != field.default and value != fixed:
            raise StreamvecError(
                f"{source.path}: its shards were made with {name}={fixed}, not {value}: leave "
                f"--{name.replace('_', '-')} out, or name the text itself"
            )
    return made


def prepared(
    run: Run,
    text: TextOptions,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
    cluster: Cluster | None = None,
    place: str | None = None,
) -> tuple[Vocabulary, Shards]:
    """The vocabulary and shards of a RUN, made, gone on with, or taken as they are.

    place: where shards that are made are to lie, if not in the RUN.
    Raises Interrupted when *stop* says so, StreamvecError for what is wrong with the input. A RUN that holds nothing to
    go on with is then removed.
    """
    try:
        if not run.is_prepared:
            refuse_changed_input(run)
            sources = [_readable(source, run, text, stop) for source in run.sources]
            if sources[0].kind == "run":
                adopt(Path(sources[0].path), run, report)
            else:
                _prepare(run, sources, text, machine, report, stop, cluster, place)
        else:  # a kill may have come between the last shard and the removal of what is not needed any more
            remove(run.folder / SPOOL, run.folder / PHRASES, run.shards / RECORD)
        vocabulary, shards = (
            Vocabulary.load(run.vocabulary),
            (MarkedShards if run.is_marked else Shards).open(run.shards),
        )
    except Interrupted:
        raise
    except StreamvecError:
        run.remove_if_empty()
        raise
    if shards.vocabulary_checksum != vocabulary.checksum:
        raise StreamvecError(
            f"{run.folder}: its shards were made with another vocabulary: train again with --overwrite"
        )
    give_memory_back()
    return vocabulary, shards


def refuse_changed_input(run: Run) -> None:
    """StreamvecError where an input is not what it was when the RUN was made."""
    for source, stated in zip(run.sources, run.about["fingerprints"], strict=True):
        if without_date(fingerprint_of(source)) != without_date(stated):
            raise StreamvecError(f"{source.path}: changed since {run.folder} was begun: train again with --overwrite")


def _refuse_changed_spool(run: Run, kept: Path) -> None:
    """StreamvecError where standard input, as it was kept, is not what was begun with."""
    if not (run.folder / PREPARED).exists():
        return
    for stated in read_json(run.folder / PREPARED)["sources"]:
        if Path(stated["path"]).name == SPOOL:
            now = fingerprint(Source(str(kept), "", "", None))
            if any(now[name] != stated[name] for name in ("size", "head", "tail")):
                raise StreamvecError(
                    f"{kept}: damaged, or another file than {run.folder} was begun with: train again with --overwrite"
                )


def _readable(source: Source, run: Run, text: TextOptions, stop: Callable[[], bool]) -> Source:
    """Standard input can be read once; it is kept, compressed, until the shards are made."""
    if source.path != "-":
        return source
    kept = run.folder / SPOOL
    if kept.exists():
        _refuse_changed_spool(run, kept)
        return inspect(str(kept), text.column)
    with standard_input(run, stop) as stream:
        return spool(stream, kept, text.column)


@contextlib.contextmanager
def standard_input(run: Run, stop: Callable[[], bool]) -> Iterator[io.BufferedReader]:
    """What is piped in; a RUN that is stopped meanwhile holds nothing to go on with, and is removed."""
    try:
        yield io.BufferedReader(_Stoppable(sys.stdin.fileno(), stop))
    except Interrupted:
        run.remove_if_empty()
        raise


class _Stoppable(io.RawIOBase):
    """Standard input that ends with Interrupted when *stop* says so, while it waits for more, too.

    Ctrl-C also ends what writes into a pipe: the end that then comes is not the end of the text.
    """

    def __init__(self, handle: int, stop: Callable[[], bool]) -> None:
        self._handle = handle
        self._stop = stop

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._handle)

    def readinto(self, buffer: Any) -> int:
        while True:
            ready, _, _ = select.select([self._handle], [], [], 0.2)
            some = os.read(self._handle, len(buffer)) if ready else b""
            if self._stop():
                raise Interrupted("stopped before the end of standard input came: nothing is kept, pipe it in again")
            if ready:
                buffer[: len(some)] = some
                return len(some)


def _prepare(
    run: Run,
    sources: list[Source],
    text: TextOptions,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
    cluster: Cluster | None,
    place: str | None,
) -> None:
    start = start_of(run.about)
    sizes = [estimate_text_bytes(source, text.column) for source in sources]
    total = sum(size for size in sizes if size is not None) if None not in sizes else None
    began: dict[str, tuple[float, int]] = {}

    def tell(now: pipeline.Progress) -> None:
        start, first = began.setdefault(now.stage, (time.monotonic(), now.bytes_read))
        rate = (now.bytes_read - first) / max(time.monotonic() - start, 1e-3) / 1e6
        share = min(1.0, now.bytes_read / total) if total else None
        report.progress(Progress(now.stage, share, megabytes_per_second=rate))

    def attempt() -> tuple[Vocabulary, Shards]:
        with crews_of(machine, cluster) as crews:
            return prepare(
                sources,
                run.folder,
                text.tokenizer,
                column=text.column,
                encoding=text.encoding,
                min_count=text.min_count,
                max_vocab=text.max_vocab,
                earlier=start.earlier if start else None,
                phrases=text.phrase_options,
                marked=run.is_marked,
                place=place,
                report=tell,
                stop=stop,
                crews=crews,
            )

    kept = functools.partial(records, run.folder)
    vocabulary, shards = despite_losses(attempt, kept, "record", report.note, run.folder)
    remove(run.folder / SPOOL)
    give_memory_back()  # training needs it within the ceiling
    _tell_what_was_lost(shards, report)
    if phrases := vocabulary.about.get("phrases"):
        _tell_phrases(phrases, shards.counts["joined_tokens"], report)


def _tell_what_was_lost(shards: Shards, report: Reporter) -> None:
    counts = shards.counts
    dropped = counts["dropped_rare"]
    report.note(
        f"{counts['documents']:,} documents, {counts['tokens']:,} tokens, {shards.vocabulary_size:,} words; "
        f"{dropped:,} tokens ({dropped / max(1, counts['tokens']):.1%}) of rarer words left out"
    )
    for name, sentence in (
        ("replaced_bytes", "{:,} bytes were not text in this encoding and were replaced"),
        ("dropped_long", "{:,} tokens of more than 1,000 bytes were dropped"),
        ("documents_split", "{:,} documents of more than 65,536 tokens were divided; windows do not cross the cuts"),
        ("repeated_documents", "{:,} documents repeat an earlier one; they were kept"),
    ):
        if counts[name]:
            about = "about " if name == "repeated_documents" and counts["repeats_sampled"] > 1 else ""
            report.note(about + sentence.format(counts[name]))


def _tell_phrases(phrases: dict[str, Any], joined: int, report: Reporter) -> None:
    if not phrases["found"]:
        report.note("no phrases found: lower --phrase-threshold or --phrase-min-count for more")
        return
    examples = ", ".join(phrases["examples"])
    report.note(f"{phrases['found']:,} phrases, such as {examples}; {joined:,} tokens joined to the one before")
