"""The first stage: words are counted, and those that are frequent enough become the vocabulary."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import NamedTuple

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.compiling import compile_kernels, resident_bytes
from streamvec.corpus.counting import Counting
from streamvec.corpus.counts import Counts
from streamvec.corpus.crew import Crews
from streamvec.corpus.earlier import Earlier
from streamvec.corpus.layout import COUNTING
from streamvec.corpus.pipeline import Progress, read_ahead
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.shares import LARGEST_BLOCK, shares
from streamvec.corpus.sources import Source
from streamvec.corpus.stitch import Piece, Start, whole_tokens
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary, select
from streamvec.disk.writing import remove
from streamvec.errors import StreamvecError


class Work(NamedTuple):
    """What all stages need."""

    folder: Path
    tokenizer: Tokenizer
    table_bytes: int  # for all tables of this process
    crews: Crews  # who counts and encodes
    words_bytes: int  # for the table of words of each worker
    pieces: Callable[[Start], Generator[Piece, None, None]]
    report: Callable[[Progress], None]
    stop: Callable[[], bool]
    place: str | None = None  # where shards go, if not into the folder


def pieces_of(
    sources: Sequence[Source], column: str | None, encoding: str, tokenizer: Tokenizer, block_bytes: int
) -> Callable[[Start], Generator[Piece, None, None]]:
    """What gives the pieces of *sources* from a start on, read ahead, in blocks of about *block_bytes* bytes."""
    if tokenizer.kind == "regex":  # it may match across the cuts within a line longer than a block: they must not vary
        block_bytes = LARGEST_BLOCK

    def pieces(start: Start) -> Generator[Piece, None, None]:
        blocks = read_blocks(sources, column, encoding, start.place, start.number, block_bytes)
        return read_ahead(whole_tokens(blocks, tokenizer, start.carried))

    return pieces


def count_words(
    source: Source,
    column: str,
    path: Path,
    tokenizer: Tokenizer,
    *,
    min_count: int,
    max_vocab: int | None,
    crews: Crews,
    report: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> Vocabulary:
    """Makes the vocabulary of a column of *source* at *path*, or takes it from there; raises as `prepare` does."""
    compile_kernels(tokenizer, False)
    share = shares(crews.memory, crews.threads, resident_bytes())
    pieces = pieces_of([source], column, "utf-8", tokenizer, share.block_bytes)
    each = share.table_bytes // crews.threads
    work = Work(path.parent, tokenizer, share.table_bytes, crews, each, pieces, report, stop)
    return vocabulary_of(work, path, min_count, max_vocab, None)


def vocabulary_of(
    work: Work, path: Path, min_count: int, max_vocab: int | None, earlier: Earlier | None, is_final: bool = True
) -> Vocabulary:
    """The words that are frequent enough, made at *path* or taken from there.

    is_final: otherwise words of the *earlier* training are there, too, and their counts are those of the text alone.
    """
    folder = work.folder / COUNTING
    if not path.exists():
        counting = Counting(folder, work.tokenizer, work.words_bytes, work.crews)
        with contextlib.closing(work.pieces(counting.start)) as pieces:
            counting.run(pieces, work.report, work.stop)
        counts = counting.counts
        selection = select(counting.merged(*(earlier.runs(folder, is_final) if earlier else ())), min_count, max_vocab)
        if not (len(selection.words) and counts.tokens):
            remove(folder)
            refuse(counts, selection.distinct, selection.highest, min_count)
        about = {
            "tokens_in_corpus": selection.tokens,
            "distinct_words": selection.distinct,
            "min_count": min_count,
            "max_vocab": max_vocab,
            "tokenizer": work.tokenizer.to_json(),
            "counts": counts.to_json(),
        }
        vocabulary = Vocabulary(selection.words, selection.counts, about)
        if earlier is not None and is_final:
            about |= earlier.share_of(vocabulary, counts.tokens)
        if not vocabulary.in_text:
            remove(folder)
            refuse_unknown(counts, min_count)
        vocabulary.save(path)
    remove(folder)
    vocabulary = Vocabulary.load(path)
    give_memory_back()
    return vocabulary


def refuse(counts: Counts, distinct: int, highest: int, min_count: int) -> None:
    if counts.tokens == 0:
        raise StreamvecError(
            f"the input holds no words: {counts.bytes_read} bytes, {counts.documents} documents, "
            f"{counts.dropped_long} tokens longer than 1,000 bytes: name other input, or choose other tokens"
        )
    raise StreamvecError(
        f"no word occurs {min_count} times: {counts.tokens} tokens in {counts.documents} documents, {distinct} "
        f"different words, the most frequent {highest} times: give more text, or --min-count {highest} or less"
    )


def refuse_unknown(counts: Counts, min_count: int) -> None:
    raise StreamvecError(
        f"no token of the text is a word of the earlier training, or occurs {min_count} times: {counts.tokens} tokens "
        f"in {counts.documents} documents: give more text, or text of the same kind, or a lower --min-count"
    )
