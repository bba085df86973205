"""The lines of a source of plain text with their numbers, a block in memory at a time."""

from collections.abc import Iterator

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.sources import Source
from streamvec.errors import StreamvecError

_REPLACEMENT = "\ufffd"
LONGEST = 1 << 22  # bytes


class Lines:
    """Iterates over (number from 1, line without its end); *replaced* counts what was no text in *encoding*, when they
    were read last."""

    def __init__(self, source: Source, encoding: str = "utf-8") -> None:
        """StreamvecError, when it is read, for what is no plain text, and for a line of more than 4 MB."""
        self._source, self._encoding = source, encoding
        self.replaced = 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        path = self._source.path
        if self._source.kind != "text":
            raise StreamvecError(f"{path}: lines of plain text are read here, and this is {self._source.kind}")
        number = self.replaced = 0
        for block in read_blocks([self._source], None, self._encoding, block_bytes=LONGEST):
            if block.unfinished:
                raise StreamvecError(f"{path}: line {number + 1}: longer than {LONGEST:,} bytes: is it the right file?")
            text = block.data.decode("utf-8", "replace")
            self.replaced += text.count(_REPLACEMENT)
            for line in text.removesuffix("\n").split("\n"):
                number += 1
                yield number, line.removesuffix("\r")
