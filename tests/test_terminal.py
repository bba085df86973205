"""Words that try to steer a terminal, in every verb that prints words: written out, on one line, and exact as JSON."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from streamvec_cli.main import streamvec as program
from streamvec_cli.terminal import shown

HOSTILE = (
    "<script>alert(1)</script>",
    "\x1b]0;x\x07",
    "\x1b[2J",
    "\u202etxet",
    "\u009b31mred",
    "zero\u200bwidth",
    "a\x00b",
    "</script><!--",
    "line\u2028line",
    "bell\x07",
)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """word2vec's text of the hostile words and two others."""
    path = tmp_path_factory.mktemp("hostile") / "v.vec"
    words = [*HOSTILE, "king", "queen"]
    rows = "".join(f"{word} {place} {place % 3 + 1} 1\n" for place, word in enumerate(words))
    path.write_bytes(f"{len(words)} 3\n{rows}".encode())
    return path


def said(*words: object, stdin: str | None = None) -> tuple[str, str]:
    ended = CliRunner().invoke(program, list(map(str, words)), input=stdin)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return ended.stdout, ended.stderr


def asked(vectors: Path) -> list[tuple[object, ...]]:
    """Every verb that prints words."""
    return [
        ("nn", vectors, "king", "-n", "20"),
        ("nn", vectors, *HOSTILE, "-n", "3"),
        ("analogy", vectors, *HOSTILE[:3], "-n", "20"),
        ("similarity", vectors, *HOSTILE[1:3]),
        ("doesnt-match", vectors, *HOSTILE),
        ("vector", vectors, *HOSTILE),
        ("info", vectors),
    ]


def test_joiners_of_letters_stay() -> None:
    """Persian and Indic words are written with them, and a terminal only shapes letters by them."""
    word = "می\u200cخواهم"
    assert shown(word) == word and shown(word + "\x1b") == word + "\\x1b"


def test_what_is_printed_can_be_seen(vectors: Path) -> None:
    for words in asked(vectors):
        out, err = said(*words)
        assert all(line.isprintable() for line in (out + err).split("\n")), words


def test_json_gives_the_words_as_they_are(vectors: Path) -> None:
    out, _ = said("nn", vectors, "king", "-n", "20", "--json")
    assert out.count("\n") == 1 and out[:-1].isprintable()
    assert {one["word"] for one in json.loads(out)["neighbours"]} == {*HOSTILE, "queen"}


def test_lines_of_stdin(vectors: Path) -> None:
    out, err = said("nn", vectors, "-n", "2", stdin="\n".join(["\x1b[2J", "not\x1bthere", "\u202etxet"]))
    assert out.split("\n")[0] == r"\x1b[2J" and len(out.splitlines()) == 6
    assert r"'not\x1bthere'" in err and "\x1b" not in out + err


def test_similarity_sets_with_hostile_words(vectors: Path, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("king\tqueen\t1\nking\t\x1b]0;x\x07\t2\nking\tmissing\x1b[2J\t3\n", encoding="utf-8")
    out, err = said("evaluate", vectors, "--similarity", path)
    assert r"missing\x1b[2J" in out and "\x1b" not in out + err
    path.write_text("king queen \x1b[2J\n", encoding="utf-8")
    ended = CliRunner().invoke(program, ["evaluate", str(vectors), "--similarity", str(path)])
    assert "\x1b" not in shown(str(ended.exception))


def test_the_page_and_the_picture(vectors: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed here")
    for name in ("map.html", "map.svg"):
        said("plot", vectors, "-o", tmp_path / name, "--method", "pca")
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert not re.search("[\x00-\x08\x0e-\x1f]", text), name
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert set(HOSTILE) <= set(data["words"])


def test_text_of_a_model_is_exact_in_a_pipe_and_harmless_on_a_terminal() -> None:
    code = r"from streamvec_cli.terminal import say_text; say_text('a\tb\n\x1b[2Jc\x9b')"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert piped == "a\tb\n\x1b[2Jc\x9b\n".encode()
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True)
    os.close(theirs)
    read = os.read(ours, 4096)
    os.close(ours)
    assert read.replace(b"\r\n", b"\n") == b"a\tb\n\\x1b[2Jc\\x9b\n"
