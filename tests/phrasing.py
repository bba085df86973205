"""What tests of phrases share: a text full of collocations, and its preparation in small pieces."""

import random
from pathlib import Path
from typing import Any

import preparing
import pytest
from preparing import BATCH

from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary

WORD2VEC, NPMI = PhraseOptions(2, "word2vec", 1.5, 3), PhraseOptions(2, "npmi", 0.3, 3)


def corpus(seed: int, lines: int = 600) -> list[list[str]]:
    """Documents with collocations of two and three words, rare words between them, repetitions, and empty ones."""
    draw = random.Random(seed)
    words = [f"w{number}" for number in range(300)]
    fixed = [
        ["new", "york", "city"],
        ["new", "york"],
        ["san", "francisco"],
        ["a", "a", "a"],
        ["of", "the"],
        ["new_york"],
    ]
    documents = []
    for number in range(lines):
        document: list[str] = []
        for _ in range(draw.choice([0, 1, 5, 20])):
            document += draw.choice(fixed) if draw.random() < 0.3 else [words[int(300 * draw.random() ** 3)]]
        if number % 7 == 0:
            document += ["new", f"rare{number}", "york", "city"]
        documents.append(document)
    documents[5] = [words[number % 40] if number % 3 else "new" for number in range(BATCH * 3)]
    documents[6] = ["new", "york"] * (BATCH // 2)
    documents[9] = ["of", "z" * 1200, "the"]
    return documents


def write(path: Path, documents: list[list[str]]) -> Path:
    path.write_text("\n".join(map(" ".join, documents)) + "\n", encoding="utf-8")
    return path


def run(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Vocabulary, Shards]:
    return preparing.run(source, folder, monkeypatch, **{"min_count": 4, **options})
