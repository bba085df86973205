"""From text to what trainers read: first the vocabulary, then the shards, each skipped when it is there already.

A folder holds vocabulary.arrow, shards/, and prepared.json, which says what they were made from: other input or other
options, and the work begins anew. While words are counted there is also counting/.
"""

import contextlib
import shutil
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.compiling import compile_kernels, resident_bytes
from streamvec.corpus.counting import Counting
from streamvec.corpus.counts import Counts
from streamvec.corpus.earlier import Earlier
from streamvec.corpus.encoding import Encoding
from streamvec.corpus.layout import COUNTING, PREPARED, SHARDS, VOCABULARY
from streamvec.corpus.pipeline import AHEAD, READ, Progress, read_ahead
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.shards import INDEX, VERSION, Shards
from streamvec.corpus.sources import Source, fingerprint, without_date
from streamvec.corpus.stitch import Piece, Start, whole_tokens
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary, select
from streamvec.disk.files import named_problems, read_json, sync_folder, write_json
from streamvec.errors import Interrupted, StreamvecError

_PROCESS = 210 << 20  # the interpreter, pyarrow, and numba with the kernels: where the system does not tell
_MOST_TAKEN = 400 << 20  # by the process before it begins; what it holds beyond is somebody else's
_MERGING = 40 << 20  # runs while they are merged, and the hashes of documents
_LARGEST_BLOCK, _SMALLEST_BLOCK = 1 << 22, 1 << 16


class Shares(NamedTuple):
    """What a number of bytes of memory is divided into."""

    block_bytes: int
    table_bytes: int  # for all tables together


def shares(memory: int, threads: int, taken: int | None = None) -> Shares:
    """How *memory*, for the whole process, is divided: what the process itself has *taken* comes first.

    Where little more than that is allowed, there is nothing left to divide, and the smallest sizes are used.
    """
    free = max(0, memory - min(taken or _PROCESS, _MOST_TAKEN) - _MERGING)
    # Waiting blocks are text or ids, those in work also lower-cased text: about so many times a block.
    blocks = 2 * (threads + AHEAD + READ) + 2 * threads
    block_bytes = min(_LARGEST_BLOCK, max(_SMALLEST_BLOCK, free // 3 // blocks))
    return Shares(block_bytes, max(threads << 20, free - blocks * block_bytes))


class _Work(NamedTuple):
    """What both stages need."""

    folder: Path
    tokenizer: Tokenizer
    table_bytes: int
    threads: int
    pieces: Callable[[Start], Generator[Piece, None, None]]
    report: Callable[[Progress], None]
    stop: Callable[[], bool]


def prepare(
    sources: Sequence[Source],
    folder: Path,
    tokenizer: Tokenizer,
    *,
    column: str | None = None,
    encoding: str = "utf-8",
    min_count: int = 5,
    max_vocab: int | None = None,
    earlier: Earlier | None = None,
    memory: int,
    threads: int,
    report: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> tuple[Vocabulary, Shards]:
    """Makes vocabulary.arrow and shards/ in *folder*, or goes on with what was begun there, or takes what is finished.

    earlier: the vocabulary of an earlier training, whose words stay, however rare, and bring their counts.
    memory: bytes, for the whole process; threads: at least 1, beside the one that reads; neither changes a byte of the
    result. *report* is called after each block; *stop* is asked before each. Raises Interrupted when it says so,
    StreamvecError when the input cannot be read or holds no word that occurs *min_count* times, or the disk is full.
    """
    for name, value in (("min_count", min_count), ("memory", memory), ("threads", threads)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if max_vocab is not None and max_vocab < 1:
        raise ValueError(f"max_vocab must be at least 1, got {max_vocab}")
    made_from = {
        "version": VERSION,
        "sources": [fingerprint(source) for source in sources],
        "column": column,
        "encoding": encoding,
        "tokenizer": tokenizer.to_json(),
        "min_count": min_count,
        "max_vocab": max_vocab,
    }
    if earlier is not None:
        made_from["earlier"] = earlier.checksum
    with named_problems(folder):
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    try:
        _begin(folder, made_from)
        share = Shares(0, 0)  # finished work needs none
        if not ((folder / VOCABULARY).exists() and (folder / SHARDS / INDEX).exists()):
            compile_kernels(tokenizer)
            share = shares(memory, threads, resident_bytes())

        def pieces(start: Start) -> Generator[Piece, None, None]:
            # A pattern may match across the cuts within a line longer than a block, so these must not depend on memory.
            block_bytes = _LARGEST_BLOCK if tokenizer.kind == "regex" else share.block_bytes
            blocks = read_blocks(sources, column, encoding, start.place, start.number, block_bytes)
            return read_ahead(whole_tokens(blocks, tokenizer, start.carried))

        work = _Work(folder, tokenizer, share.table_bytes, threads, pieces, report, stop)
        vocabulary = _vocabulary(work, min_count, max_vocab, earlier)
        return vocabulary, _shards(work, vocabulary)
    except Interrupted:
        raise
    except StreamvecError:
        _leave_nothing_half_written(folder, is_new)
        raise


def _begin(folder: Path, made_from: dict[str, Any]) -> None:
    """Removes work that was made from something else."""
    path = folder / PREPARED
    if path.exists() and _without_dates(read_json(path)) == _without_dates(made_from):
        return
    with named_problems(folder):
        path.unlink(missing_ok=True)
        sync_folder(folder)
        (folder / VOCABULARY).unlink(missing_ok=True)
        for name in (SHARDS, COUNTING):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
    write_json(path, made_from)


def _without_dates(made_from: dict[str, Any]) -> dict[str, Any]:
    return {**made_from, "sources": [without_date(found) for found in made_from["sources"]]}


def _vocabulary(work: _Work, min_count: int, max_vocab: int | None, earlier: Earlier | None) -> Vocabulary:
    path, folder = work.folder / VOCABULARY, work.folder / COUNTING
    if not path.exists():
        counting = Counting(folder, work.tokenizer, work.table_bytes, work.threads)
        with contextlib.closing(work.pieces(counting.start)) as pieces:
            counting.run(pieces, work.report, work.stop)
        counts = counting.counts
        selection = select(counting.merged(*(earlier.runs(folder) if earlier else ())), min_count, max_vocab)
        if not (len(selection.words) and counts.tokens):
            shutil.rmtree(folder)
            _refuse(counts, selection.distinct, selection.highest, min_count)
        about = {
            "tokens_in_corpus": selection.tokens,
            "distinct_words": selection.distinct,
            "min_count": min_count,
            "max_vocab": max_vocab,
            "tokenizer": work.tokenizer.to_json(),
            "counts": counts.to_json(),
        }
        vocabulary = Vocabulary(selection.words, selection.counts, about)
        if earlier is not None:
            about |= earlier.share_of(vocabulary, selection)
        if not vocabulary.in_text:
            shutil.rmtree(folder)
            _refuse_unknown(counts, min_count)
        vocabulary.save(path)
    if folder.exists():
        shutil.rmtree(folder)
    vocabulary = Vocabulary.load(path)
    give_memory_back()
    return vocabulary


def _refuse(counts: Counts, distinct: int, highest: int, min_count: int) -> None:
    if counts.tokens == 0:
        raise StreamvecError(
            f"the input holds no words: {counts.bytes_read} bytes, {counts.documents} documents, "
            f"{counts.dropped_long} tokens longer than 1,000 bytes: name other input, or choose other tokens"
        )
    raise StreamvecError(
        f"no word occurs {min_count} times: {counts.tokens} tokens in {counts.documents} documents, {distinct} "
        f"different words, the most frequent {highest} times: give more text, or --min-count {highest} or less"
    )


def _refuse_unknown(counts: Counts, min_count: int) -> None:
    raise StreamvecError(
        f"no token of the text is a word of the earlier training, or occurs {min_count} times: {counts.tokens} tokens "
        f"in {counts.documents} documents: give more text, or text of the same kind, or a lower --min-count"
    )


def _shards(work: _Work, vocabulary: Vocabulary) -> Shards:
    path = work.folder / SHARDS
    if (path / INDEX).exists():
        shards = Shards.open(path)
        if shards.vocabulary_checksum != vocabulary.checksum:
            raise StreamvecError(f"{path}: made with another vocabulary: start again with --overwrite")
        return shards
    encoding = Encoding(path, work.tokenizer, vocabulary, Counts.from_json(vocabulary.about["counts"]), work.threads)
    with contextlib.closing(work.pieces(encoding.start)) as pieces:
        return encoding.run(pieces, work.report, work.stop)


def _leave_nothing_half_written(folder: Path, is_new: bool) -> None:
    """After a failure: what can be gone on with stays, everything else goes."""
    with contextlib.suppress(OSError):
        counting = folder / COUNTING
        if counting.exists() and not (counting / "record.json").exists():
            shutil.rmtree(counting)
        shards = folder / SHARDS
        if shards.exists() and not any(shards.iterdir()):
            shards.rmdir()
        if not counting.exists() and not (folder / VOCABULARY).exists():
            (folder / PREPARED).unlink(missing_ok=True)
            if is_new:
                folder.rmdir()
