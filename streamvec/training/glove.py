"""Training of GloVe from shards to vectors.arrow, begun or gone on with: pairs are counted, then trained on.

The pairs may also come from another tool's files (`streamvec.training.stanford`).
"""

import functools
from collections.abc import Callable

import numpy as np

from streamvec.cluster.glovetasks import NodeTasks
from streamvec.cluster.nodes import Cluster
from streamvec.corpus.compiling import compile_cooccurrences
from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, Source, TokenSource
from streamvec.corpus.layout import RECORD
from streamvec.corpus.shards import Shards
from streamvec.disk.reading import free_space
from streamvec.errors import StreamvecError
from streamvec.models.glove import Glove, InRandomOrder
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.step import Position
from streamvec.training import needs
from streamvec.training.crews import crews_of, despite_losses, records
from streamvec.training.needs import Load, compiling_bytes, refuse_too_large
from streamvec.training.nodeneeds import refuse_too_large_for_nodes, rooms_of
from streamvec.training.pairneeds import growth_of_shards, most_disk, pair_needs
from streamvec.training.progress import Progress
from streamvec.training.watch import Watch
from streamvec.training.work import Work
from streamvec.vectors.store import write_vectors


def train_glove_run(work: Work, config: GloveConfig, shards: Shards) -> None:
    """Trains a RUN of kind glove from where it is to its vectors."""

    def before(load: Load) -> None:
        _refuse_full_disk(work, config, shards, load)

    train_pairs(work, config, TokenSource(shards, config.counted), before)


def train_pairs(
    work: Work,
    config: GloveConfig,
    source: Source,
    before: Callable[[Load], None],
    after: Callable[[], None] = lambda: None,
) -> None:
    """The same with pairs from any *source*; *before* is called where some are still to be counted, *after* when the
    source is not needed any more."""
    run, vocabulary, machine = work.run, work.vocabulary, work.machine
    refuse_too_large(config, machine, work.load(), compiling_bytes())
    if work.cluster is not None:
        refuse_too_large_for_nodes(config, work.load(), rooms_of(work.cluster, machine))
    if run.checkpoints.newest() == Position(config.epochs, 0):  # only the vectors are left to write: no pairs for that
        model = Glove(config, len(vocabulary), 1, np.array([0, len(vocabulary)]))
        found = run.checkpoints.load(model.arrays, work.report.note)
        if found and found[0] == Position(config.epochs, 0):  # else it was damaged, and is put aside
            return _write(work, model)
    stage = CooccurrenceStage(run.cooccurrences, vocabulary, source, config.window)
    is_new = not stage.is_finished
    if is_new:
        before(work.load())

    def tell(name: str, done: float) -> None:
        work.report.progress(Progress(name, done))

    def attempt() -> Cooccurrences:
        with crews_of(machine, None if stage.is_finished else work.cluster) as crews:
            return stage.run(crews, tell, work.stop)

    kept = functools.partial(records, run.cooccurrences)
    cooccurrences = despite_losses(attempt, kept, "record", work.report.note, run.folder)
    if is_new:
        work.report.note(f"{cooccurrences.entries:,} co-occurrences of {len(vocabulary):,} words")
    after()
    model = Glove(config, len(vocabulary), machine.cores, cooccurrences.bands, cooccurrences.mirrored)
    try:
        batches, renew = InRandomOrder(cooccurrences, config.seed), None
        if work.cluster is not None:
            renew = _on_nodes(work.cluster, model)
        work.train(model, batches, cooccurrences.batches, Watch(model, run, vocabulary), renew=renew)
        _write(work, model)
    finally:
        model.close()


def _on_nodes(cluster: Cluster, model: Glove) -> Callable[[], None]:
    """Has the nodes of a cluster train the model; what is returned has both begin anew where one is lost."""
    model.trainer = nodes = NodeTasks(cluster, model.records)

    def renew() -> None:
        nodes.begin()
        model.begin()

    return renew


def _write(work: Work, model: Glove) -> None:
    vocabulary = work.vocabulary
    write_vectors(work.run.vectors, vocabulary.words, vocabulary.counts, model.vectors, work.info())


def _refuse_full_disk(work: Work, config: GloveConfig, shards: Shards, load: Load) -> None:
    """StreamvecError when the disk has not what is still to be written: runs of pairs, co-occurrences, and the end."""
    run, counts = work.run, work.vocabulary.counts
    folder, free = free_space(run.folder)
    words = needs.Corpus(load.text, shards.documents, shards.tokens, load.words, load.word_bytes)
    end = 2 * needs.checkpoint_bytes(config.array_bytes(load.words)) + needs.result_bytes(config, words)
    if most_disk(shards.tokens, config.window) + end <= free:
        return
    compile_cooccurrences()
    pairs = pair_needs(work.machine, growth_of_shards(shards, counts, config.counted), load, shards.tokens)
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
