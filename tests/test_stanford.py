"""Files of Stanford's GloVe, written byte by byte as its tools would: what is taken over is the same, and goes back."""

import bz2
import gzip
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, two_topics
from starting import Notes

import streamvec as sv
from streamvec.corpus import entryfiles
from streamvec.corpus.compression import zstd
from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.entryfiles import Survey
from streamvec.corpus.entryrecords import looks_like_entries
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.files import read_json
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.run import Run
from streamvec.training.stanfordexport import export_cooccurrences, export_vocab

Entry = tuple[int, int, float]
Matrix = dict[tuple[int, int], float]
WORDS = ["the", "of", "river", "lake", "king", "Zürich", "水"]
FAST: dict[str, Any] = {"dim": 8, "epochs": 2, "threads": 1}
PROGRAM = [sys.executable, "-m", "streamvec_cli.main"]


def entries_of(number: int, words: int = len(WORDS), seed: int = 0) -> list[Entry]:
    """Entries with repetitions, of one direction only now and then."""
    draw = random.Random(seed)
    return [
        (draw.randint(1, words), draw.randint(1, words), draw.choice([1.0, 0.5, 0.25, 3.0, 1 / 3]))
        for _ in range(number)
    ]


def packed(entries: Iterable[Entry]) -> bytes:
    return b"".join(struct.pack("<iid", *entry) for entry in entries)


def unpacked(data: bytes) -> list[Entry]:
    return list(struct.iter_unpack("<iid", data))


def summed(entries: Iterable[Entry]) -> Matrix:
    """The plain way: a dictionary, ids from 0."""
    matrix: Matrix = {}
    for row, column, value in entries:
        matrix[row - 1, column - 1] = matrix.get((row - 1, column - 1), 0.0) + value
    return matrix


def matrix_of(run: Path) -> Matrix:
    """What a RUN has counted, entries that stand for two written out."""
    found = Cooccurrences.open(run / "cooccurrences")
    matrix: Matrix = {}
    for number in range(found.batches):
        rows, columns, values, _ = found.batch(number)
        for row, column, value in zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True):
            assert (row, column) not in matrix
            matrix[row, column] = value
            if found.mirrored:
                matrix[column, row] = value
    return matrix


def float32(matrix: Matrix) -> Matrix:
    return {pair: float(np.float32(value)) for pair, value in matrix.items()}


@pytest.fixture
def vocab(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{word} {100 - number}\n" for number, word in enumerate(WORDS)), encoding="utf-8")
    return path


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    path = tmp_path / "cooccurrence.bin"
    path.write_bytes(packed(entries_of(500)))
    return path


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entryfiles, "PIECE_RECORDS", 7)
    monkeypatch.setattr(entryfiles, "_PIECE_BYTES", 7 * 16)


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of text, in which one word stands beside itself; not to be changed."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text(two_topics(300) + "fish fish fish water\n", encoding="utf-8")
    sv.train_glove(folder / "text.txt", folder / "run", min_count=2, **FAST)
    return folder / "run"


def test_a_small_file_is_the_matrix_it_says(matrix: Path, vocab: Path, tmp_path: Path) -> None:
    vectors = sv.train_glove(matrix, tmp_path / "run", vocab=vocab, **FAST)
    assert list(vectors.words) == WORDS and vectors.dim == 8
    expected = summed(unpacked(matrix.read_bytes()))
    assert any(
        (column, row) not in expected or expected[column, row] != value for (row, column), value in expected.items()
    )
    assert matrix_of(tmp_path / "run") == float32(expected)
    vocabulary = Vocabulary.load(tmp_path / "run" / "vocabulary.arrow")
    assert vocabulary.counts.tolist() == [100, 99, 98, 97, 96, 95, 94]
    assert not Cooccurrences.open(tmp_path / "run" / "cooccurrences").mirrored
    assert not (tmp_path / "run" / "shards").exists()


@pytest.mark.parametrize("threads", [1, 3])
def test_several_files_in_pieces_compressed_or_not_are_one_matrix(
    vocab: Path, tmp_path: Path, small_pieces: None, threads: int
) -> None:
    entries = entries_of(1000)
    parts = {"a.bin": entries[:203], "b.bin.gz": entries[203:210], "c.zst": entries[210:700], "d.bz2": entries[700:]}
    pack = {"a.bin": bytes, "b.bin.gz": gzip.compress, "c.zst": zstd.compress, "d.bz2": bz2.compress}
    for name, part in parts.items():
        (tmp_path / name).write_bytes(pack[name](packed(part)))
    whole = tmp_path / "whole.bin"
    whole.write_bytes(packed(random.Random(1).sample(entries, len(entries))))  # shuffled
    sv.train_glove(whole, tmp_path / "whole", vocab=vocab, **FAST)
    sv.train_glove([tmp_path / name for name in parts], tmp_path / "parts", vocab=vocab, **FAST | {"threads": threads})
    assert matrix_of(tmp_path / "parts") == float32(summed(entries))
    for name in ("vectors.arrow", "cooccurrences/00000.arrow"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert read_json(tmp_path / "parts" / "prepared.json")["cooccurrences"]["files"] == [203, 7, 490, 300]


def test_there_and_back_it_is_the_same_matrix(text_run: Path, tmp_path: Path) -> None:
    counted = matrix_of(text_run)
    written = export_cooccurrences(text_run, tmp_path / "cooccurrence.bin")
    words = export_vocab(text_run, tmp_path / "vocab.txt")
    entries = unpacked((tmp_path / "cooccurrence.bin").read_bytes())
    assert written == len(entries) == len(counted) and summed(entries) == counted
    vocabulary = Vocabulary.load(text_run / "vocabulary.arrow")
    lines = (tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert words == len(lines)
    assert lines == [f"{w} {n}" for w, n in zip(vocabulary.words.to_pylist(), vocabulary.counts, strict=True)]

    sv.train_glove(tmp_path / "cooccurrence.bin", tmp_path / "run", vocab=tmp_path / "vocab.txt", **FAST)
    assert matrix_of(tmp_path / "run") == counted
    again = Vocabulary.load(tmp_path / "run" / "vocabulary.arrow")
    assert again.checksum == vocabulary.checksum
    export_cooccurrences(tmp_path / "run", tmp_path / "again.bin.gz")
    export_vocab(tmp_path / "run", tmp_path / "again.txt.zst")
    assert summed(unpacked(gzip.decompress((tmp_path / "again.bin.gz").read_bytes()))) == counted
    assert zstd.decompress((tmp_path / "again.txt.zst").read_bytes()) == (tmp_path / "vocab.txt").read_bytes()


def test_what_is_written_is_what_windows_hold(text_run: Path, tmp_path: Path) -> None:
    """The counts of Stanford's cooccur, in a dictionary: 1 / distance, both ways, a word beside itself twice."""
    words = {
        word: number for number, word in enumerate(Vocabulary.load(text_run / "vocabulary.arrow").words.to_pylist())
    }
    expected: Matrix = {}
    for line in Path(Run.open(text_run).sources[0].path).read_text(encoding="utf-8").splitlines():
        tokens = [words[word] for word in line.split() if word in words]
        for place, token in enumerate(tokens):
            for distance in range(1, min(10, place) + 1):
                other = tokens[place - distance]
                for pair in ((token, other), (other, token)):
                    expected[pair] = expected.get(pair, 0.0) + 1 / distance
    export_cooccurrences(text_run, tmp_path / "cooccurrence.bin")
    found = summed(unpacked((tmp_path / "cooccurrence.bin").read_bytes()))
    assert found.keys() == expected.keys()
    assert all(value == pytest.approx(expected[pair], rel=1e-6) for pair, value in found.items())


def test_the_order_of_vocab_is_kept_and_odd_words_come_back(matrix: Path, tmp_path: Path) -> None:
    words = ["of", "new york", "", "a\tb\nc", "␛", "水", "12"]
    counts = [3, 500, 2, 7, 1, 9, 10**15]
    path = tmp_path / "vocab.txt"
    path.write_text("of 3\nnew␛␠york 500\r\n␛∅ 2\na␛␉b␛␊c 7\n␛␛\t1\n水 9\n12 1000000000000000", encoding="utf-8")
    vectors = sv.train_glove(matrix, tmp_path / "run", vocab=path, **FAST)
    assert list(vectors.words) == words
    assert Vocabulary.load(tmp_path / "run" / "vocabulary.arrow").counts.tolist() == counts
    assert matrix_of(tmp_path / "run") == float32(summed(unpacked(matrix.read_bytes())))
    export_vocab(tmp_path / "run", tmp_path / "out.txt")
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert lines == ["of 3", "new␛␠york 500", "␛∅ 2", "a␛␉b␛␊c 7", "␛␛ 1", "水 9", "12 1000000000000000", ""]


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
    vocab: Path, tmp_path: Path, small_pieces: None, case: str, pack: Any
) -> None:
    data, message = BAD_ENTRIES[case]
    path = tmp_path / "cooccurrence.bin"
    path.write_bytes(pack(data) if data or pack is bytes else zstd.compress(b""))
    with pytest.raises(StreamvecError, match=message) as raised:
        sv.train_glove(path, tmp_path / "run", vocab=vocab, **FAST)
    assert str(raised.value).startswith(str(path))
    assert not (tmp_path / "run").exists()


BAD_VOCABS = {
    "no counts": (b"the\nof\n", "line 1: expected a word and its count.*found 'the'"),
    "half": (b"the 3\nof\n", "line 2: expected a word and its count.*found 'of'"),
    "none": (b"the 3\nof 0\n", "line 2: expected"),
    "negative": (b"the -3\n", "line 1: expected"),
    "only a count": (b"the 4\n 3\n", "line 2: expected"),
    "empty line": (b"the 4\n\nof 3\n", "line 2: expected"),
    "twice": (b"the 4\nof 3\nriver 2\nof 1\n", "line 4: the word 'of' comes again"),
    "no text": (b"the 4\n\xff\xfe 3\n", "line 2: not UTF-8"),
    "bytes": (packed(entries_of(3)), "co-occurrences as Stanford's GloVe writes them, not text"),
    "empty": (b"", "empty: there are no words"),
    "too many": (b"a 999999999999999999\n" + b"".join(b"b%d 999999999999999999\n" % n for n in range(5)), "add up to"),
}


@pytest.mark.parametrize("case", BAD_VOCABS)
def test_a_vocab_that_cannot_be_is_refused_by_line(matrix: Path, tmp_path: Path, case: str) -> None:
    data, message = BAD_VOCABS[case]
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(StreamvecError, match=message):
        sv.train_glove(matrix, tmp_path / "run", vocab=path, **FAST)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["window", "sides", "weighting", "min_count", "tokens", "phrases", "column"])
def test_options_about_text_are_refused(matrix: Path, vocab: Path, tmp_path: Path, option: str) -> None:
    value = {"sides": "left", "weighting": "flat", "tokens": "whitespace", "column": "text"}.get(option, 3)
    with pytest.raises(ValueError, match=f"{option} says what is counted in text"):
        sv.train_glove(matrix, tmp_path / "run", vocab=vocab, **{option: value})
    about = "config", "text"
    sv.train_glove(matrix, tmp_path / "run", vocab=vocab, **FAST)
    assert not any(option in Run.open(tmp_path / "run").about[part] for part in about)


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
    assert matrix_of(tmp_path / "run") == {(words - 1, 0): 2.5, (0, words - 1): 1.5}


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
    vocab: Path, tmp_path: Path, values: list[float], exponent: int, error: float
) -> None:
    path, notes = tmp_path / "cooccurrence.bin", Notes()
    path.write_bytes(packed([(1, number + 2, value) for number, value in enumerate(values)]))
    with pytest.raises(Interrupted):  # values like these are none to train on
        stop = (tmp_path / "run" / "cooccurrences" / "index.json").exists
        sv.train_glove(path, tmp_path / "run", vocab=vocab, report=notes, stop=stop, **FAST)
    survey = Survey.from_json(read_json(tmp_path / "run" / "prepared.json")["cooccurrences"])
    assert survey.exponent == exponent
    if error:
        assert survey.relative_error == error
    found = matrix_of(tmp_path / "run")
    for number, value in enumerate(values):
        assert abs(found[0, number + 1] / value - 1) <= max(survey.relative_error, 2.0**-24)
    assert any("kept to" in said for said in notes.said) == (survey.relative_error > 2.0**-24)


def test_a_value_too_small_for_its_company_stays_above_zero(vocab: Path, tmp_path: Path) -> None:
    path, notes = tmp_path / "cooccurrence.bin", Notes()
    path.write_bytes(packed([(1, 2, 2.0**60), (2, 1, 1e-9)]))
    stop = (tmp_path / "run" / "cooccurrences" / "index.json").exists
    with pytest.raises(Interrupted):
        sv.train_glove(path, tmp_path / "run", vocab=vocab, report=notes, stop=stop, **FAST)
    assert matrix_of(tmp_path / "run") == {(0, 1): 2.0**60, (1, 0): 0.5}
    assert any(
        "parts of 0.5, as fine as their sum of 1.153e+18 allows: the smallest, 1e-09, is less than one" in said
        for said in notes.said
    )


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bytes]:
    """200,000 entries of 1,000 words, their vocab.txt, and the vectors that they give."""
    folder = tmp_path_factory.mktemp("larger")
    (folder / "vocab.txt").write_text("".join(f"w{number} {2000 - number}\n" for number in range(1000)))
    (folder / "cooccurrence.bin").write_bytes(packed(entries_of(200_000, words=1000, seed=3)))
    sv.train_glove(folder / "cooccurrence.bin", folder / "run", vocab=folder / "vocab.txt", **FAST)
    return folder / "cooccurrence.bin", folder / "vocab.txt", (folder / "run" / "vectors.arrow").read_bytes()


STAGES = [
    "run.json",
    "vocabulary.arrow",
    "cooccurrences/runs/record.json",
    "cooccurrences/00000.arrow",
    "metrics.jsonl",
]


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_at_any_stage_it_goes_on_to_the_same_bytes(
    larger: tuple[Path, Path, bytes], tmp_path: Path, stage: str
) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    for path in (matrix, vocab):
        shutil.copy(path, tmp_path)
    inputs = tmp_path / matrix.name, tmp_path / vocab.name
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_glove(inputs[0], run, vocab=inputs[1], stop=(run / stage).exists, **FAST)
    if stage == "run.json":
        assert read_json(run / "prepared.json")["cooccurrences"]["records"] == 16384
        assert not (run / "vocabulary.arrow").exists()
    if stage == "metrics.jsonl":
        for path in inputs:  # not needed any more
            path.unlink()
    sv.resume(run, threads=2)
    assert (run / "vectors.arrow").read_bytes() == expected


def test_looking_over_goes_on_where_it_was(
    larger: tuple[Path, Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    with pytest.raises(Interrupted, match="looked over"):
        sv.train_glove(matrix, run, vocab=vocab, stop=(run / "run.json").exists, **FAST)
    firsts: list[int] = []
    blocks = entryfiles._blocks

    def remembered(source: Any, first: int) -> Any:
        firsts.append(first)
        return blocks(source, first)

    monkeypatch.setattr(entryfiles, "_blocks", remembered)
    sv.resume(run)
    assert firsts == [1, 0]  # the second piece is the first to be looked over; then all are counted
    assert (run / "vectors.arrow").read_bytes() == expected


def test_killed_at_random_moments_and_the_same_bytes(larger: tuple[Path, Path, bytes], tmp_path: Path) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    draw = random.Random(2)
    start = ["train", "glove", matrix, "--vocab", vocab, "--out", run, "--dim", 8, "--epochs", 2]
    for _ in range(4):
        arguments = ["resume", run] if (run / "run.json").exists() else start
        process = subprocess.Popen([*PROGRAM, *map(str, arguments), "--threads", "2"], stderr=subprocess.DEVNULL)
        while not (run / "run.json").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.8))
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)
    subprocess.run([*PROGRAM, "resume", str(run)], check=True, capture_output=True)
    assert (run / "vectors.arrow").read_bytes() == expected


@pytest.mark.parametrize("name", ["cooccurrence.bin", "vocab.txt"])
def test_an_input_that_changed_is_refused_until_it_is_not_needed(
    larger: tuple[Path, Path, bytes], tmp_path: Path, name: str
) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    inputs = {path.name: Path(shutil.copy(path, tmp_path)) for path in (matrix, vocab)}
    stop = (run / "vocabulary.arrow").exists
    with pytest.raises(Interrupted):
        sv.train_glove(inputs["cooccurrence.bin"], run, vocab=inputs["vocab.txt"], stop=stop, **FAST)
    whole = inputs[name].read_bytes()
    inputs[name].write_bytes(whole[:-16])
    with pytest.raises(StreamvecError, match=rf"{name}: changed since .*--overwrite"):
        sv.resume(run)
    inputs[name].write_bytes(whole)
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == expected
    inputs[name].write_bytes(b"other")
    (run / "vectors.arrow").unlink()
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == expected


@pytest.mark.parametrize("change", ["shorter", "longer", "id", "value"])
def test_a_file_that_changes_between_the_readings_is_noticed(
    matrix: Path, vocab: Path, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = matrix.read_bytes()
    changed = {
        "shorter": whole[:-16],
        "longer": whole + packed([(1, 1, 1.0)]),
        "id": whole[:-16] + packed([(10**6, 1, 1.0)]),
        "value": whole[:-16] + packed([(1, 1, 1e30)]),
    }
    save = Vocabulary.save

    def saved(vocabulary: Vocabulary, path: Path) -> None:
        save(vocabulary, path)
        matrix.write_bytes(changed[change])

    monkeypatch.setattr(Vocabulary, "save", saved)
    with pytest.raises(StreamvecError, match=r"changed while it was read: .*--overwrite"):
        sv.train_glove(matrix, tmp_path / "run", vocab=vocab, **FAST)


def test_overwrite_replaces_and_without_it_nothing_is(matrix: Path, vocab: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    sv.train_glove(matrix, run, vocab=vocab, **FAST)
    with pytest.raises(StreamvecError, match="exists already"):
        sv.train_glove(matrix, run, vocab=vocab, **FAST)
    matrix.write_bytes(packed([(1, 2, 4.0), (2, 1, 4.0)]))
    sv.train_glove(matrix, run, vocab=vocab, overwrite=True, **FAST)
    assert matrix_of(run) == {(0, 1): 4.0, (1, 0): 4.0}
    shutil.move(matrix, run / "cooccurrence.bin")
    with pytest.raises(StreamvecError, match=r"lies in .*, which would be replaced"):
        sv.train_glove(run / "cooccurrence.bin", run, vocab=vocab, overwrite=True, **FAST)


def test_vectors_txt_is_begun_from_and_unk_is_a_word_like_another(matrix: Path, vocab: Path, tmp_path: Path) -> None:
    path, notes = tmp_path / "vectors.txt", Notes()
    rows = {"river": [0.25, -1, 0.5], "水": [1, 0.5, -0.125], "<unk>": [0.5, 0.75, 0.5], "absent": [8, 8, 8]}
    lines = [f"{word} {' '.join(f'{number:.6f}' for number in row)}\n" for word, row in rows.items()]
    path.write_text("".join([*lines[:2], lines[3], lines[2]]), encoding="utf-8")
    options = {"epochs": 1, "threads": 1, "learning_rate": 1e-9}
    vectors = sv.train_glove(matrix, tmp_path / "run", vocab=vocab, vectors=path, report=notes, **options)
    assert vectors.dim == 3 and "<unk>" not in vectors
    assert f"2 of 7 words found in {path}; the others begin at random" in notes.said
    for word in ("river", "水"):
        assert vectors[word] == pytest.approx(rows[word], abs=1e-6)
    vocab.write_text(vocab.read_text(encoding="utf-8").replace("of ", "<unk> "), encoding="utf-8")
    again = sv.train_glove(matrix, tmp_path / "known", vocab=vocab, vectors=path, **options)
    assert again["<unk>"] == pytest.approx(rows["<unk>"], abs=1e-6)


def test_what_cannot_be_exported_is_told_and_leaves_nothing(
    text_run: Path, finished_run: Path, matrix: Path, vocab: Path, tmp_path: Path
) -> None:
    out, run = tmp_path / "out.bin", tmp_path / "run"
    with pytest.raises(StreamvecError, match="a RUN of kind 'skipgram' has no co-occurrences"):
        export_cooccurrences(finished_run, out)
    assert export_vocab(finished_run, tmp_path / "words.txt") == len(sv.KeyedVectors.load(finished_run))
    with pytest.raises(StreamvecError, match="not a RUN"):
        export_cooccurrences(tmp_path / "nothing", out)
    with pytest.raises(StreamvecError, match="there is no folder"):
        export_vocab(text_run, tmp_path / "nowhere" / "vocab.txt")
    with pytest.raises(Interrupted):
        sv.train_glove(matrix, run, vocab=vocab, stop=(run / "vocabulary.arrow").exists, **FAST)
    with pytest.raises(StreamvecError, match="co-occurrences are not finished: streamvec resume"):
        export_cooccurrences(run, out)
    (run / "vocabulary.arrow").unlink()
    with pytest.raises(StreamvecError, match="words are not counted yet: streamvec resume"):
        export_vocab(run, out)
    assert not list(tmp_path.glob("out*"))
    out.write_bytes(b"mine")
    for export in (export_cooccurrences, export_vocab):
        with pytest.raises(StreamvecError, match=r"exists already.*--overwrite"):
            export(text_run, out)
    damaged = Path(shutil.copytree(text_run, tmp_path / "damaged"))
    shard = damaged / "cooccurrences" / Cooccurrences.open(text_run / "cooccurrences")._files[-1]["name"]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(StreamvecError, match="damaged"):
        export_cooccurrences(damaged, out, overwrite=True)
    assert out.read_bytes() == b"mine" and not list(tmp_path.glob("*.partial"))
    export_cooccurrences(text_run, out, overwrite=True)
    assert summed(unpacked(out.read_bytes())) == matrix_of(text_run)


def test_the_command_line_takes_over_and_gives_back(text_run: Path, tmp_path: Path, streamvec: Command) -> None:
    matrix, vocab, run = tmp_path / "cooccurrence.bin", tmp_path / "vocab.txt", tmp_path / "run"
    ended = streamvec("export", text_run, "-o", matrix, "--format", "stanford-cooccurrence")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{matrix}: {matrix.stat().st_size // 16:,} co-occurrences, stanford-cooccurrence\n"
    ended = streamvec("export", text_run, "-o", vocab, "--format", "stanford-vocab")
    assert "words and their counts, stanford-vocab" in ended.stdout
    ended = streamvec("export", text_run, "-o", vocab, "--format", "stanford-vocab")
    assert ended.returncode == 1 and "exists already" in ended.stderr
    options = ["--vocab", vocab, "--dim", 8, "--epochs", 2, "--x-max", 5, "--alpha", 0.5]
    ended = streamvec("train", "glove", matrix, "--out", run, *options)
    assert ended.returncode == 0, ended.stderr
    assert f"{matrix.stat().st_size // 16:,} co-occurrences of" in ended.stderr
    ended = streamvec("export", run, "-o", tmp_path / "vectors.txt", "--format", "glove")
    lines = (tmp_path / "vectors.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in lines] == [line.split()[0] for line in vocab.read_text().splitlines()]
    assert streamvec("nn", run, "river", "-n", 2).returncode == 0

    ended = streamvec("train", "glove", matrix, "--out", tmp_path / "other")
    assert ended.returncode == 1 and "streamvec train glove takes them with --vocab vocab.txt" in ended.stderr
    ended = streamvec("train", "skipgram", matrix, "--out", tmp_path / "other")
    assert ended.returncode == 1 and "co-occurrences as Stanford's GloVe writes them, not text" in ended.stderr
    ended = streamvec("train", "glove", matrix, "--vocab", vocab, "--out", tmp_path / "other", "--min-count", 2)
    assert ended.returncode == 2 and "--min-count says what is counted in text" in ended.stderr
    ended = streamvec("train", "glove", "--vocab", vocab, "--out", tmp_path / "other")
    assert ended.returncode == 2 and "INPUT" in ended.stderr
    ended = streamvec("train", "glove", run, "--out", tmp_path / "other")
    assert ended.returncode == 1 and "made from co-occurrences: name their files, with --vocab" in ended.stderr
    ended = streamvec("train", "glove", run, "--vocab", vocab, "--out", tmp_path / "other")
    assert ended.returncode == 1 and "a RUN, not co-occurrences" in ended.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_entries_may_be_piped_in(matrix: Path, vocab: Path, tmp_path: Path, pack: Any) -> None:
    sv.train_glove(matrix, tmp_path / "named", vocab=vocab, **FAST)
    run, piped = tmp_path / "run", pack(matrix.read_bytes())
    start = [*PROGRAM, "train", "glove", "-", "--vocab", vocab, "--out", run, "--dim", "8", "--epochs", "2"]
    subprocess.run(list(map(str, start)), input=piped, check=True, capture_output=True, timeout=120)
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "named" / "vectors.arrow").read_bytes()
    assert not (run / "input.zst").exists()
    ended = subprocess.run(
        [*PROGRAM, "train", "glove", "-", "--out", str(tmp_path / "other")],
        input=piped,
        capture_output=True,
        timeout=120,
    )
    assert ended.returncode == 1 and b"with --vocab vocab.txt" in ended.stderr
    assert not (tmp_path / "other").exists()
