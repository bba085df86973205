"""Co-occurrences and words as Stanford's tools would write them: what windows hold, and the same when taken back."""

import gzip
import shutil
from pathlib import Path

import pytest
from conftest import Command, two_topics
from stanford_files import FAST, Matrix, counted_in, summed, unpacked

import streamvec as sv
from streamvec.corpus.compression import zstd
from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.run import Run
from streamvec.training.stanfordexport import export_cooccurrences, export_vocab


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of text, in which one word stands beside itself; not to be changed."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text(two_topics(300) + "fish fish fish water\n", encoding="utf-8")
    sv.train_glove(folder / "text.txt", folder / "run", min_count=2, **FAST)
    return folder / "run"


def test_there_and_back_it_is_the_same_matrix(text_run: Path, tmp_path: Path) -> None:
    counted = counted_in(text_run)
    written = export_cooccurrences(text_run, tmp_path / "cooccurrence.bin")
    words = export_vocab(text_run, tmp_path / "vocab.txt")
    entries = unpacked((tmp_path / "cooccurrence.bin").read_bytes())
    assert written == len(entries) == len(counted) and summed(entries) == counted
    vocabulary = Vocabulary.load(text_run / "vocabulary.arrow")
    lines = (tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert words == len(lines)
    assert lines == [f"{w} {n}" for w, n in zip(vocabulary.words.to_pylist(), vocabulary.counts, strict=True)]

    sv.train_glove(tmp_path / "cooccurrence.bin", tmp_path / "run", vocab=tmp_path / "vocab.txt", **FAST)
    assert counted_in(tmp_path / "run") == counted
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


def test_what_cannot_be_exported_is_told_and_leaves_nothing(
    text_run: Path, finished_run: Path, cooccurrence_bin: Path, vocab_txt: Path, tmp_path: Path
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
        sv.train_glove(cooccurrence_bin, run, vocab=vocab_txt, stop=(run / "vocabulary.arrow").exists, **FAST)
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
    assert summed(unpacked(out.read_bytes())) == counted_in(text_run)


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
