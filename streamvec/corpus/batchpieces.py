"""Record batches of shards as numbered pieces of the corpus, for work that several threads share."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from streamvec.corpus.pipeline import Progress
from streamvec.corpus.shards import Shards, TokenBatch
from streamvec.corpus.stitch import Start


class BatchPiece(NamedTuple):
    """A record batch of ids, as a piece of the corpus."""

    start: Start  # its number
    batch: TokenBatch
    size: int  # bytes of text that it stands for: all batches share alike
    goes_on: bool  # its last document goes on in the next one


def batch_pieces(shards: Shards, first: int, text_bytes: int) -> Iterator[BatchPiece]:
    """The record batches from number *first* on, which stand for *text_bytes* bytes of text altogether."""
    for number in range(first, shards.batches):
        size = _before(number + 1, shards, text_bytes) - _before(number, shards, text_bytes)
        yield BatchPiece(Start(number), shards.batch(number), size, number in shards.cuts)


def tell(
    stage: str, report: Callable[[Progress], None], first: int, shards: Shards, text_bytes: int
) -> Callable[[BatchPiece], None]:
    """What reports progress for each piece from number *first* on."""
    documents, read = 0, _before(first, shards, text_bytes)

    def done(piece: BatchPiece) -> None:
        nonlocal documents, read
        documents, read = documents + piece.batch.offsets.size - 1, read + piece.size
        report(Progress(stage, read, documents, 0))

    return done


def _before(number: int, shards: Shards, text_bytes: int) -> int:
    """Bytes of text before a batch."""
    return text_bytes * number // max(1, shards.batches)
