"""Subword n-grams beside fastText in turns, on the same text with the same settings; neighbours of words never seen."""

import argparse
from pathlib import Path
from typing import Any

from benchmarks import corpora, peers
from benchmarks.bench import Bench, Skip, benchmark, median, show, worker
from benchmarks.vectors_vs_peers import ANALOGIES, PAIRS, RESTRICT
from streamvec.models.kinds import CONFIGS

SUBWORDS = {"minn": 3, "maxn": 6, "bucket": 2_000_000}
UNSEEN = (  # words that the corpus has fewer than five times: inflections, compounds, misspellings
    "bacteriologists",
    "snowstorms",
    "photographically",
    "antibacterials",
    "riverboatman",
    "footballpitch",
    "microorganismal",
    "philosphy",
    "enviromental",
    "parlimentary",
)
_EXCERPT = 12_000_000  # bytes on which rates are taken in turns: fastText takes most of the time


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--epochs", type=int, default=3, help="of the training that is scored")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kinds", default="skipgram,cbow", help="which, with commas")
    parser.add_argument("--rates-only", action="store_true", help="leave scores and neighbours out")


def run(bench: Bench) -> dict[str, Any]:
    """Rates in turns on an excerpt, then scores and neighbours from the whole corpus."""
    args = bench.args
    kinds = args.kinds.split(",")
    fasttext, skipped = None, {}
    if bench.quick:
        args.repeat, kinds = 1, ["skipgram"]
        skipped["fasttext"] = "a quick run has no network"
    else:
        bench.say("installing fastText beside")
        try:
            fasttext = peers.install_fasttext(bench.work / "fasttext")
        except Skip as reason:
            skipped["fasttext"] = str(reason)
    text = _Text(bench, "excerpt", _EXCERPT if not bench.quick else None)
    repetitions, rates = [], {}
    for kind in kinds:
        for repetition in range(args.repeat):
            once = {}
            for name in ("exact", "hogwild", *(["fasttext"] if fasttext else [])):
                bench.say(f"repetition {repetition + 1}: {kind}, {name}")
                once[name] = text.tokens / text.train(kind, name, 1, fasttext)["seconds"]
            repetitions.append({"kind": kind, **{name: round(rate) for name, rate in once.items()}})
        some = [one for one in repetitions if one["kind"] == kind]
        rates[kind] = {name: median([one[name] for one in some]) for name in some[0] if name != "kind"}
        if fasttext:
            rates[kind]["exact_times_fasttext"] = median([one["exact"] / one["fasttext"] for one in some])
    record = {
        "settings": {**_config("skipgram", 1), **SUBWORDS, "threads": args.threads},
        "excerpt": text.corpus,
        "words_per_second": rates,
        "repetitions": repetitions,
        "skipped": skipped,
    }
    if not bench.quick and not args.rates_only:
        record |= _quality(bench, kinds, fasttext)
    rows = [
        [kind, found["exact"] / 1e6, found["hogwild"] / 1e6, found.get("exact_times_fasttext")]
        for kind, found in rates.items()
    ]
    show(f"subwords 3-6, dim 100, {args.threads} threads", ["M words/s", "exact", "hogwild", "x fastText"], rows)
    return record


def _quality(bench: Bench, kinds: list[str], fasttext: tuple[Path, str] | None) -> dict[str, Any]:
    whole = _Text(bench, "whole", None)
    scores: dict[str, Any] = {}
    neighbours: dict[str, Any] = {}
    for kind in kinds:
        for name in ("exact", *(["fasttext"] if fasttext else [])):
            bench.say(f"{bench.args.epochs} epochs: {kind}, {name}")
            done = whole.train(kind, name, bench.args.epochs, fasttext, UNSEEN)
            scores.setdefault(kind, {})[name] = whole.score(done["kept"])
            neighbours.setdefault(kind, {})[name] = done["neighbours"]
    for word, found in neighbours[kinds[0]]["exact"].items():
        print(f"  {word:<18}", ", ".join(other for other, _ in found))
    return {"corpus": whole.corpus, "epochs": bench.args.epochs, "scores": scores, "unseen": neighbours}


def _config(kind: str, epochs: int, name: str = "exact") -> dict[str, Any]:
    """The same for both, but for each one's own default learning rate of CBOW: only ours divides its gradient."""
    rate = 0.05 if (kind, name) == ("cbow", "fasttext") else CONFIGS[kind]().learning_rate
    return {
        "dim": 100,
        "window": 5,
        "negative": 5,
        "sample": 1e-3,
        "epochs": epochs,
        "learning_rate": rate,
        "final_learning_rate": 1e-4,
        "seed": 1,
    }


class _Text:
    """A text, as streamvec prepares it and with spaces between tokens for fastText."""

    def __init__(self, bench: Bench, name: str, size: int | None) -> None:
        self.bench, self.name, self.number = bench, name, 0
        plain = corpora.corpus(bench, corpora.WIKI, size)
        self.run, self.words = bench.work / f"{name}-run", bench.work / f"{name}-words.txt"
        self.spaced = bench.work / f"{name}-tokens.txt"
        threads = bench.args.threads
        self.corpus = worker("ours", "prepare", {"input": str(plain), "run": str(self.run), "threads": threads})
        self.tokens = self.corpus["tokens_in_vocabulary"]
        worker("ours", "words", {"prepared": str(self.run), "out": str(self.words)})
        corpora.tokenised(plain, self.spaced)
        self.spaced.read_bytes()  # into the page cache

    def train(
        self, kind: str, name: str, epochs: int, fasttext: tuple[Path, str] | None, unseen: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What the training answers, and where its vectors are kept; with *unseen* words, their neighbours."""
        self.number += 1
        kept = self.bench.work / f"{self.name}-{self.number}.npy"
        settings = {
            "config": _config(kind, epochs, name),
            "kind": kind,
            "threads": self.bench.args.threads,
            "vectors": str(kept),
        }
        settings |= {"unseen": unseen, "words": str(self.words)}
        if name == "fasttext":
            assert fasttext is not None
            settings |= {"text": str(self.spaced), "min_count": 5, "subwords": SUBWORDS}
            return {**peers.fasttext_train(fasttext[0], settings), "kept": str(kept)}
        minn, maxn, buckets = SUBWORDS.values()
        settings["config"] |= {"subwords": f"{minn}-{maxn}", "buckets": buckets, "mode": name}
        settings |= {"prepared": str(self.run), "run": str(kept.with_suffix(""))}
        return {**worker("ours", "subwords" if unseen else "train", settings), "kept": str(kept)}

    def score(self, kept: str) -> dict[str, Any]:
        """The scores of the vectors kept."""
        pairs = {key: str(self.bench.data(path)) for key, path in PAIRS.items()}
        settings = {"vectors": kept, "words": str(self.words), "pairs": pairs, "restrict": RESTRICT}
        return worker("peers", "score", {**settings, "analogies": str(self.bench.data(ANALOGIES))})


if __name__ == "__main__":
    benchmark("subwords", __doc__, run, options)
