"""Files of co-occurrences as Stanford's GloVe writes them: what is one, what they add up to, and what cannot be."""

import bz2
import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from conftest import two_topics
from cooccurring import in_float32
from stanford_files import FAST, counted_in, entries_of, packed, summed
from starting import Notes

import streamvec as sv
from streamvec.corpus import entryfiles
from streamvec.corpus.compression import zstd
from streamvec.corpus.entryfiles import Survey
from streamvec.corpus.entryrecords import looks_like_entries
from streamvec.disk.sealed import read_json
from streamvec.errors import Interrupted, StreamvecError


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entryfiles, "PIECE_RECORDS", 7)
    monkeypatch.setattr(entryfiles, "_PIECE_BYTES", 7 * 16)


@pytest.mark.parametrize("threads", [1, 3])
def test_several_files_in_pieces_compressed_or_not_are_one_matrix(
    vocab_txt: Path, tmp_path: Path, small_pieces: None, threads: int
) -> None:
    entries = entries_of(1000)
    parts = {"a.bin": entries[:203], "b.bin.gz": entries[203:210], "c.zst": entries[210:700], "d.bz2": entries[700:]}
    pack = {"a.bin": bytes, "b.bin.gz": gzip.compress, "c.zst": zstd.compress, "d.bz2": bz2.compress}
    for name, part in parts.items():
        (tmp_path / name).write_bytes(pack[name](packed(part)))
    whole = tmp_path / "whole.bin"
    whole.write_bytes(packed(random.Random(1).sample(entries, len(entries))))  # shuffled
    sv.train_glove(whole, tmp_path / "whole", vocab=vocab_txt, **FAST)
    sv.train_glove(
        [tmp_path / name for name in parts], tmp_path / "parts", vocab=vocab_txt, **FAST | {"threads": threads}
    )
    assert counted_in(tmp_path / "parts") == in_float32(summed(entries))
    for name in ("vectors.arrow", "cooccurrences/00000.arrow"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert read_json(tmp_path / "parts" / "prepared.json")["cooccurrences"]["files"] == [203, 7, 490, 300]


BAD_ENTRIES = {
    "cut": (packed([(1, 2, 1.0)]) + b"\1\0\0", "cut short.*19 bytes.*16 bytes"),
    "none": (b"", "empty: there are no co-occurrences"),
    "row": (packed([(1, 2, 1.0), (0, 2, 1.0)]), "record 2: its row is 0, and the vocabulary has the words 1 to 7"),
    "column": (packed([(1, 2, 1.0)] * 20 + [(1, 8, 1.0)]), "record 21: its column is 8"),
    "negative id": (packed([(-1, 2, 1.0)]), "record 1: its row is -1"),
    "zero": (packed([(1, 2, 1.0), (1, 2, 0.0)]), "record 2: its value is 0.0, expected one above 0"),
    "negative": (packed([(1, 2, -1.0)]), "record 1: its value is -1.0"),
    "nan": (packed([(1, 2, float("nan"))]), "record 1: its value is nan"),
    "infinite": (packed([(1, 2, float("inf"))]), "record 1: its value is inf"),
    "too large": (packed([(1, 2, 1.0), (1, 2, 1e39)]), "add up to more than 2e\\+38"),
    "text": (
        b"the river and the lake of the king, and more such text\n",
        "text, not co-occurrences.*leave --vocab out",
    ),
}


@pytest.mark.parametrize("case", BAD_ENTRIES)
@pytest.mark.parametrize("pack", [bytes, zstd.compress], ids=["plain", "zst"])
def test_entries_that_cannot_be_are_refused_by_number(
    vocab_txt: Path, tmp_path: Path, small_pieces: None, case: str, pack: Any
) -> None:
    data, message = BAD_ENTRIES[case]
    path = tmp_path / "cooccurrence.bin"
    path.write_bytes(pack(data) if data or pack is bytes else zstd.compress(b""))
    with pytest.raises(StreamvecError, match=message) as raised:
        sv.train_glove(path, tmp_path / "run", vocab=vocab_txt, **FAST)
    assert str(raised.value).startswith(str(path))
    assert not (tmp_path / "run").exists()


def test_what_begins_like_entries() -> None:
    assert looks_like_entries(packed(entries_of(300))[:4096])
    assert looks_like_entries(packed(entries_of(300, words=100_000_000))[:4090])
    assert looks_like_entries(packed([(0x00088B1F, 5, 2.0)]))  # the first bytes of a gzip file, too
    for text in (two_topics(50), "ab\n" * 300, "水" * 300, "aaa\nbbb\nccccdddd" * 9, "\0" * 64):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
            assert not looks_like_entries(text.encode(encoding)[:4096])
    for pack in (gzip.compress, zstd.compress, bz2.compress):
        assert not looks_like_entries(pack(packed(entries_of(300))))
    assert not looks_like_entries(gzip.compress(packed(entries_of(300)), mtime=0))
    assert not looks_like_entries(b"") and not looks_like_entries(b"\1\0\0\0")


def test_a_file_that_begins_like_gzip_is_read_as_it_is(tmp_path: Path) -> None:
    words = 0x00088B1F
    (tmp_path / "vocab.txt").write_text("".join(f"w{number} 1\n" for number in range(words)))
    (tmp_path / "cooccurrence.bin").write_bytes(packed([(words, 1, 2.5), (1, words, 1.5)]))
    sv.train_glove(tmp_path / "cooccurrence.bin", tmp_path / "run", vocab=tmp_path / "vocab.txt", **FAST | {"dim": 2})
    assert counted_in(tmp_path / "run") == {(words - 1, 0): 2.5, (0, words - 1): 1.5}


@pytest.mark.parametrize(
    ("values", "exponent", "error"),
    [
        ([1.0, 2.0], 60, 2.0**-61),
        ([2.0**40, 0.125], 21, 2.0**-19),
        ([2.0**100, 2.0**45], -39, 2.0**-7),
        ([1e-38], 126, 0),
    ],
)
def test_values_are_as_fine_as_their_sum_allows(
    vocab_txt: Path, tmp_path: Path, values: list[float], exponent: int, error: float
) -> None:
    path, notes = tmp_path / "cooccurrence.bin", Notes()
    path.write_bytes(packed([(1, number + 2, value) for number, value in enumerate(values)]))
    with pytest.raises(Interrupted):  # values like these are none to train on
        stop = (tmp_path / "run" / "cooccurrences" / "index.json").exists
        sv.train_glove(path, tmp_path / "run", vocab=vocab_txt, report=notes, stop=stop, **FAST)
    survey = Survey.from_json(read_json(tmp_path / "run" / "prepared.json")["cooccurrences"])
    assert survey.exponent == exponent
    if error:
        assert survey.relative_error == error
    found = counted_in(tmp_path / "run")
    for number, value in enumerate(values):
        assert abs(found[0, number + 1] / value - 1) <= max(survey.relative_error, 2.0**-24)
    assert any("kept to" in said for said in notes.said) == (survey.relative_error > 2.0**-24)


def test_a_value_too_small_for_its_company_stays_above_zero(vocab_txt: Path, tmp_path: Path) -> None:
    path, notes = tmp_path / "cooccurrence.bin", Notes()
    path.write_bytes(packed([(1, 2, 2.0**60), (2, 1, 1e-9)]))
    stop = (tmp_path / "run" / "cooccurrences" / "index.json").exists
    with pytest.raises(Interrupted):
        sv.train_glove(path, tmp_path / "run", vocab=vocab_txt, report=notes, stop=stop, **FAST)
    assert counted_in(tmp_path / "run") == {(0, 1): 2.0**60, (1, 0): 0.5}
    assert any(
        "parts of 0.5, as fine as their sum of 1.153e+18 allows: the smallest, 1e-09, is less than one" in said
        for said in notes.said
    )
