"""From text to what trainers read: first the vocabulary, then the shards, each skipped when it is there already.

A folder holds vocabulary.arrow, shards/, and prepared.json, which says what they were made from: other input or other
options, and the work begins anew. While words are counted there is also counting/, while phrases are found phrases/.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamvec.corpus.batchpieces import batch_pieces
from streamvec.corpus.compiling import compile_kernels, resident_bytes
from streamvec.corpus.compression import hold_within
from streamvec.corpus.counts import Counts
from streamvec.corpus.crew import Crews
from streamvec.corpus.earlier import Earlier
from streamvec.corpus.encoding import Encoding, Expected, Summed, text_encoder, words_counted
from streamvec.corpus.layout import COUNTING, IDS, PHRASES, PREPARED, RECORD, SHARDS, VOCABULARY, WORDS
from streamvec.corpus.phrases import PhraseOptions, Phrases
from streamvec.corpus.phrasestage import (
    NUMBERING,
    Finding,
    JoinedEncoder,
    joined_encoding,
    marked_encoding,
    marked_ids,
    refuse_too_many,
)
from streamvec.corpus.pipeline import Progress, read_ahead
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.shardfiles import INDEX, VERSION
from streamvec.corpus.shards import MarkedShards, Shards
from streamvec.corpus.shares import MERGING, PROCESS, Shares, shares
from streamvec.corpus.sources import Source, fingerprint, without_date
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.corpus.vocabularystage import Work, pieces_of, refuse, refuse_unknown, vocabulary_of
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.writing import make_folder, remove
from streamvec.errors import Interrupted, StreamvecError

NO_PHRASES = PhraseOptions()


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
    phrases: PhraseOptions = NO_PHRASES,
    marked: bool = False,
    place: str | None = None,
    crews: Crews,
    report: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> tuple[Vocabulary, Shards]:
    """Makes vocabulary.arrow and shards/ in *folder*, or goes on with what was begun there, or takes what is finished.

    earlier: the vocabulary of an earlier training, whose words stay, however rare, and bring their counts.
    marked: words that are not in the vocabulary keep their places in the shards, which are MarkedShards then; not
    with phrases. place: of `place_of_shards`, where the shards are to lie, if not in *folder*.
    crews: who counts and encodes; phrases are found by threads of this process in any case. How many they are, and how
    much memory they have, changes no byte of the result. *report* is called after each block; *stop* is asked before
    each. Raises Interrupted when it says so, StreamvecError when the input cannot be read or holds no word that occurs
    *min_count* times, or the disk is full.
    """
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
    if marked and phrases.passes:
        raise ValueError("marked must not be given with phrases")
    if max_vocab is not None and max_vocab < 1:
        raise ValueError(f"max_vocab must be at least 1, got {max_vocab}")
    hold_within(crews.here.memory)
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
    if phrases.passes:
        made_from["phrases"] = phrases.to_json()
    if marked:
        made_from["marked"] = True
    is_new = not folder.exists()
    make_folder(folder)
    if (folder / PREPARED).exists():
        refuse_newer(folder / PREPARED, read_json(folder / PREPARED))
    try:
        _begin(folder, made_from)
        here = there = Shares(0, 0)  # finished work needs none
        if not ((folder / VOCABULARY).exists() and (folder / SHARDS / INDEX).exists()):
            compile_kernels(tokenizer, phrases.passes > 0)
            taken = resident_bytes()
            here = shares(crews.here.memory, max(crews.here.threads, crews.size), taken)
            there = shares(crews.memory, crews.threads, taken)
        pieces = pieces_of(sources, column, encoding, tokenizer, min(here.block_bytes, there.block_bytes))
        each = there.table_bytes // crews.threads
        work = Work(folder, tokenizer, here.table_bytes, crews, each, pieces, report, stop, place)
        if not phrases.passes:
            vocabulary = vocabulary_of(work, folder / VOCABULARY, min_count, max_vocab, earlier)
            return vocabulary, _shards(work, vocabulary, MarkedShards if marked else Shards)
        vocabulary = _vocabulary_with_phrases(work, min_count, max_vocab, phrases, earlier)
        return vocabulary, _joined_shards(work, vocabulary)
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
    remove(path)  # before the rest: what is left of it after a kill must not be taken for this text's
    remove(*(folder / name for name in (VOCABULARY, SHARDS, COUNTING, PHRASES)))
    write_json(path, made_from)


def refuse_newer(path: Path, prepared: Mapping[str, Any]) -> None:
    """StreamvecError where what prepared.json says is of a newer version: its work is not to be thrown away."""
    if prepared.get("version", VERSION) > VERSION:
        raise StreamvecError(
            f"{path}: prepared in version {prepared['version']}, this streamvec reads version {VERSION}: go on with "
            "the streamvec that wrote it, or train again with --overwrite"
        )


def _without_dates(made_from: dict[str, Any]) -> dict[str, Any]:
    return {**made_from, "sources": [without_date(found) for found in made_from["sources"]]}


def _vocabulary_with_phrases(
    work: Work, min_count: int, max_vocab: int | None, options: PhraseOptions, earlier: Earlier | None
) -> Vocabulary:
    path, folder = work.folder / VOCABULARY, work.folder / PHRASES
    if path.exists():
        return Vocabulary.load(path)
    make_folder(folder)
    # A word that is rarer than both is in no phrase, and not in the vocabulary: it is left a mark.
    words = vocabulary_of(work, folder / WORDS, min(min_count, options.min_count), None, earlier, is_final=False)
    threads, memory = work.crews.here.threads, work.crews.here.memory
    refuse_too_many(len(words), words.words.nbytes, threads, max(memory - PROCESS, MERGING))
    ids = marked_ids(folder)
    if ids is None:
        encoding = marked_encoding(folder, words)
        with (
            contextlib.closing(work.pieces(encoding.start)) as pieces,
            work.crews.hire(text_encoder, work.tokenizer, words, True) as crew,
        ):
            encoding.run(pieces, crew, work.report, work.stop, NUMBERING)
        ids = MarkedShards.open(folder / IDS)
    finding = Finding(folder, words, ids, options)

    def room() -> int:
        give_memory_back()
        held = (resident_bytes() or PROCESS) + MERGING + 4 * words.words.nbytes  # phrases will be words, too
        return min(work.table_bytes, memory - held)

    finding.run(room, threads, work.report, work.stop)
    limits = (1, None) if earlier else (min_count, max_vocab)
    vocabulary, highest = finding.vocabulary(*limits, threads, work.report, work.stop)
    if earlier is not None:
        vocabulary = earlier.joined_by(vocabulary, folder, min_count, max_vocab)
        vocabulary.about["phrases"] = finding.found_in(vocabulary)
    if not len(vocabulary):
        remove(folder)
        refuse(Counts.from_json(words.about["counts"]), words.about["distinct_words"], highest, min_count)
    if not vocabulary.in_text:
        remove(folder)
        refuse_unknown(Counts.from_json(words.about["counts"]), min_count)
    vocabulary.save(path)
    return Vocabulary.load(path)


def _joined_shards(work: Work, vocabulary: Vocabulary) -> Shards:
    folder = work.folder / PHRASES
    shards = _finished_shards(work.folder / SHARDS, vocabulary)
    if shards is None:
        words, ids = Vocabulary.load(folder / WORDS), MarkedShards.open(folder / IDS)
        encoding = joined_encoding(work.folder / SHARDS, vocabulary, ids, work.place)
        encode = JoinedEncoder(Phrases(folder, words.words), vocabulary, work.crews.here.threads)
        give_memory_back()  # of looking up words
        first, text_bytes = encoding.start.number, words.about["counts"]["bytes_read"]
        with (
            contextlib.closing(read_ahead(batch_pieces(ids, first, text_bytes))) as pieces,
            work.crews.here.hire(Summed, encode) as crew,
        ):
            shards = encoding.run(pieces, crew, work.report, work.stop)
    remove(folder)
    return shards


def _shards(work: Work, vocabulary: Vocabulary, kind: type[Shards]) -> Shards:
    path = work.folder / SHARDS
    shards = _finished_shards(path, vocabulary, kind)
    if shards is not None:
        return shards
    marked = kind is MarkedShards
    counts = Counts.from_json(vocabulary.about["counts"])
    tokens = counts.tokens + counts.dropped_long if marked else vocabulary.in_text
    expected = Expected(counts.documents, tokens, words_counted(vocabulary))
    encoding = Encoding(path, vocabulary, counts, expected, kind, work.place)
    with (
        contextlib.closing(work.pieces(encoding.start)) as pieces,
        work.crews.hire(text_encoder, work.tokenizer, vocabulary, marked) as crew,
    ):
        return encoding.run(pieces, crew, work.report, work.stop)


def _finished_shards(path: Path, vocabulary: Vocabulary, kind: type[Shards] = Shards) -> Shards | None:
    if not (path / INDEX).exists():
        return None
    shards = kind.open(path)
    if shards.vocabulary_checksum != vocabulary.checksum:
        raise StreamvecError(f"{path}: made with another vocabulary: start again with --overwrite")
    remove(path / RECORD)  # where a kill came before
    return shards


def _leave_nothing_half_written(folder: Path, is_new: bool) -> None:
    """After a failure: what can be gone on with stays, everything else goes."""
    with contextlib.suppress(StreamvecError, OSError):  # what went wrong before is told, not this
        counting = folder / COUNTING
        if not (counting / "record.json").exists():
            remove(counting)
        for name in (SHARDS, PHRASES):
            if (folder / name).is_dir() and not any((folder / name).iterdir()):
                remove(folder / name)
        if not any((folder / name).exists() for name in (COUNTING, PHRASES, VOCABULARY)):
            remove(folder / PREPARED)
            if is_new and not any(folder.iterdir()):
                remove(folder)
