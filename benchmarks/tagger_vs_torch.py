"""Words a second of training taggers beside PyTorch, the same network on the same batches of CoNLL-2003, in turns.

PyTorch reads each different spelling of a batch once, as streamvec does, and packs padded sequences; its random field
is the forward algorithm over all sentences of a batch at a time.
"""

import argparse
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import taskdata
from benchmarks.bench import REPOSITORY, Bench, Skip, benchmark, environment, median, show, streamvec_command, worker
from benchmarks.torch_peer import torch_answer, torch_python

_TORCH = Path(__file__).with_name("torch_tagger.py")
_NETWORK = "--dim 50 --hidden 100 --char-hidden 25 --min-count 1"
NETWORKS = {
    "crf, 16 sentences": f"{_NETWORK} --output crf --batch 16",
    "softmax, 16 sentences": f"{_NETWORK} --output softmax --batch 16",
    "crf, 64 sentences": f"{_NETWORK} --output crf --batch 64",
}


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200, help="of each measurement, behind twenty that warm up")
    parser.add_argument("--torch", help="a python that has torch; otherwise it is installed into a temporary folder")


def run(bench: Bench) -> dict[str, Any]:
    """Every network in turns with both."""
    args = bench.args
    warm = 20
    if bench.quick:
        args.repeat, args.steps, warm = 1, 2, 1
    python, skipped = None, {}
    try:
        python = torch_python(bench)
    except Skip as reason:
        skipped["torch"] = str(reason)
    data = bench.work / "ner"
    data.mkdir()
    taskdata.ner(bench, data)
    settings = {name: _settings(bench, data, number, warm) for number, name in enumerate(NETWORKS)}
    rounds: list[dict[str, Any]] = []
    for repetition in range(args.repeat):
        for name, one in settings.items():
            bench.say(f"repetition {repetition + 1}: {name}")
            ours = worker("tagger_task", "train", one)
            once = {"network": name, "streamvec": one["trained"] / ours["seconds"], "loss": ours["loss"]}
            if python is not None:
                theirs = torch_answer(python, _TORCH, one)
                once |= {"torch": one["trained"] / theirs["seconds"], "torch_loss": theirs["loss"]}
                once |= {"version": theirs["version"]}
            rounds.append(once)
    found = {}
    for name in NETWORKS:
        mine = [one for one in rounds if one["network"] == name]
        found[name] = {"options": NETWORKS[name], "words_per_second": median([one["streamvec"] for one in mine])}
        if python is not None:
            found[name]["torch_words_per_second"] = median([one["torch"] for one in mine])
            found[name]["times_torch"] = median([one["streamvec"] / one["torch"] for one in mine])
    rows = [
        [name, one["words_per_second"], one.get("torch_words_per_second"), one.get("times_torch")]
        for name, one in found.items()
    ]
    show(f"{args.threads} threads", ["", "words/s", "torch", "times torch"], rows)
    return {"threads": args.threads, "networks": found, "repetitions": rounds, "skipped": skipped}


def _settings(bench: Bench, data: Path, number: int, warm: int) -> dict[str, Any]:
    """What both are told of a network: its options, and where its batches are."""
    folder, name = bench.work / f"run-{number}", list(NETWORKS)[number]
    command = [streamvec_command(), "train", "tagger", "--train", str(data / "train"), "--out", str(folder)]
    command += [*NETWORKS[name].split(), "--epochs", "1"]
    subprocess.run(command, env=environment(), cwd=REPOSITORY, check=True, capture_output=True)
    asked = {"run": str(folder), "batches": str(bench.work / f"batches-{number}.npz"), "warm": warm}
    asked |= {"steps": warm + bench.args.steps, "threads": bench.args.threads}
    return {**asked, **worker("tagger_task", "batches", asked)}


if __name__ == "__main__":
    benchmark("tagger_vs_torch", __doc__, run, options)
