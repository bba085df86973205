"""How much memory the training of a language model takes, and what would help where that is too much."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.corpus.stretches import Read
from streamvec.errors import StreamvecError
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmsizes import LmSizes
from streamvec.training.needs import Load, any_of, largest_that, prepared_bytes, rows_bytes
from streamvec.training.options import MachineOptions

_AHEAD = 4  # steps that are read ahead
_PRODUCTS = 24 << 20  # what BLAS keeps of each thread, and the rest of a step
_SYMBOLS = 2  # tokens that are no words: of unknown ones, and of ends


class Told(NamedTuple):
    """The sizes of a text, told from a sample."""

    tokens: int
    whole_documents: int


def lanes_bytes(text: Read, lanes: int) -> int:
    """Memory of the record batches that lanes read from."""
    documents = text.whole_documents / max(1, text.tokens)
    one = min(BATCH_TOKENS, text.tokens)
    return round(lanes * one * 4 * (1 + documents)) + one * 16


def sequences_bytes(text: Read, config: LmConfig) -> int:
    """Memory of the record batches that separate sequences are read from, and of a step while it is put together."""
    one, most = min(BATCH_TOKENS, text.tokens), config.batch * config.bptt
    return one * 64 + most * 32 + (text.tokens // BATCH_TOKENS + 1) * 20


def read_bytes(text: Read, config: LmConfig) -> int:
    """Memory of reading what a model of *config* is trained or measured on."""
    return sequences_bytes(text, config) if config.separate else lanes_bytes(text, config.batch)


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
    rows = rows_bytes(load, config.dim)
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
    shards: Read,
    held_out: Read | None,
) -> None:
    """StreamvecError when training would take more memory than is allowed; it says what would help."""

    def needs(tried: LmConfig, words: int = load.words) -> int:
        read = sum(read_bytes(one, tried) for one in (shards, held_out) if one is not None)
        return training_bytes(tried, machine, load._replace(words=words), read, held_out is not None)

    _refuse(config, needs, load.words, machine.memory_bytes, f"{load.words:,} tokens")


def refuse_before_text(config: LmConfig, machine: MachineOptions) -> None:
    """The same before the text is read, with the fewest tokens that a model can know: what is refused so is refused
    whatever the text. More will be needed than that, and the message says so."""

    def needs(tried: LmConfig, words: int) -> int:
        return training_bytes(tried, machine, Load(words, 1.0), 0, measures=False)

    _refuse(config, needs, _SYMBOLS, machine.memory_bytes, "the smallest vocabulary", is_least=True)


def _refuse(
    config: LmConfig,
    needs: Callable[[LmConfig, int], int],
    words: int,
    allowed: int,
    what: str,
    is_least: bool = False,
) -> None:
    """StreamvecError when *needs* (config, words), in bytes, is more than *allowed*; is_least: whether it is told
    without what the text adds."""
    needed = needs(config, words)
    if needed <= allowed:
        return

    def largest(name: str) -> int:
        return largest_that(lambda to: needs(resized(config, name, to), words) <= allowed, getattr(config, name))

    or_more, or_less = (" or more", " or less") if is_least else ("", "")
    ways = [f"raise --memory to {-(-needed // 10**7) * 10}MB{or_more}"]
    for name in ("hidden", "batch", "bptt"):
        if number := largest(name):
            ways.append(f"lower --{name} to {number}{or_less}")
    if fewer := largest_that(lambda number: needs(config, number + _SYMBOLS) <= allowed, words - _SYMBOLS):
        ways.append(f"keep the {fewer:,} most frequent tokens{or_less} (--max-vocab {fewer})")
    if config.output == "softmax" and not config.tied and needs(replace(config, output="adaptive"), words) <= allowed:
        ways.append("use --output adaptive")
    if config.output == "softmax" and needs(replace(config, output="sampled"), words) <= allowed:
        ways.append("use --output sampled")
    raise StreamvecError(
        f"training needs {needed / 1e6:,.0f} MB{or_more} for {config.layers} layers of {config.hidden} units and "
        f"{what}, more than the {allowed / 1e6:,.0f} MB it is held to: {any_of(ways)}"
    )


def resized(config: LmConfig, name: str, number: int) -> LmConfig:
    """The same options but for one number; vectors that are as long as the layers have units stay so."""
    changed: dict[str, Any] = {name: number}
    if name == "hidden" and config.dim == config.hidden:
        changed["dim"] = number
    return replace(config, **changed)
