"""Reads a part of a corpus, from its beginning and from places spread over it, and counts its words."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from streamvec.corpus.blocks import Place, read_blocks
from streamvec.corpus.compiling import compile_kernels
from streamvec.corpus.compression import Readable, plain_pieces
from streamvec.corpus.estimate import estimate_text_bytes
from streamvec.corpus.growth import Sample
from streamvec.corpus.remote import is_remote
from streamvec.corpus.sources import Source
from streamvec.corpus.streams import is_utf8, open_stored
from streamvec.corpus.tokens import Tokenizer
from streamvec.errors import StreamvecError
from streamvec.kernels.scan import new_spans
from streamvec.kernels.wordtable import (
    DOCUMENTS,
    NUMBER,
    PLACE,
    TOKENS,
    WORDS,
    WordTable,
    count_tokens,
    move_words,
    new_table,
)

_MOST_BYTES, _MOST_REMOTE = 1 << 27, 1 << 23  # text read for a sample
_MOST_SECONDS = 1.2  # spent on reading and counting it
_BLOCK = 1 << 20
_RATIO_FROM, _RATIO_TO = 1 << 22, 1 << 24  # of a compressed text, the part whose ratio stands for all
_MOST_SOURCES = 48  # opened, of many
_FIRST_SLOTS, _MOST_SLOTS, _ARENA = 1 << 18, 1 << 22, 1 << 26
_KEPT = 1 << 23  # text kept for timing
_GOLDEN = (5**0.5 - 1) / 2  # its multiples, modulo 1, spread evenly
_WHITE = b" \n\t\r"


class _Part(NamedTuple):
    """A stretch of text to sample."""

    source: int
    offset: int
    size: int  # bytes wanted
    inside: bool  # begins anywhere within a line


def sample_corpus(
    sources: Sequence[Source],
    tokenizer: Tokenizer,
    column: str | None = None,
    encoding: str = "utf-8",
    most_bytes: int = _MOST_BYTES,
    most_seconds: float = _MOST_SECONDS,
) -> Sample:
    """Reads some of *sources*: all of it when that is little, else stretches as far apart as can be entered cheaply.

    Stops at *most_bytes* of text or after about *most_seconds* of work, and when its table of four million places is
    full. Raises StreamvecError when an input cannot be read, or a server does not tell its size.
    """
    sizes = _text_sizes(sources, column)
    sample = Sample(tokenizer, sum(sizes))
    stored = [source.size for source in sources]
    sample.stored_bytes = None if None in stored else sum(size for size in stored if size is not None)
    if any(is_remote(source.path) for source in sources):
        most_bytes = min(most_bytes, _MOST_REMOTE)
    compile_kernels(tokenizer)  # or the time would go into that
    counter = _Counter(sample, tokenizer)
    complete = _all_of(sources, sizes, most_bytes)
    parts = complete or _parts(sources, sizes, encoding, most_bytes)
    if not complete:  # from everywhere at any time, so that words grow as they would in a text that is alike all over
        parts = [part for _, part in sorted(zip(np.arange(len(parts)) * _GOLDEN % 1, parts, strict=True))]
    wanted = sum(part.size for part in parts)
    spent = 0.0
    ended = True
    for part in parts:
        limit = spent + (most_seconds - spent) * part.size / max(1, wanted)
        wanted -= part.size
        done, seconds = counter.take(_texts(sources, part, column, encoding, bool(complete)), part, limit - spent)
        spent += seconds
        ended = ended and done
        if counter.is_full:
            break
    sample.is_whole = bool(complete) and ended and not counter.is_full
    if sample.is_whole:
        sample.text_bytes = sample.sampled_bytes
    counter.close()
    return sample


def _steady(sizes: np.ndarray, seconds: np.ndarray) -> float:
    """The sum of *seconds*, without what stands out: a machine that was busy elsewhere for a while."""
    rates = seconds / np.maximum(sizes, 1)
    return float((np.minimum(rates, 4 * np.median(rates)) * sizes).sum())


def _text_sizes(sources: Sequence[Source], column: str | None) -> list[int]:
    """Estimated bytes of text of each source; of many alike only some are looked into."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, source in enumerate(sources):
        groups.setdefault((source.kind, source.compression), []).append(number)
    sizes = [0] * len(sources)
    for members in groups.values():
        step = max(1, -(-len(members) // 16))
        ratios = []
        for number in members[::step]:
            size = _packed_text_bytes(sources[number]) or estimate_text_bytes(sources[number], column)
            if size is None:
                raise StreamvecError(
                    f"{sources[number].path}: its server does not say how large it is, so nothing can be told of "
                    "it: download it first, or train without a plan"
                )
            sizes[number] = size
            ratios.append((size, sources[number].size or 0))
        text, stored = map(sum, zip(*ratios, strict=True))
        for place, number in enumerate(members):
            if place % step:
                sizes[number] = round((sources[number].size or 0) * text / max(1, stored))
    return sizes


def _packed_text_bytes(source: Source) -> int | None:
    """Bytes of a compressed text, by the ratio of its megabytes behind the first: these are packed less well."""
    if source.kind != "text" or not source.compression or is_remote(source.path) or not source.size:
        return None
    with open_stored(source.path) as stored:
        counted = _Counted(stored)
        began, first, plain = time.perf_counter(), (0, 0), 0
        for piece in plain_pieces(counted, source.compression, source.path):
            plain += len(piece)
            if plain >= _RATIO_FROM and not first[0]:
                first = plain, counted.count
            if plain >= _RATIO_TO or time.perf_counter() - began > 0.2:
                break
        else:
            return plain
    if counted.count <= first[1]:
        return None
    return first[0] + round((source.size - first[1]) * (plain - first[0]) / (counted.count - first[1]))


class _Counted:
    """Counts the bytes that are read through it, in small steps so that few are read in vain."""

    def __init__(self, stored: Readable) -> None:
        self._stored = stored
        self.count = 0

    def read(self, size: int) -> bytes:
        data = self._stored.read(min(size, 1 << 12))
        self.count += len(data)
        return data


def _all_of(sources: Sequence[Source], sizes: Sequence[int], most_bytes: int) -> list[_Part]:
    if sum(sizes) > most_bytes or len(sources) > 20 * _MOST_SOURCES:
        return []
    return [_Part(number, 0, max(1, size), False) for number, size in enumerate(sizes)]


def _parts(sources: Sequence[Source], sizes: Sequence[int], encoding: str, most_bytes: int) -> list[_Part]:
    """Stretches of sources, chosen by size; plain text is entered at many places."""
    ends = np.cumsum(sizes)
    total = int(ends[-1])
    steps = np.arange(_MOST_SOURCES) * total // _MOST_SOURCES
    chosen, times = np.unique(np.searchsorted(ends, steps, side="right"), return_counts=True)
    parts = []
    for number, share in zip(chosen.tolist(), times.tolist(), strict=True):
        source, room = sources[number], most_bytes * share // _MOST_SOURCES
        is_plain = source.kind == "text" and not source.compression and is_utf8(encoding)
        if is_plain and not is_remote(source.path) and sizes[number] > room:
            pieces = max(1, room // _BLOCK)
            for piece in range(pieces):
                parts.append(_Part(number, piece * sizes[number] // pieces, min(room, _BLOCK), piece > 0))
        else:
            parts.append(_Part(number, 0, min(room, max(1, sizes[number])), False))
    return parts


def _texts(
    sources: Sequence[Source], part: _Part, column: str | None, encoding: str, to_its_end: bool
) -> Iterator[bytes]:
    block = min(_BLOCK, max(1 << 12, part.size))
    here = sources[: part.source + 1]
    size = 0
    for text in read_blocks(here, column, encoding, Place(part.source, part.offset), 0, block):
        data = text.data
        if part.inside and not size:  # the first token may not be whole
            cut = next((place for place, byte in enumerate(data[:4096]) if byte in _WHITE), -1) + 1
            data = data[cut:]
        size += len(text.data)
        yield data
        if size + block // 2 >= part.size and not to_its_end:
            return


class _Counter:
    """Counts into a table that grows, up to a limit."""

    def __init__(self, sample: Sample, tokenizer: Tokenizer) -> None:
        self._sample = sample
        self._tokenizer = tokenizer
        self._table = WordTable(new_table(_FIRST_SLOTS, 0).slots, np.empty(_ARENA, np.uint8), np.zeros(8, np.int64))
        self._found = new_spans()
        self._next_point = 1 << 12
        self._times: list[tuple[int, float, float]] = []  # bytes, and seconds to read and to count them
        self.is_full = False

    def take(self, texts: Iterator[bytes], part: _Part, seconds: float) -> tuple[bool, float]:
        """Counts *texts* for about so many *seconds*; says whether it came to their end, and the seconds."""
        sample, spent = self._sample, 0.0
        while True:
            began = time.perf_counter()
            text = next(texts, None)
            read = time.perf_counter()
            if text is None:
                return True, spent
            self._count(text)
            counted = time.perf_counter() - read
            self._times.append((len(text), read - began, counted))
            sample.sampled_bytes += len(text)
            spent += counted + read - began
            if self.is_full or spent >= seconds:
                return next(texts, None) is None and not self.is_full, spent

    def _count(self, text: bytes) -> None:
        sample = self._sample
        data, _ = self._tokenizer.ready(text if text.endswith(b"\n") else text + b"\n")
        if sum(kept.size for kept in sample.texts) < _KEPT:
            sample.texts.append(data)
        documents = text.count(b"\n") + 2
        hashes, lengths = np.empty(documents, np.uint64), np.empty(documents, np.int64)
        self._table.state[TOKENS:] = 0
        place = 0
        while True:
            place = count_tokens(self._table, self._tokenizer.alphabet, data, place, self._found, hashes, lengths)
            if place == data.size or self.is_full:
                break
            self._grow()
        state = self._table.state
        sample.tokens += int(state[TOKENS])
        sample.documents += int(state[DOCUMENTS])
        if sample.tokens >= self._next_point:
            sample.growth.append((sample.tokens, int(state[WORDS])))
            self._next_point = 2 * sample.tokens

    def _grow(self) -> None:
        old = self._table
        slots = old.slots.shape[0]
        if slots == _MOST_SLOTS or old.state[WORDS] * 10 < slots * 6:  # the second: no room for longer words
            self.is_full = True
            return
        new = new_table(slots * 4, 0).slots
        move_words(old.slots, new)
        self._table = WordTable(new, old.arena, old.state)

    def close(self) -> None:
        """Leaves counts, lengths and the table of ranks in the sample."""
        sample, slots = self._sample, self._table.slots
        if self._times:
            sizes, read, count = np.array(self._times, np.float64).T
            sample.read_seconds, sample.count_seconds = _steady(sizes, read), _steady(sizes, count)
        used = np.flatnonzero(slots[:, PLACE])
        counts = slots[used, NUMBER].astype(np.int64)
        order = np.argsort(-counts, kind="stable")
        sample.counts = counts[order]
        sample.sizes = (slots[used[order], PLACE] & np.uint64(1023)).astype(np.int64)
        slots[used[order], NUMBER] = np.arange(used.size, dtype=np.uint64)
        sample.table = self._table
        if sample.tokens and (not sample.growth or sample.growth[-1][0] < sample.tokens):
            last = (sample.tokens, used.size)
            if sample.growth and sample.tokens < 1.5 * sample.growth[-1][0]:
                sample.growth[-1] = last
            else:
                sample.growth.append(last)
