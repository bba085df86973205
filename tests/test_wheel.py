"""The built wheel in an empty environment: what is in it, what is not, and that it answers there."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from conftest import TOPICS

from streamvec import __version__

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without the network."""
    for tool in ("pip", "hatchling"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed here: pip install -c constraints.txt -e '.[dev]'")
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", *options, str(ROOT)], capture_output=True, encoding="utf-8"
    )
    assert ended.returncode == 0, ended.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel, and sees what it depends on but not this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    others = folder / "others"
    others.mkdir()
    for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(site).iterdir():
            if "streamvec" not in path.name and path.suffix != ".pth" and not (others / path.name).exists():
                (others / path.name).symlink_to(path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = ["--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True
    )
    (Path(site.stdout.decode().strip()) / "others.pth").write_text(f"{others}\n", encoding="utf-8")
    return folder / "venv"


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command elsewhere than in this checkout, and without what points to it."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, encoding="utf-8", timeout=120)


def test_everything_is_in_the_wheel_and_nothing_called_cli(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {
        "streamvec",
        "streamvec_cli",
        f"streamvec-{__version__}.dist-info",
    }
    expected = {f"streamvec/{path.relative_to(ROOT / 'streamvec')}" for path in (ROOT / "streamvec").rglob("*.*")}
    expected |= {f"streamvec_cli/{path.relative_to(ROOT / 'cli')}" for path in (ROOT / "cli").rglob("*.*")}
    expected = {name for name in expected if "__pycache__" not in name and "/." not in name}
    assert {name for name in names if not name.startswith("streamvec-")} == expected
    assert "streamvec/data/novels-en.txt.zst" in names and "streamvec_cli/main.py" in names


def test_the_wheel_says_its_licence_and_the_command(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    about = f"streamvec-{__version__}.dist-info"
    assert archive.read(f"{about}/entry_points.txt").decode().split() == [
        "[console_scripts]",
        "streamvec",
        "=",
        "streamvec_cli.main:run",
    ]
    assert archive.read(f"{about}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_command_answers_in_an_empty_environment(environment: Path, finished_run: Path, tmp_path: Path) -> None:
    command = environment / "bin" / "streamvec"
    ended = run(tmp_path, command, "--version")
    assert ended.returncode == 0 and __version__ in ended.stdout
    ended = run(tmp_path, command, "nn", finished_run, "river", "-n", "3")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {line.split()[0] for line in ended.stdout.splitlines()} < set(TOPICS[0])
    assert run(tmp_path, command, "verify", finished_run).returncode == 0


def test_it_is_the_wheel_that_answers_and_other_peoples_cli_is_free(environment: Path, tmp_path: Path) -> None:
    python = environment / "bin" / "python"
    for module in ("streamvec", "streamvec_cli.main"):
        ended = run(tmp_path, python, "-c", f"import {module} as module; print(module.__file__)")
        assert Path(ended.stdout.strip()).is_relative_to(environment), ended.stderr
    assert "No module named 'cli'" in run(tmp_path, python, "-c", "import cli").stderr
