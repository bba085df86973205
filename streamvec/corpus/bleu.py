"""BLEU of translations, as sacrebleu computes it of a whole text with one reference a line, and exact matches.

BLEU (Papineni et al. 2002) is how many n-grams of the translations, n = 1 .. 4, are in their references: the geometric
mean of the four shares, less where the translations are shorter than the references. Figures are comparable only where
tokens are the same (Post 2018): the default, "13a", is that of NIST's mteval-v13a and takes plain, detokenised text.
Sums alone are kept, so a text may have any length.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ORDER = 4  # the longest n-grams
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))  # in this order: &amp;lt; becomes <
# The rules of mteval-v13a, one after the other: most of ASCII's symbols stand alone; a full stop or comma does, unless
# it is between digits; a hyphen does behind a digit.
_SYMBOLS = re.compile("([" + re.escape("".join(sorted(set(string.punctuation) - set("',-.")))) + "])")
_MARK_BEHIND = re.compile(r"([^0-9])([.,])")
_MARK_BEFORE = re.compile(r"([.,])([^0-9])")
_HYPHEN = re.compile(r"([0-9])(-)")


def tokens_13a(line: str) -> list[str]:
    """The tokens of a line as mteval-v13a divides it; case stays."""
    line = line.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    if "&" in line:
        for entity, character in _ENTITIES:
            line = line.replace(entity, character)
    line = _SYMBOLS.sub(r" \1 ", f" {line} ")
    line = _MARK_BEHIND.sub(r"\1 \2 ", line)
    line = _MARK_BEFORE.sub(r" \1 \2", line)
    return _HYPHEN.sub(r"\1 \2 ", line).split()


def _characters(line: str) -> list[str]:
    return list("".join(line.split()))


TOKENISERS: dict[str, Callable[[str], list[str]]] = {
    "13a": tokens_13a,
    "none": str.split,  # of text that is tokenised already
    "char": _characters,  # of scripts without spaces between words
}


@dataclass(frozen=True)
class BleuScore:
    """How near translations are to their references."""

    bleu: float  # 0 to 100
    precisions: tuple[float, ...]  # 0 to 100, of n-grams of 1 .. 4 tokens, smoothed
    brevity_penalty: float  # 0 to 1
    tokens: int  # of the translations
    reference_tokens: int
    lines: int
    exact: int  # lines that are their reference, but for white space

    @property
    def exact_match(self) -> float:
        """The share of lines that are their reference, 0 to 1; 0 where there are none."""
        return self.exact / self.lines if self.lines else 0.0


class Bleu:
    """Adds up what BLEU is made of, a line at a time."""

    def __init__(self, tokeniser: str = "13a") -> None:
        """tokeniser: a name of TOKENISERS."""
        if tokeniser not in TOKENISERS:
            raise ValueError(f"tokeniser must be {' or '.join(TOKENISERS)}, got {tokeniser!r}")
        self._tokens = TOKENISERS[tokeniser]
        self._found, self._all = [0] * ORDER, [0] * ORDER
        self._length = self._reference_length = self._lines = self._exact = 0

    def add(self, translation: str, reference: str) -> None:
        """Counts one line."""
        self._lines += 1
        self._exact += translation.split() == reference.split()
        tokens, wanted = self._tokens(translation), self._tokens(reference)
        self._length += len(tokens)
        self._reference_length += len(wanted)
        for n in range(1, ORDER + 1):
            met = _ngrams(tokens, n)
            self._found[n - 1] += sum((met & _ngrams(wanted, n)).values())  # each as often as the reference has it
            self._all[n - 1] += max(0, len(tokens) - n + 1)

    def score(self) -> BleuScore:
        """The score of all lines so far."""
        penalty = 1.0
        if self._length < self._reference_length:
            penalty = math.exp(1 - self._reference_length / self._length) if self._length else 0.0
        precisions = _smoothed(self._found, self._all)
        bleu = 0.0
        if all(precisions):
            bleu = penalty * math.exp(sum(map(math.log, precisions)) / ORDER)
        return BleuScore(bleu, precisions, penalty, self._length, self._reference_length, self._lines, self._exact)


def _ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[place : place + n]) for place in range(len(tokens) - n + 1))


def _smoothed(found: Sequence[int], among: Sequence[int]) -> tuple[float, ...]:
    """found of among in percent. The first that would be 0 is taken as half an n-gram, the next as a quarter, and so on
    (mteval's smoothing, "exp" of sacrebleu); all are 0 where nothing was found at all, or there are no n-grams."""
    if not any(found):
        return (0.0,) * len(found)
    precisions, least = [], 1.0
    for part, whole in zip(found, among, strict=True):
        if not whole:
            precisions.append(0.0)
            continue
        if not part:
            least /= 2
        precisions.append(100 * (part or least) / whole)
    return tuple(precisions)
