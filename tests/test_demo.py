"""The demo, as a newcomer runs it."""

import subprocess
import sys
from pathlib import Path


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "streamvec_cli.main", "demo", *options]
    return subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=500, check=False)


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    done = run(folder, *options)
    assert done.returncode == 0, done.stderr
    return done


def neighbours(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    lines = [line.split(":") for line in done.stdout.splitlines() if ":" in line]
    return {line[0].strip(): line[1].split() for line in lines}


def test_demo_shows_neighbours_that_make_sense_and_where_they_lie(tmp_path: Path) -> None:
    done = demo(tmp_path)
    lines = neighbours(done)
    assert len({"tuesday", "wednesday", "thursday", "friday", "saturday"} & set(lines["monday"])) >= 2
    assert "father" in lines["mother"]
    assert "demo-run/vectors.arrow" in done.stdout and "streamvec nn demo-run" in done.stdout
    assert "loss" in done.stderr and "loss" not in done.stdout
    assert "demo-run.html" in done.stdout
    page = (tmp_path / "demo-run.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and '"monday"' in page

    again = demo(tmp_path)
    assert again.stdout == done.stdout
    assert "there already" in again.stderr and "epoch" not in again.stderr


def test_demo_of_glove_has_a_folder_of_its_own_and_never_shows_another_model(tmp_path: Path) -> None:
    done = demo(tmp_path, "--model", "glove")
    lines = neighbours(done)
    assert len({"tuesday", "wednesday", "thursday", "friday", "saturday"} & set(lines["monday"])) >= 2
    assert {"father", "brother"} <= set(lines["mother"])
    assert {path.name for path in tmp_path.iterdir()} == {"demo-run-glove", "demo-run-glove.html"}
    assert "counting pairs" in done.stderr and "streamvec nn demo-run-glove" in done.stdout

    assert demo(tmp_path, "--out", "demo-run-glove").stdout == done.stdout
    other = run(tmp_path, "--model", "cbow", "--out", "demo-run-glove")
    assert other.returncode == 1 and not other.stdout
    assert other.stderr == (
        "streamvec: error: demo-run-glove: holds a RUN of glove, not cbow: name another --out, or replace it with "
        "--overwrite\n"
    )
