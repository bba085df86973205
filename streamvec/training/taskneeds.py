"""How much memory the training of a task takes, and what would help where that is too much.

Parameters, sums of the optimizer and gradients are exact, being told by the network; what one pass over the longest
examples takes is counted as if all of it were there at once.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from streamvec.corpus.examples import ROWS
from streamvec.corpus.lookup import lookup_bytes
from streamvec.corpus.shuffled import WINDOW
from streamvec.errors import StreamvecError
from streamvec.models.cells import CELLS
from streamvec.models.following import SUMS
from streamvec.models.learner import groups_of
from streamvec.models.network import Network
from streamvec.models.shape import Shape, padded
from streamvec.training.needs import Load, any_of, largest_that, prepared_bytes, rows_bytes
from streamvec.training.options import MachineOptions
from streamvec.training.task import MEASURED

_FLOAT = 4
_PRODUCTS = 24 << 20  # what BLAS keeps of each thread, and the rest of a step
_WINDOWS = 3  # copies of a window of examples: the one before, its record batches, and these joined
_INDEX = 16  # bytes of each known word, in an index
_OF_TOKEN = 96  # bytes of the ids of a step's tokens, while they are sorted, dealt out and put together
_SCORES = 16 << 20  # of target words, that a group of examples holds at once
_TEXT = 6  # bytes that a token stands for


class Told(NamedTuple):
    """The sizes of the examples of a task."""

    examples: int
    tokens: int
    longest: int  # tokens of the longest example, or of its target
    known: int = 0  # words of the vectors that training begins with
    measured: int = 0  # tokens of the longest example that is measured on, or of its target
    nbytes: int = 0  # of all examples, as they are held in memory
    outputs: int = 0  # labels, tags, or words of the target


def training_bytes(
    config: Any, make: Callable[[Any], Network], machine: MachineOptions, load: Load, told: Told, fewer: int = 0
) -> int:
    """Peak memory of training; load.words: ids of words that have vectors.

    make: the network of a config, of the words that there are; fewer: how many of these are left out.
    """
    network = make(config)
    sizes = {name: math.prod(shape) for name, shape in network.shapes().items()}
    sizes["embedding"] -= fewer * padded(config.dim)
    whole = sum(size for name, size in sizes.items() if name not in network.met)
    arrays = _FLOAT * (sum(sizes.values()) * (1 + len(SUMS[config.optimizer])) + whole * groups_of(config.batch))
    words = load._replace(words=load.words - fewer, text=_TEXT * told.tokens)
    tables = 2 * lookup_bytes(words.words, words.word_bytes) + _INDEX * told.known
    names = round(words.words * (words.word_bytes + 16))
    window = min(1.0, WINDOW * ROWS / max(1, told.examples)) * told.nbytes
    fixed = prepared_bytes(machine, words) + names + tables + machine.cores * _PRODUCTS
    return (
        fixed + arrays + round(_WINDOWS * window) + max(_pass(config, words.words, told), rows_bytes(words, config.dim))
    )


def _pass(config: Any, words: int, told: Told) -> int:
    """What one pass over the longest examples is held in, with the rows that it meets and their gradients."""
    trained, measured = told.longest * config.batch, told.measured * MEASURED
    most, ngrams = max(trained, measured), getattr(config, "ngrams", 1) - 1
    different = min(most, words * math.sqrt(most / max(1, told.tokens)))  # words among these tokens
    met = different + min(most * ngrams, config.buckets if ngrams else 0)
    numbers = met * (4 + len(SUMS[config.optimizer])) * padded(config.dim)
    for shape, times in _stacks(config):
        held, forward, back = _layers(shape, config.dropout)
        numbers += times * (most * held + max(measured * forward, trained * (forward + back)))
    if getattr(config, "attention", None):  # how much each word of the target looks at each of the source
        numbers += 2 * most * max(told.longest, told.measured)
    if hasattr(config, "decoder"):  # scores of target words, and their gradients
        numbers += 2 * min(most * told.outputs, groups_of(config.batch) * _SCORES)
    if hasattr(config, "scheme"):  # scores of tags, their gradients, and copies; of a random field pairs of tags
        numbers += 4 * most * told.outputs + 10 * groups_of(config.batch) * told.outputs**2
    return round(_FLOAT * numbers) + most * _OF_TOKEN * (1 + ngrams)


def _stacks(config: Any) -> list[tuple[Shape, int]]:
    """The layers that a token goes through, and how often."""
    if not getattr(config, "is_recurrent", True):
        return []
    if hasattr(config, "encoder") and hasattr(config, "decoder"):
        return [(config.encoder, 1), (config.decoder, 1)]
    letters = getattr(config, "letters", None)
    return [(config.shape, 1), *([(letters, _TEXT)] if letters is not None else [])]


def _layers(shape: Shape, dropout: float) -> tuple[int, int, int]:
    """Numbers that a token's way through the layers is held in: what stays with them, what comes and goes on the way,
    and more on the way back."""
    cell, inputs = CELLS[shape.cell], padded(shape.inputs)
    hidden, directions = padded(shape.hidden), len(shape.directions)
    layer = cell.gates * hidden * (2 if cell.has_recurrent_bias else 1) + (2 if cell.has_memory else 1) * hidden
    forward = shape.outputs * (shape.layers + 1) + (directions - 1) * (shape.outputs + inputs)
    masks = 2 * inputs + 2 * shape.layers * shape.outputs if dropout else 0
    back = 2 * shape.outputs + 2 * max(shape.outputs, inputs) + masks
    return shape.layers * directions * layer, forward, back


def refuse_too_large(
    config: Any, make: Callable[[Any], Network], machine: MachineOptions, load: Load, told: Told
) -> None:
    """StreamvecError when training would take more memory than is allowed; it says what would help."""

    def needs(tried: Any = config, longest: int = max(told.longest, told.measured), fewer: int = 0) -> int:
        lengths = {"longest": min(longest, told.longest), "measured": min(longest, told.measured)}
        return training_bytes(tried, make, machine, load, told._replace(**lengths), fewer)

    needed, allowed = needs(), machine.memory_bytes
    if needed <= allowed:
        return

    def largest(name: str) -> int:
        return largest_that(lambda to: needs(replace(config, **{name: to})) <= allowed, getattr(config, name))

    ways = [f"raise --memory to {-(-needed // 10**7) * 10}MB"]
    names = [
        "batch",
        *(["hidden"] if _stacks(config) else []),
        *(["buckets"] if getattr(config, "ngrams", 1) > 1 else []),
    ]
    for name in names:
        if number := largest(name):
            ways.append(f"lower --{name} to {number}")
    if length := largest_that(lambda to: needs(longest=to) <= allowed, told.longest):
        ways.append(f"lower --max-length to {length}")
    if words := largest_that(lambda to: needs(fewer=load.words - to) <= allowed, load.words):
        ways.append(f"keep the {words:,} most frequent words (--max-vocab {words})")
    raise StreamvecError(
        f"training needs {needed / 1e6:,.0f} MB for {load.words:,} words and examples of up to {told.longest:,} words, "
        f"more than the {allowed / 1e6:,.0f} MB it is held to: {any_of(ways)}"
    )
