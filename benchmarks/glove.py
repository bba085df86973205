"""GloVe: counting pairs and training on them, beside the textbook loop on the same entries; scores; growth; memory."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import corpora
from benchmarks.bench import REPOSITORY, Bench, benchmark, environment, median, show, streamvec_command, worker
from benchmarks.memory import measured
from benchmarks.vectors_vs_peers import ANALOGIES, PAIRS, RESTRICT
from streamvec.kernels.records import HEAD

# Stanford's programs on two Zen 3 cores, on this corpus with these settings; they could not be run beside.
STANFORD = {"cooccur_seconds": 18.5, "shuffle_seconds": 18.2, "entries_per_second": 0.85e6, "epoch_seconds": 60.0}
SMALL = 12_500_000  # bytes of the corpus with about two million words


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--x-max", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", type=int, default=1_000_000_000, help="bytes, for counting pairs")
    parser.add_argument("--small-memory", type=int, default=256_000_000, help="the same, to see it held")
    parser.add_argument("--longest", type=int, default=70_000_000, help="words of the longest text")


def run(bench: Bench) -> dict[str, Any]:
    """Everything in turns, each in a process of its own."""
    args = bench.args
    if bench.quick:
        args.dim, args.epochs, args.repeat, args.longest = 20, 1, 1, 300_000
    glove = _Glove(bench)
    whole = glove.prepare("whole", corpora.corpus(bench, corpora.WIKI))
    for repetition in range(args.repeat):
        glove.repeat(whole, repetition)
    rounds = glove.rounds
    growth = [glove.grown(name, whole) for name in ("small", "whole", "long")]
    result = {
        "config": glove.config,
        "threads": args.threads,
        "corpus": {"file": "made up" if bench.quick else corpora.WIKI, **glove.made["whole"]},
        "counting": _middle([one["count"] for one in rounds]),
        "training": _middle([one["fit"] for one in rounds]),
        "textbook_loop": _middle([one["plain"] for one in rounds]),
        "times_textbook_loop": median(
            [one["fit"]["entries_per_second"] / one["plain"]["entries_per_second"] for one in rounds]
        ),
        "first_epoch_loss": {"ours": glove.first_loss(whole), "textbook_loop": rounds[0]["plain"]["loss"]},
        "stanford_on_zen3": STANFORD,
        "an_entry": _an_entry(args.dim),
        "scores": {} if bench.quick else glove.scores(whole),
        "growth": growth,
        "small_memory": glove.within(whole, args.small_memory),
        "repetitions": rounds,
    }
    _show(result)
    return result


class _Glove:
    """One corpus after another, and what was done with each."""

    def __init__(self, bench: Bench) -> None:
        args = bench.args
        self.bench = bench
        self.config = {"dim": args.dim, "window": args.window, "epochs": args.epochs, "x_max": args.x_max}
        self.rounds: list[dict[str, Any]] = []
        self.made: dict[str, dict[str, Any]] = {}

    def prepare(self, name: str, plain: Path) -> Path:
        """The RUN with vocabulary and shards."""
        self.bench.say(f"preparing the text: {name}")
        folder = self.bench.work / name
        settings = {"input": str(plain), "run": str(folder), "threads": self.bench.args.threads}
        self.made[name] = worker("ours", "prepare", settings)
        return folder

    def repeat(self, prepared: Path, repetition: int) -> None:
        """Counting, training, and the textbook loop, one after the other."""
        out = self.bench.work / "cooccurrences"
        self.bench.say(f"repetition {repetition + 1}: counting pairs")
        one = {"count": self._count(prepared, out, self.bench.args.memory)}
        for task in ("fit", "plain"):
            self.bench.say(f"repetition {repetition + 1}: {'training' if task == 'fit' else 'the textbook loop'}")
            one[task] = self._train(task, prepared, out, f"{repetition}")
        self.rounds.append(one)

    def first_loss(self, prepared: Path) -> float:
        """Of our first pass."""
        return self._train("loss", prepared, self.bench.work / "cooccurrences", "loss")["loss"]

    def grown(self, name: str, whole: Path) -> dict[str, Any]:
        """Counting and one epoch on a text of another length."""
        bench, text = self.bench, self.bench.work / f"{name}.txt"
        if name == "small":
            prepared = self.prepare(name, corpora.corpus(bench, corpora.WIKI, 150_000 if bench.quick else SMALL))
        elif name == "long":
            settings = {"prepared": str(whole), "out": str(text), "tokens": bench.args.longest}
            bench.say("making a longer text")
            worker("glove_tasks", "chained", settings)
            prepared = self.prepare(name, text)
            text.unlink()
        else:
            prepared = whole
        out = bench.work / f"cooccurrences-{name}"
        bench.say(f"growth: {name}")
        counted = self._count(prepared, out, bench.args.memory)
        trained = self._train("fit", prepared, out, name, epochs=2)
        told = {key: trained[key] for key in ("entries_per_second", "peak_mb")}
        seconds = counted["entries"] / trained["entries_per_second"]
        return {"text": name, "words": self.made[name]["words"], **counted, "training": told, "epoch_seconds": seconds}

    def within(self, prepared: Path, memory: int) -> dict[str, Any]:
        """Counting within little memory, its peak by the operating system, and whether the bytes are the same."""
        self.bench.say(f"counting pairs within {memory / 1e6:,.0f} MB")
        out = self.bench.work / "cooccurrences-little"
        settings = self._settings(prepared, out, memory)
        command = [sys.executable, "-m", "benchmarks.pair_task", "count", json.dumps(settings)]
        done = measured(command, environment(), REPOSITORY)
        if done.status:
            raise RuntimeError(f"counting within {memory} bytes failed:\n{done.stderr[-4000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        other = self.bench.work / "cooccurrences"
        if any(path.read_bytes() != (other / path.name).read_bytes() for path in out.iterdir()):
            raise RuntimeError("less memory gave other bytes")
        share = round(done.peak_bytes / memory, 3)
        whole = self._command(prepared)
        return {
            "memory": memory,
            "seconds": found["seconds"],
            "peak_mb": round(done.peak_bytes / 1e6, 1),
            "share": share,
            "measured_by": done.by,
            "whole_command": whole,
            "held": share <= 1 and whole["share"] <= 1,
        }

    def _command(self, prepared: Path) -> dict[str, Any]:
        """`streamvec train glove` with little more memory than the process itself takes: short vectors."""
        out, memory = self.bench.work / "little-run", 300_000_000
        command = [
            streamvec_command(),
            "train",
            "glove",
            str(prepared),
            "--out",
            str(out),
            "--dim",
            "16",
            "--epochs",
            "2",
        ]
        done = measured([*command, "--memory", str(memory)], environment(), REPOSITORY)
        if done.status:
            raise RuntimeError(f"train glove within {memory} bytes failed:\n{done.stderr[-4000:]}")
        peak = round(done.peak_bytes / 1e6, 1)
        return {"memory": memory, "dim": 16, "peak_mb": peak, "share": round(done.peak_bytes / memory, 3)}

    def scores(self, prepared: Path) -> dict[str, Any]:
        """Ours, and skip-gram's after five epochs on the same text."""
        words = self.bench.work / "words.txt"
        worker("ours", "words", {"prepared": str(prepared), "out": str(words)})
        self.bench.say("training skip-gram")
        config = {"dim": self.bench.args.dim, "epochs": 5}
        settings = {"kind": "skipgram", "config": config, "threads": self.bench.args.threads}
        places = {"vectors": str(self.bench.work / "skipgram.npy"), "run": str(self.bench.work / "skipgram")}
        worker("ours", "train", {**settings, **places, "prepared": str(prepared)})
        pairs = {key: str(self.bench.data(path)) for key, path in PAIRS.items()}
        asked = {
            "words": str(words),
            "pairs": pairs,
            "analogies": str(self.bench.data(ANALOGIES)),
            "restrict": RESTRICT,
        }
        self.bench.say("scores")
        files = {"glove": "0.npy", "skipgram": "skipgram.npy"}
        return {
            name: worker("peers", "score", {**asked, "vectors": str(self.bench.work / file)})
            for name, file in files.items()
        }

    def _settings(self, prepared: Path, out: Path, memory: int) -> dict[str, Any]:
        threads = self.bench.args.threads
        return {
            "prepared": str(prepared),
            "out": str(out),
            "window": self.config["window"],
            "memory": memory,
            "threads": threads,
        }

    def _count(self, prepared: Path, out: Path, memory: int) -> dict[str, Any]:
        settings = self._settings(prepared, out, memory)
        for path in out.glob("*"):
            path.unlink()
        return worker("pair_task", "count", settings)

    def _train(self, task: str, prepared: Path, found: Path, name: str, **more: Any) -> dict[str, Any]:
        places = {"vectors": str(self.bench.work / f"{name}.npy"), "run": str(self.bench.work / f"run-{name}")}
        settings = {"prepared": str(prepared), "cooccurrences": str(found), **places}
        return worker(
            "glove_tasks", task, {**settings, "threads": self.bench.args.threads, "config": {**self.config, **more}}
        )


def _middle(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: median([one[key] for one in found]) for key in found[0]}


def _an_entry(dim: int) -> dict[str, Any]:
    """What one entry of the matrix, half of what a stored pair stands for, must move and compute at least."""
    columns = -(-dim // 16) * 16
    record = 4 * (HEAD + 4 * columns)
    # A column: 2 operations of the product; for the word and for the context 2 of the gradient, 2 of the sum of
    # squares, 13 of the inverse root, 2 of the step.
    return {
        "bytes_read": record,
        "bytes_written": record,
        "bytes_from_disk": 6,
        "float_operations": columns * (2 + 2 * 19),
        "float_instructions_of_16": columns // 16 * (1 + 2 * 13),
    }


def _show(result: dict[str, Any]) -> None:
    count, fit, plain = result["counting"], result["training"], result["textbook_loop"]
    both = STANFORD["cooccur_seconds"] + STANFORD["shuffle_seconds"]
    rows = [
        ["counting and blocking, s", count["seconds"], both, both / count["seconds"]],
        ["training, M entries/s", fit["entries_per_second"] / 1e6, STANFORD["entries_per_second"] / 1e6,
         fit["entries_per_second"] / STANFORD["entries_per_second"]],
    ]  # fmt: skip
    show("beside Stanford's programs on two Zen 3 cores", ["", "here", "Stanford", "times"], rows)
    rate = plain["entries_per_second"] / 1e6
    print(f"the textbook loop here: {rate:.2f} M entries/s; ours is {result['times_textbook_loop']:.1f} times that")
    grown = [
        [
            one["tokens"] / 1e6,
            one["entries"] / 1e6,
            one["seconds"],
            one["epoch_seconds"],
            one["bytes"] / 1e6,
            one["peak_mb"],
        ]
        for one in result["growth"]
    ]
    show("growth", ["M words", "M entries", "counting s", "epoch s", "MB on disk", "peak MB counting"], grown)
    little = result["small_memory"]
    print(f"within {little['memory'] / 1e6:,.0f} MB: peak {little['peak_mb']:,} MB, {little['seconds']:.1f} s")
    told = little["whole_command"]
    print(f"the whole command, dim 16, within {told['memory'] / 1e6:,.0f} MB: peak {told['peak_mb']:,} MB")
    for name, scores in result["scores"].items():
        shown = [scores[pairs]["spearman"] for pairs in PAIRS] + [scores["analogies"]["accuracy"]]
        print(f"{name:>10}  " + "  ".join(f"{score:.3f}" for score in shown))


if __name__ == "__main__":
    benchmark("glove", __doc__, run, options)
