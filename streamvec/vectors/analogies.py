"""Solves analogies by the thousand: a is to b as c is to which word, of the most frequent ones?

3CosAdd takes the word x with the largest cos(x, b) - cos(x, a) + cos(x, c), 3CosMul the largest
cos'(x, b) cos'(x, c) / (cos'(x, a) + 1e-6) with cos' = (1 + cos) / 2. The words of the question, in any case, are no
answers. (Levy and Goldberg, Linguistic Regularities in Sparse and Explicit Word Representations, 2014; they add
0.001, gensim 1e-6.)

Only the cosines of a question's own words are needed: one product of the vocabulary with the few hundred words of a
file, a tile at a time, then an addition a question instead of a product. An answer is wrong as soon as one word beats
the expected one by more than float32 can err; what lies closer is computed again in float64, so the result
does not depend on tiles or threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.forms import Asked, Forms
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.testsets import read_questions

TOP = 30_000  # as word2vec's own evaluation of its vectors (demo-word-accuracy.sh)
_EPSILON = 1e-6
_MARGIN = 1e-5  # more than float32 can be off in a sum of three cosines
_TILE = 1 << 24  # cosines held at once: 64 MB of float32
_QUESTIONS = 1 << 16  # questions of one pass over the vocabulary
_EXACT = 4096  # questions scored in float64 at once


@dataclass(frozen=True)
class SectionScore:
    """Right answers among the questions of a section, or of all sections of a kind."""

    name: str
    kind: str  # "semantic", "syntactic" (its name begins with gram), or "total"
    right_add: int  # by 3CosAdd
    right_mul: int  # by 3CosMul
    found: int  # questions with all four words
    questions: int  # of all

    @property
    def accuracy_add(self) -> float | None:
        """The share of the found questions that 3CosAdd answers, 0 to 1; None when none was found."""
        return self.right_add / self.found if self.found else None

    @property
    def accuracy_mul(self) -> float | None:
        """The share of the found questions that 3CosMul answers, 0 to 1; None when none was found."""
        return self.right_mul / self.found if self.found else None


@dataclass(frozen=True)
class AnalogyScores:
    """How many analogies of one file the vectors solve."""

    path: str
    top: int  # among so many most frequent words
    sections: tuple[SectionScore, ...]
    missing: tuple[str, ...]  # words that are not among them, as written

    @property
    def semantic(self) -> SectionScore:
        """All sections but those whose name begins with gram."""
        return self._sum("semantic", "semantic")

    @property
    def syntactic(self) -> SectionScore:
        """All sections whose name begins with gram."""
        return self._sum("syntactic", "syntactic")

    @property
    def total(self) -> SectionScore:
        """All sections."""
        return self._sum("total", None)

    def _sum(self, name: str, kind: str | None) -> SectionScore:
        some = [one for one in self.sections if kind in (None, one.kind)]
        return SectionScore(
            name,
            name,
            sum(one.right_add for one in some),
            sum(one.right_mul for one in some),
            sum(one.found for one in some),
            sum(one.questions for one in some),
        )


def evaluate_analogies(
    vectors: KeyedVectors, path: Path | str, top: int = TOP, case_sensitive: bool = False
) -> AnalogyScores:
    """Scores of the questions in *path* (four words a line, ``: section`` lines), among the *top* most frequent words.

    *top* 0 is all words. A question with a word that is not among them is left out, and counted. Raises StreamvecError,
    naming the line, for what is no question, and when there are no questions.
    """
    if top < 0:
        raise ValueError(f"top must be at least 0, got {top}")
    asked = Asked(case_sensitive)
    names: list[str] = []
    numbers, section = [], []
    for question in read_questions(Path(path), names):
        section.append(question.section)
        numbers.append([asked.number(word) for word in question.words])
    if not numbers:
        raise StreamvecError(f"{path}: there are no questions in it: expected four words a line")
    forms = asked.find(vectors, top)
    places = forms.first(len(asked.words))
    every, of = np.array(numbers), np.array(section)
    known = (places[every] >= 0).all(axis=1)
    limit = min(top or len(vectors), len(vectors))
    right = np.zeros((2, len(every)), bool)
    right[:, known] = _solve(vectors, every[known], forms, places, limit)
    counts = [np.bincount(of[mask], minlength=len(names)).tolist() for mask in (*right, known, np.ones_like(known))]
    sections = tuple(
        SectionScore(name, "syntactic" if name.startswith("gram") else "semantic", *row)
        for name, *row in zip(names, *counts, strict=True)
    )
    return AnalogyScores(str(path), limit, sections, asked.missing(places))


class _Table(NamedTuple):
    """The words of some questions: forms[w] int64[]: their ranks; units float64[words, dim]: of the most frequent."""

    forms: list[np.ndarray]
    units: np.ndarray


def _solve(vectors: KeyedVectors, questions: np.ndarray, forms: Forms, places: np.ndarray, limit: int) -> np.ndarray:
    """bool[2, q]: whether 3CosAdd and 3CosMul answer each of int64[q, 4] (numbers of words)."""
    parts = [np.empty((2, 0), bool)]
    for start in range(0, len(questions), _QUESTIONS):
        words, some = np.unique(questions[start : start + _QUESTIONS], return_inverse=True)
        wanted = np.flatnonzero(np.isin(forms.of, words))
        wanted = wanted[np.argsort(forms.of[wanted], kind="stable")]
        ends = np.searchsorted(forms.of[wanted], words, "right")
        table = _Table(np.split(forms.ranks[wanted], ends[:-1]), unit_rows(vectors.rows(places[words])))
        parts.append(_solve_some(vectors, some.reshape(-1, 4), table, limit))
    return np.concatenate(parts, axis=1)


def _solve_some(vectors: KeyedVectors, questions: np.ndarray, table: _Table, limit: int) -> np.ndarray:
    """The same for questions whose words are numbers of rows of *table*."""
    expected = _expected(vectors, questions, table)
    alive = np.isfinite(expected)
    close: list[tuple[int, int, np.ndarray]] = []  # (method, question, ranks within the margin)
    narrow = table.units.astype(np.float32)
    for base, rows in _tiles(vectors, limit, max(1, _TILE // len(narrow))):
        cosines = narrow @ rows.T  # float32[words, tile]
        cosines += 1
        cosines *= 0.5
        _beat(cosines, base, questions, table, expected, alive, close)
    for method, question, ranks in close:
        if alive[method, question]:
            asked = np.broadcast_to(questions[question], (len(ranks), 4))
            best = ranks[_exact(vectors.rows(ranks), asked, table)[method].argmax()]  # of equals, the most frequent
            alive[method, question] = best in table.forms[asked[0, 3]]
    return alive


def _beat(
    cosines: np.ndarray,
    base: int,
    questions: np.ndarray,
    table: _Table,
    expected: np.ndarray,
    alive: np.ndarray,
    close: list[tuple[int, int, np.ndarray]],
) -> None:
    """Ends the questions whose expected answer a word of this tile (shifted cosines float32[words, tile]) beats."""
    width = cosines.shape[1]
    here = [ranks[(ranks >= base) & (ranks < base + width)] - base for ranks in table.forms]
    least = cosines.min(axis=1).astype(np.float64) + _EPSILON
    scores = np.empty(width, np.float32)
    for method in (0, 1):
        pair = None
        for number in np.flatnonzero(alive[method]).tolist():
            a, b, c, d = questions[number].tolist()
            if pair != (a, b):
                pair = (a, b)
                offset = cosines[b] - cosines[a] if method == 0 else cosines[b] / (cosines[a] + np.float32(_EPSILON))
            np.add(offset, cosines[c], out=scores) if method == 0 else np.multiply(offset, cosines[c], out=scores)
            for word in (a, b, c):
                scores[here[word]] = -np.inf
            target = expected[method, number]
            margin = _MARGIN if method == 0 else _MARGIN * (2 + target) / max(least[a], _EPSILON)
            scores[here[d]] = -np.inf
            best = scores.max()
            if best > target + margin:
                alive[method, number] = False
            elif best >= target - margin:
                rivals = np.flatnonzero(scores >= target - margin)
                ranks = np.sort(np.concatenate([rivals + base, table.forms[d]]))
                close.append((method, number, ranks))


def _expected(vectors: KeyedVectors, questions: np.ndarray, table: _Table) -> np.ndarray:
    """float64[2, q]: the best score of the forms of each expected answer; -inf where it is one of the question's."""
    out = np.full((2, len(questions)), -np.inf)
    sizes = np.array([len(ranks) for ranks in table.forms])
    for start in range(0, len(questions), _EXACT):
        some = questions[start : start + _EXACT]
        ranks = np.concatenate([table.forms[word] for word in some[:, 3].tolist()])
        of = np.repeat(np.arange(len(some)), sizes[some[:, 3]])
        scores = _exact(vectors.rows(ranks), some[of], table)
        for method in (0, 1):
            np.maximum.at(out[method], of + start, scores[method])
    out[:, (questions[:, 3:] == questions[:, :3]).any(axis=1)] = -np.inf
    return out


def _exact(rows: np.ndarray, questions: np.ndarray, table: _Table) -> np.ndarray:
    """float64[2, n]: the scores of float32[n, dim] for the questions int64[n, 4] by both methods.

    With shifted cosines 3CosAdd is half of what it is, and 1 / 2 more. Each row is summed on its own.
    """
    units = unit_rows(rows)
    a, b, c = (((units * table.units[questions[:, place]]).sum(axis=1) + 1) / 2 for place in (0, 1, 2))
    return np.stack([b - a + c, b * c / (a + _EPSILON)])


def _tiles(vectors: KeyedVectors, limit: int, height: int) -> Iterator[tuple[int, np.ndarray]]:
    """(rank of its first row, float32[n, dim] of length 1) of stretches of at most *height* of the first rows."""
    base = 0
    for chunk in vectors.chunks():
        stop = min(len(chunk.words), limit - base)
        for start in range(0, stop, height):
            some = slice(start, min(start + height, stop))
            norms = chunk.norms[some]
            yield base + start, chunk.vectors[some] / np.where(norms > 0, norms, np.float32(1))[:, None]
        base += len(chunk.words)
        if base >= limit:
            return
