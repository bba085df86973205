"""A translator: recurrent layers read a text, others write another, looking at what was read (Luong et al. 2015).

The decoder begins with what the encoder ended with (`streamvec.models.bridge`). While it trains it reads the words of
the true translation, each a step after it should have been written (teacher forcing), so all steps are one pass.
Parameters of the decoder's layers are called as the encoder's, with "decoder." before.
"""

from collections.abc import Mapping

import numpy as np

from streamvec.corpus.examples import ExampleBatch, Ragged
from streamvec.kernels import random
from streamvec.models.attention import Attention
from streamvec.models.beam import Hypothesis, beam_search
from streamvec.models.bridge import Bridge
from streamvec.models.decoder import Decoder, greedy
from streamvec.models.lmstart import start_layer
from streamvec.models.metrows import Part
from streamvec.models.network import Chance, KnownRows, Parameters
from streamvec.models.sequenceinput import SequenceEncoder
from streamvec.models.shape import padded
from streamvec.models.stack import Stack
from streamvec.models.translatorconfig import TranslatorConfig
from streamvec.models.wordinput import EMBEDDING
from streamvec.models.wordsoftmax import WordSoftmax

TARGET_EMBEDDING = "target.embedding"
_DECODER = "decoder."
_MASKS = 1000  # the first number of the decoder's masks of dropout
_KEY = 1_000_003


class Translator:
    """One pass of a group of pairs; see `streamvec.models.network`."""

    met = frozenset([EMBEDDING, TARGET_EMBEDDING])
    fixed: frozenset[str] = frozenset()

    def __init__(
        self,
        config: TranslatorConfig,
        words: int,
        target_words: int,
        end: int,
        unknown: int,
        known: KnownRows | None = None,
        longest: int = 0,
    ) -> None:
        """end: the target's token behind a text, which also stands before it; unknown: the one never written; longest:
        tokens of the longest translation that was trained on, as many as any may have."""
        self._longest = longest
        self._config, self._words, self._target_words = config, words, target_words
        self._end, self._unknown = end, unknown
        encoder, decoder = config.encoder, config.decoder
        self._encoder = SequenceEncoder(Stack(encoder, 1, 1), words, config.dim, known)
        self._decoder = SequenceEncoder(Stack(decoder, 1, 1), target_words, config.dim, first=_MASKS)
        self._bridge = Bridge(encoder, decoder)
        self._attention = Attention(encoder, decoder, config.hidden) if config.attention else None
        self._softmax = WordSoftmax(target_words, decoder.outputs, decoder.units)

    @property
    def loss_at_chance(self) -> float:
        """Loss of a word when all are as likely."""
        return self._softmax.loss_at_chance

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The vectors of words of both sides, the layers', the bridge's, the attention's and the output's."""
        columns = padded(self._config.dim)
        shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (self._words, columns)}
        shapes |= {TARGET_EMBEDDING: (self._target_words, columns)}
        shapes |= self._config.encoder.parameters() | self._bridge.shapes() | self._softmax.shapes()
        shapes |= {_DECODER + name: shape for name, shape in self._config.decoder.parameters().items()}
        return shapes | (self._attention.shapes() if self._attention is not None else {})

    def start(self, parameters: Parameters, seed: int) -> None:
        """Small uniform weights, as a language model's."""
        config, key = self._config, seed * _KEY
        random.uniform_rows(parameters[EMBEDDING], config.dim, -0.1, 0.1, key)
        random.uniform_rows(parameters[TARGET_EMBEDDING], config.dim, -0.1, 0.1, key + 500)
        for number, name in enumerate(config.encoder.parameters()):
            start_layer(config.encoder, name, parameters[name], key + number + 1)
        for number, name in enumerate(config.decoder.parameters()):
            start_layer(config.decoder, name, parameters[_DECODER + name], key + number + 501)
        self._softmax.start(parameters, key + 1000)
        self._bridge.start(parameters, key + 2000)
        if self._attention is not None:
            self._attention.start(parameters, key + 3000)

    def loss(self, parameters: Parameters, batch: ExampleBatch, chance: Chance | None) -> tuple[float, int]:
        """The cross-entropies of all words of the targets, ends included."""
        memory = self._encoder.forward(parameters, batch.words, chance)
        self._lengths = batch.words.lengths
        state = self._bridge.forward(parameters, memory, self._lengths)
        read = Ragged(_behind(batch.targets, self._end), batch.targets.lengths)
        out = self._decoder.forward(self._of_decoder(parameters), read, chance, state)
        if self._attention is not None:
            out = self._attention.forward(parameters, out, memory, self._lengths)
        self._shape = out.shape
        # steps before the ends, of one lane after another, as Ragged has its values
        self._places = np.arange(len(out)) < batch.targets.lengths[:, None]
        hidden = np.ascontiguousarray(out.transpose(1, 0, 2)[self._places])
        return self._softmax.loss(parameters, hidden, batch.targets.values), batch.targets.values.size

    def backward(
        self, parameters: Parameters, gradients: Mapping[str, np.ndarray], scale: float
    ) -> dict[str, list[Part]]:
        """The gradients of that loss."""
        d_hidden = self._softmax.backward(parameters, gradients, scale)
        d_out = np.zeros(self._shape, np.float32)
        d_out.transpose(1, 0, 2)[self._places] = d_hidden
        d_memory: np.ndarray | None = None
        if self._attention is not None:
            d_out, d_memory = self._attention.backward(parameters, gradients, d_out)
        part = self._decoder.backward(self._of_decoder(parameters), self._of_decoder(gradients), d_out)
        d_ends = self._bridge.backward(parameters, gradients, self._decoder.stack.d_state())
        d_memory = d_ends if d_memory is None else d_memory + d_ends
        return {
            EMBEDDING: [self._encoder.backward(parameters, gradients, d_memory)],
            TARGET_EMBEDDING: [part],
        }

    def answers(self, parameters: Parameters, batch: ExampleBatch) -> list[Hypothesis]:
        """The translation of each text, the likeliest word taken each time."""
        decoder = self.decoder(parameters, batch.words)
        return greedy(decoder, self._most(batch.words.lengths), self._end)

    def found(self, parameters: Parameters, batch: ExampleBatch, beam: int, best: int = 1) -> list[list[Hypothesis]]:
        """The *best* translations of each text by beam search; one that is long is not favoured over a short one."""
        found = []
        for place in range(len(batch)):
            words = batch.words.take(np.array([place]))
            most = int(self._most(words.lengths)[0])
            decoder = self.decoder(parameters, words)
            found.append(beam_search(decoder.go_on, self._end, self._end, beam, most, 1.0, best))
        return found

    def decoder(self, parameters: Parameters, words: Ragged) -> Decoder:
        """Reads the texts; gives what writes their translations step by step. One at a time of a network."""
        memory = self._encoder.forward(parameters, words, None)
        state = self._bridge.forward(parameters, memory, words.lengths)
        if self._attention is not None:
            self._attention.remember(parameters, memory, words.lengths)
        return Decoder(
            self._of_decoder(parameters),
            self._decoder.stack,
            state,
            self._attention,
            self._softmax,
            self._end,
            self._unknown,
        )

    def _most(self, lengths: np.ndarray) -> np.ndarray:
        """How long a translation of texts of so many words may become, int64[n]."""
        return np.maximum(2 * lengths + 20, self._longest)

    def _of_decoder(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All *arrays* by their names, but "embedding" and layers are the decoder's."""
        own = {name: arrays[_DECODER + name] for name in self._config.decoder.parameters()}
        return {**arrays, EMBEDDING: arrays[TARGET_EMBEDDING], **own} if TARGET_EMBEDDING in arrays else own


def _behind(targets: Ragged, begin: int) -> np.ndarray:
    """What the decoder reads: each row of *targets* moved by a step, with *begin* before it."""
    read = np.empty_like(targets.values)
    read[1:] = targets.values[:-1]
    read[targets.starts[targets.lengths > 0]] = begin
    return read
