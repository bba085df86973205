"""Runs the benchmarks one after another, each in a process of its own: what `make bench` calls."""

import argparse
import subprocess
import sys

from benchmarks.bench import REPOSITORY

# name -> (module, its options). The order is from the shortest to the longest.
PROGRAMS: dict[str, tuple[str, list[str]]] = {
    "lookup": ("lookup", []),
    "bias": ("bias", []),
    "reproducible": ("reproducible", []),
    "phrases": ("phrases", []),
    "prepare_rate": ("prepare_rate", []),
    "cluster_preparation": ("cluster_preparation", []),
    "cluster_words": ("cluster_words", []),
    "lanes": ("lanes", []),
    "threads_and_vocabulary": ("threads_and_vocabulary", []),
    "bounded_memory": ("bounded_memory", []),
    "skipgram_vs_peers_d300": (
        "vectors_vs_peers",
        ["--dim", "300", "--epochs", "1", "--peers", "exact,hogwild,gensim"],
    ),
    "softmax_perplexity": ("softmax_perplexity", []),
    "cbow_vs_peers": ("vectors_vs_peers", ["--kind", "cbow", "--repeat", "2"]),
    "skipgram_hs_vs_peers": ("vectors_vs_peers", ["--objective", "hs", "--repeat", "2"]),
    "skipgram_vs_peers": ("vectors_vs_peers", []),
    "subwords": ("subwords", []),
    "glove": ("glove", []),
    "lm_bounded_memory": ("bounded_memory", ["--kind", "lm", "--size", "1000000000"]),
    "lm_vs_torch": ("lm_vs_torch", []),
    "lm_perplexity": ("lm_perplexity", []),
    "tagger_vs_torch": ("tagger_vs_torch", []),
    "tasks": ("tasks", []),
}


def main() -> int:
    """Exit status 1 when one of them fails; one that cannot run here says so and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(PROGRAMS), help="may be given several times")
    parser.add_argument("--quick", action="store_true", help="a smoke run of each on a small generated corpus")
    parser.add_argument("--data", help="folder of corpora and evaluation files")
    parser.add_argument("--results", help="folder for the JSON")
    args = parser.parse_args()
    passed = ["--quick"] if args.quick else []
    passed += ["--data", args.data] if args.data else []
    passed += ["--results", args.results] if args.results else []
    failed = []
    for name in args.only or PROGRAMS:
        module, options = PROGRAMS[name]
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{module}", *options, *passed]
        if subprocess.run(command, cwd=REPOSITORY).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
