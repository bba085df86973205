"""A map of words, ready to be drawn: places, clusters with their names, and neighbours in the space of the vectors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamvec.models.options import check, option
from streamvec.tasks.mapwords import Chosen
from streamvec.tasks.projection import Clusters, clusters, principal_components, tsne
from streamvec.training.progress import Progress, Reporter, Silence
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import unit_rows

METHODS = {"tsne": "t-SNE", "pca": "principal components"}
_NAMED = 3  # words that name a cluster
_CLUSTERS, _OF_A_CLUSTER = 12, 15  # by default: how many, and how many words for each
_MOST_CLUSTERS = 64  # more colours cannot be told apart, nor their legend read


@dataclass(frozen=True)
class MapOptions:
    """How words are laid out and coloured."""

    method: str = option("tsne", "How words are placed.", choices=tuple(METHODS))
    perplexity: float | None = option(
        None, "How many neighbours count in t-SNE, about; by default 30, or fewer for few words."
    )
    colour: str = option(
        "cluster", "What colours tell; a page can be switched from one to the other.", choices=("cluster", "frequency")
    )
    clusters: int | None = option(None, "How many clusters, by k-means; by default 12, or fewer for few words.")
    seed: int = option(1, "Seed of everything random.")

    def __post_init__(self) -> None:
        check(self, [])
        if self.clusters is not None and not 1 <= self.clusters <= _MOST_CLUSTERS:
            raise ValueError(f"clusters must be from 1 to {_MOST_CLUSTERS}, got {self.clusters}")
        if self.perplexity is not None and self.method != "tsne":
            raise ValueError(f"perplexity is of tsne, and does nothing with method {self.method}: leave it out")
        if self.perplexity is not None and not self.perplexity >= 1:
            raise ValueError(f"perplexity must be at least 1, got {self.perplexity:g}")


class WordMap(NamedTuple):
    """n words, the most frequent first, and what is known of each."""

    name: str  # of the vectors
    words: list[str]
    ranks: np.ndarray  # int64[n] among all words, from 0; -1 where n-grams stand for the word
    counts: np.ndarray  # int64[n], 0 where it is not known
    places: np.ndarray  # float64[n, 2], x to the right, y upwards
    clusters: np.ndarray | None  # int32[n]; None where scikit-learn is missing, or they were not asked for
    cluster_names: list[str]  # by number
    method: str  # "tsne" or "pca"
    colour: str  # "frequency" or "cluster": what colours tell at first

    def records(self) -> Iterator[dict[str, Any]]:
        """Each word as an object for JSON; the rank is None where n-grams stand for the word."""
        for row, word in enumerate(self.words):
            rank, (x, y) = int(self.ranks[row]), self.places[row].tolist()
            about = {"word": word, "rank": None if rank < 0 else rank, "count": int(self.counts[row]), "x": x, "y": y}
            yield about if self.clusters is None else {**about, "cluster": int(self.clusters[row])}


def make_map(
    vectors: KeyedVectors, chosen: Chosen, options: MapOptions, page: bool = False, report: Reporter | None = None
) -> WordMap:
    """Lays out the *chosen* words. *page*: clusters are wanted beside frequency.

    Without scikit-learn there are no clusters, and colours tell frequency, which is noted. StreamvecError where
    openTSNE is missing and wanted; ValueError where perplexity is too large.
    """
    report, colour, groups = report or Silence(), options.colour, None
    if colour == "cluster" or page:
        number = options.clusters or min(_CLUSTERS, 1 + len(chosen.words) // _OF_A_CLUSTER)
        report.progress(Progress("clusters", None))
        try:
            groups = clusters(chosen.rows, number, options.seed)
        except ImportError:
            report.note("note: clusters need scikit-learn (pip install 'streamvec[plot]'): colours tell frequency")
            colour = "frequency"
    if options.method == "tsne":
        places = tsne(
            chosen.rows, options.perplexity, options.seed, lambda done: report.progress(Progress("t-SNE", done))
        )
    else:
        places = principal_components(chosen.rows)
    names = _named(chosen, groups) if groups else []
    numbers = groups.numbers if groups else None
    name = Path(vectors.name).name or vectors.name
    return WordMap(name, *chosen[:3], places, numbers, names, options.method, colour)


def neighbours(rows: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The *number* rows nearest to each, itself left out: (places int64[n, k], cosines float64[n, k]), exact."""
    own = np.arange(len(rows))[:, None]
    number = min(number, len(rows) - 1)
    if number < 1:
        return np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0))
    within = KeyedVectors.from_arrays([str(row) for row in range(len(rows))], rows)
    found, similarities = within.nearest(rows, number + 1)
    others = found != own
    others[others.all(axis=1), -1] = False  # where equal rows come first, the last one goes
    return found[others].reshape(len(rows), number), similarities[others].reshape(len(rows), number)


def _named(chosen: Chosen, groups: Clusters) -> list[str]:
    """Each cluster by the words nearest to its center, of the more frequent half of its words."""
    unit, names = unit_rows(chosen.rows), []
    for number, center in enumerate(groups.centers):
        mine = np.flatnonzero(groups.numbers == number)
        mine = mine[: max(_NAMED, (len(mine) + 1) // 2)]
        best = mine[np.argsort(-(unit[mine] * center).sum(axis=1), kind="stable")[:_NAMED]]
        names.append(", ".join(chosen.words[row] for row in best.tolist()))
    return names
