"""What a plan learns of its inputs before it adds anything up: from a sample of text, or from the shards of a RUN."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from streamvec.corpus.compiling import compile_cooccurrences
from streamvec.corpus.growth import Sample
from streamvec.corpus.layout import SHARDS, VOCABULARY
from streamvec.corpus.pairgrowth import Frequencies, PairGrowth, groups_of, pair_growth
from streamvec.corpus.phrasesampling import PhraseGrowth, phrase_growth
from streamvec.corpus.sampling import sample_corpus
from streamvec.corpus.shards import MarkedShards, Shards, TokenBatch
from streamvec.corpus.sources import Source
from streamvec.corpus.stretches import has_ends
from streamvec.corpus.symbols import END, UNKNOWN, Symbols
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.disk.arrow import open_arrow, read_batch
from streamvec.errors import StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.kinds import Config
from streamvec.models.lmconfig import LmConfig
from streamvec.models.subwords import WordBytes
from streamvec.models.wordconfig import NO_NGRAMS, NGramSizes, SkipGramConfig
from streamvec.training import needs
from streamvec.training.options import TextOptions
from streamvec.training.pairneeds import some_batches
from streamvec.training.start import Start, refuse_shards
from streamvec.training.timing import batches_of

_SHOWN = 1 << 20  # words whose n-grams stand for all
_NO_WORDS = np.zeros(0, np.uint8), np.zeros(1, np.int64)


@dataclass
class Seen:
    """What was learnt of the inputs."""

    about: dict[str, Any]
    corpus: needs.Corpus
    counts: np.ndarray  # int64[n], falling
    batches: list[TokenBatch]  # some of what will be trained on, or counted
    sample: Sample | None  # None: a RUN, whose shards are ready
    shown: WordBytes  # the most frequent words, with subwords
    start: Start | None = None
    phrases: PhraseGrowth | None = None
    passes: int = 0
    pairs: PairGrowth | None = None  # of GloVe
    beside: int = 0  # of a language model: tokens that are not among the words, for unknown ones and for ends
    has_ends: bool = False  # and whether an end stands behind each document

    @property
    def load(self) -> needs.Load:
        """What the training will have to hold."""
        corpus, text = self.corpus, self.corpus.text_bytes if self.sample else 0
        words = corpus.words + self.beside
        return needs.Load(words, corpus.word_bytes, text, corpus.ngrams, self.start is not None)


def of_text(sources: list[Source], text: TextOptions, config: Config, start: Start | None = None) -> Seen:
    """Samples *sources*; StreamvecError where they cannot be read, or no word is frequent enough.

    For a language model all tokens are the corpus, also those that it will not know, in the documents that have some.
    """
    is_marked = isinstance(config, LmConfig)
    sample = sample_corpus(sources, text.tokenizer, text.column, text.encoding)
    if start and start.earlier:
        known = start.earlier.expected(sample, text.min_count, text.max_vocab)
    else:
        known = sample.vocabulary(text.min_count, text.max_vocab)
    if not known.tokens:
        what = "no words" if not sample.tokens else f"no word that occurs {text.min_count} times"
        raise StreamvecError(
            f"{sources[0].path}: {what} in {sample.sampled_bytes:,} bytes of text"
            f"{'' if sample.is_whole else ' sampled'}: name other input, or lower --min-count"
        )
    found, growth = sample.ids(), None
    shown = sample.word_bytes(min(known.words, _SHOWN)) if _has_ngrams(config) else _NO_WORDS
    sizes = _ngram_sizes(config, shown, known.words)
    documents, tokens = sample.all_documents(), known.tokens
    if is_marked:
        lengths = np.concatenate([each for _, each in found])
        documents, tokens = round(documents * float(np.mean(lengths > 0))), sample.all_tokens()
    corpus = needs.Corpus(sample.text_bytes, documents, tokens, known.words, known.word_bytes, sizes)
    if text.phrases:
        growth = phrase_growth(found, text.phrase_options)
        corpus = _with_phrases(corpus, round(growth.all_phrases(sample.all_tokens())), growth.joined, text.max_vocab)
    about = {
        "inputs": len(sources),
        "stored_bytes": sample.stored_bytes,
        "text_bytes": sample.text_bytes,
        "sampled_bytes": sample.sampled_bytes,
        "is_whole": sample.is_whole,
        "documents": corpus.documents,
        "tokens": sample.all_tokens(),
        "known_tokens": known.tokens if is_marked else corpus.tokens,
        "distinct_words": round(sample.words(sample.all_tokens())),
        "words": corpus.words,
    }
    seen = Seen(about, corpus, sample.counts, [], sample, shown, start, growth, text.phrases)
    seen.batches = batches_of(found, corpus.words, is_marked)
    if is_marked:
        seen.has_ends = has_ends(text.tokenizer.to_json())
        names = [UNKNOWN, END] if seen.has_ends else [UNKNOWN]
        there = [bool(sample.among(pa.array([name], pa.large_string()))[: known.words].any()) for name in names]
        seen.beside = there.count(False)
    if isinstance(config, GloveConfig):
        compile_cooccurrences()
        frequencies = Frequencies.of_sample(sample, known.words, text.min_count)
        seen.pairs = pair_growth(batches_of(found, known.words), frequencies, config.counted)
    return seen


def of_run(folder: Path, config: Config, start: Start | None = None) -> Seen:
    """Looks into the shards of a finished RUN."""
    refuse_shards(str(folder), start)
    is_marked = isinstance(config, LmConfig)
    shards = (MarkedShards if is_marked else Shards).open(folder / SHARDS)
    path = folder / VOCABULARY
    reader = open_arrow(path)
    first = read_batch(reader, 0, path)  # the 65,536 most frequent words
    counts = first.column(1).to_numpy()
    shown = word_bytes(first.column(0).cast(pa.large_string())) if _has_ngrams(config) else _NO_WORDS
    words = shards.vocabulary_size
    mean = max(1.0, path.stat().st_size / words - 12)
    sizes = _ngram_sizes(config, shown, words)
    documents = shards.whole_documents if isinstance(shards, MarkedShards) else shards.documents
    corpus = needs.Corpus(shards.counts["bytes_read"], documents, shards.tokens, words, mean, sizes)
    about = {
        "inputs": 1,
        "stored_bytes": needs.shards_bytes(corpus),
        "text_bytes": corpus.text_bytes,
        "sampled_bytes": 0,
        "is_whole": True,
        "documents": documents,
        "tokens": shards.counts["tokens"],
        "known_tokens": shards.counts["tokens"] - shards.counts["dropped_rare"] if is_marked else shards.tokens,
        "distinct_words": None,
        "words": words,
    }
    seen = Seen(about, corpus, counts, some_batches(shards), None, shown, start)
    if is_marked:
        symbols = Symbols.of(Vocabulary.load(path))
        seen.beside, seen.has_ends = symbols.shift, symbols.end >= 0
    if isinstance(config, GloveConfig):
        compile_cooccurrences()
        seen.pairs = pair_growth(seen.batches, _frequencies(counts, reader, path), config.counted)
    return seen


def _has_ngrams(config: Config) -> bool:
    return isinstance(config, SkipGramConfig) and config.ngrams is not None


def _ngram_sizes(config: Config, shown: WordBytes, words: int) -> NGramSizes:
    return needs.told_from(config, shown, words) if isinstance(config, SkipGramConfig) else NO_NGRAMS


def _with_phrases(corpus: needs.Corpus, phrases: int, joined: float, max_vocab: int | None) -> needs.Corpus:
    """The corpus after joining: a phrase is as long as two words and what joins them."""
    words = corpus.words + phrases
    word_bytes = (corpus.words * corpus.word_bytes + phrases * (2 * corpus.word_bytes + 1)) / words
    tokens = round(corpus.tokens * (1 - joined))
    ngrams = needs.scaled(corpus.ngrams, words / corpus.words)
    words = min(words, max_vocab or words)
    return corpus._replace(words=words, word_bytes=word_bytes, tokens=tokens, ngrams=ngrams)


def _frequencies(counts: np.ndarray, reader: pa.ipc.RecordBatchFileReader, path: Path) -> Frequencies:
    """Of a whole vocabulary, whose first counts are these; of each later record batch the middle stands for all."""
    words, each = groups_of(counts)
    later = [read_batch(reader, number, path).column(1) for number in range(1, reader.num_record_batches)]
    more, rarer = [len(column) for column in later], [column[len(column) // 2].as_py() for column in later]
    return Frequencies.of_groups(np.append(words, more), np.append(each, rarer))
