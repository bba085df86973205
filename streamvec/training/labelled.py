"""The first half of training on labelled examples: their words and labels, vectors known from elsewhere, examples."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.examples import Examples, ExampleWriter
from streamvec.corpus.layout import COUNTING
from streamvec.corpus.pipeline import Progress as Counted
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.sources import fingerprint, inspect, resolve, without_date
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.tsv import Row
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.corpus.vocabularystage import count_words
from streamvec.disk.writing import remove, whole_folder
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.exampleids import Ids, Shape, load_ids, words_tokenizer
from streamvec.training.labelledrows import Followed, Rows, in_batches, read_rows, some_of, write_rows
from streamvec.training.options import LabelledOptions, MachineOptions
from streamvec.training.progress import Progress, Reporter
from streamvec.training.run import EXAMPLES, HELD_OUT, KNOWN, LABELS, ROWS, TARGETS, Run
from streamvec.vectors.keyedvectors import KeyedVectors


class Prepared(NamedTuple):
    """What a task trains on."""

    vocabulary: Vocabulary
    ids: Ids
    examples: Examples
    held_out: Examples | None
    known: KeyedVectors | None


def prepare_examples(
    run: Run,
    shape: Shape,
    rows: Callable[[str], Rows],
    options: LabelledOptions,
    keep_vectors: Callable[[Path], None] | None,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
) -> Prepared:
    """All that a RUN trains on, made or taken as it is. rows: those of a path; keep_vectors: writes known.arrow.

    What is not finished is made again. Raises Interrupted when *stop* says so, StreamvecError for what is wrong with
    the files, or changed since the RUN was made; a RUN that holds nothing to go on with is then removed.
    """
    folder, path = run.folder, run.sources[0].path
    refuse_changed(run)
    was_read = (folder / EXAMPLES / INDEX).exists()
    try:
        train = rows(path)
        number = 0 if was_read else _read(run, shape, train, options, keep_vectors, machine, report, stop)
        vocabulary, ids, known = load_ids(run, shape, options)
        about: dict[str, Any] = {"vocabulary_checksum": vocabulary.checksum, "vocabulary_size": len(vocabulary)}
        if not was_read:
            told = _told_of(read_rows(folder / ROWS), number, report, stop, path)
            write_examples(folder / EXAMPLES, ids, told, train, about)
            ids.longest_target = Examples.open(folder / EXAMPLES).longest_target
            _tell(Examples.open(folder / EXAMPLES), report, "train on", path)
        remove(folder / ROWS)
        valid = run.about.get("valid")
        if valid is not None and not (folder / HELD_OUT / INDEX).exists():
            held_out = rows(valid)
            told = _told_of(in_batches(held_out, stop, valid), None, report, stop, valid)
            write_examples(folder / HELD_OUT, ids, told, held_out, about)
            _tell(Examples.open(folder / HELD_OUT), report, "measure on", valid)
        examples = Examples.open(folder / EXAMPLES)
        if examples.vocabulary_checksum != vocabulary.checksum:
            raise StreamvecError(
                f"{folder}: its examples were made with another vocabulary: train again with --overwrite"
            )
        held = Examples.open(folder / HELD_OUT) if valid is not None else None
        if held is not None and not held.examples:
            raise StreamvecError(f"{valid}: {_NONE}")
    except Interrupted:
        raise
    except StreamvecError:
        if not was_read and not run.checkpoints.paths():
            run.remove()
        raise
    give_memory_back()
    return Prepared(vocabulary, ids, examples, held, known)


_NONE = "there are no examples in it: name another file"


def refuse_changed(run: Run) -> None:
    """StreamvecError where a file that is still to be read is not what it was when the RUN was made."""
    still = []
    if not (run.folder / EXAMPLES / INDEX).exists():
        still.append((run.sources[0].path, run.about["fingerprints"]))
    if run.about.get("valid") is not None and not (run.folder / HELD_OUT / INDEX).exists():
        still.append((run.about["valid"], run.about["valid_fingerprints"]))
    for path, stated in still:
        found = [fingerprint(source) for source in resolve([path])]
        if [without_date(one) for one in found] != [without_date(one) for one in stated]:
            raise StreamvecError(f"{path}: changed since {run.folder} was begun: train again with --overwrite")


def _read(
    run: Run,
    shape: Shape,
    rows: Rows,
    options: LabelledOptions,
    keep_vectors: Callable[[Path], None] | None,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
) -> int:
    """The rows, and all that they are numbered by; returns how many rows there are."""
    folder, path = run.folder, run.sources[0].path
    remove(*(folder / name for name in (ROWS, LABELS, TARGETS, run.vocabulary.name, COUNTING)))

    def look() -> None:
        if stop():
            raise Interrupted(f"stopped while {path} was read")
        report.progress(Progress("reading", None))

    chosen = some_of(Followed(rows, look), options.train_size, run.about["config"]["seed"])
    number = write_rows(folder / ROWS, in_batches(chosen, stop, path))
    if not number:
        raise StreamvecError(f"{path}: {_NONE}")
    if shape.targets != "words":
        try:
            labels = rows.labels(row for batch in read_rows(folder / ROWS) for row in batch)
        except StreamvecError as problem:
            raise StreamvecError(str(problem) if str(problem).startswith(path) else f"{path}: {problem}") from None
        labels.save(folder / LABELS)
    if options.train_size is not None and number < options.train_size:
        report.note(f"{path}: has only {number:,} examples, fewer than --train-size {options.train_size:,}")

    def count(column: str, out: Path, tokenizer: Tokenizer) -> None:
        count_words(
            inspect(str(folder / ROWS)),
            column,
            out,
            tokenizer,
            min_count=options.min_count,
            max_vocab=options.max_vocab,
            crews=ThreadCrews(machine.cores, machine.memory_bytes),
            report=_teller(report),
            stop=stop,
        )

    count("text", run.vocabulary, words_tokenizer(shape, options))
    if shape.targets == "words":
        count("target", folder / TARGETS, options.tokenizer)
    if keep_vectors is not None:
        keep_vectors(folder / KNOWN)
    return number


_TOLD = ("rows", "tokens", "unknown", "cut", "targets_cut")  # by sentences of their own
_SAID = {
    "empty_lines": "empty lines were passed over",
    "without_text": "lines without text were passed over",
    "without_target": "lines without a label or target were passed over",
    "replaced": "characters that were no text in this encoding were replaced",
    "unknown_targets": "labels or target words are not known from the training data",
    "ranges_skipped": "lines of words written as one, or left out, were passed over",
    "sentences_cut": "sentences were longer than --max-length, and cut into pieces",
    "replaced_bytes": "bytes could not be decoded and were replaced",
    "repaired_tags": "tags cannot stand where they do in their scheme, and were read as others",
}


def _teller(report: Reporter) -> Callable[[Counted], None]:
    """Tells how fast words are counted."""
    began = time.monotonic()

    def tell(now: Counted) -> None:
        rate = now.bytes_read / max(time.monotonic() - began, 1e-3) / 1e6
        report.progress(Progress(now.stage, None, megabytes_per_second=rate))

    return tell


def _told_of(
    batches: Iterable[list[Row]], number: int | None, report: Reporter, stop: Callable[[], bool], what: str
) -> Iterator[list[Row]]:
    """The same batches, of *number* rows if that is known, and how far they are; Interrupted when *stop* says so."""
    done = 0
    for rows in batches:
        if stop():
            raise Interrupted(f"stopped while {what} was numbered")
        done += len(rows)
        report.progress(Progress("numbering", done / number if number else None))
        yield rows


def write_examples(folder: Path, ids: Ids, batches: Iterable[list[Row]], source: Rows, about: dict[str, Any]) -> None:
    """Numbers rows and writes them as examples, with what was counted when they were read from *source*; the folder
    appears whole."""
    for each in (ids.words, ids.target_words):
        if each is not None:
            each.counts.update(dict.fromkeys(each.counts, 0))
    counts: dict[str, int] = {}
    with whole_folder(folder) as beside, ExampleWriter(beside, **about, counts=counts) as writer:
        unknown = 0
        for rows in batches:
            batch = ids.of(rows)
            unknown += int(np.count_nonzero(batch.targets.values < 0))
            writer.add(batch)
        counts.update(ids.words.counts | {"unknown_targets": unknown} | source.counts)
        if ids.target_words is not None:
            counts["targets_cut"] = ids.target_words.counts["cut"]
            counts["unknown_targets"] = ids.target_words.counts["unknown"]


def _tell(examples: Examples, report: Reporter, what: str, path: str) -> None:
    """Says what there is, and what of it was lost."""
    counts = examples.counts
    report.note(
        f"{path}: {examples.examples:,} examples to {what}, {counts['tokens']:,} tokens, {counts['unknown']:,} of them "
        "unknown"
    )
    if counts["cut"] or counts.get("targets_cut"):
        cut = counts["cut"] + counts.get("targets_cut", 0)
        report.note(f"{path}: {cut:,} sequences were longer than --max-length and cut")
    for name in counts:
        if counts[name] and name not in _TOLD:
            report.note(f"{path}: {counts[name]:,} {_SAID.get(name, name.replace('_', ' '))}")
