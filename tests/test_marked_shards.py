"""Shards of language models, which hold every token in its place: against plain Python, and after any stop."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from preparing import corpus, run
from stopping import content_of, stopped_after

from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.shards import MarkedShards
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import Interrupted

pytestmark = pytest.mark.usefixtures("small_shards")
MARKED = [
    Tokenizer(),
    Tokenizer("text", keep_case=True),
    Tokenizer("text"),
    Tokenizer("characters"),
    Tokenizer("whitespace"),
    Tokenizer("regex", pattern=r"\w+|[^\w\s]"),
]
ENDS = {
    "with": b"one two\ntwo\n",
    "without": b"one two\ntwo",
    "empty": b"\n\none  two\n\n\n",
    "return": b"one\r\n\r\ntwo\r",
}


def documents_of(vocabulary: Vocabulary, shards: MarkedShards) -> list[list[str | None]]:
    """The tokens of all documents with one, those that were cut put together again; None for a rare one."""
    found: list[list[str | None]] = []
    words, within = vocabulary.words.to_pylist(), False
    for number in range(shards.batches):
        values, offsets = shards.batch(number)
        for begin, end in pairwise(offsets):
            tokens = [words[value] if value >= 0 else None for value in values[begin:end]]
            if within:
                found[-1] += tokens
            else:
                found.append(tokens)
            within = False
        within = number in shards.cuts
    assert not within and len(found) == shards.whole_documents
    return found


def by_hand(tokenizer: Tokenizer, data: bytes, known: set[str]) -> list[list[str | None]]:
    """The same in plain Python: lines, and what is known of each."""
    lines = data.decode(errors="replace").split("\n")
    lines = lines if lines[-1] else lines[:-1]
    if tokenizer.kind == "text":
        split = [[*(line if tokenizer.keep_case else line.lower()).replace("\r", ""), "\n"] for line in lines]
    else:
        split = [tokenizer.tokens(line) for line in lines]
    return [[token if token in known else None for token in tokens] for tokens in split if tokens]


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """The text of a preparation in a third of the lines: characters are many."""
    path = tmp_path / "short.txt"
    path.write_bytes(corpus(1, lines=430))
    return path


@pytest.mark.parametrize("tokenizer", MARKED, ids=lambda t: f"{t.kind}{'-case' * t.keep_case}")
def test_marked_shards_hold_every_token_in_its_place(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer
) -> None:
    results = []
    for number, (block, threads) in enumerate([(3000, 2), (1 << 22, 1)]):
        folder = tmp_path / str(number)
        vocabulary, shards = run(
            short, folder, monkeypatch, block=block, table=1, threads=threads, tokenizer=tokenizer, marked=True
        )
        results.append({name: data for name, data in content_of(folder).items() if name != "prepared.json"})
    assert results[0] == results[1] and isinstance(shards, MarkedShards) and shards.cuts
    known = set(vocabulary.words.to_pylist())
    expected = by_hand(tokenizer, short.read_bytes(), known)
    assert documents_of(vocabulary, shards) == expected
    assert shards.tokens == sum(map(len, expected))
    assert any(None in document for document in expected) or tokenizer.alphabet.single


@pytest.mark.parametrize("kind", ["text", "words"])
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("block", [1, 5, 1 << 22])
def test_ends_of_lines_in_marked_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ends: str, block: int
) -> None:
    path, tokenizer = tmp_path / "text.txt", Tokenizer(kind)
    path.write_bytes(ENDS[ends])
    vocabulary, shards = run(
        path,
        tmp_path / "run",
        monkeypatch,
        block=block,
        table=1,
        threads=2,
        tokenizer=tokenizer,
        marked=True,
        min_count=1,
    )
    found = documents_of(vocabulary, shards)
    assert found == by_hand(tokenizer, ENDS[ends], set(vocabulary.words.to_pylist()))
    if kind == "text":
        said = {
            "with": "one two\ntwo\n",
            "without": "one two\ntwo\n",
            "empty": "\n\none  two\n\n\n",
            "return": "one\n\ntwo\n",
        }
        assert "".join(str(token) for document in found for token in document) == said[ends]


def test_marked_shards_stopped_and_gone_on_with(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"table": 1, "threads": 2, "tokenizer": Tokenizer("text"), "marked": True}
    run(short, tmp_path / "whole", monkeypatch, block=1 << 22, **options)
    stops = 0
    for number in range(500):
        try:
            run(short, tmp_path / "run", monkeypatch, block=4000, stop=stopped_after(12 + number % 30), **options)
            break
        except Interrupted:
            stops += 1
    assert stops > 2 and content_of(tmp_path / "run") == content_of(tmp_path / "whole")


def test_marked_shards_have_no_phrases(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="marked must not be given with phrases"):
        run(short, tmp_path / "run", monkeypatch, block=1, table=1, threads=1, marked=True, phrases=PhraseOptions(1))
