"""Perplexities of language models on Penn Treebank, WikiText-2 and tiny Shakespeare, by the command line alone.

Each part trains a RUN and evaluates it on text that it was never trained on. With --work RUNs are kept in that folder:
a benchmark that was stopped goes on where it was, and parts can be asked for one at a time.
"""

import json
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import corpora
from benchmarks.bench import Bench, benchmark, show
from benchmarks.parts import options_of, run_parts, streamvec

_WORDS = "--tokens whitespace --min-count 1"  # the texts' own preparation: tokens between spaces, rare ones <unk>
_CELLS = f"{_WORDS} --layers 2 --hidden 200 --batch 20 --bptt 35"
_SMALL = f"{_CELLS} --cell lstm"
_SIX = "--epochs 6 --decay 0.5 --decay-after 3"


class Part(NamedTuple):
    """One training."""

    corpus: str
    options: str
    goal: float | None = None  # largest perplexity, or loss a character in nats


PARTS = {
    "ptb-6": Part("ptb", f"{_SMALL} --tied --dropout 0.2 --learning-rate 1.5 {_SIX}", 110),
    "ptb-40": Part(
        "ptb", f"{_SMALL} --tied --dropout 0.25 --learning-rate 1 --epochs 40 --decay 0.88 --decay-after 15", 92
    ),
    "shakespeare": Part(
        "shakespeare",
        "--level char --keep-case --cell lstm --layers 1 --hidden 512 --batch 50 --bptt 64 --dropout 0.4 "
        "--optimizer adam --learning-rate 0.002 --epochs 8 --decay 0.6 --decay-after 3",
        1.55,
    ),
    **{  # each with the learning rate that suits it; an lstm is ptb-6
        f"ptb-6-{cell}": Part("ptb", f"{_CELLS} --cell {cell} --tied --dropout 0.2 {_SIX}")
        for cell in ("rnn", "gru-simple", "gru")
    },
    "ptb-6-untied": Part("ptb", f"{_SMALL} --dropout 0.2 --learning-rate 1.5 {_SIX}"),
    "ptb-6-adaptive": Part("ptb", f"{_SMALL} --dropout 0.2 --learning-rate 1 {_SIX} --output adaptive --cutoffs 4000"),
    "wikitext-2": Part("wikitext-2", f"{_SMALL} --tied --dropout 0.2 --learning-rate 1.5 {_SIX}"),
}


def run(bench: Bench) -> dict[str, Any]:
    """The parts that were asked for."""
    found = run_parts(bench, "lm_perplexity", PARTS, lambda work, name: _train(bench, work / name, PARTS[name]))
    _show(found)
    return {"threads": bench.args.threads, "parts": found}


def _texts(bench: Bench, corpus: str, folder: Path) -> tuple[Path, Path, Path]:
    """Training text, text held out, text to test on; the last tenth of tiny Shakespeare is both of these."""
    folder.mkdir(parents=True, exist_ok=True)
    if bench.quick:
        texts = [folder / f"made.{name}.txt" for name in ("train", "valid", "test")]
        for number, text in enumerate(texts):
            corpora.made_text(text, 20_000, seed=number)
        return texts[0], texts[1], texts[2]
    if corpus == "shakespeare":
        whole = bench.data("lm/tinyshakespeare.txt").read_bytes()
        edge = len(whole) * 9 // 10
        train, last = folder / "train.txt", folder / "last-tenth.txt"
        train.write_bytes(whole[:edge])
        last.write_bytes(whole[edge:])
        return train, last, last
    end = ".txt" if corpus == "ptb" else ".txt.zst"
    train, valid, test = (bench.data(f"lm/{corpus}.{part}{end}") for part in ("train", "valid", "test"))
    return train, valid, test


def _train(bench: Bench, folder: Path, part: Part) -> dict[str, Any]:
    train, valid, test = _texts(bench, part.corpus, folder.parent / f"{part.corpus}-text")
    if bench.quick:
        part = Part(part.corpus, part.options + " --hidden 16 --epochs 1")
    machine = ["--threads", str(bench.args.threads)]
    command = ["train", "lm", str(train), "--valid", str(valid), *part.options.split()]
    if (folder / "run.json").is_file():
        streamvec(["resume", str(folder), *machine])
    else:
        streamvec([*command, "--out", str(folder), *machine])
    begin = time.perf_counter()
    told = streamvec(["evaluate", str(folder), str(test), "--json"])
    evaluated = time.perf_counter() - begin
    test_of = json.loads(told.splitlines()[-1])
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if "heldout_perplexity" in line]
    rates = sorted(line["tokens_per_second"] for line in lines[1:])
    nats = math.log(test_of["perplexity"])
    value = nats if part.corpus == "shakespeare" else test_of["perplexity"]
    return {
        "options": part.options,
        "epochs": len(epochs),
        "test_perplexity": test_of["perplexity"],
        "test_loss": nats,
        "bits_per_character": test_of["bits_per_character"],
        "test_tokens": test_of["tokens"],
        "valid_perplexity_by_epoch": [round(line["heldout_perplexity"], 2) for line in epochs],
        "tokens_per_second": rates[len(rates) // 2] if rates else None,
        "evaluate_seconds": round(evaluated, 1),
        "goal": part.goal,
        "reached": None if part.goal is None else value <= part.goal,
    }


def _show(found: dict[str, Any]) -> None:
    rows = [
        [name, one["test_perplexity"], one["test_loss"], one["goal"], one["epochs"], one["tokens_per_second"]]
        for name, one in found.items()
    ]
    show("exact, on the test text", ["", "perplexity", "nats", "goal", "epochs", "tokens/s"], rows)


if __name__ == "__main__":
    benchmark("lm_perplexity", __doc__, run, options_of(PARTS))
