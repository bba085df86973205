"""Training of skip-gram and CBOW from shards to vectors.arrow, begun or gone on with."""

from streamvec.cluster.columnshards import ColumnShards
from streamvec.cluster.replicas import replicas_on
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import word_bytes
from streamvec.models.replicas import Replicas
from streamvec.models.skipgram import SkipGram
from streamvec.models.softmax import refuse_infeasible
from streamvec.models.subwords import NGrams, list_starts, ngrams_of
from streamvec.models.wordconfig import NO_NGRAMS, NGramSizes, SkipGramConfig
from streamvec.training.needs import compiling_bytes, refuse_too_large
from streamvec.training.nodeneeds import refuse_too_large_for_nodes, rooms_of
from streamvec.training.watch import HeldOut
from streamvec.training.work import Work
from streamvec.vectors.ngramfile import CHECKSUM, write_ngrams
from streamvec.vectors.store import write_vectors


def train_words(work: Work, config: SkipGramConfig, shards: Shards) -> None:
    """Trains a RUN of kind skip-gram or CBOW from where it is to its vectors."""
    run, vocabulary, machine = work.run, work.vocabulary, work.machine
    ngrams = _ngrams_within(work, config)
    if config.objective == "softmax" and not run.checkpoints.paths():  # what is begun goes on, on any machine
        refuse_infeasible(config, len(vocabulary), shards.tokens, machine.cores)
    model = _model_of(work, config, shards.batches, ngrams)
    try:
        watch = HeldOut(model, run, shards, vocabulary)
        if isinstance(model, Replicas):
            in_steps = model.shared(shards)
            work.train(model, in_steps, in_steps.steps, watch, renew=model.renew)
        elif isinstance(model, ColumnShards):
            work.train(model, model.shared(shards), shards.batches, watch, renew=model.renew)
        else:
            work.train(model, shards, shards.batches, watch)
        best = watch.take_best()
        if best is not None:
            work.report.note(f"the held-out loss was lowest after epoch {best}: these are its vectors")
        info = work.info()
        if ngrams is not None and config.ngrams is not None:
            rows = model.ngram_vectors
            info[CHECKSUM] = write_ngrams(run.ngrams, ngrams.buckets, rows, config.dim, config.ngrams, config.buckets)
        write_vectors(run.vectors, vocabulary.words, vocabulary.counts, model.vectors, info)
    finally:
        model.close()


def _model_of(
    work: Work, config: SkipGramConfig, batches: int, ngrams: NGrams | None
) -> SkipGram | ColumnShards | Replicas:
    """The model, on this machine or with a cluster; *batches* of an epoch."""
    counts, cluster = work.vocabulary.counts, work.cluster
    if config.lanes > 1:
        if cluster is None:
            return Replicas.here(config, counts, batches, work.machine.cores, ngrams)
        return Replicas(config, counts, batches, ngrams, replicas_on(cluster, config, counts, batches, ngrams))
    if cluster is not None:
        return ColumnShards(cluster, config, counts, batches, ngrams)
    return SkipGram(config, counts, batches, work.machine.cores, ngrams)


def _ngrams_within(work: Work, config: SkipGramConfig) -> NGrams | None:
    """The n-grams of the vocabulary, where it is to have some; StreamvecError when training would not fit in memory."""
    words, compiling, machine = word_bytes(work.vocabulary.words), compiling_bytes(), work.machine
    load = work.load()
    if work.cluster is not None:
        ngrams = ngrams_of(config, words)
        whole = load._replace(ngrams=ngrams.sizes if ngrams else NO_NGRAMS)
        refuse_too_large_for_nodes(config, whole, rooms_of(work.cluster, machine))
        return ngrams
    if config.ngrams:  # their lists alone may be too much
        least = NGramSizes(0, int(list_starts(config, words)[-1]))
        refuse_too_large(config, machine, load._replace(ngrams=least), compiling)
    ngrams = ngrams_of(config, words)
    refuse_too_large(config, machine, load._replace(ngrams=ngrams.sizes if ngrams else NO_NGRAMS), compiling)
    return ngrams
