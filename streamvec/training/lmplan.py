"""What the training of a language model will take: `streamvec.training.plan` for kind lm.

Memory is that of `streamvec.training.lmneeds`, by which a model that is too large is refused; rare words stay in the
shards, so that all tokens count.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamvec.corpus.sampling import sample_corpus
from streamvec.corpus.shards import TokenBatch
from streamvec.corpus.sources import resolve
from streamvec.corpus.stretches import lane_length, sequence_starts, steps_of, stream_tokens, too_few
from streamvec.errors import StreamvecError
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmsizes import LmSizes
from streamvec.training import needs
from streamvec.training.clusterplan import Machines, preparing, spread_of, training_lm
from streamvec.training.gradients import LOOKS
from streamvec.training.lmneeds import Told, read_bytes, refuse_too_large, training_bytes
from streamvec.training.lmtiming import MOST_MODEL, Stream, tokens_a_second
from streamvec.training.options import MachineOptions, TextOptions
from streamvec.training.planned import (
    START_SECONDS,
    Plan,
    Saved,
    peak_disk,
    preparing_disk,
    preparing_memory,
    preparing_seconds,
    warn_of_refusals,
)
from streamvec.training.seen import Seen


class Measured(NamedTuple):
    """The text of --valid, told from a sample of it."""

    text: Told
    seconds: float  # to encode it

    @classmethod
    def of(cls, path: str | Path, text: TextOptions) -> "Measured":
        """Samples the text at *path*; StreamvecError where it cannot be read, or has no token."""
        sample = sample_corpus(resolve([str(path)], text.column), text.tokenizer, text.column, text.encoding)
        if not sample.tokens:
            raise StreamvecError(f"{path}: there are no tokens in it: name other text")
        seconds = (sample.read_seconds + sample.count_seconds) * sample.scale
        return cls(Told(sample.all_tokens(), sample.all_documents()), seconds)


def lengths_of_sequences(batches: Sequence[TokenBatch], most: int, has_ends: bool) -> np.ndarray:
    """The tokens of each separate sequence in these record batches, int64[n]: at most *most*."""
    lengths = np.concatenate([np.diff(batch.offsets).astype(np.int64) for batch in batches])
    lengths = lengths[lengths > 0] + has_ends
    return np.diff(sequence_starts(lengths, 0, most), append=lengths.sum())


def share_filled(lengths: np.ndarray, lanes: int) -> float:
    """What share of the time steps that are computed sequences fill: the others pad them to the longest of a batch."""
    longest = [lengths[first : first + lanes].max() for first in range(0, lengths.size, lanes)]
    return float(lengths.mean() / np.mean(longest))


def plan_lm(
    config: LmConfig,
    machine: MachineOptions,
    seen: Seen,
    measured: Measured | None,
    report_gradients: bool,
    machines: Machines | None = None,
) -> Plan:
    """The plan; what will be refused is among its warnings."""
    corpus, load = seen.corpus, seen.load
    sizes, read = LmSizes(config, load.words), Told(corpus.tokens, corpus.documents)
    held_out = measured.text if measured else None
    tokens = stream_tokens(read, seen.has_ends)
    filled, steps = 1.0, steps_of(tokens, config.batch, config.bptt)
    if config.separate:
        lengths = lengths_of_sequences(seen.batches, config.bptt, seen.has_ends)
        filled = share_filled(lengths, config.batch)
        steps = -(-tokens * lengths.size // (int(lengths.sum()) * config.batch))
    most = min(MOST_MODEL, machine.memory_bytes)
    stream = Stream(seen.batches, seen.beside, seen.has_ends)
    rate = filled * tokens_a_second(config, load.words, seen.counts, stream, machine.cores, most)
    looks = LOOKS * config.batch * config.bptt if report_gradients else 0  # each takes as long as a step
    training = config.epochs * (tokens + looks) / rate
    one = needs.checkpoint_bytes(sizes.checkpoint_bytes())
    vectors = needs.vectors_bytes(load.words, corpus.word_bytes, config.dim)
    saved = Saved.of(config, machine, steps, training, seen.start is not None, one, vectors)

    memory = preparing_memory(machine, seen)
    lanes = sum(read_bytes(text, config) for text in (read, held_out) if text)
    memory["training"] = training_bytes(config, machine, load, lanes, held_out is not None)

    seconds = {"starting": START_SECONDS, **preparing_seconds(machine, seen), "training": training}
    spread = None
    if machines is not None:
        whole = training_lm(machines, machine, config, config.epochs * (tokens + looks), load.words, rate)
        stages = {**preparing(machines, machine, seen), "training": whole}
        spread = spread_of(machines, config, machine, load, stages, seconds)
        seconds |= spread.seconds
        rate *= training / seconds["training"]
    seconds["training"] += saved.seconds
    if measured:
        seconds["encoding"] = seconds.get("encoding", 0.0) + measured.seconds

    disk = {
        **preparing_disk(machine, seen),
        "heldout": needs.shards_bytes(corpus._replace(tokens=held_out.tokens, documents=held_out.whole_documents))
        if held_out
        else 0,
        **saved.disk,
    }
    network = {"tokens": load.words, **{name: getattr(config, name) for name in ("cell", "layers", "hidden", "output")}}
    plan = Plan(
        seen.about,
        memory,
        disk,
        seconds,
        peak_disk(disk),
        round(rate),
        "tokens",
        config.epochs,
        config.dim,
        sizes.checkpoint_bytes(),
        machine.memory_bytes,
        network,
        spread.to_json() if spread else None,
    )

    def refuse_too_few() -> None:
        if not config.separate and lane_length(tokens, config.batch) < 1:
            raise StreamvecError(too_few(tokens, config.batch))

    def refuse_on_nodes() -> None:
        if spread is not None:
            spread.refuse_too_large(config, load, machine)

    warn_of_refusals(
        plan, lambda: refuse_too_large(config, machine, load, read, held_out), refuse_on_nodes, refuse_too_few
    )
    return plan
