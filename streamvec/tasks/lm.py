"""A trained language model, to be asked: what comes next, how likely a text is, and what it writes by itself."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Self

import numpy as np

from streamvec.corpus.lanes import LaneBatch
from streamvec.corpus.sequences import batches_of
from streamvec.corpus.symbols import Symbols
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.tensors import Tensors
from streamvec.disk.writing import scratch
from streamvec.errors import StreamvecError
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.tasks.generation import Sampling, generate
from streamvec.training.checkpoint import ARRAYS, Checkpoints
from streamvec.training.lmtext import write_shards
from streamvec.training.options import TextOptions
from streamvec.training.progress import Reporter, Silence
from streamvec.training.run import Run
from streamvec.training.warming import warm

_STEPS = 64  # time steps that text is read in at a time


class Perplexity(NamedTuple):
    """How well a model expects a text."""

    tokens: int  # ends of documents included
    unknown: int  # of them, words that it does not know
    nats: float  # the loss of all tokens
    characters: int

    @property
    def perplexity(self) -> float:
        """exp of the mean loss of a token."""
        return math.exp(min(700.0, self.nats / self.tokens))

    @property
    def bits_per_character(self) -> float:
        """The loss in bits over the characters of the text, line breaks included."""
        return self.nats / math.log(2) / self.characters


class TrainedModel:
    """The language model of a RUN; close it, or use it in a ``with`` block."""

    def __init__(self, run: Run, threads: int = 1, report: Reporter | None = None) -> None:
        """report: is told where kernels have to be compiled first, which takes half a minute.

        StreamvecError when the RUN is none of kind lm, has no checkpoint, or one that is damaged.
        """
        if run.kind != "lm":
            raise StreamvecError(
                f"{run.folder}: was trained by {run.kind}, and this asks a language model: streamvec train lm makes one"
            )
        is_best = run.about["config"]["patience"] and run.is_finished
        checkpoints = Checkpoints(run.best) if is_best else run.checkpoints
        paths = checkpoints.paths()
        if not paths:
            raise StreamvecError(f"{run.folder}: has no checkpoint yet: streamvec resume {run.folder} trains it")
        warm(report or Silence())
        self.config, self.text = LmConfig(**run.about["config"]), TextOptions(**run.about["text"])
        self.vocabulary = Vocabulary.load(run.vocabulary)
        self.symbols = Symbols.of(self.vocabulary)
        self.threads = threads
        self.checkpoint = paths[0]
        checkpoints.verify(self.checkpoint)
        self.model = LanguageModel(self.config, len(self.symbols.names), 1, threads, lanes=1)
        with Tensors(self.checkpoint / ARRAYS) as tensors:
            for name, array in self.model.parameters.items():
                tensors.fill(name, array)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads."""
        self.model.close()

    def ids(self, text: str) -> np.ndarray:
        """The ids of the tokens of *text*, int64[n]; that of unknown words where they are."""
        tokens = self.text.tokenizer.tokens(text)
        return self.symbols.ids(self.vocabulary.index_of(tokens))

    def write(self, prompt: str, sampling: Sampling, length: int) -> Iterator[str]:
        """What the model writes behind *prompt*, a token after another, each with what is to stand before it."""
        names, begin, end = self.symbols.names, self.symbols.begin, self.symbols.end
        between = self.text.tokenizer.between
        if self.config.separate:  # ends with the sequence, where that is a line break, too
            end = begin
        ids = self.ids(prompt).tolist() if prompt else []
        first = not ids
        for token in generate(self.model, ids, sampling, length, begin, end, never=[self.symbols.unknown]):
            word = names[token].as_py()
            yield word if first else f"{between}{word}"
            first = False

    def perplexity(self, path: str, stop: Callable[[], bool] = lambda: False) -> Perplexity:
        """How well the model expects the text at *path*, read from its beginning to its end as one sequence,
        or document by document, as it was trained. It begins as what is written does, and every token counts once."""
        config, separate = self.config, self.config.separate
        with scratch() as folder:
            shards = write_shards(path, folder / "shards", self.vocabulary, self.text, stop)
            lanes, steps = (min(config.batch, shards.tokens), config.bptt) if separate else (1, _STEPS)
            batches = batches_of(shards, self.symbols, lanes, steps, separate)
            reader = self.model.reader(lanes, steps)
            try:
                read = (batches.at(0, batch) for batch in range(batches.batches))
                nats, tokens = reader.loss(read if separate else self._from_the_first(read))
            finally:
                reader.close()
            counts = shards.counts
            return Perplexity(tokens, counts["unknown"], nats, counts["characters"])

    def _from_the_first(self, batches: Iterable[LaneBatch]) -> Iterator[LaneBatch]:
        """The batches of one lane, and before them its first token as what is to be predicted."""
        for number, batch in enumerate(batches):
            if number == 0:
                first = batch.inputs[:1]
                yield LaneBatch(np.full_like(first, self.symbols.begin), first, True)
            yield batch._replace(begins=False)
