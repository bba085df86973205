"""The scanner against Python's own splitting, at every edge of its words of 64 bytes and its windows."""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamvec.corpus.tokens import Tokenizer
from streamvec.kernels.scan import WINDOW, new_spans, open_token, split
from streamvec.kernels.wordtable import (
    DOCUMENTS,
    NUMBER,
    OPEN_TOKENS,
    PLACE,
    TOKENS,
    TOO_LONG,
    WORDS,
    count_tokens,
    encode_tokens,
    fill_table,
    move_words,
    new_table,
    word_key,
)

WORDS_KEPT = Tokenizer("words", keep_case=True)


def read_only(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def found_in(tokenizer: Tokenizer, data: bytes) -> tuple[list[bytes], list[int]]:
    """All tokens, and where documents end, window by window."""
    found, place, tokens, stops = new_spans(), 0, [], []
    array = read_only(data)
    while place < array.size:
        count, ended, place = split(tokenizer.alphabet, array, place, found)
        tokens += [data[b:e] for b, e in zip(found.begins[:count], found.ends[:count], strict=True)]
        stops += found.stops[:ended].tolist()
    return tokens, stops


def random_text(seed: int, size: int) -> str:
    """Words of all lengths in several scripts, with now and then one of a window's length."""
    draw = random.Random(seed)
    text: list[str] = []
    while sum(map(len, text)) < size:
        letters = draw.choice(["a", "é", "글", "\U00020000", "𐐷"])
        text.append(letters * draw.choice([1, 1, 2, 3, 7, 8, 9, 16, 63, 64, 65, 300]))
        text.append(draw.choice([" ", "  ", "\n", "\n\n", "。", "\U0001f600", "-" * draw.randrange(1, 70)]))
        if draw.random() < 0.005:
            text.append(letters * draw.choice([WINDOW - 1, WINDOW, WINDOW + 63, 2 * WINDOW]))
    return "".join(text)


@pytest.mark.parametrize("seed", range(6))
def test_long_texts_split_as_by_a_regular_expression(seed: int) -> None:
    text = random_text(seed, 5 * WINDOW)
    data = text.encode()
    tokens, stops = found_in(WORDS_KEPT, data)
    assert tokens == [token.encode() for token in re.findall(r"\w+", text)]
    assert stops == [place for place, byte in enumerate(data) if byte == 10]
    tokens, stops = found_in(Tokenizer("characters"), data)
    assert tokens == [token.encode() for token in text if token != "\n"]
    assert stops == [place for place, byte in enumerate(data) if byte == 10]
    assert found_in(Tokenizer("whitespace"), data)[0] == [token.encode() for token in text.split()]


@pytest.mark.parametrize("shift", range(0, 68))
def test_a_character_across_the_edge_of_64_bytes_or_of_a_window(shift: int) -> None:
    for edge in (64, WINDOW):
        for middle in ("é", "글", "\U00020000", "。", "\U0001f600"):
            text = " " * (edge - 66 + shift) + middle + "x " + middle
            assert found_in(WORDS_KEPT, text.encode())[0] == [t.encode() for t in re.findall(r"\w+", text)]


def test_open_token_is_the_one_that_reaches_the_end() -> None:
    for text in ("", "ab", "ab ", "x 글é", "x。글", "글", "a\U0001f600"):
        match = re.search(r"\w*\Z", text)
        assert match is not None
        assert open_token(WORDS_KEPT.alphabet, read_only(text.encode())) == len(text[: match.start()].encode())


def test_hashes_spread_in_their_upper_and_lower_bits() -> None:
    words = [f"{number}" for number in range(40_000)]
    words += [f"{number}th word of many bytes" for number in range(40_000)] + ["a" * n for n in range(1, 1000)]
    hashes = np.array([word_key(read_only(word.encode()), 0, len(word))[1] for word in words], np.uint64)
    assert np.unique(hashes).size == len(words)
    for shift in (0, 32, 52):
        buckets = np.bincount(((hashes >> np.uint64(shift)) & np.uint64(4095)).astype(np.int64), minlength=4096)
        expected = len(words) / 4096
        chi = ((buckets - expected) ** 2 / expected).sum()  # mean 4095, standard deviation 90
        assert abs(chi - 4095) < 500
    # each bit of a word changes about half of the bits of its hash
    base = bytearray(b"streamvec-words!")
    flips = []
    for bit in range(8 * len(base)):
        changed = bytearray(base)
        changed[bit // 8] ^= 1 << bit % 8
        one, two = (int(word_key(read_only(bytes(word)), 0, len(base))[1]) for word in (base, changed))
        flips.append((one ^ two).bit_count())
    assert 28 < sum(flips) / len(flips) < 36 and min(flips) > 12


def test_a_word_at_the_very_end_has_the_same_key_as_elsewhere() -> None:
    for size in range(1, 40):
        word = bytes(range(65, 65 + size))
        assert word_key(read_only(word), 0, size) == word_key(read_only(b"xx" + word + b"yyyyyyyyyyy"), 2, 2 + size)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("ab\x00é글", min_size=1, max_size=12), min_size=1, max_size=300), st.integers(4, 40))
def test_counting_stops_where_the_table_is_full_and_goes_on(words: list[str], slots: int) -> None:
    tokenizer = Tokenizer("whitespace", keep_case=True)
    data = read_only((" ".join(words) + "\n").encode())
    counted: dict[bytes, int] = {}
    hashes, tokens = np.zeros(1, np.uint64), np.zeros(1, np.int64)
    table, place = new_table(slots, 64), 0
    carried = table.state[TOKENS:].copy()
    while place < data.size:
        table = new_table(slots, 64)
        table.state[TOKENS:] = carried
        place = count_tokens(table, tokenizer.alphabet, data, place, new_spans(), hashes, tokens)
        carried = table.state[TOKENS:].copy()
        assert table.state[WORDS] <= slots * 0.7 and table.state[WORDS] > 0
        for prefix, _, spot, number in table.slots[table.slots[:, PLACE] > 0].tolist():
            size = spot & 1023
            word = prefix.to_bytes(8, "little")[:size]
            if size > 8:
                word = table.arena[spot >> 10 : (spot >> 10) + size].tobytes()
            counted[word] = counted.get(word, 0) + number
    expected = [word.encode() for word in words]
    assert counted == {word: expected.count(word) for word in expected}
    assert table.state[DOCUMENTS] == 1 and tokens[0] == table.state[TOKENS] == len(words)


def test_long_tokens_are_dropped_and_counted() -> None:
    data = read_only(b"a " + b"x" * 1000 + b" " + b"y" * 1001 + b" b\nopen")
    table = new_table(64, 4096)
    hashes, tokens = np.zeros(2, np.uint64), np.zeros(2, np.int64)
    assert count_tokens(table, WORDS_KEPT.alphabet, data, 0, new_spans(), hashes, tokens) == data.size
    assert table.state[TOO_LONG] == 1 and table.state[TOKENS] == 4 and tokens[0] == 3 and table.state[OPEN_TOKENS] == 1


def test_encoding_gives_numbers_of_known_words_by_document() -> None:
    words = [b"the", b"a", b"internationalisation", b"exactly8", "글".encode()]
    data = read_only(b"".join(words))
    offsets = np.cumsum([0] + [len(word) for word in words])
    small = new_table(16, 64)
    assert fill_table(small, data, offsets) == len(words)
    slots = np.zeros((100, 4), np.uint64)
    move_words(small.slots, slots)
    assert sorted(slots[slots[:, PLACE] > 0, NUMBER].tolist()) == [0, 1, 2, 3, 4]
    for table in (small, small._replace(slots=slots)):
        text = "the a no exactly8\n\nnot one\n글 internationalisation internationalisations\na".encode()
        ids, lengths = np.zeros(len(text), np.int32), np.zeros(9, np.int32)
        count, documents = encode_tokens(table, WORDS_KEPT.alphabet, read_only(text), False, new_spans(), ids, lengths)
        assert ids[:count].tolist() == [0, 1, 3, 4, 2, 1] and lengths[:documents].tolist() == [3, 0, 0, 2]


def test_a_word_twice_in_a_vocabulary_is_noticed() -> None:
    assert fill_table(new_table(16, 64), read_only(b"abab"), np.array([0, 2, 4])) == 1
