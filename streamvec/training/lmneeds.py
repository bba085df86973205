"""How much memory the training of a language model takes, and what would help where that is too much."""

from collections.abc import Callable
from dataclasses import replace

from streamvec.corpus.shards import BATCH_TOKENS, MarkedShards
from streamvec.errors import StreamvecError
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmsizes import LmSizes
from streamvec.training.needs import Load, prepared_bytes
from streamvec.training.options import MachineOptions
from streamvec.vectors.store import ROWS

_WRITING = 12  # bytes for each number of the rows that are written to vectors.arrow at once
_AHEAD = 4  # steps that are read ahead
_PRODUCTS = 24 << 20  # what BLAS keeps of each thread, and the rest of a step


def lanes_bytes(shards: MarkedShards, lanes: int) -> int:
    """Memory of the record batches that lanes read from."""
    documents = shards.whole_documents / max(1, shards.tokens)
    one = min(BATCH_TOKENS, shards.tokens)
    return round(lanes * one * 4 * (1 + documents)) + one * 16


def sequences_bytes(shards: MarkedShards, config: LmConfig) -> int:
    """Memory of the record batches that separate sequences are read from, and of a step while it is put together."""
    one, most = min(BATCH_TOKENS, shards.tokens), config.batch * config.bptt
    return one * 64 + most * 32 + shards.batches * 20


def read_bytes(shards: MarkedShards, config: LmConfig) -> int:
    """Memory of reading what a model of *config* is trained or measured on."""
    return sequences_bytes(shards, config) if config.separate else lanes_bytes(shards, config.batch)


def training_bytes(
    config: LmConfig,
    machine: MachineOptions,
    load: Load,
    lanes: int,
    measures: bool,
) -> int:
    """Peak memory of training; lanes: bytes of `read_bytes`, of all that is read; load.words: tokens it knows."""
    sizes = LmSizes(config, load.words)
    names = round(load.words * (load.word_bytes + 16))
    rows = min(load.words, ROWS) * config.dim * _WRITING
    steps = _AHEAD * 2 * 4 * config.batch * (config.bptt + 1)
    products = machine.cores * _PRODUCTS
    model = sizes.training_bytes(machine.cores) + (sizes.measuring_bytes() if measures else 0)
    return (
        prepared_bytes(machine, load) + names + lanes + steps + products + max(model, sizes.checkpoint_bytes() + rows)
    )


def refuse_too_large(
    config: LmConfig,
    machine: MachineOptions,
    load: Load,
    shards: MarkedShards,
    held_out: MarkedShards | None,
) -> None:
    """StreamvecError when training would take more memory than is allowed; it says what would help."""

    def needs(tried: LmConfig, words: int = load.words) -> int:
        read = sum(read_bytes(one, tried) for one in (shards, held_out) if one is not None)
        return training_bytes(tried, machine, load._replace(words=words), read, held_out is not None)

    def with_hidden(units: int) -> LmConfig:
        return replace(config, hidden=units, dim=units if config.dim == config.hidden else config.dim)

    needed, allowed = needs(config), machine.memory_bytes
    if needed <= allowed:
        return
    ways = [f"raise --memory to {-(-needed // 10**7) * 10}MB"]
    if hidden := _largest(config.hidden, lambda units: needs(with_hidden(units)) <= allowed):
        ways.append(f"lower --hidden to {hidden}")
    if batch := _largest(config.batch, lambda lanes: needs(replace(config, batch=lanes)) <= allowed):
        ways.append(f"lower --batch to {batch}")
    if steps := _largest(config.bptt, lambda steps: needs(replace(config, bptt=steps)) <= allowed):
        ways.append(f"lower --bptt to {steps}")
    if words := _largest(load.words - _SYMBOLS, lambda words: needs(config, words + _SYMBOLS) <= allowed):
        ways.append(f"keep the {words:,} most frequent tokens (--max-vocab {words})")
    if config.output == "softmax" and not config.tied and needs(replace(config, output="adaptive")) <= allowed:
        ways.append("use --output adaptive")
    if config.output == "softmax" and needs(replace(config, output="sampled")) <= allowed:
        ways.append("use --output sampled")
    raise StreamvecError(
        f"training needs {needed / 1e6:,.0f} MB for {config.layers} layers of {config.hidden} units and "
        f"{load.words:,} tokens, more than the {allowed / 1e6:,.0f} MB it is held to: "
        f"{', '.join(ways[:-1]) + ', or ' if ways[1:] else ''}{ways[-1]}"
    )


_SYMBOLS = 2  # tokens that are no words: of unknown ones, and of ends


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number from 1 to *most* - 1 that *fits*; 0 where none does."""
    low, high = 0, max(0, most - 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
