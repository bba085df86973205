"""A recurrent language model: vectors of words go in, a stack of cells reads them, a softmax says what comes next.

A step is some time steps of all lanes, or a separate sequence in each, of which only what is within its length is
scored. Threads take groups of lanes through the stack, blocks of the vocabulary through
the softmax, and stretches of the parameters through the optimizer; each sum has one order, so the bytes are the same
for any number of threads.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from streamvec.corpus.lanes import LaneBatch
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.rows import add_rows
from streamvec.models.blas import one_thread_a_product
from streamvec.models.following import SUMS, Gradients, follow, learning_rate
from streamvec.models.head import Given
from streamvec.models.heads import head_of
from streamvec.models.lanegroup import LaneGroup, inside
from streamvec.models.lanegroups import LaneGroups, Pass, Through
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmstart import start
from streamvec.models.metrows import MetRows, Part
from streamvec.models.shape import padded
from streamvec.models.skipgram import new_team
from streamvec.models.step import Position, StepResult, first_not_finite

EMBEDDING = "embedding"


class LanguageModel:
    """Parameters by name, sums of the optimizer, and the state that each lane carries on; all in ``arrays``.

    "embedding" float32[V, dim], "output" float32[V, hidden] unless they are tied, "output.b" float32[V], and those of
    `streamvec.models.stack`; columns are rounded up to 16. Sums are called NAME.velocity, NAME.means, NAME.squares,
    states state.0, state.1, ...: float32[lanes, hidden]. "frozen" uint8[V] is 1 for words whose vectors stay.

    ``through`` is who takes groups of lanes through the stack in a step of training: the model's threads, unless it is
    set to somebody else. All parameters and states stay here.
    """

    unit = "tokens"  # what the rate of training counts
    has_even_steps = True  # each has the loss of text

    def __init__(
        self,
        config: LmConfig,
        words: int,
        steps: int,
        threads: int = 1,
        lanes: int | None = None,
        ranked: int = 0,
        counts: np.ndarray | None = None,
        parameters: dict[str, np.ndarray] | None = None,
    ) -> None:
        """words: V; steps: of one epoch; lanes: as many as *config* says, or others where nothing is trained; ranked:
        how many of the words, the last ones, are those of the vocabulary; counts: int64[V], how often each occurs,
        which the start of rnn-relu takes, and training where words are sampled (ValueError where they are not given
        then); parameters: those of another model, which are then not among its arrays."""
        self._ranked = ranked or words
        self.config, self.words, self.steps = config, words, steps
        self.lanes = lanes or config.batch
        self.team = new_team(threads)
        shape = config.shape
        sizes: dict[str, tuple[int, ...]] = {EMBEDDING: (words, padded(config.dim)), **shape.parameters()}
        most = self.lanes * config.bptt
        self._head = head_of(config, words, most, self.team, lanes is None, counts)
        sizes |= self._head.shapes()
        if parameters is None:
            self.parameters = {name: aligned_zeros(size) for name, size in sizes.items()}
            if lanes is None:
                start(config, self.parameters, counts)
            self.arrays = dict(self.parameters)
        else:
            self.parameters, self.arrays = parameters, {}
        if lanes is None:
            for name in sizes:
                for part in SUMS[config.optimizer]:
                    self.arrays[f"{name}.{part}"] = aligned_zeros(sizes[name])
            if config.freeze:
                self.arrays["frozen"] = np.zeros(words, np.uint8)
        self._groups = LaneGroups(config, config.groups(self.lanes), self.team, is_trained=lanes is None)
        self.through: Through = self._groups
        self._states = [aligned_zeros((self.lanes, padded(config.hidden))) for _ in range(self._groups.states())]
        for number, state in enumerate(self._states):
            self.arrays[f"state.{number}"] = state
        self._hidden = aligned_zeros((most, shape.outputs))
        self._gradients: dict[str, np.ndarray] = {}
        if lanes is None:
            self._new_gradients()

    @property
    def loss_at_chance(self) -> float:
        """Loss a token when all words are as likely, as `step` counts it."""
        return self._head.loss_at_chance

    def step(self, batch: LaneBatch, position: Position) -> StepResult:
        """Trains on some time steps; what dropout leaves out is a function of (seed, position)."""
        self._run(batch, position)
        number = position.epoch * self.steps + position.batch + 1
        follow(self.config, self.arrays, Gradients(self._gradients, self._met), position, number, self.team)
        count = batch.tokens
        return StepResult(float(self._head.losses[:count].sum(dtype=np.float64)), count, count)

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position."""
        return learning_rate(self.config, position)

    def loss(self, batches: Iterable[LaneBatch]) -> tuple[float, int]:
        """(the sum of the losses of all tokens, exactly, how many), read one after another from the first on."""
        loss, count = 0.0, 0
        for batch in batches:
            self._run(batch, None)
            loss += float(self._head.losses[: batch.tokens].sum(dtype=np.float64))
            count += batch.tokens
        return loss, count

    def gradients_by_distance(self, batch: LaneBatch, position: Position) -> dict[tuple[int, str], np.ndarray]:
        """How large the gradient of the loss is by the states before: float64[steps] by (layer, "h" or "c").

        The loss is that of the last time step of each lane alone, without dropout. Number k is by the state after the
        k-th step before that one: of each lane the Euclidean norm of the gradient, all ways counted that lead from the
        state to the loss (`streamvec.models.stack`), and of these the mean over lanes, so that it does not grow with
        --batch; a separate sequence of fewer steps has no part in it. It takes as long as a step, and changes nothing
        that a later step reads.
        """
        steps, lanes = batch.inputs.shape
        columns, groups = self.config.shape.outputs, self._groups
        lengths, inputs = groups.divided_lengths(batch.lengths), groups.divided(batch.inputs)
        ends = np.full(lanes, steps) if batch.lengths is None else batch.lengths
        there = np.flatnonzero(ends)  # all lanes, but where fewer sequences are left
        last = batch.targets[ends[there] - 1, there]
        edges = [np.searchsorted(there, [group.first, group.last]).tolist() for group in groups.groups]
        hidden = np.empty((there.size, columns), np.float32)
        norms: list[dict[str, np.ndarray]] = [{} for _ in groups.groups]

        def places(number: int, group: LaneGroup) -> tuple[np.ndarray, np.ndarray]:
            """The last time step of each lane of a group that has one, and which lane that is."""
            lanes = there[slice(*edges[number])]
            return ends[lanes] - 1, lanes - group.first

        def forward(number: int, group: LaneGroup) -> None:
            states = [state[groups.lanes_of(group)] for state in self._states]
            group.take([np.zeros_like(state) for state in states] if batch.begins else states)
            within = inside(ends[group.first : group.last], steps)
            given = np.empty((within.size, columns), np.float32)
            words = self.parameters[EMBEDDING]
            group.forward(self.parameters, words, inputs[number], None, given, lengths[number], groups.packed)
            step, lane = places(number, group)
            wanted = np.searchsorted(within, step * (group.last - group.first) + lane)
            hidden[slice(*edges[number])] = given[wanted]

        def back(number: int, group: LaneGroup) -> None:
            d_out = np.zeros((steps, group.last - group.first, columns), np.float32)
            d_out[places(number, group)] = self._head.d_hidden(*edges[number])
            group.stack.backward(self.parameters, groups.partial[number], d_out, norms[number])

        given = Given(self.parameters, self._gradients, hidden, last, 1.0)
        self._head.begin(last, position)
        groups.through(self.parameters, forward, lambda thread: self._head.work(given, thread), back)
        found = {name: _mean(np.concatenate([each[name] for each in norms], axis=1), ends) for name in norms[0]}
        return {(int(name.split(".")[0]), name[-1]): found[name] for name in sorted(found)}

    def reader(self, lanes: int, steps: int | None = None) -> "LanguageModel":
        """Another model of the same parameters that is not trained, for so many lanes and at most so many time steps at
        once, with a state of its own."""
        config = replace(self.config, bptt=steps or self.config.bptt)
        return LanguageModel(config, self.words, self.steps, self.team.threads, lanes, parameters=self.parameters)

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """The vectors of words start .. stop-1: float32[stop - start, dim], a copy."""
        return self.parameters[EMBEDDING][start:stop, : self.config.dim].copy()

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """Has the words int64[n], by rank, begin with *rows* float32[n, dim] as their vectors."""
        ids = self.words - self._ranked + words
        self.parameters[EMBEDDING][ids, : self.config.dim] = rows
        if self.config.freeze:
            self.arrays["frozen"][ids] = 1

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """There are none."""

    def forget(self) -> None:
        """Begins with a state of zeros."""
        for state in self._states:
            state[:] = 0

    def read(self, token: int) -> np.ndarray:
        """The logarithm of each token's probability to come next, float64[V], after one more; with one lane."""
        group, hidden = self._groups.groups[0], np.empty((1, self.config.shape.outputs), np.float32)
        group.take(self._states)
        with one_thread_a_product():
            group.forward(self.parameters, self.parameters[EMBEDDING], np.array([[token]], np.int32), None, hidden)
            group.give(self._states, 1)
            return self._head.log_chances(self.parameters, hidden[0])

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it, if there is one."""
        return first_not_finite(self.arrays)

    def close(self) -> None:
        """Ends the threads."""
        self.team.close()

    def _new_gradients(self) -> None:
        shapes = {name: array.shape for name, array in self.parameters.items()}
        names = [*self.config.shape.parameters(), *(n for n in self._head.shapes() if n not in self._head.met())]
        self._gradients = {name: aligned_zeros(shapes[name]) for name in names}
        self._met: dict[str, MetRows] = {}  # the gradients of the others

    def _run(self, batch: LaneBatch, position: Position | None) -> None:
        """Through the network and, where *position* says that it trains, back: gradients of all parameters."""
        if batch.begins:
            self.forget()
        targets = np.concatenate(self._groups.in_order(batch.targets, batch.lengths))
        hidden, sequences = self._hidden[: targets.size], batch.inputs.shape[1]
        if batch.lengths is not None:
            sequences = int(np.count_nonzero(batch.lengths))
        gradients = self._gradients if position is not None else None
        given = Given(self.parameters, gradients, hidden, targets, 1 / sequences)
        self._head.begin(targets, position)
        words = self.parameters[EMBEDDING]
        taken = Pass(self.parameters, words, batch.inputs, batch.lengths, position, self._states, hidden)
        through = self._groups if position is None else self.through
        passed = through.run(taken, lambda thread: self._head.work(given, thread), self._head.d_hidden)
        if position is not None:
            self._gradients.update(passed.gradients)
            self._gather(passed.met)

    def _gather(self, parts: list[Part]) -> None:
        """Adds up the gradients by the words that groups met."""
        ids, rows = (np.concatenate(each) for each in zip(*parts, strict=True))
        if self.config.freeze:
            trained = self.arrays["frozen"][ids] == 0
            ids, rows = ids[trained], rows[trained]
        met = self._head.met()
        if EMBEDDING in self._gradients:  # tied to what meets every word
            add_rows(self._gradients[EMBEDDING], ids, rows)
        else:
            met.setdefault(EMBEDDING, []).append((ids, rows))
        self._met = {name: MetRows.of(parts) for name, parts in met.items()}


def _mean(norms: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The mean over lanes of norms [steps, lanes], each counted back from its own end: float64[steps]."""
    steps, lanes = norms.shape
    back = np.arange(steps)[:, None] + steps - ends
    own = np.where(back < steps, norms[np.minimum(back, steps - 1), np.arange(lanes)], 0)
    return own.sum(axis=1) / (back < steps).sum(axis=1)
