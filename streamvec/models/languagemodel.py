"""A recurrent language model: vectors of words go in, a stack of cells reads them, a softmax says what comes next.

A step is some time steps of all lanes. Threads take groups of lanes through the stack, blocks of the vocabulary through
the softmax, and stretches of the parameters through the optimizer; each sum has one order, so the bytes are the same
for any number of threads.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from streamvec.corpus.lanes import LaneBatch
from streamvec.kernels import optimizers, random
from streamvec.kernels.dropout import fill_mask
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.rows import add_rows, pick
from streamvec.kernels.team import wait_for_team
from streamvec.models.adaptivehead import AdaptiveHead
from streamvec.models.exactsoftmax import ExactSoftmax
from streamvec.models.head import Head
from streamvec.models.lmconfig import LmConfig
from streamvec.models.metrows import MetRows
from streamvec.models.sampledhead import SampledHead
from streamvec.models.sampler import Sampler
from streamvec.models.skipgram import new_team
from streamvec.models.softmax import one_thread_a_product
from streamvec.models.softmaxhead import SoftmaxHead
from streamvec.models.stack import LANES, Stack, padded
from streamvec.models.step import Position, StepResult

EMBEDDING, OUTPUT = "embedding", "output"
_SUMS = {"sgd": (), "momentum": ("velocity",), "adagrad": ("squares",), "adam": ("means", "squares")}


class LanguageModel:
    """Parameters by name, sums of the optimizer, and the state that each lane carries on; all in ``arrays``.

    "embedding" float32[V, dim], "output" float32[V, hidden] unless they are tied, "output.b" float32[V], and those of
    `streamvec.models.stack`; columns are rounded up to 16. Sums are called NAME.velocity, NAME.means, NAME.squares,
    states state.0, state.1, ...: float32[lanes, hidden]. "frozen" uint8[V] is 1 for words whose vectors stay.
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
        where some are sampled while training (ValueError where they are not given then); parameters: those of another
        model, which are then not among its arrays."""
        self._ranked = ranked or words
        self.config, self.words, self.steps = config, words, steps
        self.lanes = lanes or config.batch
        self.team = new_team(threads)
        shape = config.shape
        self._weights = EMBEDDING if config.tied else OUTPUT
        sizes: dict[str, tuple[int, ...]] = {EMBEDDING: (words, padded(config.dim)), **shape.parameters()}
        most = self.lanes * config.bptt
        self._head = self._new_head(most, lanes is None, counts)
        sizes |= self._head.shapes()
        if parameters is None:
            self.parameters = {name: aligned_zeros(size) for name, size in sizes.items()}
            self._start()
            self.arrays = dict(self.parameters)
        else:
            self.parameters, self.arrays = parameters, {}
        if lanes is None:
            for name in sizes:
                for part in _SUMS[config.optimizer]:
                    self.arrays[f"{name}.{part}"] = aligned_zeros(sizes[name])
            if config.freeze:
                self.arrays["frozen"] = np.zeros(words, np.uint8)
        self._groups = [_Group(config, first, last) for first, last in config.groups(self.lanes)]
        self._states = [aligned_zeros((self.lanes, padded(config.hidden))) for _ in self._groups[0].stack.state()]
        for number, state in enumerate(self._states):
            self.arrays[f"state.{number}"] = state
        self._hidden = aligned_zeros((most, shape.outputs))
        self._gradients: dict[str, np.ndarray] = {}
        self._partial: list[dict[str, np.ndarray]] = []
        if lanes is None:
            self._new_gradients()

    def _new_head(self, most: int, is_trained: bool, counts: np.ndarray | None) -> Head:
        config, columns = self.config, self.config.shape.outputs
        cuts = [cut for cut in config.cuts if cut < self.words]
        if cuts:
            return AdaptiveHead([*cuts, self.words], columns, most, self.team)
        if not is_trained:
            return ExactSoftmax(self.words, columns, most, self.team, self._weights)
        if config.output in ("sampled", "nce"):
            if counts is None or len(counts) != self.words:
                raise ValueError(f"counts must be those of {self.words} words with the output {config.output}")
            sampler = Sampler(counts, config.noise_power, config.samples, config.seed)
            return SampledHead(self.words, columns, most, self.team, sampler, config.output, self._weights)
        return SoftmaxHead(self.words, columns, most, self.team, self._weights)

    @property
    def loss_at_chance(self) -> float:
        """Loss a token when all words are as likely, as `step` counts it."""
        return self._head.loss_at_chance

    def step(self, batch: LaneBatch, position: Position) -> StepResult:
        """Trains on some time steps; what dropout leaves out is a function of (seed, position)."""
        config = self.config
        self._run(batch, position)
        norm = self._norm()
        scale = min(1.0, config.clip / norm) if config.clip and norm > 0 else 1.0
        self._update(scale, position)
        count = batch.targets.size
        return StepResult(float(self._head.losses[:count].sum(dtype=np.float64)), count, count)

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position."""
        config = self.config
        return config.learning_rate * config.decay ** max(0, position.epoch + 1 - config.decay_after)

    def loss(self, batches: Iterable[LaneBatch]) -> tuple[float, int]:
        """(the sum of the losses of all tokens, exactly, how many), read one after another from the first on."""
        loss, count = 0.0, 0
        for batch in batches:
            self._run(batch, None)
            size = batch.targets.size
            loss, count = loss + float(self._head.losses[:size].sum(dtype=np.float64)), count + size
        return loss, count

    def gradients_by_distance(self, batch: LaneBatch, position: Position) -> dict[tuple[int, str], np.ndarray]:
        """How large the gradient of the loss is by the states before: float64[steps] by (layer, "h" or "c").

        The loss is that of the batch's last time step alone, without dropout. Number k is by the state after the k-th
        step before that one: of each lane the Euclidean norm of the gradient, all ways counted that lead from the state
        to the loss (`streamvec.models.stack`), and of these the mean over lanes, so that it does not grow with --batch.
        It takes as long as a step, and changes nothing that a later step reads.
        """
        (steps, lanes), threads = batch.inputs.shape, self.team.threads
        inputs = [np.ascontiguousarray(batch.inputs[:, group.first : group.last]) for group in self._groups]
        last, columns = np.ascontiguousarray(batch.targets[-1]), self.config.shape.outputs
        hidden = np.empty((lanes, columns), np.float32)
        norms: list[dict[str, np.ndarray]] = [{} for _ in self._groups]

        def work(thread: int) -> None:
            for number in range(thread, len(self._groups), threads):
                group = self._groups[number]
                for state, held in zip(self._states, group.stack.state(), strict=True):
                    held[:] = 0 if batch.begins else state[group.first : group.last]
                given = np.empty((steps * (group.last - group.first), columns), np.float32)
                group.forward(self.parameters, self.parameters[EMBEDDING], inputs[number], None, given)
                hidden[group.first : group.last] = given[group.first - group.last :]
            wait_for_team(self.team.barrier, threads)
            self._head.work(self.parameters, self._gradients, hidden, last, 1.0, thread)
            for number in range(thread, len(self._groups), threads):
                group = self._groups[number]
                d_out = np.zeros((steps, group.last - group.first, columns), np.float32)
                d_out[-1] = self._head.d_hidden(group.first, group.last)
                group.stack.backward(self.parameters, self._partial[number], d_out, norms[number])

        self._head.begin(last, position)
        with one_thread_a_product():
            self.team.run(work)
        found = {name: np.concatenate([each[name] for each in norms], axis=1).mean(axis=1) for name in norms[0]}
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
        group = self._groups[0]
        for state, held in zip(self._states, group.stack.state(), strict=True):
            held[:] = state
        hidden = np.empty((1, self.config.shape.outputs), np.float32)
        group.forward(self.parameters, self.parameters[EMBEDDING], np.array([[token]], np.int32), None, hidden)
        group.stack.carry_on(1)
        for state, held in zip(self._states, group.stack.state(), strict=True):
            state[:] = held
        return self._head.log_chances(self.parameters, hidden[0])

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it, if there is one."""
        for name, array in self.arrays.items():
            flat = array.reshape(-1)
            for start in range(0, flat.size, 1 << 20):
                if not np.isfinite(flat[start : start + (1 << 20)].sum(dtype=np.float64)):
                    return name
        return None

    def close(self) -> None:
        """Ends the threads."""
        self.team.close()

    def _start(self) -> None:
        """Uniform weights: of words in +-0.1, of a layer in +-1/sqrt(hidden); forget gates begin open."""
        config, hidden = self.config, padded(self.config.hidden)
        for number, (name, array) in enumerate(self.parameters.items()):
            key = config.seed * 1_000_003 + number
            if name in (EMBEDDING, OUTPUT):
                width = config.dim if name == EMBEDDING else config.hidden
                random.uniform_rows(array, width, -0.1, 0.1, key)
            elif name.startswith("tail.") and array.ndim == 2:
                rows, width = (config.hidden, array.shape[1]) if name.endswith("down") else array.shape
                random.uniform_rows(array[:rows], width, -0.1, 0.1, key)
            elif name.endswith(("W", "U")):
                layer, gates = int(name.split(".")[0]), array.reshape(len(array), -1, hidden)
                rows = config.hidden if layer or name.endswith("U") else config.dim
                reach = 1 / math.sqrt(config.hidden)
                for gate in range(gates.shape[1]):
                    part = np.zeros((rows, config.hidden), np.float32)
                    random.uniform_rows(part, config.hidden, -reach, reach, key + 7_919 * (gate + 1))
                    gates[:rows, gate, : config.hidden] = part
            elif name.endswith("forward.b") and config.cell == "lstm":
                array.reshape(-1, hidden)[1, : config.hidden] = 1

    def _new_gradients(self) -> None:
        shapes = {name: array.shape for name, array in self.parameters.items()}
        inner = list(self.config.shape.parameters())
        names = [*inner, *(name for name in self._head.shapes() if name not in self._head.met())]
        self._gradients = {name: aligned_zeros(shapes[name]) for name in names}
        self._partial = [{name: aligned_zeros(shapes[name]) for name in inner} for _ in self._groups]
        self._met: dict[str, MetRows] = {}  # the gradients of the others

    def _run(self, batch: LaneBatch, position: Position | None) -> None:
        """Through the network and, where *position* says that it trains, back: gradients of all parameters."""
        steps, lanes = batch.inputs.shape
        if batch.begins:
            for state in self._states:
                state[:] = 0
        edges = [(steps * group.first, steps * group.last) for group in self._groups]
        inputs = [np.ascontiguousarray(batch.inputs[:, group.first : group.last]) for group in self._groups]
        targets = np.concatenate([batch.targets[:, group.first : group.last].reshape(-1) for group in self._groups])
        hidden, threads = self._hidden[: steps * lanes], self.team.threads
        words = self.parameters[EMBEDDING]

        def work(thread: int) -> None:
            for number in range(thread, len(self._groups), threads):
                group, (first, last) = self._groups[number], edges[number]
                for state, held in zip(self._states, group.stack.state(), strict=True):
                    held[:] = state[group.first : group.last]
                group.forward(self.parameters, words, inputs[number], position, hidden[first:last])
            wait_for_team(self.team.barrier, threads)
            gradients = self._gradients if position is not None else None
            self._head.work(self.parameters, gradients, hidden, targets, 1 / lanes, thread)
            for number in range(thread, len(self._groups), threads):
                group, (first, last) = self._groups[number], edges[number]
                if position is not None:
                    group.backward(self.parameters, self._partial[number], self._head.d_hidden(first, last), steps)
                group.stack.carry_on(steps)  # not before: backward needs the state that the first step began with
                for state, held in zip(self._states, group.stack.state(), strict=True):
                    state[group.first : group.last] = held

        self._head.begin(targets, position)
        with one_thread_a_product():
            self.team.run(work)
        if position is not None:
            self._gather(inputs, steps)

    def _gather(self, inputs: list[np.ndarray], steps: int) -> None:
        """Adds up the groups' gradients, and those of the words that were met."""

        def work(thread: int) -> None:
            for number, name in enumerate(self._partial[0]):
                if number % self.team.threads == thread:
                    parts = [partial[name] for partial in self._partial]
                    total = self._gradients[name]
                    total[:] = parts[0]
                    for part in parts[1:]:
                        total += part

        self.team.run(work)
        ids = np.concatenate([some.reshape(-1) for some in inputs])
        rows = np.concatenate(
            [group.d_x.reshape(ids_.size, -1) for group, ids_ in zip(self._groups, inputs, strict=True)]
        )
        if self.config.freeze:
            trained = self.arrays["frozen"][ids] == 0
            ids, rows = ids[trained], rows[trained]
        met = self._head.met()
        if EMBEDDING in self._gradients:  # tied to what meets every word
            add_rows(self._gradients[EMBEDDING], ids, rows)
        else:
            met.setdefault(EMBEDDING, []).append((ids, rows))
        self._met = {name: MetRows.of(parts) for name, parts in met.items()}

    def _norm(self) -> float:
        """The norm of all gradients together."""
        found = sum(optimizers.sum_of_squares(array.reshape(-1)) for array in self._gradients.values())
        found += sum(optimizers.sum_of_squares(met.gradients.reshape(-1)) for met in self._met.values())
        return math.sqrt(found)

    def _update(self, scale: float, position: Position) -> None:
        rate, threads = self.learning_rate(position), self.team.threads
        number = position.epoch * self.steps + position.batch + 1
        parts = _SUMS[self.config.optimizer]

        def follow(array: np.ndarray, gradient: np.ndarray, sums: list[np.ndarray]) -> None:
            self._follow(array, gradient, sums, scale, rate, number)

        def work(thread: int) -> None:
            for name, gradient in self._gradients.items():
                edges = [gradient.size * part // threads // LANES * LANES for part in (thread, thread + 1)]
                here = slice(edges[0], edges[1] if thread + 1 < threads else gradient.size)
                sums = [self.arrays[f"{name}.{part}"].reshape(-1)[here] for part in parts]
                follow(self.parameters[name].reshape(-1)[here], gradient.reshape(-1)[here], sums)
            for name, met in self._met.items():
                arrays = [self.parameters[name], *(self.arrays[f"{name}.{part}"] for part in parts)]
                met.update(arrays, follow, thread, threads)

        self.team.run(work)

    def _follow(
        self, array: np.ndarray, gradient: np.ndarray, sums: list[np.ndarray], scale: float, rate: float, number: int
    ) -> None:
        optimizer = self.config.optimizer
        if optimizer == "sgd":
            optimizers.sgd(array, gradient, scale, rate)
        elif optimizer == "momentum":
            optimizers.momentum(array, gradient, sums[0], scale, rate, self.config.momentum)
        elif optimizer == "adagrad":
            optimizers.adagrad(array, gradient, sums[0], scale, rate)
        else:
            optimizers.adam(array, gradient, sums[0], sums[1], scale, rate, number)


class _Group:
    """Some lanes, and their way through the stack."""

    def __init__(self, config: LmConfig, first: int, last: int) -> None:
        self.config, self.first, self.last = config, first, last
        self.stack = Stack(config.shape, config.bptt, last - first)
        self.d_x = np.zeros((0, 0), np.float32)
        self._masks: list[np.ndarray] = []

    def forward(
        self,
        parameters: dict[str, np.ndarray],
        words: np.ndarray,
        inputs: np.ndarray,
        position: Position | None,
        hidden: np.ndarray,
    ) -> None:
        """Writes what goes into the softmax: float32[steps * lanes, outputs]. inputs: int32[steps, lanes]."""
        steps, lanes = inputs.shape
        x = np.empty((steps, lanes, words.shape[1]), np.float32)
        pick(words, inputs.reshape(-1), x.reshape(steps * lanes, -1))
        self._masks = self._draw(steps, position) if position is not None and self.config.dropout else []
        if self._masks:
            x *= self._masks[0]
        out = self.stack.forward(parameters, x, None, list(self._masks[1:-1]) or None)
        into = hidden.reshape(out.shape)
        if self._masks:
            np.multiply(out, self._masks[-1], out=into)
        else:
            into[:] = out

    def backward(
        self, parameters: dict[str, np.ndarray], gradients: dict[str, np.ndarray], d_hidden: np.ndarray, steps: int
    ) -> None:
        """Writes the gradients of this group's lanes, and *d_x*, those by the vectors that went in."""
        d_out = d_hidden.reshape(steps, self.last - self.first, -1)
        if self._masks:
            d_out *= self._masks[-1]
        self.d_x = self.stack.backward(parameters, gradients, d_out)
        if self._masks:
            self.d_x *= self._masks[0]

    def _draw(self, steps: int, position: Position) -> list[np.ndarray]:
        """Masks of what goes into each layer and into the softmax: float32[steps, lanes, columns]."""
        config, lanes = self.config, self.last - self.first
        widths = [padded(config.dim), *[config.shape.outputs] * config.layers]
        masks = []
        for number, width in enumerate(widths):
            key = random.stream(config.seed, position.epoch + 1, random.DROPOUT + number)
            mask = np.empty((steps, lanes, width), np.float32)
            place = (position.batch * config.batch + self.first) * config.bptt * width
            fill_mask(mask.reshape(-1), np.uint64(key), place, config.dropout)
            masks.append(mask)
        return masks
