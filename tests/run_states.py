"""What tests of the states of a RUN share: small options, a stop at any stage, and what a refusal says."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

import streamvec as sv
from streamvec.errors import Interrupted

OPTIONS: dict[str, Any] = {"dim": 16, "epochs": 3, "min_count": 2, "threads": 2}
AS_WORDS = ("--dim", "16", "--epochs", "3", "--min-count", "2", "--threads", "2")


def stopped(text: Path, run: Path, stage: str, **options: Any) -> Path:
    """A RUN that was stopped as soon as *stage* was there."""
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_skipgram(text, run, stop=(run / stage).exists, **{**OPTIONS, **options})
    return run


def refusal(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line by which a command refused; what it had told before that is no error."""
    assert ended.returncode == 1, (ended.returncode, ended.stderr)
    *before, last = ended.stderr.splitlines()
    assert last.startswith("streamvec: error: ") and ended.stdout == ""
    assert not any("error" in line or "Traceback" in line for line in before)
    return last
