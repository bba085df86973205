"""The tests notice when a promise is taken out of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tally
from mutations import MUTATIONS, ROOT

SCRIPT = Path(__file__).with_name("mutations.py")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_each_mutation_is_of_one_place_in_the_code(mutation) -> None:
    assert (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.old) == 1
    assert mutation.new != mutation.old and mutation.tests.split()[0].startswith("tests/test_")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_mutation_is_caught() -> None:
    ended = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, cwd=ROOT, check=False)
    caught = len(re.findall(r"^caught: ", ended.stdout, re.MULTILINE))
    tally.count("mutations caught", caught)
    tally.count("mutations tried", len(MUTATIONS))
    assert ended.returncode == 0 and caught == len(MUTATIONS), ended.stdout + ended.stderr
