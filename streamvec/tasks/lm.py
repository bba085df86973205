"""A trained language model, to be asked: what comes next, how likely a text is, and what it writes by itself."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

import numpy as np

from streamvec.corpus.sequences import batches_of
from streamvec.corpus.symbols import Symbols
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.tensors import Tensors
from streamvec.errors import StreamvecError
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.tasks.generation import Sampling, generate
from streamvec.training.checkpoint import ARRAYS, Checkpoints
from streamvec.training.lmtext import write_shards
from streamvec.training.options import TextOptions
from streamvec.training.run import Run

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

    def __init__(self, run: Run, threads: int = 1) -> None:
        """StreamvecError when the RUN is none of kind lm, has no checkpoint, or one that is damaged."""
        if run.kind != "lm":
            raise StreamvecError(
                f"{run.folder}: was trained by {run.kind}, and this asks a language model: streamvec train lm makes one"
            )
        self.config, self.text = LmConfig(**run.about["config"]), TextOptions(**run.about["text"])
        self.vocabulary = Vocabulary.load(run.vocabulary)
        self.symbols = Symbols.of(self.vocabulary)
        self.threads = threads
        is_best = self.config.patience and run.is_finished
        checkpoints = Checkpoints(run.best) if is_best else run.checkpoints
        paths = checkpoints.paths()
        if not paths:
            raise StreamvecError(f"{run.folder}: has no checkpoint yet: streamvec resume {run.folder} trains it")
        self.checkpoint = paths[0]
        checkpoints.verify(self.checkpoint)
        self.model = LanguageModel(self.config, len(self.symbols.names), 1, threads, lanes=1)
        with Tensors(self.checkpoint / ARRAYS) as tensors:
            for name, array in self.model.parameters.items():
                tensors.load(name, into=array)

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
        is_text = end < 0
        if self.config.separate:  # ends with the sequence, where that is a line break, too
            end = begin
        ids = self.ids(prompt).tolist() if prompt else []
        first = not ids
        for token in generate(self.model, ids, sampling, length, begin, end, never=[self.symbols.unknown]):
            word = names[token].as_py()
            yield word if is_text or first else f" {word}"
            first = False

    def perplexity(self, path: str, stop: Callable[[], bool] = lambda: False) -> Perplexity:
        """How well the model expects the text at *path*, read from its beginning to its end as one sequence,
        or document by document, as it was trained."""
        config, separate = self.config, self.config.separate
        with TemporaryDirectory() as folder:
            shards = write_shards(path, Path(folder) / "shards", self.vocabulary, self.text, stop)
            lanes, steps = (min(config.batch, shards.tokens), config.bptt) if separate else (1, _STEPS)
            batches = batches_of(shards, self.symbols, lanes, steps, separate)
            reader = self.model.reader(lanes, steps)
            try:
                nats, tokens = reader.loss(batches.at(0, batch) for batch in range(batches.batches))
            finally:
                reader.close()
            counts = shards.counts
            return Perplexity(tokens, counts["unknown"], nats, counts["characters"])
