"""No token is cut where a block ends: the beginning of a cut one is carried over into the next block.

Blocks of text end behind a newline or at least behind white space, unless there is none in several megabytes: text in
scripts without spaces, or rubbish. Only then is there anything to do.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from streamvec.corpus.blocks import Block, Place
from streamvec.corpus.tokens import Tokenizer, valid_utf8
from streamvec.kernels.scan import open_token

_WHITE = b" \n\t\r\v\f"
# A token of more bytes than this is dropped in any case (lower-casing shortens a character to a third at most), so
# that this much of its end stands for all of it.
_ENOUGH = 3100


class Start(NamedTuple):
    """Where to begin reading again: a block, and what of the block before it belongs to it."""

    number: int = 0
    place: Place = Place(0, 0)
    carried: bytes = b""

    def to_json(self) -> dict[str, Any]:
        """As it stands in a record."""
        place = self.place
        return {"number": self.number, "source": place.source, "offset": place.offset, "carried": self.carried.hex()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Start":
        """What `to_json` gave; KeyError, TypeError or ValueError for anything else."""
        place = Place(content["source"], content["offset"])
        return cls(content["number"], place, bytes.fromhex(content["carried"]))


class Piece(NamedTuple):
    """A block whose first and last tokens are whole."""

    start: Start  # read again from here to get this piece
    data: bytes
    size: int  # bytes of the block, without what was carried over
    continued: bool
    unfinished: bool
    replaced: int  # bytes already replaced in data


def whole_tokens(blocks: Iterable[Block], tokenizer: Tokenizer, carried: bytes = b"") -> Iterator[Piece]:
    """The *blocks*, with what is *carried* from each to the next."""
    for block in blocks:
        data, replaced = carried + block.data, block.replaced
        start = Start(block.number, block.place, carried)
        carried = b""
        if not block.unfinished and not data.endswith(b"\n"):
            data += b"\n"
        if block.unfinished and data and data[-1] not in _WHITE and tokenizer.kind in ("words", "whitespace"):
            valid, more = valid_utf8(data)
            replaced += more
            data = bytes(valid)
            cut = open_token(tokenizer.alphabet, np.frombuffer(data, np.uint8))
            data, carried = data[:cut], data[cut:]
            if len(carried) > 2 * _ENOUGH:
                carried = carried[-_ENOUGH:].decode(errors="ignore").encode()
        yield Piece(start, data, len(block.data), block.continued, block.unfinished, replaced)
