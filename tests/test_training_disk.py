"""A disk that fills up while training: one clear line, the last checkpoint kept, and the same bytes after going on."""

import random
import subprocess

import pytest

import streamvec
from streamvec.errors import StreamvecError

OPTIONS = {"dim": 1500, "epochs": 4, "threads": 2, "memory": 500_000_000, "checkpoint_batches": 1}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    rng = random.Random(1)
    with path.open("w") as file:
        for _ in range(5000):
            file.write(" ".join(rng.choices([f"word{n}" for n in range(80)], k=20)) + "\n")
    return path


@pytest.mark.parametrize("room", [700_000, 1_600_000, 2_300_000])
def test_training_on_a_full_disk(corpus, small_disk, tmp_path, room):
    streamvec.train_skipgram(corpus, tmp_path / "whole", **OPTIONS)
    filler, run = small_disk / "filler", small_disk / "run"
    filler.write_bytes(bytes(8 * 2**20 - 65_536 - room))
    with pytest.raises(StreamvecError, match=r"no space left on the disk: free some .*streamvec resume"):
        streamvec.train_skipgram(corpus, run, **OPTIONS)
    assert not (run / "vectors.arrow").exists()
    assert not [path for path in run.rglob("*.partial")]
    filler.unlink()
    streamvec.resume(run, threads=1, checkpoint_batches=3)
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "whole" / "vectors.arrow").read_bytes()
