"""Training of a language model from shards to its last checkpoint, and the vectors of its words."""

from collections.abc import Callable

from streamvec.cluster.lanegroups import NodeGroups
from streamvec.corpus.lanes import LaneBatch
from streamvec.corpus.sequences import Sequences, batches_of
from streamvec.corpus.shards import MarkedShards
from streamvec.corpus.stretches import stream_tokens
from streamvec.corpus.symbols import Symbols
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.models.step import Position
from streamvec.training.gradients import GradientReport
from streamvec.training.lmneeds import refuse_too_large
from streamvec.training.lmtext import held_out_shards
from streamvec.training.loop import no_look
from streamvec.training.nodeneeds import refuse_too_large_for_nodes, rooms_of
from streamvec.training.run import Run
from streamvec.training.watch import Patience
from streamvec.training.work import Work
from streamvec.vectors.store import write_vectors


def train_lm_run(work: Work, config: LmConfig, shards: MarkedShards) -> None:
    """Trains a RUN of kind lm from where it is to its vectors."""
    run, vocabulary = work.run, work.vocabulary
    symbols = Symbols.of(vocabulary)
    held_out = held_out_shards(work)
    load = work.load(len(symbols.names))
    refuse_too_large(config, work.machine, load, shards, held_out)
    if work.cluster is not None:
        refuse_too_large_for_nodes(config, load, rooms_of(work.cluster, work.machine))
    batches = batches_of(shards, symbols, config.batch, config.bptt, config.separate)
    if isinstance(batches, Sequences) and batches.longer:
        work.report.note(
            f"{batches.longer:,} of {batches.documents:,} documents take more than {config.bptt} time steps (--bptt), "
            "and are cut into pieces"
        )
    counts = symbols.counts(vocabulary, shards.counts["dropped_rare"], shards.whole_documents)
    words, threads = len(symbols.names), work.machine.cores
    model = LanguageModel(config, words, batches.batches, threads, None, len(vocabulary), counts)
    watch = PerplexityWatch(model, run, vocabulary, symbols, held_out)
    try:
        if work.cluster is not None:
            model.through = NodeGroups(work.cluster, config, model.team, work.report.note)
        look: Callable[[LaneBatch, Position], None] = no_look
        if run.about.get("report_gradients"):
            look = GradientReport(model, run.gradients, batches.whole).look
        work.train(model, batches, batches.batches, watch, look)
        best = watch.take_best()
        if best is not None:
            work.report.note(f"the held-out perplexity was lowest after epoch {best}: this is the model")
        write_vectors(run.vectors, symbols.names, counts, model.vectors, work.info())
    finally:
        model.close()
        watch.close()


class PerplexityWatch(Patience):
    """Looks at the text that --valid names."""

    def __init__(
        self,
        model: LanguageModel,
        run: Run,
        vocabulary: Vocabulary,
        symbols: Symbols,
        held_out: MarkedShards | None,
    ) -> None:
        super().__init__(model, run, vocabulary)
        self._model, self._batches, self._twin = model, None, None
        if held_out is not None:
            config = model.config
            lanes = min(config.batch, max(1, (stream_tokens(held_out, symbols.end >= 0) - 1) // 2))
            self._batches = batches_of(held_out, symbols, lanes, config.bptt, config.separate)
            self._twin = model.reader(lanes)

    @property
    def has_more(self) -> bool:
        """Whether there is such text."""
        return self._batches is not None

    def measure(self) -> tuple[float | None, bool]:
        """The mean loss of all its tokens."""
        assert self._batches is not None and self._twin is not None
        loss, count = self._twin.loss(self._batches.at(0, batch) for batch in range(self._batches.batches))
        return (loss / count if count else None), True

    def close(self) -> None:
        """Ends the threads of what measures."""
        if self._twin is not None:
            self._twin.close()
