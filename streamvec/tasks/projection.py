"""Where words stand in two dimensions, by t-SNE or principal components, and which of them belong together.

Vectors count with length 1, as cosines have them. All is computed in one thread, in a fixed order: the same vectors and
seed give the same places, whatever --threads or the machine's load. (openTSNE gives the same with more threads, but
they wait for each other longer than they work.)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from streamvec.errors import StreamvecError
from streamvec.vectors.neighbours import unit_rows

PERPLEXITY, _LEAST, _SHARE = 30.0, 5.0, 0.08  # by default: at most, at least, and of the words where there are few
_FEWEST = 5  # words that t-SNE takes: below, principal components show all there is
_EARLY, _LATE, _TOLD = 250, 500, 50  # steps that exaggerate, steps that do not, steps between two calls of *told*
_SPREAD = 1e-4  # of the places t-SNE begins with


class Clusters(NamedTuple):
    """k clusters, the largest first."""

    numbers: np.ndarray  # int32[n]: the cluster of each word
    centers: np.ndarray  # float64[k, dim]


def principal_components(rows: np.ndarray) -> np.ndarray:
    """float64[n, 2]: places along the two directions in which vectors of length 1 differ most.

    Of each direction the largest coefficient is positive: its sign would be arbitrary.
    """
    with threadpool_limits(1):
        centered = _centered(rows)
        places = np.zeros((len(rows), 2))
        _, _, directions = np.linalg.svd(centered.T @ centered)  # of the scatter: dim x dim, however many words
        directions = directions[:2]
        strongest = np.abs(directions).argmax(axis=1)
        directions = directions * np.sign(directions[np.arange(len(directions)), strongest])[:, None]
        places[:, : len(directions)] = centered @ directions.T
    return places


def tsne(
    rows: np.ndarray, perplexity: float | None, seed: int, told: Callable[[float], None] = lambda done: None
) -> np.ndarray:
    """float64[n, 2]: places by t-SNE (van der Maaten and Hinton, 2008), beginning with principal components.

    *perplexity*: about how many neighbours count; None is 30, or as much as few words allow. *told* hears which share
    is done. ValueError where perplexity is too large; StreamvecError where openTSNE is missing.
    """
    most = (len(rows) - 1) / 3
    if perplexity is not None and not 1 <= perplexity <= max(most, 1):
        raise ValueError(
            f"perplexity must be from 1 to a third of the other words ({most:.0f} of {len(rows):,} words), "
            f"got {perplexity:g}"
        )
    if len(rows) < _FEWEST:
        return principal_components(rows)
    try:
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors
        from sklearn.neighbors import NearestNeighbors
    except ImportError:
        raise StreamvecError(
            "t-SNE needs openTSNE: pip install 'streamvec[plot]', or draw principal components with --method pca"
        ) from None
    perplexity = perplexity or min(PERPLEXITY, max(_LEAST, _SHARE * len(rows)), most)
    places = principal_components(rows)
    if not places.any():  # all vectors point the same way
        return places
    places += np.random.default_rng(seed).normal(scale=0.01 * places.std(), size=places.shape)  # parts equals
    places *= _SPREAD / places[:, 0].std()
    with threadpool_limits(1):
        near = NearestNeighbors(n_neighbors=min(len(rows) - 1, int(3 * perplexity)), algorithm="brute")
        distances, neighbours = near.fit(unit_rows(rows)).kneighbors()
        affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=PrecomputedNeighbors(neighbours, distances))
        embedding = TSNEEmbedding(places, affinities, n_jobs=1, random_state=seed)
        for steps, exaggeration, before in ((_EARLY, 12, 0), (_LATE, None, _EARLY)):

            def tell(step: int, error: float, embedding: np.ndarray, before: int = before) -> None:
                told((before + step) / (_EARLY + _LATE))

            embedding.optimize(
                steps, exaggeration=exaggeration, inplace=True, callbacks=tell, callbacks_every_iters=_TOLD
            )
    return _turned(np.asarray(embedding, np.float64))


def clusters(rows: np.ndarray, number: int, seed: int) -> Clusters:
    """Words that are near each other, by k-means over vectors of length 1; fewer clusters where there are fewer words.

    ImportError where scikit-learn is missing.
    """
    from sklearn.cluster import KMeans

    unit = unit_rows(rows)
    number = min(number, len(np.unique(unit, axis=0)))
    with threadpool_limits(1):
        found = KMeans(number, n_init=2, random_state=seed % 2**32).fit(unit)
    sizes = np.bincount(found.labels_, minlength=number)
    order = np.argsort(-sizes, kind="stable")
    places = np.argsort(order, kind="stable").astype(np.int32)
    return Clusters(places[found.labels_], found.cluster_centers_[order])


def _turned(places: np.ndarray) -> np.ndarray:
    """Places turned so that they spread most from left to right: t-SNE knows no directions, paper and screens do."""
    centered = places - places.mean(axis=0)
    (a, b), (_, d) = centered.T @ centered
    angle = 0.5 * np.arctan2(2 * b, a - d)
    return centered @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _centered(rows: np.ndarray) -> np.ndarray:
    unit = unit_rows(rows)
    return unit - unit.mean(axis=0)
