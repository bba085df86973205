"""The peak memory of preparing and training on a corpus larger than the memory allowed, by the operating system."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks import corpora
from benchmarks.bench import REPOSITORY, Bench, benchmark, environment, show, streamvec_command
from benchmarks.memory import Measured, measured


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--size", type=int, default=1_200_000_000, help="bytes of the corpus")
    parser.add_argument("--memory", type=int, default=500_000_000, help="bytes, as --memory of the command line")
    parser.add_argument(
        "--max-vocab", type=int, default=150_000, help="repeated text brings every word above min-count"
    )
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kind", choices=("skipgram", "lm"), default="skipgram", help="lm: a small language model")


def run(bench: Bench) -> dict[str, Any]:
    """One command from text to vectors; then preparation and training in processes of their own."""
    args = bench.args
    if bench.quick:
        args.size, args.dim = 2_000_000, 20
    sample = corpora.corpus(bench, corpora.WIKI)
    text = bench.work / "stretched.txt"
    bench.say(f"making {args.size / 1e6:,.0f} MB of text")
    corpora.stretched(sample, text, args.size)
    sample.unlink()
    corpus = {"made_from": "made up" if bench.quick else corpora.WIKI, "bytes": text.stat().st_size}

    memory, threads = str(args.memory), str(args.threads)
    if args.kind == "lm":
        return _language_model(bench, text, corpus)
    train = [streamvec_command(), "train", "skipgram", "--epochs", "1", "--dim", str(args.dim)]
    train += ["--memory", memory, "--threads", threads, "--max-vocab", str(args.max_vocab)]
    runs = {name: str(bench.work / name) for name in ("together", "prepared", "trained")}
    stages: dict[str, Measured] = {}

    plan = _run([streamvec_command(), "plan", str(text), "--json", *train[3:]])
    planned = json.loads(plan.stdout)["peak_memory_bytes"]
    bench.say("text to vectors in one command")
    stages["text to vectors"] = _run([*train, str(text), "--out", runs["together"]])
    together = (Path(runs["together"]) / "vectors.arrow").read_bytes()
    shutil.rmtree(runs["together"])
    bench.say("preparing alone")
    settings = {"input": str(text), "run": runs["prepared"], "threads": args.threads, "memory": args.memory}
    settings["max_vocab"] = args.max_vocab
    stages["preparing alone"] = _run([sys.executable, "-m", "benchmarks.ours", "prepare", json.dumps(settings)])
    corpus |= json.loads(stages["preparing alone"].stdout.splitlines()[-1])
    text.unlink()
    bench.say("training alone")
    stages["training alone"] = _run([*train, runs["prepared"], "--out", runs["trained"]])
    apart = (Path(runs["trained"]) / "vectors.arrow").read_bytes()
    if apart != together:
        raise RuntimeError("training on prepared shards gave other bytes than the one command")

    kept = {name: _record(stage, args.memory) for name, stage in stages.items()}
    kept["text to vectors"]["plan_said_mb"] = round(planned / 1e6, 1)
    rows = [[name, stage["peak_mb"], stage["share_of_allowed"], stage["seconds"]] for name, stage in kept.items()]
    rows.append(["streamvec plan said", planned / 1e6, planned / args.memory, None])
    show(f"--memory {args.memory / 1e6:,.0f} MB", ["", "peak MB", "of allowed", "seconds"], rows)
    return {
        "memory": args.memory,
        "dim": args.dim,
        "max_vocab": args.max_vocab,
        "threads": args.threads,
        "corpus": corpus,
        "held": all(stage["share_of_allowed"] <= 1 for stage in kept.values()),
        "stages": kept,
    }


def _language_model(bench: Bench, text: Path, corpus: dict[str, Any]) -> dict[str, Any]:
    """One command from text to a language model; small, so that an epoch of it ends today."""
    args, folder = bench.args, bench.work / "lm"
    network = ["--max-vocab", "3000", "--output", "adaptive", "--cutoffs", "300,1000", "--epochs", "1", "--bptt", "20"]
    network += ["--layers", "1", "--hidden", "16", "--batch", "256", "--optimizer", "adam"]
    machine = ["--memory", str(args.memory), "--threads", str(args.threads)]
    bench.say("text to a language model in one command")
    command = [streamvec_command(), "train", "lm", str(text), "--out", str(folder), *network, *machine]
    kept = _record(_run(command), args.memory)
    shards = json.loads((folder / "shards" / "index.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rows = [["text to model", kept["peak_mb"], kept["share_of_allowed"], kept["seconds"]]]
    show(f"--memory {args.memory / 1e6:,.0f} MB", ["", "peak MB", "of allowed", "seconds"], rows)
    return {
        "name": "lm_bounded_memory",
        "memory": args.memory,
        "options": " ".join(network),
        "threads": args.threads,
        "corpus": corpus | shards["counts"],
        "held": kept["share_of_allowed"] <= 1,
        "loss": lines[-1]["loss"],
        "stages": {"text to model": kept},
    }


def _run(command: list[str]) -> Measured:
    done = measured(command, environment(), REPOSITORY)
    if done.status:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.status}:\n{done.stderr[-4000:]}")
    return done


def _record(stage: Measured, allowed: int) -> dict[str, Any]:
    return {
        "peak_mb": round(stage.peak_bytes / 1e6, 1),
        "share_of_allowed": round(stage.peak_bytes / allowed, 3),
        "seconds": round(stage.seconds, 1),
        "measured_by": stage.by,
    }


if __name__ == "__main__":
    benchmark("bounded_memory", __doc__, run, options)
