"""What a part of a corpus says about all of it: its tokens, its words and how their number will grow.

A word occurs min_count times in N tokens when its rate is about min_count / N; so a sample of n tokens, in which rates
down to 1 / n show, tells how many words a corpus of up to min_count times its size has. Beyond that the growth that the
sample itself shows is prolonged, and bends as it did there (Heaps' law with a falling exponent).
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streamvec.corpus.blocks import Place, read_blocks
from streamvec.corpus.compiling import compile_kernels
from streamvec.corpus.compression import Readable, plain_pieces
from streamvec.corpus.estimate import estimate_text_bytes
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
    encode_tokens,
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


class Known(NamedTuple):
    """What is told of the vocabulary of a whole corpus."""

    words: int
    tokens: int  # of these words in the corpus
    word_bytes: float  # mean length of a word


class _Part(NamedTuple):
    """A stretch of text to sample."""

    source: int
    offset: int
    size: int  # bytes wanted
    inside: bool  # begins anywhere within a line


@dataclass
class Sample:
    """A corpus seen in part, or whole."""

    tokenizer: Tokenizer
    text_bytes: int  # of the whole corpus: an estimate, unless the sample is the whole
    stored_bytes: int | None = None
    sampled_bytes: int = 0
    is_whole: bool = False
    tokens: int = 0  # in the sample, as the next ones
    documents: int = 0
    read_seconds: float = 0.0
    count_seconds: float = 0.0  # of one thread
    growth: list[tuple[int, int]] = field(default_factory=list)  # (tokens, different words) on the way
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # int64[words], falling
    sizes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # int64[words]: bytes of each
    texts: list[np.ndarray] = field(default_factory=list)  # uint8[n]: some of it, as the kernels take it
    table: WordTable | None = None  # words to ranks

    @property
    def is_python(self) -> bool:
        """Whether tokens are found by code that only one thread runs at a time."""
        return self.tokenizer.kind == "regex"

    @property
    def scale(self) -> float:
        """How many times the sample the whole corpus is."""
        return 1.0 if self.is_whole else max(1.0, self.text_bytes / max(1, self.sampled_bytes))

    def all_tokens(self) -> int:
        """Tokens of the whole corpus."""
        return round(self.tokens * self.scale)

    def all_documents(self) -> int:
        """Documents of the whole corpus."""
        return round(self.documents * self.scale)

    def words(self, tokens: float, min_count: int = 1) -> float:
        """How many different words occur *min_count* times in *tokens* tokens of this corpus."""
        times, words = self._equal(tokens, min_count)
        if times < 1:
            return min(tokens, words)
        low = int(times)
        few, more = max(1, self._at_least(low + 1)), max(1, self._at_least(low))
        return float(more * (few / more) ** (times - low))

    def vocabulary(self, min_count: int, max_vocab: int | None) -> Known:
        """The vocabulary that the whole corpus will have; no word at all is possible."""
        total = self.all_tokens()
        if self.is_whole:
            number: float = self._at_least(min_count)
        else:
            number = self.words(total, min_count) if self.tokens else 0
        times = float(min_count) if self.is_whole else max(1.0, self._equal(total, min_count)[0])
        rare = self._rare_tokens(times) / max(1, self.tokens)
        shown = self._at_least(round(times))
        if max_vocab is not None and number > max_vocab:
            number, shown = max_vocab, min(shown, max_vocab)
            rare = max(rare, 1 - float(self.counts[:max_vocab].sum()) / max(1, self.tokens))
        mean = float(self.sizes[:shown].mean()) if shown else 0.0
        return Known(round(number), round(total * (1 - rare)), mean)

    def ids(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(ids by rank in the sample int32[n], lengths of documents int32[documents]) of the texts kept."""
        found, spans = [], new_spans()
        for data in self.texts:
            ids, lengths = np.empty(data.size + 1, np.int32), np.empty(data.size + 1, np.int32)
            number, documents = encode_tokens(self.table, self.tokenizer.alphabet, data, spans, ids, lengths)
            found.append((ids[:number].copy(), lengths[:documents].copy()))
        return found

    def _equal(self, tokens: float, min_count: int) -> tuple[float, float]:
        """How often a word occurs in the sample that occurs *min_count* times in *tokens*; where that is below once, 0
        and how many words there are."""
        times, words = 0.0, 0.0
        slope = self._slope(1)
        for _ in range(4):  # the place depends on the slope there
            wanted = _place(min_count, slope) * self.tokens / max(1.0, tokens)
            first = _place(1, slope)
            if wanted < first:
                grown, slope = self._grown(first / wanted)
                times, words = 0.0, self._at_least(1) * grown
            else:
                times = _times(wanted, slope)
                slope = self._slope(round(times))
        return times, words

    def _slope(self, times: int) -> float:
        """The slope of the logarithm of how many words occur *times* times over that of the tokens, at the sample."""
        words = self._at_least(times)
        return min(0.97, max(0.02, times * (words - self._at_least(times + 1)) / max(1, words)))

    def _at_least(self, times: int) -> int:
        return int(np.searchsorted(-self.counts, -times, side="right"))

    def _rare_tokens(self, times: float) -> float:
        low = int(times)
        below = [float(self.counts[self._at_least(step) :].sum()) for step in (low, low + 1)]
        return below[0] + (below[1] - below[0]) * (times - low)

    def _grown(self, factor: float) -> tuple[float, float]:
        """How many times more words a text *factor* times as long as the sample has, and the slope there."""
        points = self.growth[-5:]
        slopes = [
            math.log(later[1] / earlier[1]) / math.log(later[0] / earlier[0]) for earlier, later in pairwise(points)
        ] or [self._slope(1)]
        half = max(1, len(slopes) // 2)
        late, early = float(np.mean(slopes[-half:])), float(np.mean(slopes[:half]))
        bend = min(1.0, max(0.9, (late / max(early, 1e-9)) ** (1 / half)))  # a doubling's slope to the one before
        grown, left, slope = 0.0, math.log2(factor), min(1.0, late)
        while left > 0:
            slope *= bend
            grown += slope * min(1.0, left)
            left -= 1
        return 2**grown, max(0.02, min(0.97, slope))


def _place(times: int, slope: float) -> float:
    """The rate r, in words a sample, with as many words of rate r and more as occur *times* times in the sample.

    Of words by a power law with exponent b (Zipf), sum P(Poisson(rate) >= k) = r^-b, r^-b = gamma(k - b) / gamma(k).
    """
    return math.exp((math.lgamma(times) - math.lgamma(times - slope)) / slope)


def _times(place: float, slope: float) -> float:
    """The inverse of _place, logarithmic between whole numbers; at least 1."""
    times = 1
    while _place(times + 1, slope) <= place:
        times += 1
    low, high = math.log(_place(times, slope)), math.log(_place(times + 1, slope))
    return max(1.0, times + (math.log(place) - low) / (high - low))


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
