"""RUNs of language models in every state they can be in: info, verify, and text to measure on that is damaged."""

import shutil

import pytest
from lm_runs import MORE, SMALL, split_by_hand, stopped_while_training
from stopping import stopped_after

import streamvec as sv
from streamvec.errors import Interrupted
from streamvec.training.checking import DAMAGED, OK
from streamvec.training.info import info
from streamvec.training.run import Run
from streamvec.training.verify import verify


def test_info_and_verify_in_every_stage(lm_folder, tmp_path):
    steps = info(lm_folder / "word")["steps"]
    tokens = len(split_by_hand((lm_folder / "text.txt").read_text(encoding="utf-8"), "word"))
    assert steps == -(-((tokens - 1) // 3) // 5)
    seen, run = set(), tmp_path / "run"
    options = {**SMALL, **MORE, "valid": lm_folder / "valid.txt", "patience": 3}
    for number in range(80):
        try:
            if number == 0:
                sv.train_lm(lm_folder / "text.txt", run, **options, stop=stopped_after(0))
            else:
                sv.resume(run, checkpoint_batches=1, stop=stopped_after(number if number < 4 else 7))
        except Interrupted:
            pass
        said, checked = info(run), list(verify(run))
        seen.add(said["stage"])
        assert not [one for one in checked if one.state == DAMAGED]
        if newest := Run.open(run).checkpoints.paths():
            epoch, batch = map(int, newest[0].name.split("-"))
            done = (epoch + batch / steps) / 3
            assert said["progress"] == (1.0 if said["stage"] == "finished" else pytest.approx(done, abs=1e-5))
        names = {one.path.relative_to(run).parts[0]: one.state for one in checked}
        assert "heldout" in names
        assert said["stage"] in ("counting", "encoding") or (names["heldout"] == OK) == (run / "heldout").exists()
        if said["stage"] == "finished":
            break
    assert {"counting", "training", "finished"} <= seen
    assert (
        said["heldout"]["tokens"]
        == 1
        + sum(token != "</s>" for token in split_by_hand((lm_folder / "valid.txt").read_text(encoding="utf-8"), "word"))
        - 1
    )


def test_info_of_a_run_of_characters_counts_no_ends(lm_folder):
    characters = len((lm_folder / "text.txt").read_text(encoding="utf-8")) + 1  # the last line break is added
    assert info(lm_folder / "char")["steps"] == -(-((characters - 1) // 3) // 5)
    assert info(lm_folder / "char" / "shards")["tokens"] == characters


def test_damaged_held_out_text_is_named_and_made_again(lm_folder, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        sv.train_lm(lm_folder / "text.txt", run, valid=lm_folder / "valid.txt", **SMALL, stop=stopped_while_training(3))
    shard = next((run / "heldout").glob("*.arrow"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-40] + bytes(8) + whole[-32:])
    found = [one for one in verify(run) if one.state == DAMAGED]
    assert [one.path for one in found] == [shard] and "remove the folder" in found[0].what
    shutil.rmtree(run / "heldout")
    sv.resume(run)
    assert next((run / "heldout").glob("*.arrow")).read_bytes() == whole
