"""What a training will take, told before anything starts: peak memory, disk and time, and what stands in its way.

The inputs are sampled, not read (`streamvec.training.seen`); the sums are those of `streamvec.training.needs`; rates
are tried out on this machine for a second or two.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.disk.files import free_space
from streamvec.errors import StreamvecError
from streamvec.models.kinds import CONFIGS, WordConfig
from streamvec.models.softmax import refuse_infeasible
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training import needs
from streamvec.training.glovetiming import entries_a_second, pairs_a_second
from streamvec.training.options import MachineOptions, TextOptions, free_memory, pick
from streamvec.training.pairneeds import PairNeeds, pair_needs
from streamvec.training.seen import Seen, of_run, of_text
from streamvec.training.start import choose
from streamvec.training.tableneeds import counting_bytes, counting_disk, neighbours_disk, phrases_bytes
from streamvec.training.text import resolve_inputs
from streamvec.training.timing import tokens_a_second

_START_SECONDS = 1.0  # imports, and kernels taken from their cache
_DISK_RATE = 3e8  # bytes a second, written, summed and forced to the disk
_SORT_RATE = 4e6  # words a second that are sorted, written and merged
_PAIR_RATE, _PAIR_SORT_RATE, _ID_RATE = 1.3e7, 8e6, 5e7  # tokens of a thread; pairs that are sorted and merged; tokens
_MERGE_RATE = 1.2e7  # pairs of runs a second, merged and written by one thread
_SAID = {"peak_disk", "rate", "unit"}  # in JSON, under other names


@dataclass(frozen=True)
class Plan:
    """The answer; sizes in bytes, times in seconds. `to_json` gives it as one object."""

    corpus: dict[str, Any]
    memory: dict[str, int]
    disk: dict[str, int]
    seconds: dict[str, float]
    peak_disk: int  # most at any time
    rate: int  # of training, in units a second
    unit: str  # words, or entries of the matrix of co-occurrences
    epochs: int
    dim: int
    model_bytes: int
    allowed_bytes: int  # --memory, or half of what is free
    warnings: list[str] = field(default_factory=list)

    @property
    def peak_memory(self) -> int:
        """Peak memory of the process."""
        return max(self.memory.values())

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
            f"{self.unit}_per_second": self.rate,
            **{name: value for name, value in asdict(self).items() if name not in _SAID},
        }


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

    kind: "skipgram", "cbow" for `train_cbow`, or "glove" for `train_glove`. Reads a bounded part of the inputs, and
    trains on it for about a second. *out* says on which disk the RUN would be.
    Raises ValueError for options that can never be right, StreamvecError when an input cannot be read or planned, or
    holds no word that is frequent enough.
    """
    if kind not in CONFIGS:
        raise ValueError(f"kind must be {' or '.join(CONFIGS)}, got {kind!r}")
    if kind == "glove" and start_from is not None:
        raise ValueError("start_from must be left out of kind glove, which cannot go on from a RUN: vectors can")
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
    seen = of_run(Path(sources[0].path), config, start) if is_run else of_text(sources, text, config, start)
    work = _work_of(config, machine, seen)
    seconds = _seconds(config, machine, seen, work)
    disk = _disk(config, machine, seen, work, seconds["training"])
    about, corpus = seen.about, seen.corpus
    if isinstance(config, SkipGramConfig) and config.ngrams:
        about = about | {"ngrams": corpus.ngrams.rows}
    if work.pairs:
        about = about | {"pairs": work.pairs.stored, "entries": work.pairs.entries}
    plan = Plan(
        about,
        _memory(config, machine, seen, work),
        disk,
        seconds,
        _peak_disk(disk, work.pairs),
        round(work.rate),
        work.unit,
        config.epochs,
        config.dim,
        config.model_bytes(corpus.words, corpus.ngrams),
        allowed,
    )
    plan.warnings.extend(_warnings(plan, config, machine, seen, Path(out), picked[2].get("memory") is not None))
    return plan


class _Work(NamedTuple):
    """What an epoch is, and how fast it goes."""

    amount: int  # in units
    unit: str
    rate: float  # units a second
    steps: int
    pairs: PairNeeds | None = None  # of GloVe
    pair_rate: float = 0.0  # pairs that a thread counts in a second


def _work_of(config: WordConfig, machine: MachineOptions, seen: Seen) -> _Work:
    corpus, threads = seen.corpus, machine.cores
    if isinstance(config, SkipGramConfig):
        rate = tokens_a_second(config, corpus, seen.counts, seen.batches, seen.shown, threads)
        return _Work(corpus.tokens, "words", rate, -(-corpus.tokens // BATCH_TOKENS))
    assert seen.pairs is not None
    pair_rate = pairs_a_second(config.counted, seen.batches)
    pairs = pair_needs(machine, seen.pairs, seen.load, corpus.tokens, pair_rate)
    rate = entries_a_second(config, corpus.words, pairs, seen.counts, threads)
    return _Work(pairs.entries, "entries", rate, pairs.batches, pairs, pair_rate)


def _memory(config: WordConfig, machine: MachineOptions, seen: Seen, work: _Work) -> dict[str, int]:
    """Peak memory of each stage."""
    corpus, sample, load = seen.corpus, seen.sample, seen.load
    memory = {}
    if sample is not None:
        each = sample.all_tokens() / machine.cores
        memory["counting"] = counting_bytes(machine, load.text, sample.words(each), float(sample.sizes.mean()))
        memory["encoding"] = needs.encoding_bytes(machine, load.text, corpus.words, corpus.word_bytes)
        if seen.phrases is not None:
            near = seen.phrases.all_pairs(each)
            memory["phrases"] = phrases_bytes(machine, load.text, corpus.words, corpus.word_bytes, near)
    if work.pairs:
        memory |= {"pairs": work.pairs.counting_memory, "blocks": work.pairs.writing_memory}
    return memory | {"training": needs.training_bytes(config, machine, load)}


def _seconds(config: WordConfig, machine: MachineOptions, seen: Seen, work: _Work) -> dict[str, float]:
    corpus, sample, threads = seen.corpus, seen.sample, machine.cores
    training = work.amount * config.epochs / work.rate
    seconds = {"starting": _START_SECONDS}
    if sample is not None:
        cores = min(threads + 1, len(os.sched_getaffinity(0)))
        read, count = sample.read_seconds * sample.scale, sample.count_seconds * sample.scale
        alone = count if sample.is_python else count / threads
        stage = max(read, alone, (read + count) / (1 if sample.is_python else cores))
        seconds["counting"] = stage + sample.words(sample.all_tokens()) / _SORT_RATE
        seconds["encoding"] = stage + needs.shards_bytes(corpus) / (2 * _DISK_RATE)
        if seen.phrases is not None:  # the text is encoded once, and its numbers are read in each pass and twice more
            tokens = sample.all_tokens()
            pairs = seen.phrases.all_pairs(tokens)
            one = tokens / threads / _PAIR_RATE + pairs / _PAIR_SORT_RATE
            seconds["phrases"] = seen.passes * one + 2 * tokens / threads / _ID_RATE
    if work.pairs and seen.pairs:
        runs, busy = work.pairs.runs, min(threads, len(os.sched_getaffinity(0)))
        counted = corpus.tokens * seen.pairs.near / work.pair_rate / busy
        seconds["pairs"] = counted + runs.written / _PAIR_SORT_RATE / busy
        seconds["blocks"] = runs.kept / _MERGE_RATE / min(work.pairs.at_once, busy) + work.pairs.disk / _DISK_RATE
    saving = needs.checkpoint_bytes(config, corpus.words, corpus.ngrams) / _DISK_RATE
    writing = needs.vectors_bytes(config, corpus) / _DISK_RATE
    seconds["training"] = training + _saves(config, machine, seen, work, training) * saving + writing
    return seconds


def _saves(config: WordConfig, machine: MachineOptions, seen: Seen, work: _Work, seconds: float) -> int:
    """Checkpoints that will be written: by time or steps, one at the end, and a first one of what it is begun from."""
    steps = config.epochs * work.steps
    by_steps = (steps - 1) // machine.checkpoint_batches if machine.checkpoint_batches else 0
    return 1 + (seen.start is not None) + max(int(seconds / machine.checkpoint_seconds), by_steps)


def _disk(config: WordConfig, machine: MachineOptions, seen: Seen, work: _Work, seconds: float) -> dict[str, int]:
    corpus, sample, counting, ids, near = seen.corpus, seen.sample, 0, 0, 0
    if sample is not None:
        tokens = sample.all_tokens()
        counting = counting_disk(machine, sample.words, tokens, float(sample.sizes.mean()), corpus.documents)
        if seen.start and seen.start.earlier:
            counting += seen.start.earlier.path.stat().st_size  # once more, in the order of bytes
        if seen.phrases is not None:
            ids = needs.shards_bytes(corpus._replace(tokens=tokens)) + needs.vocabulary_bytes(corpus)
            near = neighbours_disk(machine, seen.phrases.all_pairs, tokens)
    saves = _saves(config, machine, seen, work, seconds * 1.25)  # in doubt one more
    one, vectors = needs.checkpoint_bytes(config, corpus.words, corpus.ngrams), needs.vectors_bytes(config, corpus)
    # Two are kept; a third is there while it is written, and gone before the vectors are.
    checkpoints = max(3 * one - vectors, 2 * one) if saves > 2 else saves * one
    patience = config.patience if isinstance(config, SkipGramConfig) else 0
    return {
        "counting": counting,
        "phrases": ids,
        "pairs": near,
        "shards": needs.shards_bytes(corpus) if sample else 0,  # those of a RUN are linked, not copied
        "vocabulary": needs.vocabulary_bytes(corpus) if sample else 0,
        "runs": work.pairs.runs_disk if work.pairs else 0,
        "cooccurrences": work.pairs.disk if work.pairs else 0,
        "checkpoints": checkpoints,
        "best": min(2, config.epochs) * one if patience else 0,  # the one before goes when the next is there
        "vectors": vectors,
    }


def _peak_disk(disk: Mapping[str, int], pairs: PairNeeds | None) -> int:
    """Most disk that is taken at any time."""
    finding = disk["phrases"] + max(disk["pairs"], disk["shards"])
    prepared = disk["shards"] + disk["vocabulary"]
    training = disk["cooccurrences"] + disk["checkpoints"] + disk["best"] + disk["vectors"]
    preparing = max(disk["counting"], finding) + disk["vocabulary"]
    return max(preparing, prepared + max(pairs.peak_disk if pairs else 0, training))


def _warnings(
    plan: Plan, config: WordConfig, machine: MachineOptions, seen: Seen, out: Path, is_asked: bool
) -> list[str]:
    found, limit, corpus = [], machine.memory_bytes, seen.corpus
    try:
        needs.refuse_too_large(config, machine, seen.load)
        if isinstance(config, SkipGramConfig) and config.objective == "softmax":
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
    folder, room = free_space(out)
    if plan.peak_disk > room:
        found.append(
            f"{folder}: the disk has {room / 1e6:,.0f} MB free, {plan.peak_disk / 1e6:,.0f} MB are needed: free some, "
            "or choose another place for --out"
        )
    return found
