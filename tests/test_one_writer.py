"""One module changes the disk, and one opens what is read: nothing else in the code does, by its words or when run."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted(path for room in ("streamvec", "cli") for path in (ROOT / room).rglob("*.py"))
WRITER, READER = "streamvec/disk/writing.py", "streamvec/disk/reading.py"
# Names of functions and methods that change a disk, whatever they are called on.
CHANGING = {
    *("write_bytes", "write_text", "touch", "unlink", "rmdir", "mkdir", "makedirs", "rename", "renames", "hardlink_to"),
    *("symlink_to", "rmtree", "copyfile", "copy2", "copytree", "move", "fsync", "fdopen", "truncate", "ftruncate"),
    *("pwrite", "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory", "TemporaryFile", "tofile", "savetxt"),
}
# pathlib's replace takes one argument and str's two; os.remove and list.remove differ by what they are called on.
MODULES = {"os": {"remove", "replace", "link", "symlink", "open", "write", "removedirs"}, "np": {"save", "savez"}}
# Kernels know of no files, but numba must be told where it may keep compiled code; a lock holds its holder's number.
ALLOWED = {
    "streamvec/kernels/__init__.py": {"mkdir", "mkdtemp"},
    "streamvec/disk/lock.py": {"ftruncate", "pwrite"},
    "cli/main.py": {"open"},  # os.devnull, in place of a standard output that is gone
}
READS_MACHINE = {"streamvec/processor.py", "streamvec/training/options.py"}  # /proc and /sys


def changes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of each call that changes a disk, or may."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil", "tempfile"):
            yield node.lineno, f"from {node.module} import"
        if not isinstance(node, ast.Call):
            continue
        name, owner = called(node)
        is_path_replace = name == "replace" and len(node.args) == 1 and not node.keywords
        if owner is not None and (name in CHANGING or name in MODULES.get(owner, ()) or is_path_replace):
            yield node.lineno, name
        if name in ("open", "OSFile") and mode_of(node) & set("wax+"):
            yield node.lineno, "open to write"


def called(call: ast.Call) -> tuple[str, str | None]:
    """(the name that is called, what it is called on: "" where that is no name, None where it is called alone)."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr, getattr(call.func.value, "id", "")
    return getattr(call.func, "id", ""), None


def mode_of(call: ast.Call) -> set[str]:
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    texts = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return {letter for text in texts if set(text) <= set("rwaxbt+") for letter in text}


def opens(tree: ast.AST) -> Iterator[int]:
    """The lines of calls that open a file by its path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name, owner = called(node)
            mapped = name == "mmap" and any(keyword.arg == "access" for keyword in node.keywords)
            by_name = owner is not None and name in ("OSFile", "memory_map", "open_memmap", "read_bytes")
            if mapped or by_name or (name == "open" and mode_of(node) & {"r"}):
                yield node.lineno


def test_nothing_else_changes_a_disk() -> None:
    found = []
    for path in CODE:
        name = path.relative_to(ROOT).as_posix()
        if name != WRITER:
            these = changes(ast.parse(path.read_text()))
            found += [f"{name}:{line}: {what}" for line, what in these if what not in ALLOWED.get(name, ())]
    assert not found, found
    assert len(list(changes(ast.parse((ROOT / WRITER).read_text())))) > 12  # they would be seen


def test_nothing_else_opens_a_file_to_read() -> None:
    found = []
    for path in CODE:
        name = path.relative_to(ROOT).as_posix()
        if name not in {WRITER, READER, *READS_MACHINE, "streamvec/kernels/__init__.py", "streamvec/corpus/remote.py"}:
            found += [f"{name}:{line}" for line in opens(ast.parse(path.read_text()))]
    assert not found, found
    assert len(list(opens(ast.parse((ROOT / READER).read_text())))) >= 3


WATCHED = """
import os, sys
from pathlib import Path
code, writer, lock = sys.argv[1:]
seen = set()
def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int) or not (set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)):
            return
    elif event not in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate",
                       "shutil.rmtree", "shutil.copyfile", "shutil.move", "tempfile.mkstemp", "tempfile.mkdtemp"):
        return
    frame = sys._getframe(1)
    while frame:
        name = frame.f_code.co_filename
        if "numba" in name or "importlib" in name:
            return  # compiled code
        if name.startswith(code):
            name = os.path.relpath(name, code)
            seen.add((event, name))
            if name not in (writer, lock) and (event, name) != ("os.mkdir", "streamvec/kernels/__init__.py"):
                print("WRITES", event, arguments[0], name, frame.f_lineno, file=sys.stderr)
            return
        frame = frame.f_back
sys.addaudithook(watch)
from streamvec_cli.main import main
for line in sys.stdin.read().splitlines():
    try:
        sys.argv[1:] = line.split("\\t")
        main()
    except SystemExit as end:
        if end.code:
            print("FAILED", line, end.code, file=sys.stderr)
print(*sorted({event for event, name in seen if name == writer}))
"""


def test_nothing_else_changes_a_disk_when_it_runs(corpus: Path, tmp_path: Path) -> None:
    small = ["--dim", "8", "--epochs", "1", "--min-count", "2", "--threads", "1"]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("king queen\nprince palace\n")
    words = tmp_path / "words.txt"
    words.write_text("king\nqueen\nriver\nlake\n")
    run, vectors = tmp_path / "run", tmp_path / "run" / "vectors.arrow"
    commands = [
        ["train", "skipgram", corpus, "--out", run, *small, "--subwords", "3-4", "--phrases", "1"],
        ["train", "glove", corpus, "--out", tmp_path / "glove", *small],
        ["train", "lm", corpus, "--out", tmp_path / "lm", "--hidden", "8", "--epochs", "1", "--threads", "1"],
        ["train", "skipgram", corpus, "--out", run, *small, "--overwrite"],
        ["resume", run],
        *(["export", vectors, "-o", tmp_path / f"v.{end}"] for end in ("vec", "bin", "npy", "safetensors", "parquet")),
        ["export", vectors, "-o", tmp_path / "projector", "--format", "projector"],
        ["index", vectors],
        ["nn", vectors, "king"],
        ["plot", vectors, "-o", tmp_path / "map.html", "--words", words],
        ["debias", vectors, "--pairs", pairs, "-o", tmp_path / "d.arrow"],
        ["evaluate", tmp_path / "lm", corpus],
        ["verify", run],
    ]
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, str(ROOT), WRITER, "streamvec/disk/lock.py"],
        input="\n".join("\t".join(map(str, command)) for command in commands),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "WRITES" not in ended.stderr and "FAILED" not in ended.stderr and "Traceback" not in ended.stderr, (
        ended.stderr
    )
    assert {"open", "os.rename", "os.mkdir", "os.remove", "shutil.rmtree"} <= set(ended.stdout.split("\n")[-2].split())


@pytest.mark.parametrize(
    "line",
    ["Path(a).write_text(b)", "open(a, 'wb')", "a.open('ab')", "os.replace(a, b)", "a.replace(b)", "np.save(a, b)"],
)
def test_what_changes_a_disk_is_seen(line: str) -> None:
    assert list(changes(ast.parse(line)))
    assert not list(changes(ast.parse("a.replace('b', 'c'); open(a); a.remove(b); open(a, 'rb')")))
