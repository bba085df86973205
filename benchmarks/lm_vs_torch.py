"""Tokens a second of training language models beside PyTorch, the same networks on the same tokens, in turns.

Of each network: what share of this machine's peak in matrix products it reaches (by the arithmetic of its products,
forward and twice that back), and how many times PyTorch's rate that is. The adaptive softmax is set beside PyTorch's
softmax over every word, and beside its adaptive one; `lm_perplexity` tells what that costs in perplexity.
"""

import argparse
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import corpora
from benchmarks.bench import REPOSITORY, Bench, Skip, benchmark, environment, median, show, streamvec_command, worker
from benchmarks.torch_peer import torch_answer, torch_python

_TORCH = Path(__file__).with_name("torch_task.py")
_WORDS = {"hidden": 200, "layers": 2, "batch": 20, "bptt": 35, "dropout": 0.2, "optimizer": "sgd", "cutoffs": [4000]}
_CHARACTERS = {"hidden": 512, "layers": 1, "batch": 50, "bptt": 64, "dropout": 0.0, "optimizer": "adam"}
NETWORKS: dict[str, dict[str, Any]] = {
    "words": {**_WORDS, "text": "ptb", "tied": True, "output": "softmax"},
    "words, untied": {**_WORDS, "text": "ptb", "tied": False, "output": "softmax"},
    "words, adaptive": {**_WORDS, "text": "ptb", "tied": False, "output": "adaptive"},
    "characters": {**_CHARACTERS, "text": "characters", "tied": False, "output": "softmax", "cutoffs": [4000]},
    "characters, dropout": {
        **_CHARACTERS,
        "text": "characters",
        "tied": False,
        "output": "softmax",
        "cutoffs": [4000],
        "dropout": 0.2,
    },
}


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100, help="of each measurement, behind ten that warm up")
    parser.add_argument("--torch", help="a python that has torch; otherwise it is installed into a temporary folder")


def run(bench: Bench) -> dict[str, Any]:
    """Every network in turns with both."""
    args = bench.args
    if bench.quick:
        args.repeat, args.steps = 1, 2
    python, skipped = None, {}
    try:
        python = torch_python(bench)
    except Skip as reason:
        skipped["torch"] = str(reason)
    texts = {"ptb": _tokens(bench, "ptb"), "characters": _tokens(bench, "characters")}
    rounds: list[dict[str, Any]] = []
    peaks = []
    for repetition in range(args.repeat):
        peaks.append(worker("lm_task", "peak", {"threads": args.threads})["gflops"])
        for name, network in NETWORKS.items():
            bench.say(f"repetition {repetition + 1}: {name}")
            settings = {**network, **texts[network["text"]], "threads": args.threads, "warm": 10}
            settings["steps"] = min(args.steps, settings["most"] - 10)
            trained = settings["steps"] * settings["batch"] * settings["bptt"]
            ours = worker("lm_task", "train", settings)
            once = {"network": name, "streamvec": trained / ours["seconds"], "loss": ours["loss"]}
            if python is not None:
                theirs = torch_answer(python, _TORCH, settings)
                once |= {
                    "torch": trained / theirs["seconds"],
                    "torch_loss": theirs["loss"],
                    "version": theirs["version"],
                }
            rounds.append(once)
    found = _summed_up(rounds, texts, median(peaks), python is not None)
    rows = [
        [
            name,
            one["tokens_per_second"],
            one.get("torch_tokens_per_second"),
            one.get("times_torch"),
            one["share_of_peak"],
        ]
        for name, one in found.items()
    ]
    show(f"{args.threads} threads", ["", "tokens/s", "torch", "times torch", "of peak"], rows)
    return {
        "threads": args.threads,
        "networks": {name: {**network, **found[name]} for name, network in NETWORKS.items()},
        "peak_gflops": median(peaks),
        "repetitions": rounds,
        "skipped": skipped,
    }


def _summed_up(rounds: list[dict[str, Any]], texts: Any, peak: float, has_peer: bool) -> dict[str, dict[str, Any]]:
    """Medians of rates, and of ratios within a repetition."""
    found: dict[str, dict[str, Any]] = {}
    for name, network in NETWORKS.items():
        ours = [one for one in rounds if one["network"] == name]
        rate = median([one["streamvec"] for one in ours])
        products = 6 * _multiplications(network, texts[network["text"]]["words"])
        found[name] = {"tokens_per_second": rate, "flop_per_token": products}
        found[name]["share_of_peak"] = round(rate * products / peak / 1e9, 3)
        if has_peer:
            found[name]["torch_tokens_per_second"] = median([one["torch"] for one in ours])
            found[name]["times_torch"] = median([one["streamvec"] / one["torch"] for one in ours])
    if has_peer:
        whole = [one["torch"] for one in rounds if one["network"] == "words, untied"]
        adaptive = [one["streamvec"] for one in rounds if one["network"] == "words, adaptive"]
        ratios = [one / other for one, other in zip(adaptive, whole, strict=True)]
        found["words, adaptive"]["times_torch_over_every_word"] = median(ratios)
    return found


def _multiplications(network: dict[str, Any], words: int) -> int:
    """Of one token's way forward, in the matrix products as textbooks have them; of an adaptive softmax its head."""
    hidden = network["hidden"]
    scored = network["cutoffs"][0] if network["output"] == "adaptive" else words
    return int(network["layers"] * 8 * hidden * hidden + hidden * scored)


def _tokens(bench: Bench, text: str) -> dict[str, Any]:
    """The tokens of a text side by side in a file, and how many words there are."""
    is_words = text == "ptb"
    network = _WORDS if is_words else _CHARACTERS
    plain = bench.work / f"{text}.txt"
    if bench.quick:
        corpora.made_text(plain, 200_000, seed=1)
    else:
        plain = bench.data("lm/ptb.train.txt" if is_words else "lm/tinyshakespeare.txt")
    folder, kept = bench.work / f"{text}-run", bench.work / f"{text}.npy"
    kind = ["--tokens", "whitespace", "--min-count", "1"] if is_words else ["--level", "char", "--keep-case"]
    command = [streamvec_command(), "train", "lm", str(plain), "--out", str(folder), *kind]
    command += ["--epochs", "1", "--hidden", "16", "--layers", "1", "--batch", "200"]  # for its vocabulary and shards
    subprocess.run(command, env=environment(), cwd=REPOSITORY, check=True, capture_output=True)
    steps = 10 + bench.args.steps
    asked = {"run": str(folder), "tokens": str(kept), "batch": network["batch"], "bptt": network["bptt"]}
    made = worker("lm_task", "tokens", {**asked, "steps": steps})
    return {"tokens": str(kept), "words": made["words"], "most": made["steps"]}


if __name__ == "__main__":
    benchmark("lm_vs_torch", __doc__, run, options)
