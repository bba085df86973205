"""The demo, as a newcomer runs it."""

import subprocess
import sys


def demo(folder):
    arguments = [sys.executable, "-m", "streamvec_cli.main", "demo"]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done


def test_demo_shows_neighbours_that_make_sense_and_where_they_lie(tmp_path):
    done = demo(tmp_path)
    lines = {line.split(":")[0].strip(): line.split(":")[1] for line in done.stdout.splitlines() if ":" in line}
    assert len({"tuesday", "wednesday", "thursday", "friday", "saturday"} & set(lines["monday"].split())) >= 2
    assert "father" in lines["mother"].split()
    assert "demo-run/vectors.arrow" in done.stdout and "streamvec nn demo-run" in done.stdout
    assert "loss" in done.stderr and "loss" not in done.stdout

    again = demo(tmp_path)
    assert again.stdout == done.stdout
    assert "there already" in again.stderr and "epoch" not in again.stderr
