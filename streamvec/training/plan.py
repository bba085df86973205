"""What a training will take, told before anything starts: peak memory, disk and time, and what stands in its way.

The inputs are sampled, not read; the sums are those of `streamvec.training.needs`; the rates are tried out on this
machine for a second or two.
"""

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from streamvec.corpus.growth import Sample
from streamvec.corpus.layout import SHARDS, VOCABULARY
from streamvec.corpus.phrasesampling import PhraseGrowth, phrase_growth
from streamvec.corpus.sampling import sample_corpus
from streamvec.corpus.shards import BATCH_TOKENS, Shards
from streamvec.corpus.vocabulary import word_bytes
from streamvec.disk.arrow import open_arrow, read_batch
from streamvec.errors import StreamvecError
from streamvec.models.kinds import CONFIGS
from streamvec.models.softmax import refuse_infeasible
from streamvec.models.subwords import WordBytes
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training import needs
from streamvec.training.options import MachineOptions, TextOptions, free_memory, pick
from streamvec.training.start import Start, choose, refuse_shards
from streamvec.training.text import resolve_inputs
from streamvec.training.timing import batches_of, tokens_a_second

_START_SECONDS = 1.0  # imports, and kernels taken from their cache
_DISK_RATE = 3e8  # bytes a second, written, summed and forced to the disk
_SORT_RATE = 4e6  # words a second that are sorted, written and merged
_SHOWN = 1 << 20  # words whose n-grams stand for all
_NO_WORDS = np.zeros(0, np.uint8), np.zeros(1, np.int64)
_PAIR_RATE, _PAIR_SORT_RATE, _ID_RATE = 1.3e7, 8e6, 5e7  # tokens of a thread; pairs that are sorted and merged; tokens
_RECORD_SECONDS = 180.0  # between records while counting


@dataclass(frozen=True)
class Plan:
    """The answer; sizes in bytes, times in seconds. `to_json` gives it as one object."""

    corpus: dict[str, Any]
    memory: dict[str, int]
    disk: dict[str, int]
    seconds: dict[str, float]
    words_per_second: int  # of training
    dim: int
    model_bytes: int
    allowed_bytes: int  # --memory, or half of what is free
    warnings: list[str] = field(default_factory=list)

    @property
    def peak_memory(self) -> int:
        """Peak memory of the process."""
        return max(self.memory.values())

    @property
    def peak_disk(self) -> int:
        """Most disk that is taken at any time."""
        kept = sum(self.disk[name] for name in ("shards", "vocabulary", "checkpoints", "best", "vectors"))
        finding = self.disk["phrases"] + max(self.disk["pairs"], self.disk["shards"])
        return max(max(self.disk["counting"], finding) + self.disk["vocabulary"], kept)

    @property
    def total_seconds(self) -> float:
        """From the first byte to the vectors."""
        return sum(self.seconds.values())

    def to_json(self) -> dict[str, Any]:
        """Everything as one JSON object."""
        return {
            "peak_memory_bytes": self.peak_memory,
            "peak_disk_bytes": self.peak_disk,
            "total_seconds": round(self.total_seconds, 1),
            **asdict(self),
        }


@dataclass
class _Seen:
    """What was learnt of the inputs."""

    about: dict[str, Any]
    corpus: needs.Corpus
    counts: np.ndarray  # int64[n], falling
    found: list[tuple[np.ndarray, np.ndarray]]
    sample: Sample | None  # None: a RUN, whose shards are ready
    shown: WordBytes  # the most frequent words, with subwords
    start: Start | None = None
    phrases: PhraseGrowth | None = None
    passes: int = 0


def plan_training(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path = ".",
    *,
    kind: str = "skipgram",
    start_from: str | Path | None = None,
    vectors: str | Path | None = None,
    **options: Any,
) -> Plan:
    """What `train_skipgram` with the same arguments will take: the command ``streamvec plan`` as a function.

    kind: "skipgram", or "cbow" for `train_cbow`. Reads a bounded part of the inputs, and trains on it for about a
    second. *out* says on which disk the RUN would be.
    Raises ValueError for options that can never be right, StreamvecError when an input cannot be read or planned, or
    holds no word that is frequent enough.
    """
    if kind not in CONFIGS:
        raise ValueError(f"kind must be {' or '.join(CONFIGS)}, got {kind!r}")
    kinds = (CONFIGS[kind], TextOptions, MachineOptions)
    unknown = set(options) - {name for each in kinds for name in pick(each, options)}
    if unknown:
        raise ValueError(f"options must be those of train {kind}, got {', '.join(sorted(unknown))}")
    start, options = choose(kind, start_from, vectors, options)
    picked = [pick(each, options) for each in kinds]
    config, text, machine = CONFIGS[kind](**picked[0]), TextOptions(**picked[1]), MachineOptions(**picked[2])
    names = [str(name) for name in ([inputs] if isinstance(inputs, str | Path) else inputs)]
    if "-" in names:
        raise StreamvecError(
            "- (standard input) cannot be planned: it can be read only once, and nobody knows how much will come: "
            "plan with a file that holds some of it"
        )
    allowed = machine.memory_bytes  # before anything here takes memory
    machine = MachineOptions(**{**picked[2], "memory": allowed})
    sources = resolve_inputs(names, text)
    is_run = sources[0].kind == "run"
    seen = _of_run(Path(sources[0].path), config, start) if is_run else _of_text(sources, text, config, start)
    corpus = seen.corpus
    rate = tokens_a_second(config, corpus, seen.counts, batches_of(seen.found, corpus.words), seen.shown, machine.cores)
    memory, counting = _memory(config, machine, seen)
    seconds = _seconds(config, machine, seen, rate)
    disk = _disk(config, machine, seen, counting, seconds["training"])
    model, about = config.model_bytes(corpus.words, corpus.ngrams), seen.about
    if config.ngrams:
        about = about | {"ngrams": corpus.ngrams.rows}
    plan = Plan(about, memory, disk, seconds, round(rate), config.dim, model, allowed)
    plan.warnings.extend(_warnings(plan, config, machine, seen, Path(out), picked[2].get("memory") is not None))
    return plan


def _of_text(sources: list, text: TextOptions, config: SkipGramConfig, start: Start | None = None) -> _Seen:
    sample = sample_corpus(sources, text.tokenizer, text.column, text.encoding)
    if start and start.earlier:
        known = start.earlier.expected(sample, text.min_count, text.max_vocab)
    else:
        known = sample.vocabulary(text.min_count, text.max_vocab)
    if not known.tokens:
        what = "no words" if not sample.tokens else f"no word that occurs {text.min_count} times"
        raise StreamvecError(
            f"{sources[0].path}: {what} in {sample.sampled_bytes:,} bytes of text"
            f"{'' if sample.is_whole else ' sampled'}: name other input, or lower --min-count"
        )
    found, growth = sample.ids(), None
    shown = sample.word_bytes(min(known.words, _SHOWN)) if config.ngrams else _NO_WORDS
    sizes = needs.told_from(config, shown, known.words)
    corpus = needs.Corpus(sample.text_bytes, sample.all_documents(), known.tokens, known.words, known.word_bytes, sizes)
    if text.phrases:
        growth = phrase_growth(found, text.phrase_options)
        corpus = _with_phrases(corpus, round(growth.all_phrases(sample.all_tokens())), growth.joined, text.max_vocab)
    about = {
        "inputs": len(sources),
        "stored_bytes": sample.stored_bytes,
        "text_bytes": sample.text_bytes,
        "sampled_bytes": sample.sampled_bytes,
        "is_whole": sample.is_whole,
        "documents": corpus.documents,
        "tokens": sample.all_tokens(),
        "known_tokens": corpus.tokens,
        "distinct_words": round(sample.words(sample.all_tokens())),
        "words": corpus.words,
    }
    return _Seen(about, corpus, sample.counts, found, sample, shown, start, growth, text.phrases)


def _with_phrases(corpus: needs.Corpus, phrases: int, joined: float, max_vocab: int | None) -> needs.Corpus:
    """The corpus after joining: a phrase is as long as two words and what joins them."""
    words = corpus.words + phrases
    word_bytes = (corpus.words * corpus.word_bytes + phrases * (2 * corpus.word_bytes + 1)) / words
    tokens = round(corpus.tokens * (1 - joined))
    ngrams = needs.scaled(corpus.ngrams, words / corpus.words)
    words = min(words, max_vocab or words)
    return corpus._replace(words=words, word_bytes=word_bytes, tokens=tokens, ngrams=ngrams)


def _of_run(folder: Path, config: SkipGramConfig, start: Start | None = None) -> _Seen:
    refuse_shards(str(folder), start)
    shards = Shards.open(folder / SHARDS)
    path = folder / VOCABULARY
    reader = open_arrow(path)
    first = read_batch(reader, 0, path)  # the 65,536 most frequent words
    counts = first.column(1).to_numpy()
    shown = word_bytes(first.column(0).cast(pa.large_string())) if config.ngrams else _NO_WORDS
    words = shards.vocabulary_size
    mean = max(1.0, path.stat().st_size / words - 12)
    sizes = needs.told_from(config, shown, words)
    corpus = needs.Corpus(shards.counts["bytes_read"], shards.documents, shards.tokens, words, mean, sizes)
    found = []
    for number in range(min(4, shards.batches)):
        batch = shards.batch(number)
        found.append((batch.values, np.diff(batch.offsets)))
    about = {
        "inputs": 1,
        "stored_bytes": needs.shards_bytes(corpus),
        "text_bytes": corpus.text_bytes,
        "sampled_bytes": 0,
        "is_whole": True,
        "documents": shards.documents,
        "tokens": shards.counts["tokens"],
        "known_tokens": shards.tokens,
        "distinct_words": None,
        "words": words,
    }
    return _Seen(about, corpus, counts, found, None, shown, start)


def _load(seen: _Seen) -> needs.Load:
    """What the training will have to hold."""
    corpus, text = seen.corpus, seen.corpus.text_bytes if seen.sample else 0
    return needs.Load(corpus.words, corpus.word_bytes, text, corpus.ngrams, seen.start is not None)


def _memory(config: SkipGramConfig, machine: MachineOptions, seen: _Seen) -> tuple[dict[str, int], int]:
    """Peak memory of each stage, and the disk that counting takes."""
    corpus, sample, threads = seen.corpus, seen.sample, machine.cores
    text = corpus.text_bytes if sample else 0
    training = needs.training_bytes(config, machine, _load(seen))
    if sample is None:
        return {"training": training}, 0
    tokens = sample.all_tokens()
    finding = {}
    if seen.phrases is not None:
        each_pairs = seen.phrases.all_pairs(tokens / threads)
        finding["phrases"] = needs.phrases_bytes(machine, text, corpus.words, corpus.word_bytes, each_pairs)
    mean = float(sample.sizes.mean())
    each = sample.words(tokens / threads)
    memory = {
        "counting": needs.counting_bytes(machine, text, each, mean),
        "encoding": needs.encoding_bytes(machine, text, corpus.words, corpus.word_bytes),
        **finding,
        "training": training,
    }
    most = 0.7 * needs.first_slots(machine)[1]
    run_words, run_tokens = each, tokens / threads
    if each > most:
        low, high = 1.0, tokens / threads
        for _ in range(60):  # tokens that fill a table
            middle = math.sqrt(low * high)
            low, high = (middle, high) if sample.words(middle) < most else (low, middle)
        run_words, run_tokens = most, low
    merged = [sample.words(min(tokens, run_tokens * 32**level)) for level in range(1, 5)]
    disk = needs.runs_bytes(run_words, max(threads, tokens / run_tokens), merged, mean, corpus.documents)
    if seen.start and seen.start.earlier:
        disk += seen.start.earlier.path.stat().st_size  # once more, in the order of bytes
    return memory, disk


def _seconds(config: SkipGramConfig, machine: MachineOptions, seen: _Seen, rate: float) -> dict[str, float]:
    corpus, sample, threads = seen.corpus, seen.sample, machine.cores
    training = corpus.tokens * config.epochs / rate
    seconds = {"starting": _START_SECONDS}
    if sample is not None:
        cores = min(threads + 1, len(os.sched_getaffinity(0)))
        read, work = sample.read_seconds * sample.scale, sample.count_seconds * sample.scale
        alone = work if sample.is_python else work / threads
        stage = max(read, alone, (read + work) / (1 if sample.is_python else cores))
        seconds["counting"] = stage + sample.words(sample.all_tokens()) / _SORT_RATE
        seconds["encoding"] = stage + needs.shards_bytes(corpus) / (2 * _DISK_RATE)
        if seen.phrases is not None:  # the text is encoded once, and its numbers are read in each pass and twice more
            tokens = sample.all_tokens()
            pairs = seen.phrases.all_pairs(tokens)
            one = tokens / threads / _PAIR_RATE + pairs / _PAIR_SORT_RATE
            seconds["phrases"] = seen.passes * one + 2 * tokens / threads / _ID_RATE
    saving = needs.checkpoint_bytes(config, corpus.words, corpus.ngrams) / _DISK_RATE
    writing = needs.vectors_bytes(config, corpus) / _DISK_RATE
    seconds["training"] = training + _saves(config, machine, seen, training) * saving + writing
    return seconds


def _saves(config: SkipGramConfig, machine: MachineOptions, seen: _Seen, seconds: float) -> int:
    """Checkpoints that will be written: by time or steps, one at the end, and a first one of what it is begun from."""
    steps = config.epochs * -(-seen.corpus.tokens // BATCH_TOKENS)
    by_steps = (steps - 1) // machine.checkpoint_batches if machine.checkpoint_batches else 0
    return 1 + (seen.start is not None) + max(int(seconds / machine.checkpoint_seconds), by_steps)


def _disk(
    config: SkipGramConfig, machine: MachineOptions, seen: _Seen, counting: int, seconds: float
) -> dict[str, int]:
    corpus, ids, pairs = seen.corpus, 0, 0
    if seen.phrases is not None and seen.sample is not None:
        tokens = seen.sample.all_tokens()
        ids = needs.shards_bytes(corpus._replace(tokens=tokens)) + needs.vocabulary_bytes(corpus)
        pairs = needs.pairs_bytes(machine, seen.phrases.all_pairs, tokens)
    saves = _saves(config, machine, seen, seconds * 1.25)  # in doubt one more
    one, vectors = needs.checkpoint_bytes(config, corpus.words, corpus.ngrams), needs.vectors_bytes(config, corpus)
    # Two are kept; a third is there while it is written, and gone before the vectors are.
    checkpoints = max(3 * one - vectors, 2 * one) if saves > 2 else saves * one
    return {
        "counting": counting,
        "phrases": ids,
        "pairs": pairs,
        "shards": needs.shards_bytes(corpus) if seen.sample else 0,  # those of a RUN are linked, not copied
        "vocabulary": needs.vocabulary_bytes(corpus) if seen.sample else 0,
        "checkpoints": checkpoints,
        "best": min(2, config.epochs) * one if config.patience else 0,  # the one before goes when the next is there
        "vectors": vectors,
    }


def _warnings(
    plan: Plan, config: SkipGramConfig, machine: MachineOptions, seen: _Seen, out: Path, is_asked: bool
) -> list[str]:
    found, limit, corpus = [], machine.memory_bytes, seen.corpus
    try:
        needs.refuse_too_large(config, machine, _load(seen))
        if config.objective == "softmax":
            refuse_infeasible(config, corpus.words, corpus.tokens, machine.cores)
    except StreamvecError as refusal:
        found.append(f"this would be refused: {refusal}")
    free = free_memory()
    if plan.peak_memory > free:
        found.append(
            f"the machine has {free / 1e6:,.0f} MB of memory free, {plan.peak_memory / 1e6:,.0f} MB are needed"
        )
    elif is_asked and limit > free:
        found.append(f"--memory {limit / 1e6:,.0f} MB is more than the {free / 1e6:,.0f} MB that the machine has free")
    folder = out.absolute()
    while not folder.is_dir():
        folder = folder.parent
    room = shutil.disk_usage(folder).free
    if plan.peak_disk > room:
        found.append(
            f"{folder}: the disk has {room / 1e6:,.0f} MB free, {plan.peak_disk / 1e6:,.0f} MB are needed: free some, "
            "or choose another place for --out"
        )
    return found
