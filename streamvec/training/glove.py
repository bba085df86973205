"""Training of GloVe from shards to vectors.arrow, begun or gone on with: pairs are counted, then trained on.

The pairs may also come from another tool's files (`streamvec.training.stanford`).
"""

from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from streamvec.corpus.compiling import compile_cooccurrences
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, Source, TokenSource
from streamvec.corpus.layout import RECORD
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.files import free_space
from streamvec.errors import StreamvecError
from streamvec.models.glove import Glove, InRandomOrder
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.step import Position
from streamvec.training import needs
from streamvec.training.loop import Schedule, train
from streamvec.training.needs import Load, compiling_bytes, refuse_too_large
from streamvec.training.options import MachineOptions
from streamvec.training.pairneeds import growth_of_shards, most_disk, pair_needs
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

    def before(load: Load) -> None:
        _refuse_full_disk(run, config, vocabulary, shards, load, machine)

    source = TokenSource(shards, config.counted)
    train_pairs(run, config, vocabulary, source, text_bytes, machine, report, stop, before)


def train_pairs(
    run: Run,
    config: GloveConfig,
    vocabulary: Vocabulary,
    source: Source,
    text_bytes: int,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
    before: Callable[[Load], None] = lambda load: None,
    after: Callable[[], None] = lambda: None,
) -> None:
    """The same with pairs from any *source*; *before* is called where some are still to be counted, *after* when the
    source is not needed any more."""
    start = start_of(run.about)
    load = Load(len(vocabulary), vocabulary.mean_bytes, text_bytes, started=start is not None)
    refuse_too_large(config, machine, load, compiling_bytes())
    if run.checkpoints.newest() == Position(config.epochs, 0):  # only the vectors are left to write: no pairs for that
        model = Glove(config, len(vocabulary), 1, np.array([0, len(vocabulary)]))
        found = run.checkpoints.load(model.arrays, report.note)
        if found and found[0] == Position(config.epochs, 0):  # else it was damaged, and is put aside
            return _write(run, vocabulary, model)
    stage = CooccurrenceStage(run.cooccurrences, vocabulary, source, config.window)
    is_new = not stage.is_finished
    if is_new:
        before(load)
    cooccurrences = stage.run(
        machine.memory_bytes, machine.cores, lambda name, done: report.progress(Progress(name, done)), stop
    )
    if is_new:
        report.note(f"{cooccurrences.entries:,} co-occurrences of {len(vocabulary):,} words")
    after()
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
        _write(run, vocabulary, model)
    finally:
        model.close()


def _write(run: Run, vocabulary: Vocabulary, model: Glove) -> None:
    info = {"streamvec": version("streamvec"), "kind": run.kind, **run.about["config"]}
    write_vectors(run.vectors, vocabulary.words, vocabulary.counts, model.vectors, info)


def _refuse_full_disk(
    run: Run, config: GloveConfig, vocabulary: Vocabulary, shards: Shards, load: Load, machine: MachineOptions
) -> None:
    """StreamvecError when the disk has not what is still to be written: runs of pairs, co-occurrences, and the end."""
    folder, free = free_space(run.folder)
    words = needs.Corpus(load.text, shards.documents, shards.tokens, load.words, load.word_bytes)
    end = 2 * needs.checkpoint_bytes(config, load.words) + needs.vectors_bytes(config, words)
    if most_disk(shards.tokens, config.window) + end <= free:
        return
    compile_cooccurrences()
    pairs = pair_needs(machine, growth_of_shards(shards, vocabulary.counts, config.counted), load, shards.tokens)
    there = sum(path.stat().st_size for path in run.cooccurrences.rglob("*") if path.is_file())
    is_counted = (run.cooccurrences / RECORD).exists()  # so that runs are merged no more
    pairs_disk = pairs.merged_disk if is_counted else pairs.peak_disk
    needed = max(pairs_disk, pairs.disk + end) - there
    if needed > free:
        raise StreamvecError(
            f"{folder}: about {needed / 1e6:,.0f} MB of disk are needed for co-occurrences of {load.words:,} words, "
            f"window {config.window}, and what follows, and {free / 1e6:,.0f} MB are free: free some and run streamvec "
            "resume, or train again with fewer words (--max-vocab), a smaller --window, or another --out"
        )
