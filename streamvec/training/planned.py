"""What a plan says, and what is the same in all of them: preparing the text, checkpoints, and the room there is."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.disk.reading import free_space
from streamvec.errors import StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.kinds import Config
from streamvec.training import needs
from streamvec.training.freememory import free_memory
from streamvec.training.options import MachineOptions
from streamvec.training.seen import Seen
from streamvec.training.tableneeds import counting_bytes, counting_disk, phrases_bytes

START_SECONDS = 1.0  # imports, and kernels taken from their cache
DISK_RATE = 3e8  # bytes a second, written, summed and forced to the disk
SORT_RATE = 4e6  # words a second that are sorted, written and merged
PAIR_SORT_RATE = 8e6  # and pairs
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
    unit: str  # words, entries of the matrix of co-occurrences, or tokens
    epochs: int
    dim: int
    model_bytes: int
    allowed_bytes: int  # --memory, or half of what is free
    network: dict[str, Any] | None = None  # of a language model: its tokens, cell, layers, hidden and output
    cluster: dict[str, Any] | None = None  # as `streamvec.training.clusterplan.Spread.to_json` has it
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
        said = {name: value for name, value in asdict(self).items() if name not in _SAID and value is not None}
        return {
            "peak_memory_bytes": self.peak_memory,
            "peak_disk_bytes": self.peak_disk,
            "total_seconds": round(self.total_seconds, 1),
            f"{self.unit}_per_second": self.rate,
            **said,
        }


def preparing_memory(machine: MachineOptions, seen: Seen) -> dict[str, int]:
    """Peak memory of each stage that makes shards of text; none where they are there."""
    corpus, sample = seen.corpus, seen.sample
    if sample is None:
        return {}
    each = sample.all_tokens() / machine.cores
    memory = {
        "counting": counting_bytes(machine, corpus.text_bytes, sample.words(each), float(sample.sizes.mean())),
        "encoding": needs.encoding_bytes(machine, corpus.text_bytes, corpus.words, corpus.word_bytes),
    }
    if seen.phrases is not None:
        near = seen.phrases.all_pairs(each)
        memory["phrases"] = phrases_bytes(machine, corpus.text_bytes, corpus.words, corpus.word_bytes, near)
    return memory


def preparing_seconds(machine: MachineOptions, seen: Seen) -> dict[str, float]:
    """Time of counting words and of encoding text, where there is text."""
    sample, threads = seen.sample, machine.cores
    if sample is None:
        return {}
    cores = min(threads + 1, len(os.sched_getaffinity(0)))
    read, count = sample.read_seconds * sample.scale, sample.count_seconds * sample.scale
    alone = count if sample.is_python else count / threads
    stage = max(read, alone, (read + count) / (1 if sample.is_python else cores))
    return {
        "counting": stage + sample.words(sample.all_tokens()) / SORT_RATE,
        "encoding": stage + needs.shards_bytes(seen.corpus) / (2 * DISK_RATE),
    }


def preparing_disk(machine: MachineOptions, seen: Seen) -> dict[str, int]:
    """Disk for what words are counted in, shards and vocabulary; those of a RUN are linked, not copied."""
    corpus, sample = seen.corpus, seen.sample
    if sample is None:
        return {"counting": 0, "shards": 0, "vocabulary": 0}
    tokens = sample.all_tokens()
    counting = counting_disk(machine, sample.words, tokens, float(sample.sizes.mean()), corpus.documents)
    if seen.start and seen.start.earlier:
        counting += seen.start.earlier.path.stat().st_size  # once more, in the order of bytes
    return {
        "counting": counting,
        "shards": needs.shards_bytes(corpus),
        "vocabulary": needs.vocabulary_bytes(corpus),
    }


class Saved(NamedTuple):
    """What a training writes: checkpoints, now and then, the best of them where patience asks for it, and vectors."""

    seconds: float
    disk: dict[str, int]  # of "checkpoints", "best" and "vectors"

    @classmethod
    def of(
        cls, config: Config, machine: MachineOptions, steps: int, seconds: float, is_begun: bool, one: int, vectors: int
    ) -> "Saved":
        """Of a training of so many *steps* in an epoch and *seconds* in all; *one*: bytes of a checkpoint."""
        steps *= config.epochs
        writing = (saves(machine, steps, seconds, is_begun) * one + vectors) / DISK_RATE
        most = saves(machine, steps, 1.25 * (seconds + writing), is_begun)  # in doubt one more
        patience = 0 if isinstance(config, GloveConfig) else config.patience
        disk = {
            "checkpoints": checkpoints_disk(one, most, vectors),
            "best": min(2, config.epochs) * one if patience else 0,  # the one before goes when the next is there
            "vectors": vectors,
        }
        return cls(writing, disk)


def saves(machine: MachineOptions, steps: int, seconds: float, is_begun: bool) -> int:
    """Checkpoints that *steps* steps in *seconds* write: by time or steps, one at the end, and a first one of what
    training is begun from."""
    by_steps = (steps - 1) // machine.checkpoint_batches if machine.checkpoint_batches else 0
    return 1 + is_begun + max(int(seconds / machine.checkpoint_seconds), by_steps)


def checkpoints_disk(one: int, number: int, vectors: int) -> int:
    """Disk of so many checkpoints, of which two are kept: a third is there while it is written, and gone before the
    vectors are."""
    return max(3 * one - vectors, 2 * one) if number > 2 else number * one


def peak_disk(disk: Mapping[str, int], pairing: int = 0) -> int:
    """Most disk that is taken at any time; *pairing*: of counting and writing pairs."""

    def of(*names: str) -> int:
        return sum(disk.get(name, 0) for name in names)

    finding = of("phrases") + max(of("pairs"), of("shards"))
    training = of("cooccurrences", "heldout", "checkpoints", "best", "vectors")
    preparing = max(of("counting"), finding) + of("vocabulary")
    return max(preparing, of("shards", "vocabulary") + max(pairing, training))


def warn_of_refusals(plan: Plan, *checks: Callable[[], None]) -> None:
    """Adds what the first of the checks that training makes would refuse, if one does."""
    try:
        for check in checks:
            check()
    except StreamvecError as refusal:
        plan.warnings.append(f"this would be refused: {refusal}")


def warn_of_room(plan: Plan, machine: MachineOptions, out: Path, is_asked: bool) -> None:
    """Adds what the memory and the disk of this machine lack; is_asked: whether --memory was given."""
    free, limit = free_memory(), machine.memory_bytes
    if plan.peak_memory > free:
        plan.warnings.append(
            f"the machine has {free / 1e6:,.0f} MB of memory free, {plan.peak_memory / 1e6:,.0f} MB are needed"
        )
    elif is_asked and limit > free:
        plan.warnings.append(
            f"--memory {limit / 1e6:,.0f} MB is more than the {free / 1e6:,.0f} MB that the machine has free"
        )
    folder, room = free_space(out)
    if plan.peak_disk > room:
        plan.warnings.append(
            f"{folder}: the disk has {room / 1e6:,.0f} MB free, {plan.peak_disk / 1e6:,.0f} MB are needed: free some, "
            "or choose another place for --out"
        )
