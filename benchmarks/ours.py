"""Tasks of streamvec that benchmarks run in processes of their own: prepare a RUN, train on it and time just that."""

import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import streamvec
from benchmarks.bench import answer
from streamvec.corpus import pipeline
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.layout import joins_name
from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.prepare import prepare as prepare_text
from streamvec.corpus.shards import Shards, TokenBatch
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.models.kinds import CONFIGS
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position, StepResult
from streamvec.models.subwords import ngrams_of
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.loop import Schedule, train
from streamvec.training.options import MachineOptions, TextOptions
from streamvec.training.progress import Progress
from streamvec.training.run import Run
from streamvec.training.text import prepared, resolve_inputs
from streamvec.training.watch import HeldOut


class Stages:
    """A reporter that keeps when each stage was first and last heard of, and what was noted."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.notes: list[str] = []

    def progress(self, progress: Progress) -> None:
        """Keeps the time."""
        now = time.perf_counter()
        self.times.setdefault(progress.stage, [now, now])[1] = now

    def note(self, text: str) -> None:
        """Keeps the sentence."""
        self.notes.append(text)


def prepare(settings: dict[str, Any]) -> dict[str, Any]:
    """Vocabulary and shards of settings["input"] in a new RUN at settings["run"]."""
    if settings.get("warm"):
        prepare({**settings, "input": settings["warm"], "run": settings["run"] + "-warm", "warm": None})
    text = TextOptions(max_vocab=settings.get("max_vocab"))
    machine = MachineOptions(threads=settings["threads"], memory=settings.get("memory"))
    stages = Stages()
    begin = time.perf_counter()
    sources = resolve_inputs([settings["input"]], text)
    options = {"config": asdict(SkipGramConfig()), "text": asdict(text)}
    run = Run.create(settings["run"], "skipgram", options, sources)
    vocabulary, shards = prepared(run, text, machine, stages, lambda: False)
    end = time.perf_counter()
    counted = stages.times["counting"][1] if "counting" in stages.times else begin
    return {
        "seconds": end - begin,
        "counting_seconds": counted - begin,  # to the last block counted
        "shards_seconds": end - counted,  # choosing the vocabulary included
        "bytes_of_text": shards.counts["bytes_read"],
        "documents": shards.counts["documents"],
        "tokens": shards.counts["tokens"],
        "tokens_in_vocabulary": shards.tokens,
        "words": len(vocabulary),
        "distinct_words": vocabulary.about["distinct_words"],
        "notes": stages.notes,
    }


def phrases(settings: dict[str, Any]) -> dict[str, Any]:
    """One pass of phrases over settings["input"], from text to shards; writes what it found to settings["found"]."""
    if settings.get("warm"):
        phrases({**settings, "input": settings["warm"], "run": settings["run"] + "-warm", "warm": None})
    options = PhraseOptions(1, settings["score"], settings["threshold"], settings["min_count"])
    folder, times = Path(settings["run"]), Stages()

    def report(now: pipeline.Progress) -> None:
        is_first = now.stage not in times.times
        times.progress(Progress(now.stage, None))
        if is_first and now.stage == "phrases counted":  # the pass has ended
            shutil.copy(folder / "phrases" / joins_name(1), settings["found"])

    begin = time.perf_counter()
    vocabulary, shards = prepare_text(
        resolve([settings["input"]]),
        folder,
        Tokenizer("whitespace", keep_case=True),
        phrases=options,
        crews=ThreadCrews(settings["threads"], settings["memory"]),
        report=report,
        stop=lambda: False,
    )
    end = time.perf_counter()
    counts = shards.counts
    return {
        "seconds": end - begin,
        "finding_seconds": times.times["phrases counted"][0] - times.times["numbering"][1],  # its merging, too
        "joining_seconds": end - times.times["phrases counted"][0],  # counting again, and shards
        "tokens": counts["tokens"],
        "joined": counts["joined_tokens"],
        "words": len(vocabulary),
    }


class _Timed(Checkpoints):
    """Checkpoints that know what they cost."""

    seconds = 0.0

    def save(self, *args: Any) -> Path:
        """Saves."""
        begin = time.perf_counter()
        path = super().save(*args)
        self.seconds += time.perf_counter() - begin
        return path


def train_only(settings: dict[str, Any]) -> dict[str, Any]:
    """Trains on the shards of settings["prepared"], the kernels loaded before; keeps the vectors as .npy.

    The time is that of the loop as `streamvec train` runs it: reading and checking shards, metrics, checkpoints.
    """
    config = CONFIGS[settings["kind"]](**settings["config"])
    source = Run.open(settings["prepared"])
    folder = Path(settings["run"])
    folder.mkdir()
    vocabulary, shards = Vocabulary.load(source.vocabulary), Shards.open(source.shards)
    warm_up(config, settings["threads"])
    ngrams = ngrams_of(config, word_bytes(vocabulary.words))
    model = SkipGram(config, vocabulary.counts, shards.batches, settings["threads"], ngrams)
    run = Run(folder, {})
    checkpoints = _Timed(folder / "checkpoints")
    schedule = Schedule(config.epochs, shards.batches)
    stages = Stages()
    begin = time.perf_counter()
    start, never = Position(0, 0), lambda: False
    watch = HeldOut(model, run, shards, vocabulary)
    train(model, shards, start, schedule, checkpoints, run.metrics, stages, never, watch)
    seconds = time.perf_counter() - begin
    np.save(settings["vectors"], model.vectors(0, len(vocabulary)))
    model.close()
    return {"seconds": seconds, "checkpoint_seconds": checkpoints.seconds, "words": len(vocabulary)}


def warm_up(config: SkipGramConfig, threads: int) -> StepResult:
    """One step on a tiny model: afterwards every kernel is compiled or loaded."""
    words = word_bytes(pa.array([f"word{number}" for number in range(100)], pa.large_string()))
    model = SkipGram(replace(config, sample=0), np.full(100, 100, np.int64), 1, threads, ngrams_of(config, words))
    batch = TokenBatch(np.arange(2000, dtype=np.int32) % 100, np.array([0, 2000], np.int32))
    result = model.step(batch, Position(0, 0))
    model.not_finite()
    model.close()
    return result


def subwords(settings: dict[str, Any]) -> dict[str, Any]:
    """Trains a RUN with subwords on the shards of settings["prepared"]; the neighbours of settings["unseen"]."""
    begin = {"skipgram": streamvec.train_skipgram, "cbow": streamvec.train_cbow}[settings["kind"]]
    vectors = begin(settings["prepared"], settings["run"], threads=settings["threads"], **settings["config"])
    np.save(settings["vectors"], vectors.vectors)
    known = [word for word in settings["unseen"] if word in vectors]
    if known:
        raise ValueError(f"in the vocabulary after all: {known}")
    found = vectors.most_similar_batch(settings["unseen"], topn=5)
    pairs = zip(settings["unseen"], found, strict=True)
    return {"neighbours": {word: [[other, round(cosine, 4)] for other, cosine in near] for word, near in pairs}}


def words(settings: dict[str, Any]) -> dict[str, Any]:
    """Writes the words of a RUN by rank, a line each."""
    vocabulary = Vocabulary.load(Run.open(settings["prepared"]).vocabulary)
    Path(settings["out"]).write_text("\n".join(vocabulary.words.to_pylist()), encoding="utf-8")
    return {"words": len(vocabulary), "tokens": vocabulary.total}


if __name__ == "__main__":
    answer({"prepare": prepare, "train": train_only, "words": words, "phrases": phrases, "subwords": subwords})
