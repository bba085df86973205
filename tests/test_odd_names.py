"""Files with odd names, for every verb: it works or says so in one line, and what it prints can be pasted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tally
from odd_names import ALL_AT_ONCE, LONG, NAMES
from streamvec_cli.terminal import json_text, shown

from streamvec.disk.pasting import pasted

WORKS = {repr(name) for name in NAMES if len(name) < 200}


@pytest.mark.parametrize("many", [2, pytest.param(len(NAMES), marks=pytest.mark.soak)])
def test_each_verb_works_or_refuses_in_a_line(tmp_path: Path, many: int) -> None:
    sources, folder = tmp_path / "sources", tmp_path / "names"
    sources.mkdir()
    lines = "".join(f"the river of the king and a lake with water {number}\n" for number in range(100))
    (sources / "text.txt").write_text(lines, encoding="utf-8")
    (sources / "vectors.vec").write_text("the 1 2 3\nriver 1 0 2\nking 3 1 1\nlake 0 1 1\n", encoding="utf-8")
    (sources / "pairs.tsv").write_text("the\triver\t3\nking\tlake\t2\nthe\tlake\t1\n", encoding="utf-8")
    program = Path(__file__).with_name("odd_names.py")
    command = [sys.executable, str(program), str(folder), str(sources), str(many)]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600)
    assert ended.returncode == 0, ended.stderr[-3000:]
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(said) == many * 18
    tally.count("odd names of files: verbs run", len(said))
    for one in said:
        _works_or_refuses(one)
        # nothing that a terminal obeys is printed
        assert all(line.isprintable() for line in (one["out"] + one["err"]).split("\n")), one
    _are_shown(said)
    found = {one["verb"]: one for one in said if one["name"] == repr(LONG)}
    assert found["export"]["status"] == 1 and "leaves room for .partial" in found["export"]["err"]
    assert found["train"]["status"] == 0  # a folder is not written beside


def _works_or_refuses(one: dict[str, Any]) -> None:
    missing = one["verb"].startswith("missing")
    if one["name"] in WORKS and not missing:
        assert one["status"] == 0, one
    assert one["status"] in ((1,) if missing else (0, 1)), one
    if one["status"]:
        *_, last = one["err"].splitlines()
        assert last.startswith("streamvec: error: ") and one["err"].count("streamvec: error") == 1, one
    assert not one["left"], one


def _are_shown(said: list[dict[str, Any]]) -> None:
    """A name is shown as it is, but for what a terminal would obey."""
    shown_as = {
        ALL_AT_ONCE: r"""nowhere/-a  b\n\x1b[2J\x07\udcff'"$(id)*[1]?\%s{};: no such file""",
        b"a b  c": "nowhere/a b  c: no such file",
        b"two\nlines": r"nowhere/two\nlines: no such file",
        b"\xff\xfe\x80": r"nowhere/\udcff\udcfe\udc80: no such file",
    }
    errors = {one["name"]: one["err"] for one in said if one["verb"] == "missing"}
    found = [(text, errors[repr(name)]) for name, text in shown_as.items() if repr(name) in errors]
    assert found
    for text, error in found:
        assert text in error


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_what_is_printed_can_be_pasted(name: bytes) -> None:
    word = pasted(os.fsdecode(name))
    assert word.isprintable() and not word.startswith("-")
    ended = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert ended.stdout.removeprefix(b"./") == name


def test_json_has_what_cannot_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    odd = "a\x1b\n\r\x9b\u2028\u202e\udcff서울\U0001f600\U000e0001"
    text = json_text({"word": odd})
    assert text.isprintable() and json.loads(text) == {"word": odd}
    assert shown(odd).isprintable() and "서울" in shown(odd) and "\\x9b" in shown(odd)


@pytest.mark.parametrize("more", [{}, {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_a_terminal_without_utf8(tmp_path: Path, more: dict[str, str]) -> None:
    (tmp_path / "서울.vec").write_text("서울 1 2\n강 2 1\n😀 1 1\n", encoding="utf-8")
    environment = {**os.environ, "LC_ALL": "C", "LANG": "C", **more}
    environment.pop("PYTHONIOENCODING", None)
    for words, status in (
        (["nn", "서울.vec", "서울"], 0),
        (["nn", "서울.vec", "서울", "--json"], 0),
        (["nn", "强.vec", "x"], 1),
        (["info", "서울.vec"], 0),
    ):
        command = [sys.executable, "-m", "streamvec_cli.main", *words]
        ended = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment)
        assert ended.returncode == status and b"Traceback" not in ended.stderr, ended
        assert (ended.stderr.count(b"\n") == 1) == (status == 1)
        if "--json" in words:
            assert {one["word"] for one in json.loads(ended.stdout)["neighbours"]} == {"강", "😀"}
