"""The states that a RUN may be found in: used twice, not writable, moved, with other input, options or versions."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tally
from conftest import Command, two_topics
from glove_runs import unfinish
from killing import PROGRAM, promised

import streamvec as sv
from streamvec.corpus.encoding import sum_of_words
from streamvec.disk.arrow import VERSION_KEY, ArrowWriter, open_arrow
from streamvec.disk.sealed import read_json, write_json
from streamvec.errors import Interrupted, StreamvecError
from streamvec.vectors import annbuild

OPTIONS: dict[str, Any] = {"dim": 16, "epochs": 3, "min_count": 2, "threads": 2}
AS_WORDS = ("--dim", "16", "--epochs", "3", "--min-count", "2", "--threads", "2")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of which fingerprints see 64 KB at either end; not to be changed."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(two_topics(4000, seed=2))
    assert path.stat().st_size > 3 << 16
    return path


@pytest.fixture(scope="module")
def whole(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The RUN of that text, never stopped; not to be changed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    sv.train_skipgram(text, run, **OPTIONS)
    return run


def stopped(text: Path, run: Path, stage: str, **options: Any) -> Path:
    """A RUN that was stopped as soon as *stage* was there."""
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_skipgram(text, run, stop=(run / stage).exists, **{**OPTIONS, **options})
    return run


def refusal(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line by which a command refused; what it had told before that is no error."""
    assert ended.returncode == 1, (ended.returncode, ended.stderr)
    *before, last = ended.stderr.splitlines()
    assert last.startswith("streamvec: error: ") and ended.stdout == ""
    assert not any("error" in line or "Traceback" in line for line in before)
    return last


def both(first: list[Any], second: list[Any]) -> list[subprocess.CompletedProcess[str]]:
    """Two commands started at the same moment; those that went through come first."""
    started = [
        subprocess.Popen([*PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for words in (first, second)
    ]
    ended = []
    for process in started:
        out, errors = process.communicate(timeout=300)
        ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, errors))
    return sorted(ended, key=lambda one: one.returncode)


def test_two_that_go_on_with_one_run_at_the_same_moment(text: Path, whole: Path, tmp_path: Path) -> None:
    run = stopped(text, tmp_path / "run", "shards/index.json", epochs=80)
    shutil.copytree(run, tmp_path / "alone")
    sv.resume(tmp_path / "alone")
    expected = (tmp_path / "alone" / "vectors.arrow").read_bytes()
    refused = 0
    for number in range(4):  # one may have ended before the other has begun
        copy = Path(shutil.copytree(run, tmp_path / str(number)))
        won, other = both(["resume", copy], ["resume", copy])
        assert won.returncode == 0, won.stderr
        assert (copy / "vectors.arrow").read_bytes() == expected
        tally.count("two processes at once: resume")
        if other.returncode:
            assert "in use by another streamvec (process" in refusal(other)
            refused += 1
            break
    assert refused


def test_two_that_begin_one_run_at_the_same_moment(text: Path, whole: Path, tmp_path: Path) -> None:
    words = ["train", "skipgram", text, "--out", tmp_path / "run", *AS_WORDS]
    won, other = both(words, words)
    assert won.returncode == 0, won.stderr
    assert str(tmp_path / "run") in refusal(other)
    assert promised(tmp_path / "run") == promised(whole)
    tally.count("two processes at once: train")


def test_two_exports_to_one_file(whole: Path, tmp_path: Path, streamvec: Command) -> None:
    assert streamvec("export", whole, "-o", tmp_path / "alone.txt", "--format", "glove").returncode == 0
    words = ["export", whole, "-o", tmp_path / "both.txt", "--format", "glove"]
    won, other = both(words, words)
    assert won.returncode == 0, won.stderr
    if other.returncode:  # both may have found nothing there, one after the other
        assert "another process is writing it" in refusal(other) or "exists already" in refusal(other)
    assert (tmp_path / "both.txt").read_bytes() == (tmp_path / "alone.txt").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.txt", "both.txt"]
    tally.count("two processes at once: export")


@pytest.fixture
def read_only(whole: Path, small_disk: Path) -> Iterator[Path]:
    """A finished RUN and one that is not, on a file system that cannot be written."""
    shutil.copytree(whole, small_disk / "run")
    unfinish(Path(shutil.copytree(whole, small_disk / "begun")))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        yield small_disk
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def test_a_run_that_cannot_be_written_answers_and_is_not_trained(
    read_only: Path, text: Path, tmp_path: Path, streamvec: Command
) -> None:
    run = read_only / "run"
    out = tmp_path / "out.txt"
    for words in (
        ("info", run),
        ("verify", run),
        ("nn", run, "river"),
        ("export", run, "-o", out, "--format", "glove"),
    ):
        ended = streamvec(*words)
        assert ended.returncode == 0 and not ended.stderr, (words, ended.stderr)
    assert out.exists()
    for words in (
        ("resume", read_only / "begun"),
        ("train", "skipgram", text, "--out", read_only / "new", *AS_WORDS),
        ("train", "skipgram", text, "--out", run, "--overwrite", *AS_WORDS),
        ("export", run, "-o", read_only / "out.txt", "--format", "glove"),
        ("index", run),
    ):
        said = refusal(streamvec(*words))
        assert str(read_only) in said and "permission denied: choose another place" in said, words
        tally.count("refused: a file system that cannot be written")


@pytest.mark.parametrize("stage", ["shards/index.json", "checkpoints/0001-000000000"])
def test_a_moved_run_goes_on_without_its_input(text: Path, whole: Path, tmp_path: Path, stage: str) -> None:
    source = Path(shutil.copy(text, tmp_path / "input.txt"))
    run = stopped(source, tmp_path / "run", stage, checkpoint_batches=1)
    (tmp_path / "elsewhere").mkdir()
    run = run.rename(tmp_path / "elsewhere" / "other name")
    source.unlink()
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()
    tally.count("gone on with: a RUN that was moved")


@pytest.mark.parametrize("stage", ["run.json", "vocabulary.arrow"])
def test_a_run_whose_input_has_gone_is_refused_until_it_is_back(
    text: Path, whole: Path, tmp_path: Path, stage: str
) -> None:
    source = Path(shutil.copy(text, tmp_path / "input.txt"))
    run = stopped(source, tmp_path / "run", stage).rename(tmp_path / "moved")
    source.unlink()
    with pytest.raises(StreamvecError, match=rf"^{source}: no such file or folder"):
        sv.resume(run)
    shutil.copy(text, source)
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()


def test_relative_names_hold_wherever_one_goes_on_from(text: Path, whole: Path, tmp_path: Path) -> None:
    shutil.copy(text, tmp_path / "input.txt")
    (tmp_path / "else").mkdir()
    words = [*PROGRAM, "train", "skipgram", "input.txt", "--out", "run", *AS_WORDS]
    begun = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while not (tmp_path / "run" / "run.json").exists():
        assert begun.poll() is None
        time.sleep(0.002)
    begun.kill()
    assert begun.wait() in (-signal.SIGKILL, 0)
    (tmp_path / "run").rename(tmp_path / "else" / "run")
    subprocess.run([*PROGRAM, "resume", "run"], cwd=tmp_path / "else", check=True, capture_output=True)
    assert (tmp_path / "else/run/vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()


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
    text: Path, whole: Path, tmp_path: Path, stage: str, change: str
) -> None:
    source = Path(shutil.copy(text, tmp_path / "input.txt"))
    run = stopped(source, tmp_path / "run", stage)
    rewritten(source, CHANGES[change](text.read_bytes()))
    with pytest.raises(
        StreamvecError, match=rf"^{source}: changed since {run} was begun: train again with --overwrite"
    ):
        sv.resume(run)
    rewritten(source, text.read_bytes())
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()
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
    text: Path, tmp_path: Path, kind: str, stage: str, options: dict[str, Any]
) -> None:
    source, run = Path(shutil.copy(text, tmp_path / "input.txt")), tmp_path / "run"
    train = sv.train_lm if kind == "lm" else sv.train_skipgram
    with pytest.raises(Interrupted, match="go on with"):
        train(source, run, stop=(run / stage).exists, **{**OPTIONS, **options})
    content = text.read_bytes()
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


@pytest.mark.parametrize("stage", ["run.json", "vocabulary.arrow", "checkpoints/0001-000000000"])
def test_a_clock_that_is_set_back_changes_nothing(
    text: Path, whole: Path, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(text, tmp_path / "run", stage, checkpoint_batches=1)
    year, now = 365 * 24 * 3600, time.time
    for path in run.rglob("*"):
        os.utime(path, (now() + year, now() + year))
    monkeypatch.setattr(time, "time", lambda: now() - year)
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()
    monkeypatch.undo()
    times = [float(line.split(",")[0].removeprefix('{"time":')) for line in (run / "metrics.jsonl").open()]
    assert min(times) < now() - year / 2  # the clock was another one
    tally.count("gone on with: a clock set back")


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
    text: Path, whole: Path, tmp_path: Path, streamvec: Command, words: tuple[str, ...], named: str
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    (tmp_path / "similar.tsv").write_text("river\tlake\t3\n")
    kind, *more = (word.replace("similar.tsv", str(tmp_path / "similar.tsv")) for word in words)
    usual = () if kind == "glove" else AS_WORDS
    said = refusal(streamvec("train", kind, text, "--out", run, *usual, *more))
    assert f"exists already, {'' if kind == 'glove' else 'with '}{named}: go on with `streamvec resume {run}`" in said
    assert "--overwrite" in said and promised(run) == promised(whole)
    tally.count("refused: other options")


def test_a_run_of_other_text_or_of_the_same_options(text: Path, whole: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(text, tmp_path / "other.txt"))
    with pytest.raises(StreamvecError, match=r"exists already, with another INPUT: go on"):
        sv.train_skipgram(other, whole, **OPTIONS)
    with pytest.raises(StreamvecError, match=r"exists already: go on"):
        sv.train_skipgram(text, whole, **OPTIONS)


def test_resume_takes_options_of_the_machine_alone(whole: Path, streamvec: Command) -> None:
    ended = streamvec("resume", whole, "--dim", "8")
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
    whole: Path, tmp_path: Path, name: str, makes: Callable[[Path], None], message: str
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
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
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
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


def test_an_overwrite_that_was_killed_goes_on_and_forgets_the_earlier_run(
    text: Path, whole: Path, tmp_path: Path
) -> None:
    run, aside = tmp_path / "run", Path(shutil.copytree(whole, tmp_path / "run.replaced"))
    with pytest.raises(StreamvecError, match=r"kept from an --overwrite that was killed: give --overwrite again"):
        sv.train_skipgram(text, run, **OPTIONS)
    run.mkdir()
    (run / "lock").touch()
    with pytest.raises(StreamvecError, match="no word occurs"):  # fails with nothing: the earlier one comes back
        sv.train_skipgram(text, run, overwrite=True, **{**OPTIONS, "min_count": 10**6})
    assert promised(run) == promised(whole) and not aside.exists()
    run.rename(aside)
    with pytest.raises(Interrupted):
        sv.train_skipgram(text, run, overwrite=True, stop=lambda: True, **OPTIONS)
    shutil.copytree(whole, aside, dirs_exist_ok=True)  # as a kill would leave it
    with pytest.raises(StreamvecError, match=r"did not end: go on with that by `streamvec resume .*run`, or remove"):
        sv.train_skipgram(text, run, overwrite=True, **OPTIONS)
    (aside / "mine.txt").touch()
    sv.resume(run)
    assert aside.exists()  # what is not a RUN's is never removed
    (aside / "mine.txt").unlink()
    sv.resume(run)
    assert not aside.exists() and (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()


def test_what_a_kill_left_half_written_goes_and_nothing_else(run_copy: Path) -> None:
    left = [
        "vectors.arrow.partial",
        "shards/00009.arrow.partial",
        "checkpoints/0009-000000000.partial/arrays.safetensors",
    ]
    left += ["phrases.removed.partial/ids/00000.arrow"]
    for name in [*left, "mine.partial"]:
        (run_copy / name).parent.mkdir(parents=True, exist_ok=True)
        (run_copy / name).write_bytes(b"half")
    sv.resume(run_copy)
    assert [path.name for path in run_copy.rglob("*.partial")] == ["mine.partial"]


def test_a_stop_of_an_overwrite_keeps_the_earlier_run(corpus: Path, run_copy: Path) -> None:
    """Whoever stops it may have seen a mistake."""
    earlier = (run_copy / "vectors.arrow").read_bytes()
    aside = run_copy.with_name("run.replaced")
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_skipgram(corpus, run_copy, overwrite=True, stop=lambda: (run_copy / "counting").exists(), **OPTIONS)
    assert (aside / "vectors.arrow").read_bytes() == earlier
    sv.resume(run_copy)
    assert not aside.exists() and (run_copy / "vectors.arrow").read_bytes() != earlier


def test_a_folder_that_is_called_as_a_replaced_run_is_left_alone(corpus: Path, run_copy: Path) -> None:
    notes = run_copy.with_name("run.replaced") / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    with pytest.raises(StreamvecError, match=r"run\.replaced: is there, and no RUN"):
        sv.train_skipgram(corpus, run_copy, overwrite=True, **OPTIONS)
    shutil.rmtree(run_copy)
    sv.train_skipgram(corpus, run_copy, overwrite=True, **OPTIONS)
    assert notes.read_text() == "mine"


def test_a_run_here_or_where_a_link_leads(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    sv.train_skipgram(corpus, ".", **OPTIONS)
    (tmp_path / "link").symlink_to("there/run")
    for overwrite in (False, True):
        sv.train_skipgram(corpus, tmp_path / "link", overwrite=overwrite, **OPTIONS)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there/run/vectors.arrow").read_bytes() == Path("vectors.arrow").read_bytes()
    assert [one.name for one in (tmp_path / "there").iterdir()] == ["run"]
