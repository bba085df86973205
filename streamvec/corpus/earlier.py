"""The words of an earlier training join the count of new text: they stay, however rare, and their counts add up.

They are one more run among those of the new text, so merging finds what is old, new and both, in bounded memory; a bit
far above any count marks them on the way.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from streamvec.corpus.growth import Known, Sample
from streamvec.corpus.lookup import Lookup
from streamvec.corpus.runs import merge, write_run
from streamvec.corpus.vocabulary import EARLIER, Vocabulary, select, word_bytes
from streamvec.disk.arrow import verify_arrow
from streamvec.disk.writing import remove
from streamvec.errors import StreamvecError

_RUN, _NEW = "earlier.arrow", "later.arrow"


@dataclass(frozen=True)
class Earlier:
    """A vocabulary.arrow of an earlier training, and the checksum it must have."""

    path: Path
    checksum: str

    def load(self) -> Vocabulary:
        """Its words and counts; StreamvecError when it is not there, is damaged, or is not what it was."""
        if verify_arrow(self.path) != self.checksum:
            raise StreamvecError(f"{self.path}: changed since this training was begun: train again with --overwrite")
        return Vocabulary.load(self.path)

    def runs(self, folder: Path, counted: bool = True) -> list[Path]:
        """Writes its words, marked, in the order of their bytes, as a run in *folder*; *counted*: with their counts."""
        vocabulary = self.load()
        order = pc.array_sort_indices(vocabulary.words)
        counts = vocabulary.counts[order.to_numpy()] if counted else np.zeros(len(vocabulary), np.int64)
        write_run(vocabulary.words.take(order), counts + EARLIER, folder / _RUN)
        return [folder / _RUN]

    def share_of(self, vocabulary: Vocabulary, tokens: int) -> dict[str, int]:
        """What the merged *vocabulary* of a text of so many *tokens* must say of it.

        earlier_tokens: how much of the counts it has brought; tokens_in_corpus: of both texts.
        """
        old = self.load()
        brought = old.total
        if len(vocabulary) == vocabulary.about["max_vocab"]:  # some of its words may have been left out
            brought = int(old.counts[Lookup(vocabulary).numbers(old.words) >= 0].sum())
        return {"earlier_tokens": brought, "tokens_in_corpus": tokens + int(old.about["tokens_in_corpus"])}

    def joined_by(self, text: Vocabulary, folder: Path, min_count: int, max_vocab: int | None) -> Vocabulary:
        """Its words and those of *text*, in which none is left out yet, chosen as `select` does.

        Two runs are written in *folder*.
        """
        order = pc.array_sort_indices(text.words)
        write_run(text.words.take(order), text.counts[order.to_numpy()], folder / _NEW)
        runs = [folder / _NEW, *self.runs(folder)]
        selection = select(merge(runs), min_count, max_vocab)
        remove(*runs)
        about = {**text.about, "min_count": min_count, "max_vocab": max_vocab}
        vocabulary = Vocabulary(selection.words, selection.counts, about)
        about |= self.share_of(vocabulary, int(text.about["tokens_in_corpus"]))
        return vocabulary

    def expected(self, sample: Sample, min_count: int, max_vocab: int | None) -> Known:
        """What the merged vocabulary will be, told from a sample of the text.

        Words of the text that the sample does not show are taken to be new as often as the rarer ones that it shows.
        """
        old, known = self.load(), sample.vocabulary(min_count, None)
        shown, is_old = min(known.words, sample.counts.size), sample.among(old.words)
        rarer = is_old[shown // 2 : shown]
        new = np.count_nonzero(~is_old[:shown]) + (known.words - shown) * (1 - rarer.mean() if rarer.size else 1.0)
        words, old_bytes = len(old) + round(new), word_bytes(old.words)[0].size
        rare = float(sample.counts[shown:][is_old[shown:]].sum()) / max(1, sample.tokens)
        tokens = known.tokens + round(sample.all_tokens() * rare)
        mean = (old_bytes + new * known.word_bytes) / words
        if max_vocab is None or words <= max_vocab:
            return Known(words, tokens, mean)
        return Known(max_vocab, min(tokens, sample.vocabulary(1, max_vocab).tokens), mean)
