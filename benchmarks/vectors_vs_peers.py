"""Word vectors beside gensim and fastText on the same text: words a second of training alone, and the scores."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import corpora, peers
from benchmarks.bench import Bench, Skip, benchmark, median, show, worker
from streamvec.models.kinds import CONFIGS

PEERS = ("exact", "hogwild", "gensim", "fasttext")
PAIRS = {"wordsim353": "intrinsic/EN-WS-353-ALL.txt", "simlex999": "intrinsic/EN-SIMLEX-999.txt"}
ANALOGIES = "intrinsic/questions-words.txt"
RESTRICT = 30_000  # analogies among so many of the most frequent words


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--kind", choices=("skipgram", "cbow"), default="skipgram")
    parser.add_argument("--objective", choices=("ns", "hs"), default="ns")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bytes", type=int, help="only so many bytes of the corpus")
    parser.add_argument("--peers", help="which, with commas; fasttext (for skip-gram with ns) is timed once")


def run(bench: Bench) -> dict[str, Any]:
    """Times everybody in turns, then scores the vectors of each one's first repetition."""
    args = bench.args
    what = args.kind + ("" if args.objective == "ns" else f"_{args.objective}")
    name = f"{what}_vs_peers" + ("" if args.dim == 100 else f"_d{args.dim}")
    if bench.quick:
        args.dim, args.epochs, args.repeat = 20, 1, 1
        args.peers = "exact,hogwild,gensim"
    comparison = _Comparison(bench, args.peers.split(",") if args.peers else PEERS[: 4 if what == "skipgram" else 3])
    comparison.prepare()
    for repetition in range(args.repeat):
        comparison.repeat(repetition)
    rates = {peer: median(found) for peer, found in comparison.rates.items() if found}
    scores = {} if bench.quick else {peer: comparison.score(peer) for peer in rates}
    base = comparison.rates.get("gensim", [])
    ratios = {
        peer: median([rate / other for rate, other in zip(found, base, strict=False)])
        for peer, found in comparison.rates.items()
        if found and base
    }
    _show(f"{args.kind}, {args.objective}", args, rates, ratios, scores)
    return {
        "name": name,
        "kind": args.kind,
        "config": comparison.config,
        "threads": args.threads,
        "corpus": comparison.corpus,
        "words_per_second": rates,
        "times_gensim": ratios,  # the median of the ratios within each repetition
        "scores": scores,
        "repetitions": comparison.details,
        "skipped": comparison.skipped,
    }


class _Comparison:
    """The same text for everybody, and what each did with it."""

    def __init__(self, bench: Bench, names: Sequence[str]) -> None:
        args = bench.args
        self.bench, self.names, self.kind = bench, names, args.kind
        self.config = {
            "dim": args.dim,
            "window": 5,
            "objective": args.objective,
            "negative": 5,
            "sample": 1e-3,
            "epochs": args.epochs,
            "final_learning_rate": 1e-4,
            "seed": 1,
        }
        self.learning_rates = {"gensim": 0.025, "fasttext": 0.025}  # and ours: each one's own default
        self.corpus: dict[str, Any] = {}
        self.rates: dict[str, list[float]] = {name: [] for name in names}
        self.details: list[dict[str, Any]] = []
        self.skipped: dict[str, str] = {}
        self.tokenised, self.run, self.words = (bench.work / name for name in ("tokens.txt", "run", "words.txt"))
        self.fasttext: tuple[Path, str] | None = None

    def prepare(self) -> None:
        """The text, once as streamvec prepares it and once with spaces between tokens for the others."""
        bench = self.bench
        plain = corpora.corpus(bench, corpora.WIKI, bench.args.bytes)
        bench.say("preparing the text")
        made = {"input": str(plain), "run": str(self.run), "threads": bench.args.threads}
        self.corpus = worker("ours", "prepare", made)
        worker("ours", "words", {"prepared": str(self.run), "out": str(self.words)})
        documents, longest = corpora.tokenised(plain, self.tokenised)
        cut = peers.GENSIM_SENTENCE
        note = f"lines of more than {cut:,} tokens would be cut there by gensim; the longest has {longest:,}"
        self.corpus |= {"file": "made up" if bench.quick else corpora.WIKI, "longest_document": longest, "limit": note}
        self.corpus["documents_with_tokens"] = documents
        if "fasttext" in self.names:
            bench.say("installing fastText beside")
            try:
                self.fasttext = peers.install_fasttext(bench.work / "fasttext")
            except Skip as reason:
                self.skipped["fasttext"] = str(reason)
        self.tokenised.read_bytes()  # into the page cache, for everybody

    def repeat(self, repetition: int) -> None:
        """Everybody once, one after the other."""
        for name in self.names:
            if name in self.skipped or (name == "fasttext" and repetition):
                continue
            self.bench.say(f"repetition {repetition + 1}: {name}")
            try:
                result = self._train(name, repetition)
            except Skip as reason:
                self.skipped[name] = str(reason)
                continue
            rate = self.corpus["tokens_in_vocabulary"] * self.config["epochs"] / result["seconds"]
            if result["words"] != self.corpus["words"] or result.get("words_missing"):
                raise RuntimeError(f"{name} has another vocabulary: {result['words']}, not {self.corpus['words']}")
            self.rates[name].append(rate)
            self.details.append({"peer": name, "repetition": repetition, "words_per_second": round(rate), **result})

    def _train(self, name: str, repetition: int) -> dict[str, Any]:
        vectors = self.bench.work / f"{name}-{repetition}.npy"
        config = {**self.config, "learning_rate": self.learning_rates.get(name, CONFIGS[self.kind]().learning_rate)}
        settings = {"kind": self.kind, "config": config, "threads": self.bench.args.threads, "vectors": str(vectors)}
        if name in ("exact", "hogwild"):
            settings["config"] = {**config, "mode": name}
            folder = self.bench.work / f"run-{name}-{repetition}"
            return worker("ours", "train", {**settings, "prepared": str(self.run), "run": str(folder)})
        settings |= {"text": str(self.tokenised), "words": str(self.words), "min_count": 5}
        if name == "fasttext":
            assert self.fasttext is not None
            python, distribution = self.fasttext
            return {"distribution": distribution, **peers.fasttext_train(python, settings)}
        return worker("peers", "gensim-train", settings)

    def score(self, name: str) -> dict[str, Any]:
        """The scores of somebody's first vectors."""
        self.bench.say(f"scores of {name}")
        pairs = {key: str(self.bench.data(path)) for key, path in PAIRS.items()}
        settings = {"vectors": str(self.bench.work / f"{name}-0.npy"), "words": str(self.words), "pairs": pairs}
        return worker(
            "peers", "score", {**settings, "analogies": str(self.bench.data(ANALOGIES)), "restrict": RESTRICT}
        )


def _show(what: str, args: argparse.Namespace, rates: dict, ratios: dict, scores: dict) -> None:
    rows = []
    for name, rate in rates.items():
        found = scores.get(name, {})
        shown = [found.get(pairs, {}).get("spearman") for pairs in PAIRS]
        rows.append([name, rate / 1e6, ratios.get(name), *shown, found.get("analogies", {}).get("accuracy")])
    head = ["", "M words/s", "x gensim", "WordSim-353", "SimLex-999", "analogies"]
    show(f"{what}, dim {args.dim}, {args.epochs} epochs, {args.threads} threads", head, rows)


if __name__ == "__main__":
    benchmark("vectors_vs_peers", __doc__, run, options)
