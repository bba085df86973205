"""Training of skip-gram and CBOW from shards to vectors.arrow, begun or gone on with."""

from collections.abc import Callable
from importlib.metadata import version

from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.models.skipgram import SkipGram
from streamvec.models.softmax import refuse_infeasible
from streamvec.models.step import Position
from streamvec.models.subwords import NGrams, list_starts, ngrams_of
from streamvec.models.wordconfig import NO_NGRAMS, NGramSizes, SkipGramConfig
from streamvec.training.loop import Schedule, train
from streamvec.training.needs import Load, compiling_bytes, refuse_too_large
from streamvec.training.options import MachineOptions
from streamvec.training.progress import Reporter
from streamvec.training.run import Run
from streamvec.training.start import fill, start_of
from streamvec.training.watch import HeldOut
from streamvec.vectors.ngramfile import CHECKSUM, write_ngrams
from streamvec.vectors.store import write_vectors


def train_words(
    run: Run,
    config: SkipGramConfig,
    vocabulary: Vocabulary,
    shards: Shards,
    text_bytes: int,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
) -> None:
    """Trains a RUN of kind skip-gram or CBOW from where it is to its vectors; text_bytes: prepared by this process."""
    start = start_of(run.about)
    ngrams = _ngrams_within(config, vocabulary, text_bytes, machine, start is not None)
    if config.objective == "softmax" and not run.checkpoints.paths():  # what is begun goes on, on any machine
        refuse_infeasible(config, len(vocabulary), shards.tokens, machine.cores)
    model = SkipGram(config, vocabulary.counts, shards.batches, machine.cores, ngrams)
    try:
        found = run.checkpoints.load(model.arrays, report.note)
        position = found[0] if found else Position(0, 0)
        run.metrics.forget_after(position)
        watch = HeldOut(model, run, shards, vocabulary)
        watch.restore(found[1] if found else {})
        if start and not found:
            fill(model, vocabulary, start, run.folder, report.note, stop)
            run.checkpoints.save(position, model.arrays, watch.state())
        schedule = Schedule.of(config.epochs, shards.batches, machine)
        train(model, shards, position, schedule, run.checkpoints, run.metrics, report, stop, watch)
        best = watch.take_best()
        if best is not None:
            report.note(f"the held-out loss was lowest after epoch {best}: these are its vectors")
        info = {"streamvec": version("streamvec"), "kind": run.kind, **run.about["config"]}
        if ngrams is not None and config.ngrams is not None:
            rows = model.ngram_vectors
            info[CHECKSUM] = write_ngrams(run.ngrams, ngrams.buckets, rows, config.dim, config.ngrams, config.buckets)
        write_vectors(run.vectors, vocabulary.words, vocabulary.counts, model.vectors, info)
    finally:
        model.close()


def _ngrams_within(
    config: SkipGramConfig, vocabulary: Vocabulary, text_bytes: int, machine: MachineOptions, started: bool
) -> NGrams | None:
    """The n-grams of the vocabulary, where it is to have some; StreamvecError when training would not fit in memory."""
    words, compiling = word_bytes(vocabulary.words), compiling_bytes()
    load = Load(len(vocabulary), vocabulary.mean_bytes, text_bytes, started=started)
    if config.ngrams:  # their lists alone may be too much
        least = NGramSizes(0, int(list_starts(config, words)[-1]))
        refuse_too_large(config, machine, load._replace(ngrams=least), compiling)
    ngrams = ngrams_of(config, words)
    refuse_too_large(config, machine, load._replace(ngrams=ngrams.sizes if ngrams else NO_NGRAMS), compiling)
    return ngrams
