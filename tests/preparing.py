"""What tests of preparation share: a text that has everything in it, and its preparation in small pieces."""

import random
from pathlib import Path
from typing import Any

import pytest
from stopping import content_of

from streamvec.corpus import prepare as prepare_module
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.prepare import prepare
from streamvec.corpus.shards import Shards
from streamvec.corpus.shares import Shares
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary

BATCH = 200


def corpus(seed: int, lines: int = 1500) -> bytes:
    """Lines of all lengths in several scripts, one of them without any white space, with damage and repetitions."""
    draw = random.Random(seed)
    words = [draw.choice(["Wort", "단어", "word_", "Größe", "ſ", "x"]) + f"{n:x}" for n in range(900)]
    documents = []
    for number in range(lines):
        line = " ".join(words[int(900 * draw.random() ** 3)] for _ in range(draw.choice([0, 1, 5, 20, 60]))).encode()
        if number % 97 == 0:
            line += b" caf\xe9 \xf0\x9f x"
        if number % 211 == 0:
            line += b" " + b"z" * 3500 + b" end"
        documents.append(line)
    documents[7] = " ".join(words[n % 50] for n in range(3000)).encode()  # longer than a batch
    documents[8] = "。".join(words[n % 50] for n in range(1500)).encode()  # no white space
    documents[9] = ("y" * 12_000 + "。" + words[0]).encode()  # a token longer than a block
    documents[400:420] = documents[380:400]
    return b"\n".join(documents)  # no newline at the end


def run(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *, block: int, table: int, threads: int, **options: Any
) -> tuple[Vocabulary, Shards]:
    """Prepares in blocks and with tables of so many bytes."""
    monkeypatch.setattr(prepare_module, "shares", lambda *_: Shares(block, table))
    usual = {"tokenizer": Tokenizer(), "min_count": 3, "report": lambda progress: None, "stop": lambda: False}
    return prepare(resolve([str(source)]), folder, crews=ThreadCrews(threads, 1), **{**usual, **options})


def made_in_four_ways(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> list[dict[str, bytes]]:
    """What stands in the folders that other threads, blocks and tables make."""
    found = []
    for block, table, threads in ((1 << 22, 10**7, 1), (4000, 1, 2), (1 << 16, 1, 4), (20_000, 10**6, 2)):
        made = folder / f"{block}-{threads}"
        run(source, made, monkeypatch, block=block, table=table, threads=threads, **options)
        found.append(content_of(made))
    return found
