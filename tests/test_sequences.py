"""Separate sequences of shards against a list of documents, cut by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import run

from streamvec.corpus.lanes import Lanes
from streamvec.corpus.sequences import Sequences, batches_of
from streamvec.corpus.shards import MarkedShards, TokenBatch
from streamvec.corpus.symbols import Symbols
from streamvec.corpus.tokens import Tokenizer

END, UNKNOWN, SHIFT, LINE_BREAK = 1, 0, 2, 3
NAMES = pa.array([], pa.large_string())
WORDS, TEXT = Symbols(NAMES, UNKNOWN, END, SHIFT, END), Symbols(NAMES, UNKNOWN, -1, SHIFT, LINE_BREAK)
DOCUMENTS = st.lists(st.lists(st.integers(-3, 50), min_size=1, max_size=9), min_size=1, max_size=30)


def shards_of(batches: list[list[list[int]]], cuts: set[int]) -> Any:
    """What gives these documents, each of *batches* a record batch."""
    made = []
    for some in batches:
        offsets = np.cumsum([0, *map(len, some)]).astype(np.int32)
        made.append(TokenBatch(np.array([word for one in some for word in one], np.int32), offsets))
    return SimpleNamespace(
        batch=made.__getitem__, cuts=cuts, batches=len(made), offsets=lambda: (one.offsets for one in made)
    )


def divided(documents: list[list[int]], each: int, longest: int) -> tuple[list[list[list[int]]], set[int]]:
    """Documents in record batches of *each*; those longer than *longest* are cut over some, as shards cut them."""
    batches: list[list[list[int]]] = [[]]
    cuts = set()
    for document in documents:
        if len(batches[-1]) == each or (len(document) > longest and batches[-1]):
            batches.append([])
        while len(document) > longest:
            batches[-1], document = [document[:longest]], document[longest:]
            cuts.add(len(batches) - 1)
            batches.append([])
        batches[-1].append(document)
    return batches, cuts


def by_hand(documents: list[list[int]], most: int, has_ends: bool) -> list[tuple[list[int], list[int]]]:
    """(inputs, targets) of each sequence."""
    found = []
    for document in documents:
        ids = [word + SHIFT if word >= 0 else UNKNOWN for word in document] + [END] * has_ends
        if not has_ends:
            ids[-1] = LINE_BREAK
        inputs = [END if has_ends else LINE_BREAK, *ids[:-1]]
        found += [(inputs[a : a + most], ids[a : a + most]) for a in range(0, len(ids), most)]
    return found


@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 9), st.integers(1, 4), st.integers(1, 12), st.booleans())
@settings(max_examples=400, deadline=None)
def test_sequences_are_documents_and_their_pieces(
    documents: list[list[int]], each: int, longest: int, lanes: int, most: int, has_ends: bool
) -> None:
    if not has_ends:
        documents = [[*document[:-1], LINE_BREAK - SHIFT] for document in documents]
    expected, (batches, cuts) = by_hand(documents, most, has_ends), divided(documents, each, longest)
    found = Sequences(shards_of(batches, cuts), WORDS if has_ends else TEXT, lanes, most)
    assert found.sequences == len(expected) and found.batches == -(-len(expected) // lanes)
    assert found.documents == len(documents)
    assert found.longer == sum(len(document) + has_ends > most for document in documents)
    order = [*range(found.batches), *np.random.default_rng(1).permutation(found.batches).tolist()]
    for number in order:  # one after another, and entered anywhere
        batch, wanted = found.at(0, number), expected[number * lanes : (number + 1) * lanes]
        assert batch.begins and batch.lengths is not None
        assert batch.lengths.tolist() == [len(one) for one, _ in wanted] + [0] * (lanes - len(wanted))
        assert batch.inputs.shape == batch.targets.shape == (max(len(one) for one, _ in wanted), lanes)
        assert batch.inputs.dtype == batch.targets.dtype == np.int32
        for lane, (inputs, targets) in enumerate(wanted):
            assert batch.inputs[: len(inputs), lane].tolist() == inputs
            assert batch.targets[: len(targets), lane].tolist() == targets
        met = {token for inputs, _ in wanted for token in inputs}
        assert set(batch.inputs.reshape(-1).tolist()) == met  # padding meets no other words


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("kind", ["words", "text"])
def test_sequences_of_real_shards_with_documents_over_several_record_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    draw, lines = np.random.default_rng(3), []
    for length in (3, 1, 700, 12, 2000, 5, 40):
        lines.append(" ".join(f"w{number}" for number in draw.integers(0, 9, length)))
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    vocabulary, shards = run(
        tmp_path / "text.txt",
        tmp_path / "run",
        monkeypatch,
        block=1 << 22,
        table=1,
        threads=1,
        tokenizer=Tokenizer(kind),
        marked=True,
        min_count=1,
    )
    assert isinstance(shards, MarkedShards) and shards.cuts and shards.batches > 3
    symbols = Symbols.of(vocabulary)
    names = symbols.names.to_pylist()
    for lanes, most in ((2, 10), (3, 5000), (1, 64)):
        found = batches_of(shards, symbols, lanes, most, True)
        assert isinstance(found, Sequences)
        tokens: list[str] = []
        for number in range(found.batches):
            batch = found.at(0, number)
            assert batch.lengths is not None
            for lane, length in enumerate(batch.lengths):
                tokens += [names[token] for token in batch.targets[:length, lane]]
        wanted = [[*line, "\n"] if kind == "text" else [*line.split(), "</s>"] for line in lines]
        assert tokens == [token for line in wanted for token in line]
        assert found.sequences == sum(-(-len(line) // most) for line in wanted)
        assert names[found.at(0, 0).inputs[0, 0]] == wanted[0][-1]
    assert isinstance(batches_of(shards, symbols, 2, 10, False), Lanes)
