"""fastText models: the same bits as fastText's own get_word_vector, for words seen and unseen; damage is named.

tests/data/fasttext.bin was made by fasttext-wheel 0.9.2, train_unsupervised(minn=2, maxn=5, bucket=800, dim=6,
epoch=10, minCount=1, neg=3) on lines of random words; fasttext.json holds that package's answers.
"""

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import Command
from hypothesis import given
from hypothesis import strategies as st

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, UnknownWord, subwords
from streamvec.vectors.evaluation import evaluate_similarity
from streamvec.vectors.exports import export_vectors
from streamvec.vectors.fasttext import open_model
from streamvec.vectors.formats import detect, import_vectors
from streamvec.vectors.ngrams import ngrams_of
from streamvec.vectors.store import raw_words

DATA = Path(__file__).parent / "data"
MODEL = DATA / "fasttext.bin"
ANSWERS: dict[str, Any] = json.loads((DATA / "fasttext.json").read_text(encoding="utf-8"))
WORDS = len(ANSWERS["words"])
HEAD = 8 + 56  # the settings end here


def naive_ngrams(word: bytes, minn: int, maxn: int, bucket: int) -> list[int]:
    """fastText's computeSubwords and hash, a byte at a time."""
    marked = b"<" + word + b">"
    starts = [place for place, byte in enumerate(marked) if byte & 0xC0 != 0x80] + [len(marked)]
    found = []
    for first in range(len(starts) - 1):
        for length in range(max(minn, 1), min(maxn, len(starts) - 1 - first) + 1):
            begin, end = starts[first], starts[first + length]
            if length == 1 and (begin == 0 or end == len(marked)):
                continue
            state = 2166136261
            for byte in marked[begin:end]:
                signed = byte - 256 if byte > 127 else byte
                state = ((state ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
            found.append(state % bucket)
    return found


def found_ngrams(words: list[bytes], minn: int, maxn: int, bucket: int) -> list[list[int]]:
    buckets, counts = ngrams_of(*raw_words(pa.array(words, pa.binary())), minn, maxn, bucket)
    return [part.tolist() for part in np.split(buckets, np.cumsum(counts)[:-1])] if words else []


def changed(tmp_path: Path, start: int, content: bytes) -> Path:
    """The model with other bytes from *start* on."""
    whole = bytearray(MODEL.read_bytes())
    whole[start : start + len(content)] = content
    path = tmp_path / "changed.bin"
    path.write_bytes(whole)
    return path


def dictionary_end() -> int:
    data = MODEL.read_bytes()
    at = HEAD + 28
    for _ in range(WORDS):
        at = data.index(b"\0", at) + 10
    return at


def test_words_and_unseen_words_are_fasttexts_to_the_last_bit() -> None:
    vectors = KeyedVectors.load(MODEL)
    assert list(vectors.words) == ANSWERS["words"] and vectors.dim == 6 and vectors.notes == []
    assert {"</s>", "fluß", "서울", "🦆🦆"} <= set(vectors.words)
    assert len(ANSWERS["unseen"]) > 10 and not set(ANSWERS["unseen"]) & set(vectors.words)
    for word, numbers in ANSWERS["vectors"].items():
        expected = np.array(numbers, np.float32)
        assert np.array_equal(vectors[word].view(np.uint32), expected.view(np.uint32)), word
    every = list(ANSWERS["vectors"])
    assert np.array_equal(vectors[every], np.array([ANSWERS["vectors"][word] for word in every], np.float32))
    assert np.array_equal(vectors.vectors, vectors[ANSWERS["words"]])  # the chunks and single rows
    assert np.allclose(vectors.norms, np.linalg.norm(vectors.vectors, axis=1), rtol=1e-6)
    assert vectors.counts[1] >= vectors.counts[-1] > 0


def test_ngrams_are_fasttexts() -> None:
    for word, expected in ANSWERS["ngrams"].items():
        seen = word in ANSWERS["words"]
        row = ANSWERS["words"].index(word) if seen else None
        ours = [] if word == "</s>" else [WORDS + bucket for bucket in naive_ngrams(word.encode(), 2, 5, 800)]
        assert ([row] if seen else []) + ours == expected


@given(
    words=st.lists(st.binary(max_size=12) | st.text(max_size=8).map(lambda t: t.encode("utf-8", "surrogatepass"))),
    minn=st.integers(0, 4),
    maxn=st.integers(0, 7),
    bucket=st.integers(1, 2**31 - 1),
)
def test_ngrams_of_any_bytes(words: list[bytes], minn: int, maxn: int, bucket: int) -> None:
    assert found_ngrams(words, minn, maxn, bucket) == [naive_ngrams(word, minn, maxn, bucket) for word in words]


def test_ngrams_of_a_slice() -> None:
    column = pa.array([b"first", b"second", "드레스".encode(), b""], pa.binary()).slice(1, 2)
    buckets, counts = ngrams_of(*raw_words(column), 3, 6, 100)
    assert buckets.tolist() == naive_ngrams(b"second", 3, 6, 100) + naive_ngrams("드레스".encode(), 3, 6, 100)
    assert counts.sum() == len(buckets) and len(counts) == 2


@pytest.mark.parametrize("held", [1 << 30, 0, 200])
def test_neighbours_are_fasttexts_however_much_is_kept(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(subwords, "HELD", held)
    monkeypatch.setattr(subwords, "ROWS", 4)  # chunks of four words
    monkeypatch.setattr("streamvec.vectors.fasttext.ROWS", 4)
    vectors = KeyedVectors.load(MODEL)
    for _ in range(2):
        for word, expected in ANSWERS["neighbours"].items():
            found = vectors.most_similar(word, topn=4)
            assert [other for other, _ in found] == [other for other, _ in expected]
            assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=1e-5)
    assert len(list(vectors.chunks())) == -(-WORDS // 4)
    for words, counts, rows, norms in vectors.chunks():
        assert len(words) == len(counts) == len(rows) == len(norms) <= 4
        assert np.array_equal(rows, vectors[words.to_pylist()])


def test_questions_with_unseen_words() -> None:
    vectors = KeyedVectors.load(MODEL)
    unseen = "riverside"
    assert unseen not in vectors
    with pytest.raises(UnknownWord, match="'riverside' is not among the words"):
        vectors.get_index(unseen)
    row = vectors.get_vector(unseen)
    assert [vectors.similarity(unseen, other) for other in (unseen, row)] == pytest.approx([1, 1])
    assert vectors.most_similar_batch([unseen, "river"], topn=3) == [
        vectors.most_similar(unseen, topn=3),
        vectors.most_similar("river", topn=3),
    ]
    assert vectors.most_similar_groups([([unseen], [])], topn=3) == [vectors.most_similar(unseen, topn=3)]
    units = [vectors[word].astype(float) / np.linalg.norm(vectors[word].astype(float)) for word in (unseen, "river")]
    ((_, best),) = vectors.most_similar([unseen, "river"], topn=1, restrict=1)
    assert best == pytest.approx(vectors.similarity(units[0] + units[1], vectors.words[0]))
    assert "river" not in dict(vectors.analogy("river", unseen, "lake", topn=100))


def test_without_ngrams_unseen_words_are_unknown(tmp_path: Path) -> None:
    path = changed(tmp_path, 8 + 4 * 9, struct.pack("<ii", 7, 6))  # minn, maxn: there are none as long as that
    vectors = KeyedVectors.load(path)
    with pytest.raises(UnknownWord, match="did you mean river"):
        vectors["riverz"]
    rows = np.frombuffer(MODEL.read_bytes(), "<f4", WORDS * 6, dictionary_end() + 17).reshape(WORDS, 6)
    assert np.array_equal(vectors.vectors, rows)
    vectors = KeyedVectors.load(changed(tmp_path, 8 + 4 * 9, struct.pack("<ii", 3, 6)))
    assert np.isfinite(vectors["x"]).all()  # <x>
    with pytest.raises(UnknownWord, match="'' is not among"):  # <> is too short
        vectors[""]


def test_gensim_gives_the_same() -> None:
    gensim = pytest.importorskip("gensim.models.fasttext")
    tests = pytest.importorskip("gensim.test.utils")
    for name in ("crime-and-punishment.bin", "lee_fasttext_new.bin", "toy-model.bin", "toy-model-pretrained.bin"):
        path = Path(tests.datapath(name))
        theirs, ours = gensim.load_facebook_vectors(str(path)), KeyedVectors.load(path)
        assert detect(path) == "fasttext-bin" and list(ours.words) == theirs.index_to_key
        same = np.array([word != "</s>" for word in ours.words])  # which has no n-grams, whatever gensim says
        np.testing.assert_allclose(ours.vectors[same], theirs.vectors[same], atol=1e-6)
        for word in ("unheard", "привет", "night2", "new york"):
            np.testing.assert_allclose(ours[word], theirs[word], atol=1e-6)


def test_gensims_own_files_are_read(tmp_path: Path) -> None:
    gensim = pytest.importorskip("gensim.models.fasttext")
    model = gensim.FastText([["river", "lake", "straße"] * 5] * 5, vector_size=5, bucket=50, min_count=1, epochs=1)
    gensim.save_facebook_model(model, str(tmp_path / "model.bin"))
    ours = KeyedVectors.load(tmp_path / "model.bin")
    for word in ("river", "straße", "lakes"):
        np.testing.assert_allclose(ours[word], model.wv[word], atol=1e-6)


def test_the_package_itself_agrees(tmp_path: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    text = tmp_path / "text.txt"
    text.write_text("the river and the lake and the straße 서울\n" * 300, encoding="utf-8")
    for minn, maxn, bucket in ((1, 3, 77), (3, 6, 500), (0, 0, 100)):
        theirs = fasttext.train_unsupervised(
            str(text), minn=minn, maxn=maxn, bucket=bucket, dim=7, minCount=1, epoch=1, thread=1
        )
        theirs.save_model(str(tmp_path / "model.bin"))
        ours = KeyedVectors.load(tmp_path / "model.bin")
        assert list(ours.words) == theirs.words
        for word in [*theirs.words, *(["lakes", "서울역", "é"] if maxn else [])]:
            assert np.array_equal(ours[word], theirs.get_word_vector(word)), word


def test_a_classifier_of_an_older_version(tmp_path: Path) -> None:
    """Version 11 wrote n-gram settings that supervised training did not use; labels are no words."""
    data = MODEL.read_bytes()
    end = dictionary_end()
    entry = b"__label__x\0" + struct.pack("<qb", 3, 1)
    settings = bytearray(data[8:HEAD])
    settings[28:32] = struct.pack("<i", 3)
    sizes = struct.pack("<iii", WORDS + 1, WORDS, 1) + data[HEAD + 12 : HEAD + 28]
    path = tmp_path / "old.bin"
    path.write_bytes(data[:4] + struct.pack("<i", 11) + settings + sizes + data[HEAD + 28 : end] + entry + data[end:])
    vectors = KeyedVectors.load(path)
    assert "1 labels of its classifier are no words" in vectors.notes[0] and "__label__x" not in vectors
    assert len(vectors) == WORDS
    rows = np.frombuffer(data, "<f4", WORDS * 6, end + 17).reshape(WORDS, 6)
    assert np.array_equal(vectors.vectors, rows)
    path.write_bytes(data[:8] + settings + sizes + data[HEAD + 28 : end] + entry + data[end:])
    assert np.array_equal(KeyedVectors.load(path)["river"], KeyedVectors.load(MODEL)["river"])  # version 12
    path.write_bytes(data[:8] + settings + sizes + data[HEAD + 28 : end] + entry[:-1] + b"\0" + data[end:])
    with pytest.raises(StreamvecError, match="mixes words and labels"):
        KeyedVectors.load(path)


def test_words_that_are_not_utf8_keep_their_ngrams(tmp_path: Path) -> None:
    at = MODEL.read_bytes().index(b"river\0")
    vectors = KeyedVectors.load(changed(tmp_path, at, b"r\xffver"))
    assert "r\ufffdver" in vectors and "1 words are not UTF-8" in vectors.notes[0]
    model, _ = open_model(tmp_path / "changed.bin")
    rank = vectors.get_index("r\ufffdver")
    rows = np.frombuffer(MODEL.read_bytes(), "<f4", (WORDS + 800) * 6, dictionary_end() + 17).reshape(-1, 6)
    places = [rank] + [WORDS + bucket for bucket in naive_ngrams(b"r\xffver", 2, 5, 800)]
    np.testing.assert_allclose(model.rows(np.array([rank]))[0], rows[places].mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("share", [0.0001, 0.003, 0.01, 0.04, 0.06, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_named(tmp_path: Path, share: float) -> None:
    whole = MODEL.read_bytes()
    path = tmp_path / "cut.bin"
    path.write_bytes(whole[: max(5, int(len(whole) * share))])
    with pytest.raises(StreamvecError, match=r"cut\.bin: .*(cut short|not a whole|expected a matrix).*fetch it again"):
        KeyedVectors.load(path)
    with pytest.raises(StreamvecError):
        import_vectors(path, tmp_path / "out.arrow")
    assert [one.name for one in tmp_path.iterdir()] == ["cut.bin"]


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    whole = MODEL.read_bytes()
    path = tmp_path / "cut.bin"
    for length in [*range(8, 1200, 7), *range(dictionary_end() - 3, dictionary_end() + 20), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(StreamvecError, match=r"cut\.bin: "):
            open_model(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(StreamvecError, match=rf"damaged: expected {len(whole):,} bytes, found {len(whole) + 1:,}"):
        open_model(path)


@pytest.mark.parametrize(
    ("start", "content", "message"),
    [
        (4, struct.pack("<i", 13), "of version 13; versions 11 and 12 are read"),
        (8, struct.pack("<i", 0), "damaged: its head says dim 0"),
        (8, struct.pack("<i", 7), "damaged at byte .* expected a matrix of .* rows of 7 numbers, found .* of 6"),
        (8 + 4 * 8, struct.pack("<i", 801), "expected a matrix"),
        (8 + 4 * 8, struct.pack("<i", 0), "in 0 buckets"),
        (8 + 4 * 10, struct.pack("<i", -2), "n-grams of 2 to -2"),
        (HEAD, struct.pack("<i", 99), "labels of 99"),
        (HEAD + 4, struct.pack("<i", -5), "-5 words"),
        (HEAD + 20, struct.pack("<q", 5), "a quantised model"),
        (dictionary_end(), b"\x01", "a quantised model"),
        (dictionary_end(), b"\x02", "damaged at byte"),
        (HEAD + 28, b"x" * 600, "dictionary"),
    ],
)
def test_damage_is_named(tmp_path: Path, start: int, content: bytes, message: str) -> None:
    with pytest.raises(StreamvecError, match=message) as problem:
        KeyedVectors.load(changed(tmp_path, start, content))
    assert str(tmp_path) in str(problem.value)


def test_a_compressed_model_is_to_be_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "model.bin.gz"
    path.write_bytes(gzip.compress(MODEL.read_bytes()))
    with pytest.raises(StreamvecError, match=r"model\.bin\.gz: a compressed fasttext-bin file: decompress it first"):
        KeyedVectors.load(path)


def test_nan_is_named(tmp_path: Path) -> None:
    row = ANSWERS["words"].index("river")
    vectors = KeyedVectors.load(changed(tmp_path, dictionary_end() + 17 + 24 * row, struct.pack("<f", np.nan)))
    assert np.isfinite(vectors["lake"]).all()
    for ask in (lambda: vectors["river"], lambda: vectors.most_similar("lake")):
        with pytest.raises(StreamvecError, match="'river' holds NaN"):
            ask()


def test_import_and_export(tmp_path: Path) -> None:
    vectors = KeyedVectors.load(MODEL)
    done = import_vectors(MODEL, tmp_path / "v.arrow")
    assert (done.words, done.dim, done.format) == (WORDS, 6, "fasttext-bin")
    assert "its n-grams were not" in done.notes[0]
    back = KeyedVectors.load(tmp_path / "v.arrow")
    assert list(back.words) == list(vectors.words) and np.array_equal(back.vectors, vectors.vectors)
    assert np.array_equal(back.counts, vectors.counts)
    with pytest.raises(UnknownWord):
        back["riverside"]
    export_vectors(vectors, tmp_path / "v.vec")
    text = KeyedVectors.load(tmp_path / "v.vec")
    assert list(text.words) == list(vectors.words) and np.array_equal(text.vectors, vectors.vectors)


def test_evaluation_counts_the_words_of_the_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("river lake 5\nking crown 3\nriverside king 1\nwater king 0\n")
    score = evaluate_similarity(KeyedVectors.load(MODEL), tmp_path / "p")
    assert (score.found, score.pairs, score.missing) == (3, 4, ("riverside",))


def test_look_ups_in_the_shell(streamvec: Command, tmp_path: Path) -> None:
    vectors = KeyedVectors.load(MODEL)
    ended = streamvec("nn", MODEL, "river", "-n", "2", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    found = [(one["word"], one["similarity"]) for one in json.loads(ended.stdout)["neighbours"]]
    assert found == vectors.most_similar("river", topn=2)
    ended = streamvec("similarity", MODEL, "riverside", "river", "--json")
    assert json.loads(ended.stdout)["similarity"] == vectors.similarity("riverside", "river")
    ended = streamvec("import", MODEL, "-o", tmp_path / "v.arrow")
    assert ended.returncode == 0 and "from fasttext-bin" in ended.stdout and "n-grams were not" in ended.stderr
