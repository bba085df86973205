"""The documents say what is: every verb and option is in them, every file they name exists, every example works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from conftest import two_topics
from streamvec_cli.main import VERBS, streamvec

from streamvec.disk.sealed import read_json

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def fenced(language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL))


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that *words* call, and the words left for it; click.UsageError when there is none."""
    command: click.Command = streamvec
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, parent=context)
    return command, words


def parse(line: str) -> None:
    """Parses one call of streamvec as the command line would, without running it."""
    command, words = command_of(shlex.split(line)[1:])
    command.make_context("streamvec", [word for word in words if word != "--debug"])


def calls(text: str) -> list[str]:
    """The calls of streamvec in lines of shell, without what is before a pipe or after a redirection."""
    found = [re.search(r"\bstreamvec (?!&&)[^|<>#\n]*", line) for line in text.splitlines() if "git clone" not in line]
    return [match[0] for match in found if match]


EXAMPLES = calls(fenced("sh"))
KINDS = [
    "train skipgram",
    "train cbow",
    "train glove",
    "train lm",
    "train classifier",
    "train tagger",
    "train translator",
]
HELP_EXAMPLES = {name: command.help or "" for name in [*VERBS, *KINDS] for command in [command_of(name.split())[0]]}


def test_every_verb_is_in_the_readme() -> None:
    for verb in VERBS:
        assert re.search(rf"\b(streamvec|make) {verb}\b", README), verb


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_of_train_is_in_the_readme(kind: str) -> None:
    command, _ = command_of(kind.split())
    offered = [one for one in command.params if not getattr(one, "hidden", False)]
    options = [name for one in offered for name in one.opts if name.startswith("--")]
    assert {"--dim", "--memory", "--json"} <= set(options)
    for option in options:
        assert f"`{option}" in README, option


def test_every_option_the_readme_names_exists() -> None:
    known = {"--debug"}
    for name in HELP_EXAMPLES:
        known |= {opt for one in command_of(name.split())[0].params for opt in (*one.opts, *one.secondary_opts)}
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose))
    assert len(named) > 20 and named <= known


@pytest.mark.parametrize("line", EXAMPLES)
def test_shell_examples_of_the_readme_parse(line: str) -> None:
    try:
        parse(line)
    except click.exceptions.Exit as end:  # --version
        assert end.exit_code == 0


def test_the_parser_of_examples_sees_what_is_wrong() -> None:
    assert len(EXAMPLES) > 15
    for line in (
        "streamvec nn",
        "streamvec nm x",
        "streamvec train skipgram x --out y --dimm 3",
        "streamvec nn x -n y",
    ):
        with pytest.raises(click.UsageError):
            parse(line)


@pytest.mark.parametrize("name", HELP_EXAMPLES)
def test_examples_of_the_help_parse(name: str) -> None:
    text = HELP_EXAMPLES[name].split("Example:\n")[1]
    examples = calls(text)
    assert examples
    for line in examples:
        parse(line.replace("\\n", " "))


def test_the_python_example_runs(tmp_path: Path) -> None:
    code = fenced("python")
    (tmp_path / "wiki.txt").write_text(two_topics(500) + "man woman man woman\n" * 20, encoding="utf-8")
    (tmp_path / "reviews.tsv").write_text("good\tsuch a fine film\nbad\ta film so bad\n" * 20, encoding="utf-8")
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""  # the library never prints
    assert read_json(tmp_path / "wiki-run" / "run.json")["config"]["dim"] == 50


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text(encoding="utf-8")):
        assert "://" in target or (ROOT / target).exists(), target


def test_every_file_named_in_the_architecture_exists() -> None:
    named = set(re.findall(r"`((?:streamvec|cli|tests|benchmarks)/[\w./]*|\w+\.(?:py|toml))`", ARCHITECTURE))
    named |= set(re.findall(r"^ +(?:\d  )?((?:streamvec|cli)/[\w./]*)", ARCHITECTURE, re.MULTILINE))
    assert len(named) > 25
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_room_is_in_the_architecture() -> None:
    for folder in [*(ROOT / "streamvec").glob("*/__init__.py"), ROOT / "cli" / "__init__.py"]:
        assert f"{folder.parent.relative_to(ROOT)}/ " in ARCHITECTURE


def test_every_file_of_a_run_is_described(finished_run: Path) -> None:
    for path in finished_run.rglob("*"):
        if path.is_file():
            name = "NNNNN.arrow" if path.parent.name == "shards" and path.suffix == ".arrow" else path.name
            assert name in ARCHITECTURE, path
    for place in ("run.json", "prepared.json", "shards/index.json"):
        for entry in read_json(finished_run / place):
            assert f"`{entry}`" in ARCHITECTURE, (place, entry)
    in_readme = README.split("## What a RUN holds")[1].split("##")[0]
    for path in finished_run.iterdir():
        assert path.name in in_readme or path.name == "lock"


def test_contributing_is_short_and_changes_are_a_line_each() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 25
    for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines():
        assert line == "" or line.startswith(("# ", "## ", "- ")), line


NAMED_TESTS = re.findall(r"`(tests/test_\w+\.py)::(test_\w+)`", (ROOT / "RELIABILITY.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("named", NAMED_TESTS, ids=lambda named: named[1])
def test_each_test_that_holds_a_promise_exists(named: tuple[str, str]) -> None:
    file, test = named
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(set(NAMED_TESTS)) > 30


def test_the_makefile_calls_pytest_as_it_can_be_called() -> None:
    """A file as an option's own word keeps pytest from reading tests/conftest.py, and so from knowing the option."""
    made = subprocess.run(["make", "-n", "test", "soak"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    calls_of_pytest = re.findall(r"-m pytest (.*)", made)
    assert len(calls_of_pytest) == 2
    for options in calls_of_pytest:
        command = [sys.executable, "-m", "pytest", *options.split(), "--collect-only", "--ignore-glob=tests/test_*"]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, result.stderr
