"""Every verb that writes: what it needs, the command as a person types it, and how one goes on after something failed.

All paths are relative to a folder, in which commands run, within this process: so all of it is the same bytes wherever
the folder stands, and takes a fraction of a second.
"""

import contextlib
import io
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import two_topics
from lm_runs import text_of
from stopping import content_of
from streamvec_cli.main import main
from task_runs import reviews, write_tsv
from test_tagging import tagged

from streamvec.corpus import cooccurrencestage, counting, encoding, pairpass, pairruns, shardwriter
from streamvec.corpus import prepare as prepare_module
from streamvec.corpus.shares import Shares

# What tells of a run and is none of its result: when it was, how fast, and by which process.
TELLING = ("lock", "metrics.jsonl", "gradients.jsonl", "prepared.json")
_SMALL = ("--threads", "1", "--min-count", "2", "--epochs", "2", "--checkpoint-batches", "3")
_WORDS = (*_SMALL, "--dim", "4", "--negative", "2")
_TASK = (*_SMALL, "--dim", "4", "--batch", "8", "--train", "in/train.tsv", "--valid", "in/valid.tsv", "--out", "run")


_open = os.open  # not the one of a faulty disk


class Verb(NamedTuple):
    """A command, and the files that it needs."""

    name: str
    command: str
    makes: Callable[[Path], None]  # what it needs, in a folder; and run first, where a RUN or vectors are needed
    first: tuple[str, ...] = ()
    stdin: str = ""  # a file

    @property
    def trains(self) -> bool:
        """Whether its result is a RUN, with which `resume` goes on."""
        return self.command.startswith("train")

    def again(self, folder: Path) -> str:
        """What a person does next: the same command, or `resume` once it has left a RUN."""
        is_replacing = "--overwrite" in self.command and not (folder / "run.replaced").exists()
        if self.trains and (folder / "run" / "run.json").exists() and not is_replacing:
            return "resume run --threads 1"
        return self.command if self.trains or self.command.startswith("plot") else f"{self.command} --overwrite"


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    said: str  # on stderr


def call(folder: Path, command: str, stdin: str = "") -> Ended:
    """Runs ``streamvec COMMAND`` in this process, and in *folder*."""
    argv, cwd, standard, given = sys.argv, Path.cwd(), os.dup(0), sys.stdin
    out, said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    handle = _open(folder / stdin if stdin else os.devnull, os.O_RDONLY)
    status: object = 0
    try:
        os.chdir(folder)
        os.dup2(handle, 0)
        sys.argv, sys.stdin = ["streamvec", *command.split()], io.TextIOWrapper(io.FileIO(0, closefd=False))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv, sys.stdin = argv, given
        os.chdir(cwd)
        os.dup2(standard, 0)
        for one in (standard, handle):
            os.close(one)
    said.seek(0)
    assert isinstance(status, int)
    return Ended(status, said.read())


def result(folder: Path) -> dict[str, bytes]:
    """All that stands in *folder* and must be the same however often a command was stopped.

    Of checkpoints only the last: where those before it were made depends on where training began again.
    """
    found = {name: raw for name, raw in content_of(folder).items() if Path(name).name not in TELLING}
    last = {path.parent: path for path in sorted(folder.glob("*/checkpoints/*"))}
    return {name: raw for name, raw in found.items() if "/checkpoints/" not in name or _is_of(last, folder / name)}


def _is_of(last: dict[Path, Path], path: Path) -> bool:
    return path.parent == last.get(path.parents[1]) or ".partial" in str(path)


@contextlib.contextmanager
def small_parts() -> Iterator[None]:
    """Blocks, batches, shards and tables so small that a little text has several, recorded often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shardwriter, "BATCH_TOKENS", 150)
        patch.setattr(encoding, "SHARD_BATCHES", 2)
        patch.setattr(counting, "INTERVAL", 0.0)
        patch.setattr(pairpass, "INTERVAL", 0.0)
        patch.setattr(pairruns, "_FEWEST_SLOTS", 4000)
        patch.setattr(cooccurrencestage, "FILES", 3)
        patch.setattr(prepare_module, "shares", lambda *_: Shares(2500, 1))
        yield


def _text(folder: Path) -> None:
    (folder / "in" / "text.txt").write_text(two_topics(24), encoding="utf-8")


def _lm(folder: Path) -> None:
    (folder / "in" / "text.txt").write_text(text_of(24, 1), encoding="utf-8")
    (folder / "in" / "valid.txt").write_text(text_of(12, 2), encoding="utf-8")


def _reviews(folder: Path) -> None:
    for number, name in enumerate(("train", "valid")):
        write_tsv(folder / "in" / f"{name}.tsv", reviews(32 - 20 * number, number))


def _tagged(folder: Path) -> None:
    for number, name in enumerate(("train", "valid")):
        (folder / "in" / f"{name}.tsv").write_text(tagged(14 - 8 * number, number), encoding="utf-8")


def _pairs(folder: Path) -> None:
    draw = random.Random(1)
    for name, lines in (("train", 24), ("valid", 6)):
        words = ["".join(draw.choice("abcde") for _ in range(draw.randrange(2, 5))) for _ in range(lines)]
        rows = "".join(f"{word}\t{word[::-1]}\n" for word in words)
        (folder / "in" / f"{name}.tsv").write_text(rows, encoding="utf-8")


def _bias(folder: Path) -> None:
    _text(folder)
    (folder / "in" / "pairs.txt").write_text("king queen\nprince palace\n", encoding="utf-8")


def _vec(folder: Path) -> None:
    draw = random.Random(2)
    rows = "".join(f"w{row} {' '.join(f'{draw.random():.4f}' for _ in range(4))}\n" for row in range(60))
    (folder / "in" / "v.vec").write_text(f"60 4\n{rows}", encoding="utf-8")


_RUN = f"train skipgram in/text.txt --out run {' '.join(_WORDS)}"
_OTHER = f"train skipgram in/text.txt --out other {' '.join(_WORDS)} --seed 9"


def _train(name: str, options: str, makes: Callable[[Path], None] = _text, *first: str, stdin: str = "") -> Verb:
    return Verb(name, f"train {options}", makes, first, stdin)


def _of_run(name: str, command: str, makes: Callable[[Path], None] = _text) -> Verb:
    return Verb(name, command, makes, (_RUN,))


_W = " ".join(_WORDS)
VERBS = [
    _train("skipgram", f"skipgram in/text.txt --out run {_W}"),
    _train("skipgram, subwords", f"skipgram in/text.txt --out run {_W} --subwords 3-4 --buckets 50"),
    _train("skipgram, phrases", f"skipgram in/text.txt --out run {_W} --phrases 2 --phrase-threshold 1"),
    _train("skipgram, softmax, held out", f"skipgram in/text.txt --out run {_W} --objective softmax --holdout 0.1"),
    _train("skipgram, shards elsewhere", f"skipgram in/text.txt --out run {_W} --shards shared"),
    _train("skipgram of a pipe", f"skipgram - --out run {_W}", stdin="in/text.txt"),
    _train("skipgram of a RUN", f"skipgram other --out run {_W}", _text, _OTHER),
    _train("skipgram from a RUN", f"skipgram in/text.txt --out run {_W} --from other", _text, _OTHER),
    _train("skipgram in place of a RUN", f"skipgram in/text.txt --out run {_W} --seed 7 --overwrite", _text, _RUN),
    _train("cbow, hs", f"cbow in/text.txt --out run {_W} --objective hs".replace("--negative 2", "")),
    _train("glove", f"glove in/text.txt --out run --dim 4 {' '.join(_SMALL)} --checkpoint-batches 40"),
    _train("lm", f"lm in/text.txt --valid in/valid.txt --out run --hidden 4 --patience 2 {' '.join(_SMALL)}", _lm),
    _train("classifier", f"classifier {' '.join(_TASK)}", _reviews),
    _train("tagger", f"tagger {' '.join(_TASK)} --hidden 4 --char-hidden 2 --char-dim 2", _tagged),
    _train("translator", f"translator {' '.join(_TASK)} --level char --hidden 4".replace("count 2", "count 1"), _pairs),
    *(
        _of_run(f"export {end}", f"export run -o out/v.{end}")
        for end in ("vec", "vec.gz", "bin", "npy", "kv", "safetensors", "parquet", "arrow")
    ),
    _of_run("export projector", "export run -o out/p --format projector"),
    Verb("import", "import in/v.vec -o out/v.arrow", _vec),
    _of_run("index", "index run/vectors.arrow"),
    _of_run("plot page", "plot run -o out/map.html --top 12"),
    _of_run("debias", "debias run --pairs in/pairs.txt -o out/d.arrow", _bias),
    _of_run("embed", "embed run in/text.txt -o out/e.parquet"),
]


def made(verb: Verb, folder: Path) -> Path:
    """A folder with all that *verb* needs: what is read in ``in/``, room for files in ``out/``, and a bystander."""
    for name in ("in", "out"):
        (folder / name).mkdir(parents=True)
    (folder / "out" / "other.txt").write_text("not to be touched")
    verb.makes(folder)
    for command in verb.first:
        ended = call(folder, command)
        assert ended.status == 0, ended.said
    return folder


def copied(base: Path, to: Path) -> Path:
    """A copy whose files have the same dates."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(base, to))
