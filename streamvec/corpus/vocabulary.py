"""The vocabulary: words and how often they occur, by falling count; a word's index is its rank."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from streamvec.corpus.layout import VOCABULARY_KEY
from streamvec.disk.arrow import ArrowWriter, read_batches, verify_arrow
from streamvec.disk.jsontext import parsed
from streamvec.errors import StreamvecError

if TYPE_CHECKING:
    from streamvec.corpus.runs import WordCounts

_ROWS = 1 << 16
EARLIER = 1 << 62  # added to a count: the word is one of an earlier training, and is kept however rare it is


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words by falling count, ties by the word's UTF-8 bytes. Words are Arrow strings, never Python objects.

    ``about`` says where they come from: tokens_in_corpus, distinct_words, min_count, max_vocab, tokenizer, counts, and
    earlier_tokens where words of an earlier training have brought their counts.
    """

    words: pa.LargeStringArray  # [V]
    counts: np.ndarray  # int64[V]
    about: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.words)

    @functools.cached_property
    def total(self) -> int:
        """Occurrences of all words of the vocabulary in the corpus."""
        return int(self.counts.sum())

    @property
    def in_text(self) -> int:
        """Those in the text that was counted: without what words of an earlier training have brought."""
        return self.total - int(self.about.get("earlier_tokens", 0))

    @property
    def mean_bytes(self) -> float:
        """Mean length of the words."""
        return word_bytes(self.words)[0].size / len(self)

    @functools.cached_property
    def checksum(self) -> str:
        """The xxh3-128 of words and counts, as 32 hexadecimal digits: what ids are only valid with."""
        digest = xxhash.xxh3_128()
        for array in (*word_bytes(self.words), self.counts):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def index_of(self, words: Sequence[str] | pa.Array) -> np.ndarray:
        """The index of each word, int64[n]; -1 for one that is not in the vocabulary. Searches all V words once."""
        wanted = pa.array(words, pa.large_string())
        return pc.index_in(wanted, value_set=self.words).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)

    def save(self, path: Path) -> None:
        """Writes columns word and count as an Arrow file, whole or not at all; StreamvecError for a full disk."""
        metadata = {VOCABULARY_KEY: json.dumps(self.about, sort_keys=True, ensure_ascii=False).encode()}
        schema = pa.schema([("word", pa.string()), ("count", pa.int64())], metadata)
        with ArrowWriter(path, schema) as writer:
            for start in range(0, len(self), _ROWS):
                words = self.words.slice(start, _ROWS).cast(pa.string())
                writer.write(pa.record_batch([words, pa.array(self.counts[start : start + _ROWS])], schema=schema))

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Reads what `save` wrote; StreamvecError when it is missing, damaged or something else."""
        verify_arrow(path)
        batches = list(read_batches(path, mapped=False))
        schema = batches[0].schema if batches else pa.schema([])
        if schema.names != ["word", "count"] or VOCABULARY_KEY not in schema.metadata:
            raise StreamvecError(f"{path}: not a vocabulary of streamvec: name another file")
        words = pa.chunked_array([batch.column(0).cast(pa.large_string()) for batch in batches]).combine_chunks()
        counts = np.concatenate([batch.column(1).to_numpy() for batch in batches])
        return cls(words, counts, parsed(schema.metadata[VOCABULARY_KEY]))


def word_bytes(words: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """(all bytes, uint8; where each word begins and the last ends, int64[V + 1]) of Arrow strings, without a copy."""
    _, offsets, data = words.buffers()
    places = np.frombuffer(offsets, np.int64)[words.offset : words.offset + len(words) + 1]
    content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    content = content[places[0] : places[-1]]
    content.flags.writeable = False  # always, whoever made the strings: kernels know two types otherwise
    return content, places - places[0]


@dataclass
class Selection:
    """Which words of a corpus become its vocabulary, and what there was to choose from."""

    words: pa.LargeStringArray
    counts: np.ndarray
    tokens: int = 0
    distinct: int = 0
    highest: int = 0  # how often the most frequent word occurs, selected or not


def select(words: Iterable[WordCounts], min_count: int, max_vocab: int | None = None) -> Selection:
    """The *max_vocab* most frequent of the words, given in the order of their bytes, that occur *min_count* times.

    Words whose count has EARLIER added to it need not occur so often.
    Holds no more than twice as many words as are selected. Raises ValueError when a limit is below 1.
    """
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
    if max_vocab is not None and max_vocab < 1:
        raise ValueError(f"max_vocab must be at least 1, got {max_vocab}")
    seen = Selection(pa.array([], pa.large_string()), np.zeros(0, np.int64))
    chosen: list[pa.LargeStringArray] = []
    counts: list[np.ndarray] = []
    for batch in _frequent(words, min_count, seen):
        chosen.append(batch[0])
        counts.append(batch[1])
        if max_vocab is not None and sum(map(len, counts)) >= 2 * max_vocab + _ROWS:
            all_words, all_counts = pa.concat_arrays(chosen), np.concatenate(counts)
            kept = np.sort(np.argsort(-all_counts, kind="stable")[:max_vocab])  # in the order of their bytes again
            chosen, counts = [all_words.take(pa.array(kept))], [all_counts[kept]]
    if counts:
        all_words, all_counts = pa.concat_arrays(chosen), np.concatenate(counts)
        chosen.clear()
        order = np.argsort(-all_counts, kind="stable")[:max_vocab]
        seen.words, seen.counts = all_words.take(pa.array(order)), all_counts[order]
    return seen


def _frequent(
    words: Iterable[WordCounts], min_count: int, seen: Selection
) -> Iterator[tuple[pa.LargeStringArray, np.ndarray]]:
    for batch in words:
        marked, counts = batch.counts >= EARLIER, batch.counts & (EARLIER - 1)
        seen.tokens += int(counts.sum())
        seen.distinct += int(np.count_nonzero(counts))
        seen.highest = max(seen.highest, int(counts.max()))
        kept = np.flatnonzero(marked | (counts >= min_count))
        if kept.size:
            offsets, data = pa.py_buffer(batch.offsets), pa.py_buffer(batch.data)
            column = pa.LargeStringArray.from_buffers(batch.counts.size, offsets, data)
            yield column.take(pa.array(kept)), counts[kept]
