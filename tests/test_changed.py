"""What changed since a RUN was made is noticed and named: its input, the options, the version of its files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tally
from conftest import Command
from killing import promised
from run_states import AS_WORDS, OPTIONS, refusal, stopped

import streamvec as sv
from streamvec.corpus.encoding import sum_of_words
from streamvec.disk.arrow import VERSION_KEY, ArrowWriter, open_arrow
from streamvec.disk.sealed import read_json, write_json
from streamvec.errors import Interrupted, StreamvecError
from streamvec.vectors import annbuild

CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "longer": lambda content: content + b"more\n",
    "shorter": lambda content: content[:-1],
    "other at its head": lambda content: b"X" + content[1:],
    "other at its tail": lambda content: content[:-2] + b"X\n",
}


def rewritten(path: Path, content: bytes) -> None:
    """Other content, and the date that was there."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("stage", ["run.json", "vocabulary.arrow"])  # stopped while counting, while encoding
def test_input_that_changed_is_refused_in_every_stage_that_reads_it(
    long_text: Path, long_run: Path, tmp_path: Path, stage: str, change: str
) -> None:
    source = Path(shutil.copy(long_text, tmp_path / "input.txt"))
    run = stopped(source, tmp_path / "run", stage)
    rewritten(source, CHANGES[change](long_text.read_bytes()))
    with pytest.raises(
        StreamvecError, match=rf"^{source}: changed since {run} was begun: train again with --overwrite"
    ):
        sv.resume(run)
    rewritten(source, long_text.read_bytes())
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (long_run / "vectors.arrow").read_bytes()
    tally.count("refused: input that changed")


@pytest.mark.parametrize(
    ("kind", "stage", "options"),
    [
        ("skipgram", "vocabulary.arrow", {}),
        ("skipgram", "phrases/words.arrow", {"phrases": 1}),
        ("lm", "vocabulary.arrow", {"hidden": 8, "batch": 4}),
    ],
)
def test_other_words_in_the_middle_which_no_fingerprint_sees_are_noticed_when_they_are_encoded(
    long_text: Path, tmp_path: Path, kind: str, stage: str, options: dict[str, Any]
) -> None:
    source, run = Path(shutil.copy(long_text, tmp_path / "input.txt")), tmp_path / "run"
    train = sv.train_lm if kind == "lm" else sv.train_skipgram
    with pytest.raises(Interrupted, match="go on with"):
        train(source, run, stop=(run / stage).exists, **{**OPTIONS, **options})
    content = long_text.read_bytes()
    place = content.index(b" river ", len(content) // 2)
    rewritten(source, content[:place] + b" queen " + content[place + 7 :])
    with pytest.raises(StreamvecError, match=r"the input changed while it was read: .* other ones: .*--overwrite"):
        sv.resume(run)
    assert not (run / "vectors.arrow").exists()
    tally.count("refused: input that changed")


def test_sums_of_words_are_those_of_their_counts() -> None:
    ids = pa.array([3, 0, -1, 2, 2, -7, 3] * 10_000, pa.int32()).to_numpy()
    counts = pa.array([10_000, 0, 20_000, 20_000]).to_numpy()
    assert sum_of_words(ids) == sum_of_words(pa.array(range(4)).to_numpy(), counts)
    for pair in ((3, 1), (0, 1), (-1, 0)):  # one word is another one
        other = ids.copy()
        other[list(ids).index(pair[0])] = pair[1]
        assert sum_of_words(other) != sum_of_words(ids)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("skipgram", "--dim", "8"), "dim=16, not 8"),
        (("skipgram", "--dim", "8", "--window", "3"), "dim=16, not 8; window=5, not 3"),
        (("skipgram", "--keep-case"), "keep_case=False, not True"),
        (("skipgram", "--evaluate", "similar.tsv"), "another --evaluate"),
        (("glove",), "of kind skipgram, not glove"),
    ],
)
def test_a_run_that_is_there_is_not_trained_with_other_options(
    long_text: Path, long_run: Path, tmp_path: Path, streamvec: Command, words: tuple[str, ...], named: str
) -> None:
    run = Path(shutil.copytree(long_run, tmp_path / "run"))
    (tmp_path / "similar.tsv").write_text("river\tlake\t3\n")
    kind, *more = (word.replace("similar.tsv", str(tmp_path / "similar.tsv")) for word in words)
    usual = () if kind == "glove" else AS_WORDS
    said = refusal(streamvec("train", kind, long_text, "--out", run, *usual, *more))
    assert f"exists already, {'' if kind == 'glove' else 'with '}{named}: go on with `streamvec resume {run}`" in said
    assert "--overwrite" in said and promised(run) == promised(long_run)
    tally.count("refused: other options")


def test_a_run_of_other_text_or_of_the_same_options(long_text: Path, long_run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(long_text, tmp_path / "other.txt"))
    with pytest.raises(StreamvecError, match=r"exists already, with another INPUT: go on"):
        sv.train_skipgram(other, long_run, **OPTIONS)
    with pytest.raises(StreamvecError, match=r"exists already: go on"):
        sv.train_skipgram(long_text, long_run, **OPTIONS)


def test_resume_takes_options_of_the_machine_alone(long_run: Path, streamvec: Command) -> None:
    ended = streamvec("resume", long_run, "--dim", "8")
    assert ended.returncode == 2 and "--dim" in ended.stderr and len(ended.stderr.splitlines()) == 1


def newer_json(path: Path, name: str = "version") -> None:
    content = read_json(path)
    assert content[name] == 1
    write_json(path, {**content, name: 2})


def newer_arrow(path: Path) -> None:
    table = open_arrow(path, mapped=False).read_all()
    schema = table.schema.with_metadata({**table.schema.metadata, VERSION_KEY: b"2"})
    with ArrowWriter(path, schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)


@pytest.mark.parametrize(
    ("name", "makes", "message"),
    [
        ("run.json", lambda path: newer_json(path, "format"), r"reads RUNs of format 1, found 2: use streamvec"),
        ("prepared.json", newer_json, r"prepared in version 2, this streamvec reads version 1"),
        ("shards/index.json", newer_json, r"version 1, found 'tokens', version 2"),
        ("vocabulary.arrow", newer_arrow, r"format is of version 2, this streamvec reads version 1"),
        ("shards/00000.arrow", newer_arrow, r"format is of version 2|damaged"),
        ("checkpoints/0003-000000000/state.json", newer_json, r"checkpoint of version 2, .* reads version 1"),
    ],
)
def test_a_newer_version_of_what_a_run_goes_on_with_is_refused(
    long_run: Path, tmp_path: Path, name: str, makes: Callable[[Path], None], message: str
) -> None:
    run = Path(shutil.copytree(long_run, tmp_path / "run"))
    (run / "vectors.arrow").unlink()
    if name == "prepared.json":  # looked at while something is still to be prepared
        (run / "shards" / "index.json").unlink()
    if name.startswith("shards"):
        shutil.rmtree(run / "checkpoints")
    makes(run / name)
    names = sorted(path.relative_to(run) for path in run.rglob("*"))
    with pytest.raises(StreamvecError, match=message):
        sv.resume(run)
    assert sorted(path.relative_to(run) for path in run.rglob("*")) == names  # nothing is put aside or thrown away
    tally.count("refused: a newer version")


def test_newer_vectors_are_refused_and_a_newer_index_is_not_used(
    long_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(long_run, tmp_path / "run"))
    pytest.importorskip("usearch")
    with monkeypatch.context() as patch:
        patch.setattr(annbuild, "VERSION", 2)
        annbuild.build_index(run)
    found = sv.KeyedVectors.load(run, index=True)  # vectors answer without it, and say so
    assert "version 2 of indexes, this streamvec reads 1: streamvec index --overwrite makes it again" in found.notes[0]
    assert found.index is None
    (run / "vectors.index").unlink()
    newer_arrow(run / "vectors.arrow")
    with pytest.raises(StreamvecError, match=r"vectors.arrow: its format is of version 2, .* reads version 1"):
        sv.KeyedVectors.load(run)
    tally.count("refused: a newer version", 2)
