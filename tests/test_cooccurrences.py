"""Co-occurrences against plain Python and DuckDB; bands, and pairs as numbers in the order of rounds of blocks."""

from itertools import accumulate, pairwise
from pathlib import Path

import naive_glove
import numpy as np
import pyarrow as pa
import pytest
from cooccurring import Text, count, documents_of, in_float32, matrix_of, prepared
from hypothesis import given, settings
from hypothesis import strategies as st

from streamvec.corpus.cooccurrences import SIDES, WEIGHTINGS, Counted, Entries, bands_of
from streamvec.errors import StreamvecError
from streamvec.kernels.cooccurrences import near_pairs, pair_number, read_pairs
from streamvec.kernels.glove import find_tasks
from streamvec.kernels.records import Bands

HEAVY = 64


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Text:
    return prepared(tmp_path_factory.mktemp("text"), documents_of(1))


def zipf_counts(words: int, most: int = 10**6) -> np.ndarray:
    return np.maximum(5, most // np.arange(1, words + 1))


def bands_from(edges: list[int], bits: int) -> Bands:
    """Bands as they are told, for tests of what lies within them."""
    sizes = np.diff(edges)
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    places = np.arange(edges[-1]) - np.array(edges)[numbers]
    return Bands(np.array(edges, np.int64), numbers << bits | places, bits)


def broken_by(bands: Bands, counts: np.ndarray, window: int) -> list[str]:
    """What is promised of all bands and does not hold for these."""
    words, (starts, of, bits) = len(counts), bands
    sizes = np.diff(starts)
    neighbours = np.minimum(words, 2.0 * window * counts)
    heavy = np.add.reduceat(neighbours, starts[:-1][sizes > 0]) > neighbours.sum() / HEAVY * (1 + 1e-9)
    places = np.arange(words) - np.repeat(starts[:-1], sizes)
    promised = {
        "all words have one": starts[0] == 0 and starts[-1] == words and (sizes >= 0).all(),
        "only the last may be empty": (sizes[:-1] > 0).all(),
        "odd, and at most 1023": sizes.size % 2 == 1 and sizes.size <= 1023,
        "short": sizes.max() <= max(256, -(-words // 895)) and sizes.max() <= 1 << bits,
        "a word with many neighbours is alone": (sizes[sizes > 0][heavy] == 1).all(),
        "told for each word": (of == np.repeat(np.arange(sizes.size), sizes) << bits | places).all(),
    }
    return [promise for promise, holds in promised.items() if not holds]


@pytest.mark.parametrize("counts", [[7], [9, 5], [10**6] * 3 + [5] * 20, [5] * 257, [5] * 512], ids=len)
def test_bands_of_few_words(counts: list[int]) -> None:
    of_words = np.array(counts, np.int64)
    assert not broken_by(bands_of(of_words, 10), of_words, 10)


@pytest.mark.parametrize("words", [100_000, 300_000, 3_000_000])
@pytest.mark.parametrize("window", [1, 10])
def test_bands_of_many_words(words: int, window: int) -> None:
    zipf, even = zipf_counts(words), np.full(words, 5)
    bands = bands_of(zipf, window)
    assert not broken_by(bands, zipf, window)
    sizes = np.diff(bands.starts)
    assert 64 < sizes.size <= 1023
    assert sizes[0] < sizes[-10]  # the most frequent words have more neighbours
    assert not broken_by(bands_of(even, window), even, window)


@st.composite
def some_pairs(draw: st.DrawFn) -> tuple[Bands, list[tuple[int, int]]]:
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=9))
    if len(sizes) % 2 == 0:
        sizes.append(0)
    edges = [0, *np.cumsum(sizes).tolist()]
    word = st.integers(0, edges[-1] - 1)
    return bands_from(edges, draw(st.integers(6, 17))), draw(st.lists(st.tuples(word, word), min_size=1, max_size=60))


@given(some_pairs(), st.sampled_from([0, 1, 2]))
@settings(max_examples=200, deadline=None)
def test_numbers_are_pairs_and_sort_by_round_and_block(given_pairs, directed):
    bands, pairs = given_pairs
    number = len(bands.starts) - 1
    found = np.array([pair_number(bands.of, bands.bits, number, *pair, directed) for pair in pairs], np.uint64)
    told = pairs if directed else [(min(pair), max(pair)) for pair in pairs]
    assert len(set(found.tolist())) == len(set(told))
    rows, columns = np.empty(len(pairs), np.int32), np.empty(len(pairs), np.int32)
    values, sums = np.empty(len(pairs), np.float32), np.arange(1, len(pairs) + 1) * 3
    for doubled in (False, True):
        read_pairs(found, sums, bands, 4.0, doubled, rows, columns, values)
        assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == told
        twice = [2 if doubled and row == column else 1 for row, column in told]
        assert values.tolist() == (sums * twice / 4).tolist()

    def place(pair: tuple[int, int]) -> tuple[int, ...]:
        (low, a), (high, b) = (divmod(int(bands.of[word]), 1 << bands.bits) for word in (min(pair), max(pair)))
        return (low + high) % number, low, a, b, pair[0] > pair[1]

    assert sorted(told, key=place) == [told[n] for n in np.argsort(found, kind="stable")]


@pytest.mark.parametrize("number", [1, 3, 63, 101])
def test_no_two_blocks_of_a_round_share_a_band(number: int) -> None:
    bands = bands_from(list(range(number + 1)), 1)
    rounds: dict[int, list[set[int]]] = {}
    for low in range(number):
        for high in range(low, number):
            block = int(pair_number(bands.of, 1, number, low, high, 0)) >> 3
            rounds.setdefault(block // number, []).append({low, high})
    assert sorted(rounds) == list(range(number))
    for blocks in rounds.values():
        assert len(blocks) == (number + 1) // 2 and sum(map(len, blocks)) == len(set().union(*blocks)) == number


@pytest.mark.parametrize("room", [3, 4, 100])
def test_pairs_that_do_not_fit_are_found_with_the_next(room: int) -> None:
    values, offsets = np.array([0, 1, 2, 3, 4, 4, 4, 1, 0], np.int32), np.array([0, 0, 5, 5, 6, 9, 9], np.int32)
    bands, place = bands_from([0, 5], 3), np.zeros(2, np.int64)
    pairs, sums, found = np.empty(room, np.uint64), np.empty(room, np.int64), []
    while place[0] < values.size:
        size = near_pairs(values, offsets, place, bands, Counted(3, "left").reach(), pairs, sums)
        assert 0 < size <= room
        arrays = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.float32)
        read_pairs(pairs[:size], sums[:size], bands, 720_720.0, False, *arrays)
        found += zip(*(array.tolist() for array in arrays), strict=True)
    expected = [(1, 0, 1), (2, 1, 1), (2, 0, 2), (3, 2, 1), (3, 1, 2), (3, 0, 3), (4, 3, 1), (4, 2, 2), (4, 1, 3)]
    expected += [(1, 4, 1), (0, 1, 1), (0, 4, 2)]
    assert found == [(row, column, pytest.approx(1 / distance)) for row, column, distance in expected]


def round_of(batch: Entries, edges: np.ndarray) -> int:
    """Of entries that are all of one round, in its order; -1 of others."""
    sizes = np.diff(edges)
    band_of, tasks = np.repeat(np.arange(sizes.size, dtype=np.int32), sizes), np.zeros(sizes.size + 2, np.int64)
    if find_tasks(batch.rows, batch.columns, band_of, tasks) <= 0:
        return -1
    return int(band_of[batch.rows[0]] + band_of[batch.columns[0]]) % sizes.size


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("window", [1, 3, 16])
def test_counts_are_those_of_a_dictionary(text: Text, tmp_path: Path, sides: str, weighting: str, window: int) -> None:
    found = count(text, tmp_path / "counted", Counted(window, sides, weighting))
    expected = in_float32(naive_glove.cooccurrences(text.documents, window, sides, weighting))
    assert matrix_of(found) == expected
    assert found.entries == len(expected) and found.mirrored == (sides == "both")
    assert found.stored == (sum(row <= column for row, column in expected) if found.mirrored else len(expected))
    batches = [found.batch(number) for number in range(found.batches)]
    assert [*(batch.first for batch in batches), found.stored] == [0, *accumulate(batch.rows.size for batch in batches)]
    rounds = [round_of(batch, found.bands) for batch in batches]
    assert -1 not in rounds and rounds == sorted(rounds)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("window", [17, 50, 1000])
def test_windows_longer_than_sixteen_words_and_than_documents(
    text: Text, tmp_path: Path, sides: str, window: int
) -> None:
    found = matrix_of(count(text, tmp_path / "counted", Counted(window, sides)))
    expected = naive_glove.cooccurrences(text.documents, window, sides)
    assert found.keys() == expected.keys()
    for place, value in found.items():  # the weight of a distance is a 720,720th that is rounded
        assert value == pytest.approx(float(expected[place]), rel=0.5 * min(window, 200) / 720_720 + 1e-7)


def test_both_sides_are_left_and_right_together(text: Text, tmp_path: Path) -> None:
    left, right, both = (
        matrix_of(count(text, tmp_path / side, Counted(2, side, "flat"))) for side in SIDES[1:] + SIDES[:1]
    )
    assert left == {(column, row): value for (row, column), value in right.items()}
    assert both == {place: left.get(place, 0) + right.get(place, 0) for place in left.keys() | right.keys()}


def test_counts_are_those_of_duckdb(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    rng = np.random.default_rng(4)
    lengths = rng.integers(1, 80, 5_000)
    ids = np.minimum(rng.zipf(1.2, lengths.sum()) - 1, 9_999)
    ends = np.cumsum(lengths)
    words = [f"w{number}" for number in ids]
    big = prepared(tmp_path / "text", [words[a:b] for a, b in pairwise([0, *ends])], min_count=1, batch=1 << 16)
    found = count(big, tmp_path / "counted", Counted(10), threads=2, memory=100 << 20)

    tokens = np.concatenate([np.array(document) for document in big.documents])
    owner = np.repeat(np.arange(lengths.size), lengths)
    parts = []
    for distance in range(1, 11):
        near = owner[distance:] == owner[:-distance]
        parts.append((tokens[:-distance][near], tokens[distance:][near], np.full(near.sum(), 720_720 // distance)))
    pairs = pa.table(
        {name: np.concatenate(column) for name, column in zip("abw", zip(*parts, strict=True), strict=True)}
    )
    assert 1_500_000 < pairs.num_rows < 2_500_000
    expected = duckdb.sql(
        "SELECT least(a, b) AS r, greatest(a, b) AS c, (sum(w) * if(r = c, 2, 1) / 720720)::FLOAT AS x FROM pairs "
        "GROUP BY r, c ORDER BY r, c"
    ).fetchnumpy()
    rows, columns, values = (
        np.concatenate(one) for one in list(zip(*map(found.batch, range(found.batches)), strict=True))[:3]
    )
    order = np.lexsort((columns, rows))
    assert found.stored == rows.size == expected["r"].size
    assert (rows[order] == expected["r"]).all() and (columns[order] == expected["c"]).all()
    np.testing.assert_array_equal(values[order], expected["x"])


def test_entries_that_cannot_be_are_named(text: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = count(text, tmp_path / "counted", Counted(2))
    for name, values, message in (
        ("row", np.array([-1], np.int32), "ids beyond the"),
        ("column", np.array([found.vocabulary_size], np.int32), "ids beyond the"),
        ("value", np.array([np.nan], np.float32), "not above 0 and finite"),
        ("value", np.array([0], np.float32), "not above 0 and finite"),
        ("value", np.array([np.inf], np.float32), "not above 0 and finite"),
    ):
        arrays = {"row": np.zeros(1, np.int32), "column": np.zeros(1, np.int32), "value": np.ones(1, np.float32)}
        batch = pa.record_batch({**arrays, name: values})
        monkeypatch.setattr(found, "record_batch", lambda number, batch=batch: (batch, tmp_path / "00000.arrow"))
        with pytest.raises(StreamvecError, match=rf"00000\.arrow: damaged: batch 0 .*{message}"):
            found.batch(0)
