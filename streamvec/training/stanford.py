"""Training that takes over from Stanford's GloVe: its vocab.txt and cooccurrence.bin stand for the text.

They are looked over once, then counted in bounded memory as pairs of text are, and not needed any more. prepared.json
says how far looking over is, what the files were, and how their values are counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from streamvec.cluster.nodes import Cluster
from streamvec.corpus.compiling import compile_entries
from streamvec.corpus.compression import PIECE
from streamvec.corpus.cooccurrences import ENTRY_BYTES, KIND
from streamvec.corpus.entryfiles import EntrySource, Survey, look_over, resolve_entries
from streamvec.corpus.layout import PREPARED
from streamvec.corpus.prepare import refuse_newer
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.shardfiles import INDEX, VERSION
from streamvec.corpus.sources import Source, inspect, keep
from streamvec.corpus.streams import Stream, open_plain
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.reading import free_space
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.writing import remove
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.kinds import WordConfig
from streamvec.training import needs
from streamvec.training.glove import train_pairs
from streamvec.training.needs import Load
from streamvec.training.options import MachineOptions, TextOptions
from streamvec.training.progress import Progress, Reporter
from streamvec.training.run import RUN_JSON, SPOOL, Run
from streamvec.training.tableneeds import PAIR_BYTES
from streamvec.training.text import refuse_changed_input, standard_input
from streamvec.training.work import Work
from streamvec.vectors.vocabtext import read_vocab

VOCAB = "vocab"  # the kind of the last source
_COUNTED = ("window", "sides", "weighting")  # options of the model that say what is counted in text
_FLOAT32 = 2.0**-24  # the relative error of values as they are stored


def about_text(options: Mapping[str, Any]) -> str | None:
    """The first of *options*, those that were given, that says what is counted in text."""
    known = {*_COUNTED, *(field.name for field in fields(TextOptions))}
    return next((name for name in options if name in known), None)


def resolve_stanford(inputs: Sequence[str], vocab: str) -> list[Source]:
    """The files of co-occurrences that *inputs* name, in order, and vocab.txt; ValueError for none."""
    if not inputs:
        raise ValueError("inputs must name at least one file of co-occurrences, got none")
    if inputs.count("-") > 1:
        raise StreamvecError("-: standard input can be read once: name it once")
    for name in inputs:
        if (Path(name) / RUN_JSON).is_file():
            raise StreamvecError(
                f"{name}: a RUN, not co-occurrences as Stanford's GloVe writes them: leave --vocab out, or name a file"
            )
    sources, found = resolve_entries(inputs), inspect(vocab)
    local = Path(vocab).exists()
    return [*sources, replace(found, kind=VOCAB, path=str(Path(vocab).absolute()) if local else vocab)]


def settings_of(config: WordConfig) -> dict[str, Any]:
    """What run.json says of the options: nothing of a text, as there is none."""
    return {"config": {name: value for name, value in asdict(config).items() if name not in _COUNTED}, "text": {}}


def train_entries(
    run: Run,
    config: GloveConfig,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
    cluster: Cluster | None = None,
) -> None:
    """Trains a RUN whose inputs are co-occurrences from where it is to its vectors.

    Raises Interrupted when *stop* says so, StreamvecError for what is wrong with the input. A RUN that holds nothing to
    go on with is then removed.
    """
    if run.is_finished:
        return
    try:
        vocabulary, survey = _prepared(run, machine, report, stop)
    except Interrupted:
        raise
    except StreamvecError:
        run.remove_if_empty()
        raise
    source = EntrySource(_files(run), survey)
    give_memory_back()

    def before(load: Load) -> None:
        """Each record is in a run and, unless it comes again, in a file; and what follows."""
        folder, free = free_space(run.folder)
        records, shape = sum(survey.files), needs.Corpus(0, 0, 0, load.words, load.word_bytes)
        end = 2 * needs.checkpoint_bytes(config.array_bytes(load.words)) + needs.result_bytes(config, shape)
        there = sum(path.stat().st_size for path in run.cooccurrences.rglob("*") if path.is_file())
        needed = (PAIR_BYTES + ENTRY_BYTES) * records + end - there
        if needed > free:
            raise StreamvecError(
                f"{folder}: about {needed / 1e6:,.0f} MB of disk are needed for {records:,} co-occurrences and what "
                f"follows, and {free / 1e6:,.0f} MB are free: free some and run streamvec resume, or take another --out"
            )

    def counted() -> None:
        remove(run.folder / SPOOL)

    train_pairs(Work(run, vocabulary, 0, machine, report, stop, cluster), config, source, before, counted)


def _prepared(
    run: Run, machine: MachineOptions, report: Reporter, stop: Callable[[], bool]
) -> tuple[Vocabulary, Survey]:
    """The vocabulary, and what is known of the files once all of them have been looked over."""
    if run.vocabulary.exists() and (run.cooccurrences / INDEX).exists():
        return Vocabulary.load(run.vocabulary), _known(run)
    refuse_changed_input(run)
    kept = run.folder / SPOOL
    if any(source.path == "-" for source in run.sources) and not kept.exists():
        with standard_input(run, stop) as piped:
            keep(piped, kept)
    if run.vocabulary.exists():
        return Vocabulary.load(run.vocabulary), _known(run)
    compile_entries()
    vocab, survey = run.sources[-1], _known(run)
    with open_plain(vocab.path, vocab.compression) as stream:
        words, counts = read_vocab(_pieces(stream), vocab.path)
    vocabulary = Vocabulary(words, counts, {"imported_from": Path(vocab.path).name, "format": "stanford-vocab"})

    def record(survey: Survey) -> None:
        stated = {"version": VERSION, "sources": run.about["fingerprints"], KIND: survey.to_json()}
        write_json(run.folder / PREPARED, stated)

    def tell(done: float | None) -> None:
        report.progress(Progress("checking", done))

    look_over(_files(run), len(vocabulary), survey, record, tell, stop)
    record(survey)
    vocabulary.save(run.vocabulary)
    if survey.relative_error > _FLOAT32:
        error = survey.relative_error
        told = f"is kept to {error:.1e} of itself" if error < 1 else "is less than one, and becomes one"
        report.note(
            f"values are counted in parts of {2.0**-survey.exponent:.3g}, as fine as their sum of {survey.total:.4g} "
            f"allows: the smallest, {survey.smallest:.4g}, {told}"
        )
    return vocabulary, survey


def _pieces(stream: Stream) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def _files(run: Run) -> list[Source]:
    """The files of co-occurrences; what was piped in stands in the RUN."""
    kept = run.folder / SPOOL
    return [replace(one, path=str(kept), compression="zst") if one.path == "-" else one for one in run.sources[:-1]]


def _known(run: Run) -> Survey:
    """How far looking over was when the last record was written."""
    path = run.folder / PREPARED
    if not path.exists():
        return Survey()
    prepared = read_json(path)
    refuse_newer(path, prepared)
    try:
        return Survey.from_json(prepared[KIND])
    except (KeyError, TypeError) as problem:
        raise StreamvecError(f"{path}: damaged: train again with --overwrite") from problem
