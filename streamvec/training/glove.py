"""Training of GloVe from shards to vectors.arrow, begun or gone on with: pairs are counted, then trained on.

The pairs may also come from another tool's files (`streamvec.training.stanford`).
"""

from collections.abc import Callable
from importlib.metadata import version

from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, Source, TokenSource
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.glove import Glove, InRandomOrder
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.step import Position
from streamvec.training.loop import Schedule, train
from streamvec.training.needs import Load, compiling_bytes, refuse_too_large
from streamvec.training.options import MachineOptions
from streamvec.training.progress import Progress, Reporter
from streamvec.training.run import Run
from streamvec.training.start import fill, start_of
from streamvec.training.watch import Watch
from streamvec.vectors.store import write_vectors


def train_glove_run(
    run: Run,
    config: GloveConfig,
    vocabulary: Vocabulary,
    shards: Shards,
    text_bytes: int,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
) -> None:
    """Trains a RUN of kind glove from where it is to its vectors; text_bytes: prepared by this process."""
    train_pairs(run, config, vocabulary, TokenSource(shards, config.counted), text_bytes, machine, report, stop)


def train_pairs(
    run: Run,
    config: GloveConfig,
    vocabulary: Vocabulary,
    source: Source,
    text_bytes: int,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
    counted: Callable[[], None] = lambda: None,
) -> None:
    """The same with pairs from any *source*; *counted* is called when that is not needed any more."""
    start = start_of(run.about)
    load = Load(len(vocabulary), vocabulary.mean_bytes, text_bytes, started=start is not None)
    refuse_too_large(config, machine, load, compiling_bytes())
    cooccurrences = _cooccurrences(run, config, vocabulary, source, machine, report, stop)
    counted()
    model = Glove(config, len(vocabulary), machine.cores, cooccurrences.bands, cooccurrences.mirrored)
    try:
        found = run.checkpoints.load(model.arrays, report.note)
        position = found[0] if found else Position(0, 0)
        run.metrics.forget_after(position)
        watch = Watch(model, run, vocabulary)
        watch.restore(found[1] if found else {})
        if start and not found:
            fill(model, vocabulary, start, run.folder, report.note, stop)
            run.checkpoints.save(position, model.arrays, watch.state())
        schedule = Schedule.of(config.epochs, cooccurrences.batches, machine)
        batches = InRandomOrder(cooccurrences, config.seed)
        train(model, batches, position, schedule, run.checkpoints, run.metrics, report, stop, watch)
        info = {"streamvec": version("streamvec"), "kind": run.kind, **run.about["config"]}
        write_vectors(run.vectors, vocabulary.words, vocabulary.counts, model.vectors, info)
    finally:
        model.close()


def _cooccurrences(
    run: Run,
    config: GloveConfig,
    vocabulary: Vocabulary,
    source: Source,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
) -> Cooccurrences:
    """Those of the RUN, counted where they are not there yet."""
    stage = CooccurrenceStage(run.cooccurrences, vocabulary, source, config.window)

    def tell(name: str, done: float) -> None:
        report.progress(Progress(name, done))

    is_new = not stage.is_finished
    found = stage.run(machine.memory_bytes, machine.cores, tell, stop)
    if is_new:
        report.note(f"{found.entries:,} co-occurrences of {len(vocabulary):,} words")
    return found
