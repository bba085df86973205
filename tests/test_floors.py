"""Who may import whom, and that a look-up in the shell loads neither the compiler nor the trainers."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "streamvec.kernels": 0,
    "streamvec.disk": 0,
    "streamvec.errors": 0,
    "streamvec.processor": 0,
    "streamvec.corpus": 1,
    "streamvec.models": 2,
    "streamvec.vectors": 3,
    "streamvec.cluster": 3,
    "streamvec.training": 4,
    "streamvec.tasks": 5,
    "streamvec": 4,  # the package itself, which names what others hold
    "cli": 6,
}
NEVER = {"torch", "tensorflow", "gensim", "pandas", "pickle", "duckdb"}


class Import(NamedTuple):
    """One imported module, and the file and line that import it."""

    module: str  # absolute; streamvec_cli is called cli, as its folder is
    of: str  # the importing module
    line: int

    def __str__(self) -> str:
        return f"{self.of.replace('.', '/')}.py:{self.line} imports {self.module}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for folder in ("streamvec", "cli") for path in (ROOT / folder).rglob("*.py")}


def imports_of(path: Path) -> Iterator[Import]:
    """All imports in a file, also those within functions and of names that are modules."""
    of = module_name(path)
    package = of if path.name == "__init__.py" else of.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, of, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for name in node.names:
                whole = f"{base}.{name.name}"
                yield Import(whole if whole in MODULES else base, of, node.lineno)


IMPORTS = [one for path in MODULES.values() for one in imports_of(path)]


def room(module: str) -> str:
    """The room of the house that a module of ours is in; the empty string for a module of others."""
    module = "cli" + module.removeprefix("streamvec_cli") if module.startswith("streamvec_cli") else module
    return max((one for one in FLOORS if module == one or module.startswith(one + ".")), key=len, default="")


def top(module: str) -> str:
    return module.split(".")[0]


def test_every_room_stands_on_a_floor() -> None:
    folders = {f"streamvec.{path.parent.name}" for path in (ROOT / "streamvec").glob("*/__init__.py")}
    assert folders <= set(FLOORS)
    assert {room(module) for module in MODULES} == set(FLOORS)


def test_the_reader_of_imports_sees_them_all(tmp_path: Path) -> None:
    """Otherwise the tests below could never fail."""
    found = {(one.of, one.module) for one in IMPORTS}
    assert ("streamvec.training.wordvectors", "streamvec.models.skipgram") in found
    assert ("streamvec.models.skipgram", "streamvec.kernels.windows") in found  # a module named as a name
    assert ("cli.train", "cli.watching") in found  # relative
    assert ("cli.answering", "streamvec.vectors") in found  # within a function


def test_rooms_import_only_from_floors_below() -> None:
    for one in IMPORTS:
        importer, imported = room(one.of), room(one.module)
        if not imported or imported == importer or importer == "streamvec":
            continue
        if (importer, imported) == ("streamvec.disk", "streamvec.errors"):
            continue
        writes_results = (importer, imported) == ("streamvec.training", "streamvec.vectors")
        assert writes_results or FLOORS[imported] < FLOORS[importer], one


def test_rooms_side_by_side_do_not_know_each_other() -> None:
    for one in IMPORTS:
        if room(one.of) == "streamvec.vectors":
            assert room(one.module) not in ("streamvec.training", "streamvec.models", "streamvec.kernels"), one
        if room(one.of) == "streamvec.disk":
            assert room(one.module) in ("", "streamvec.disk", "streamvec.errors"), one


def test_kernels_import_nothing_but_numba_and_numpy() -> None:
    allowed = {"numba", "llvmlite", "numpy"} | sys.stdlib_module_names
    for one in IMPORTS:
        if room(one.of) == "streamvec.kernels":
            assert top(one.module) in allowed or room(one.module) == "streamvec.kernels", one


def test_only_kernels_import_the_compiler() -> None:
    for one in IMPORTS:
        assert room(one.of) == "streamvec.kernels" or top(one.module) not in ("numba", "llvmlite"), one


def test_nothing_imports_the_command_line_and_only_it_prints() -> None:
    for one in IMPORTS:
        if room(one.of) != "cli":
            assert room(one.module) != "cli" and top(one.module) not in ("click", "rich"), one
    for module, path in MODULES.items():
        if room(module) != "cli":
            calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
            assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], (
                path
            )


def test_peers_and_what_runs_code_are_never_imported() -> None:
    for one in IMPORTS:
        assert top(one.module) not in NEVER, one


# What a process has loaded when it ends, told on stderr.
TELL = "import atexit, json, os, sys; atexit.register(lambda: sys.stderr.write(json.dumps(sorted(sys.modules)))); "
TELL += "os._exit = sys.exit; "  # a look-up leaves without going through what is registered
RUN = "import runpy; sys.argv[0] = 'streamvec'; runpy.run_module('streamvec_cli.main', run_name='__main__')"


def loaded_by(code: str, *arguments: str | Path) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", TELL + code, *map(str, arguments)], capture_output=True, encoding="utf-8", timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stderr))


def heavy(modules: set[str]) -> set[str]:
    compiled = {name for name in modules if top(name) in ("numba", "llvmlite", "scipy", "torch", "gensim")}
    return compiled | {name for name in modules if room(name) in ("streamvec.kernels", "streamvec.models")}


def test_vectors_load_neither_the_compiler_nor_the_trainers() -> None:
    modules = loaded_by("import streamvec.vectors")
    assert "streamvec.vectors.keyedvectors" in modules
    assert not heavy(modules) and not {name for name in modules if room(name) == "streamvec.training"}


@pytest.mark.parametrize(
    "arguments",
    [("nn", "river"), ("analogy", "king", "crown", "river"), ("similarity", "king", "river")],
    ids=lambda a: a[0],
)
def test_look_ups_load_neither_the_compiler_nor_the_trainers(finished_run: Path, arguments: tuple[str, ...]) -> None:
    verb, *words = arguments
    modules = loaded_by(RUN, verb, finished_run, *words)
    assert "streamvec.vectors.keyedvectors" in modules
    assert not heavy(modules) and not {name for name in modules if room(name) == "streamvec.training"}
    assert "rich" not in modules


@pytest.mark.parametrize("verb", ["embed", "summarize"])
def test_sentences_load_neither_the_compiler_nor_the_trainers(finished_run: Path, tmp_path: Path, verb: str) -> None:
    (tmp_path / "text.txt").write_text("king river\n")
    modules = loaded_by(RUN, verb, finished_run, tmp_path / "text.txt")
    assert "streamvec.vectors.sentences" in modules
    assert not heavy(modules) and not {name for name in modules if room(name) == "streamvec.training"}


def test_looking_at_a_run_loads_neither_the_compiler_nor_a_model(finished_run: Path) -> None:
    for path in (finished_run, finished_run / "vectors.arrow"):
        modules = loaded_by(RUN, "info", path)
        assert "streamvec.training.info" in modules
        light = {"streamvec.models", "streamvec.models.step"}  # what a position is
        light |= {"streamvec.kernels", "streamvec.kernels.records"}  # how bands lie in memory
        assert not heavy(modules) - light
        assert not modules & {"streamvec.training.loop", "streamvec.training.words", "streamvec.corpus.prepare"}


def test_help_loads_no_library() -> None:
    modules = loaded_by(RUN, "--help")
    assert not modules & {"numpy", "pyarrow", "numba", "rich", "smart_open"}
