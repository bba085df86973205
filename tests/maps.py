"""Small vectors with topics in them, and maps of them, also with words that try to break a page."""

import numpy as np

from streamvec import KeyedVectors
from streamvec.tasks.wordmap import WordMap

TOPICS = 5
HOSTILE = [
    "<script>window.hacked=1</script>",
    "</script><img src=x onerror=window.hacked=2>",
    "<!--<script>",
    "--></script>",
    '"><svg onload=window.hacked=3>',
    "'\"`${window.hacked=4}",
    "\\u003cb\\u003e",
    "{{script}}",
    "a\u2028b\u2029c",
    "tab\tnew\nline\x00null\x1bescape",
    "\u202egnp.exe",
    "עברית",
    "العربية",
    "👩‍👩‍👧",
    "東京",
    "$\\frac{1}{0}$",
    "&lt;b&gt;",
    " ",
    "\ufeffmark",
    "ＦＵＬＬ",
]


def topical(words: int, dim: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(vectors float32[words, dim], the topic of each): the vectors of a topic point almost the same way."""
    draw = np.random.default_rng(seed)
    topics = draw.integers(TOPICS, size=words)
    centers = draw.normal(size=(TOPICS, dim))
    rows = centers[topics] + draw.normal(scale=0.25, size=(words, dim))
    return (rows * draw.uniform(0.5, 3.0, size=(words, 1))).astype(np.float32), topics


def topical_vectors(words: int) -> KeyedVectors:
    rows, topics = topical(words)
    names = [f"topic{topic}w{number}" for number, topic in enumerate(topics)]
    return KeyedVectors.from_arrays(names, rows, counts=np.arange(words, 0, -1) * 3)


def hostile_map(words: int) -> tuple[WordMap, np.ndarray]:
    """(a map that begins with HOSTILE, its vectors); places are those of two columns of the vectors."""
    rows, topics = topical(words, seed=3)
    names = [*HOSTILE, *(f"word{number}" for number in range(words - len(HOSTILE)))]
    groups = [f"<b>topic {topic}</b>" for topic in range(TOPICS)]
    counts = np.arange(words, 0, -1) * 1000
    places = rows[:, :2].astype(np.float64)
    topics = topics.astype(np.int32)
    return WordMap("<i>hostile</i>", names, np.arange(words), counts, places, topics, groups, "pca", "cluster"), rows
