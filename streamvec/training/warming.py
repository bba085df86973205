"""Has all kernels compiled by a process of its own, once: what a compiler takes would otherwise stay within ours."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from streamvec.corpus.compiling import compile_cooccurrences, compile_entries, compile_kernels
from streamvec.corpus.cooccurrences import Entries
from streamvec.corpus.examples import ExampleBatch, Ragged
from streamvec.corpus.lanes import LaneBatch
from streamvec.corpus.shards import TokenBatch
from streamvec.corpus.shuffled import drawn
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import word_bytes
from streamvec.disk.writing import claimed, whole_file
from streamvec.errors import StreamvecError
from streamvec.kernels import random
from streamvec.kernels.streams import streamed
from streamvec.models.bagclassifier import BagClassifier
from streamvec.models.cells import CELLS
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.glove import Glove
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.learner import Learner
from streamvec.models.learning import OPTIMIZERS
from streamvec.models.lmconfig import LmConfig
from streamvec.models.network import Network
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.subwords import ngrams_of
from streamvec.models.tagger import Tagger
from streamvec.models.taggerconfig import TaggerConfig
from streamvec.models.translator import Translator
from streamvec.models.translatorconfig import TranslatorConfig
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.progress import Reporter

TaskConfig = ClassifierConfig | TaggerConfig | TranslatorConfig


def warm(report: Reporter) -> None:
    """Fills numba's cache where that has not been done for these kernels; does nothing where it has.

    When no process can be started, or the cache cannot be written, kernels are compiled here when they are called.
    """
    mark = _mark()
    if mark.exists():
        return
    report.note("compiling kernels, which happens once and takes half a minute")
    code = "from streamvec.training.warming import compile_all; compile_all()"
    with contextlib.suppress(OSError, StreamvecError), claimed(mark.with_suffix(".lock"), wait=True):
        # two that compile at once would lose some of each other's kernels
        if not mark.exists():
            subprocess.run(
                [sys.executable, "-P", "-c", code], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )


def compile_all() -> None:
    """Calls every kernel that a training needs with a few words, of the types that it will have."""
    compile_kernels(Tokenizer(), phrases=True)
    values = np.array([0, 1, 0], np.int32)
    values.setflags(write=False)  # as those of record batches are
    offsets = np.array([0, 3], np.int32)
    offsets.setflags(write=False)
    words = word_bytes(pa.array(["of", "the"], pa.large_string()))
    more = {"mode": "hogwild"}, {"subwords": "3-6", "buckets": 10}
    for options in ({}, {"objective": "hs"}, {"objective": "softmax"}, *more):
        config = SkipGramConfig(dim=8, **options)
        model = SkipGram(config, np.array([2, 1]), steps=1, ngrams=ngrams_of(config, words))
        model.vectors(0, 2)
        model.step(TokenBatch(values, offsets), Position(0, 0))
        model.held_out_loss([(0, TokenBatch(values, offsets))])
    _compile_glove()
    compile_language_model()
    compile_tasks()
    with whole_file(_mark()):
        pass


def _compile_glove() -> None:
    counts = np.array([2, 1])
    compile_cooccurrences()
    compile_entries()
    model = Glove(GloveConfig(dim=8), counts.size, 1, np.array([0, 1, 2, 2]))
    rows, columns, values = np.array([0], np.int32), np.array([1], np.int32), np.ones(1, np.float32)
    for array in (rows, columns, values):
        array.setflags(write=False)
    model.step(Entries(rows, columns, values, 0), Position(0, 0))


def compile_language_model() -> None:
    """Calls each kernel that language models need: to train, to be measured, and to write."""
    values, offsets = np.array([0, 1, -5], np.int32), np.array([0, 3], np.int32)
    for array in (values, offsets):
        array.setflags(write=False)
    text = streamed(values, offsets, False, 1, 0, 2)
    batch = LaneBatch(text[:-1, None], text[1:, None], True)
    more: list[dict[str, Any]] = [{"cell": cell} for cell in CELLS]
    more += [{"optimizer": name, "output": "adaptive", "cutoffs": "2"} for name in OPTIMIZERS]
    more += [{"tied": True, "dropout": 0.5}, {"output": "sampled"}, {"output": "nce"}]
    for options in more:
        model = LanguageModel(
            LmConfig(hidden=8, layers=2, batch=1, bptt=4, **options), 4, 1, counts=np.ones(4, np.int64)
        )
        model.step(batch, Position(0, 0))
        reader = model.reader(1)
        reader.loss([batch])
        reader.read(2)
    random.bits(np.uint64(random.stream(1, 0, random.SAMPLE)), np.uint64(0))
    Tokenizer().tokens("a prompt")


def compile_tasks() -> None:
    """Calls each kernel that tasks on labelled examples need besides: to train, to be measured and to answer."""
    words, spelled, label = (Ragged.of([np.array(row, np.int32)]) for row in ([1, 2, 1], [2, 1, 2], [1]))
    letters = Ragged.of([np.arange(5, dtype=np.uint8)], np.uint8)
    tagged, told = (ExampleBatch(words, targets, spelled, letters) for targets in (words, label))
    classifier = ClassifierConfig(dim=8, ngrams=2)
    tagger = TaggerConfig(dim=8, hidden=8)
    _compile_task(classifier, lambda: BagClassifier(classifier, 3, 3), told)
    drawn(2, 1, 0, 0)
    _compile_task(tagger, lambda: Tagger(tagger, 3, 3), tagged)
    translator = TranslatorConfig(dim=8, hidden=8)
    _compile_task(translator, lambda: Translator(translator, 3, 3, end=1, unknown=0), tagged)


def _compile_task(config: TaskConfig, network: Callable[[], Network], batch: ExampleBatch) -> None:
    learner = Learner(config, network, 1, dim=config.dim)
    learner.step(batch, Position(0, 0))
    learner.loss(batch)
    learner.answers(batch)
    learner.close()


def _mark() -> Path:
    return Path(os.environ["NUMBA_CACHE_DIR"]) / "compiled"
