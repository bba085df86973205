"""The full softmax: every word of the vocabulary is scored for every prediction, and the cross-entropy is exact.

The vocabulary is divided into blocks of a fixed size, and the threads take whole blocks: each is three matrix products
of one thread. What the blocks say of a hidden vector is added up in their order, so the bytes are the same for any
number of threads.
"""

import math
from itertools import pairwise

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.kernels import layout, softmax, windows
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.blas import one_thread_a_product
from streamvec.models.vocabularyblocks import Scores, Targets, blocks_of, score_block
from streamvec.models.wordconfig import LANES, SOFTMAX_BLOCK, SkipGramConfig

_FLOPS = 6  # for each weight and prediction: a product forward, and two backward
_FLOPS_A_SECOND = 6e10  # of one thread, where only an order of magnitude is wanted
_LONGEST_SECONDS = 14 * 86_400.0


class FullSoftmax:
    """Trains two matrices float32[V + 1, columns] on batches of a drawn step, as one of a team."""

    def __init__(
        self,
        config: SkipGramConfig,
        inputs: np.ndarray,
        outputs: np.ndarray,
        team: Team,
        bias: np.ndarray | None = None,
    ) -> None:
        """inputs, outputs: float32[V + 1, columns], the last row zero (updated); bias: float32[V], added to scores."""
        self._config = config
        self._inputs, self._outputs = inputs, outputs
        self._team = team
        self._bias = bias
        words, columns = len(outputs) - 1, inputs.shape[1]
        self._edges = blocks_of(words)
        most, blocks = config.batch, len(self._edges)
        self._hidden = aligned_zeros((most, columns))
        self._scores = [aligned_zeros((most, -(-(high - low) // LANES) * LANES)) for low, high in self._edges]
        self._changes = aligned_zeros((blocks, most, columns))
        self._peaks, self._totals = aligned_zeros((blocks, most)), aligned_zeros((blocks, most))
        self._logits = np.zeros(2 * config.window * most, np.float32)
        self._own = [_Own(most, config.window, (min(SOFTMAX_BLOCK, words), columns)) for _ in range(team.threads)]

    def train(self, step: layout.Step, kept: int, rate: np.float32) -> None:
        """Trains on a drawn step of *kept* tokens; writes step.losses."""
        self._run(step, kept, rate)

    def measure(self, step: layout.Step, kept: int) -> None:
        """Writes step.losses and leaves the matrices as they are."""
        self._run(step, kept, None)

    def _run(self, step: layout.Step, kept: int, rate: np.float32 | None) -> None:
        step.losses[:kept] = 0.0
        edges = [*np.flatnonzero(step.starts[:kept]).tolist(), kept]
        with one_thread_a_product():
            self._team.run(lambda thread: self._work(step, kept, edges, rate, thread))

    def _work(self, step: layout.Step, kept: int, edges: list[int], rate: np.float32 | None, thread: int) -> None:
        """One thread's part: some columns of the hidden vectors, and some blocks of the vocabulary."""
        threads, barrier, averaged = self._team.threads, self._team.barrier, int(self._config.averaged)
        vectors = self._config.vectors
        low, high = vectors * thread // threads * LANES, vectors * (thread + 1) // threads * LANES
        own = self._own[thread]
        pairs = own.rows, own.starts, own.words
        for first, last in pairwise(edges):
            count = softmax.list_pairs(step, first, last, kept, self._config.window, averaged, *pairs)
            softmax.gather(self._inputs, step, own.rows, count, averaged, low, high, self._hidden)
            wait_for_team(barrier, threads)
            for block in range(thread, len(self._edges), threads):
                self._forward(block, count, own)
            wait_for_team(barrier, threads)
            softmax.normalisers(self._peaks, self._totals, count, own.peak, own.total)
            if thread == 0:
                softmax.write_losses(own.rows, count, own.starts, self._logits, own.peak, own.total, step.losses)
            if rate is None:
                continue
            for block in range(thread, len(self._edges), threads):
                self._backward(block, count, rate, own)
            wait_for_team(barrier, threads)
            softmax.spread(self._inputs, step, own.rows, count, averaged, low, high, self._changes)

    def _forward(self, block: int, count: int, own: "_Own") -> None:
        """Scores of one block of words, their exponentials, and the sums of these."""
        dim = self._config.dim
        targets = Targets(own.starts, own.words, self._logits)
        scores = Scores(self._scores[block], self._peaks[block], self._totals[block])
        score_block(self._hidden[:count, :dim], self._outputs[:, :dim], self._bias, self._edges[block], targets, scores)

    def _backward(self, block: int, count: int, rate: np.float32, own: "_Own") -> None:
        """Changes of one block's rows of outputs, and what the block says of the hidden vectors."""
        low, high = self._edges[block]
        scores, dim = self._scores[block], self._config.dim
        softmax.gradients(
            scores, count, own.starts, own.words, low, high, self._peaks[block], own.peak, own.total, rate
        )
        wanted, outputs, moves = (
            scores[:count, : high - low],
            self._outputs[low:high, :dim],
            own.moves[: high - low, :dim],
        )
        np.matmul(wanted, outputs, out=self._changes[block, :count, :dim])
        np.matmul(wanted.T, self._hidden[:count, :dim], out=moves)
        softmax.add(outputs, moves)


class _Own:
    """What one thread knows of a batch: who predicts what, and how the scores are normalised."""

    def __init__(self, most: int, window: int, block: tuple[int, int]) -> None:
        self.rows, self.starts = np.zeros(most, np.int32), np.zeros(most + 1, np.int32)
        self.words = np.zeros(2 * window * most, np.int32)
        self.peak, self.total = np.zeros(most, np.float32), np.zeros(most)
        self.moves = aligned_zeros(block)


class EveryWord:
    """The targets of the full softmax are all words: there is nothing to draw but where batches begin."""

    def __init__(self, config: SkipGramConfig, counts: np.ndarray) -> None:
        self.loss_at_chance = math.log(len(counts))

    def draw(self, step: layout.Step, first: int, last: int, key: np.uint64) -> None:
        """Begins a batch anew where one word would occur too often."""
        windows.begin_batches(step, first, last)


def refuse_infeasible(config: SkipGramConfig, words: int, tokens: int, threads: int) -> None:
    """StreamvecError where a full softmax would take weeks: it says how long, and what else there is."""
    operations = _FLOPS * words * config.dim
    seconds = operations * tokens * config.epochs / (_FLOPS_A_SECOND * threads)
    if seconds <= _LONGEST_SECONDS:
        return
    fits = int(words * _LONGEST_SECONDS / seconds)
    ways = f", or keep the {fits:,} most frequent words (--max-vocab {fits})" if fits >= 100 else ""
    raise StreamvecError(
        f"a full softmax over {words:,} words costs {operations / 1e6:,.0f} million operations a word of the text, "
        f"about {seconds / 86_400:,.0f} days for {config.epochs} epochs of {tokens:,} words on {threads} threads: use "
        f"--objective hs, which is also a softmax, or ns{ways}"
    )
