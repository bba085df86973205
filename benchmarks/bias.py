"""Bolukbasi's and Caliskan's measures of GloVe 6B of 50 numbers: as it is, after hard and after soft debiasing."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Bench, benchmark, environment, show, streamvec_command
from benchmarks.bias_lists import TESTS
from benchmarks.glove6b import glove_files, wheel_option

_LISTS = {
    "pairs": "definitional_pairs.json",
    "equalize": "equalize_pairs.json",
    "specific": "gender_specific_full.json",
    "seeds": "gender_specific_seed.json",
    "words": "professions.json",
}
_SETS = {
    "WordSim-353": ("--similarity", "EN-WS-353-ALL.txt"),
    "SimLex-999": ("--similarity", "EN-SIMLEX-999.txt"),
    "analogies": ("--analogies", "questions-words.txt"),
}
_TOLD = 0.01  # scores may change by so much


def run(bench: Bench) -> dict[str, Any]:
    """Measures, debiases in both ways, measures again."""
    if bench.quick:
        vectors, lists, sets = _made(bench.work)
    else:
        lists = {name: bench.data(f"debias/{file}") for name, file in _LISTS.items()}
        sets = {name: (option, bench.data(f"intrinsic/{file}")) for name, (option, file) in _SETS.items()}
        array, words = glove_files(bench)
        vectors = bench.work / "glove.arrow"
        _streamvec("import", array, "--words", words, "-o", vectors)
    for number, test in enumerate(TESTS.values()):
        lines = [f"{one}: {', '.join(words.split())}" for one, words in test.lists.items()]
        (bench.work / f"weat{number}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    hard, soft = bench.work / "hard.arrow", bench.work / "soft.arrow"
    scored = [word for option, file in sets.values() for word in (option, file)]
    common = ["--pairs", lists["pairs"], "--specific", lists["specific"], "--words", lists["words"], *scored, "--json"]
    (told,) = _streamvec("debias", vectors, *common, "--equalize", lists["equalize"], "-o", hard)
    (softly,) = _streamvec("debias", vectors, *common, "--soft", "-o", soft)
    places = {"before": vectors, "hard": hard, "soft": soft}
    measured = {name: _measured(place, lists, len(TESTS), bench.work) for name, place in places.items()}
    scores = {"before": _scores(told["before"]), "hard": _scores(told["after"]), "soft": _scores(softly["after"])}
    biases = {
        "before": told["before"]["direct_bias"],
        "hard": told["after"]["direct_bias"],
        "soft": softly["after"]["direct_bias"],
    }
    if not bench.quick:
        _check(biases, scores)
    rows: list[list[Any]] = [["direct bias of the professions", *biases.values()]]
    rows += [[name, *(scores[way].get(name) for way in scores)] for name in scores["before"]]
    rows += [[f"WEAT {name}", *(measured[way]["weat"][name]["effect_size"] for way in measured)] for name in TESTS]
    show("GloVe 6B, 50 numbers", ["", *places], rows)
    return {
        "corpus": "made up" if bench.quick else "GloVe 6B 50d and the lists of debiaswe",
        "direct_bias": biases,
        "scores": scores,
        "neutral": told["neutral"],
        "specific": told["specific"],
        "sets_equalized": len(told["equalized"]),
        "lambda": softly["lambda"],
        "measured": measured,
        "paper_weat": {name: test.paper for name, test in TESTS.items()},
        "classifier": _classifier(vectors, lists["seeds"]),
    }


def _streamvec(*words: str | Path) -> list[dict[str, Any]]:
    command = [streamvec_command(), *map(str, words)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if "--json" in words]


def _scores(found: dict[str, Any]) -> dict[str, float]:
    """By the name of the set; of analogies 3CosAdd and 3CosMul."""
    names = {file: name for name, (_, file) in _SETS.items()}
    scores = {names[Path(path).name]: score for path, score in found["similarity"].items()}
    for path, one in found["analogies"].items():
        scores[f"{names[Path(path).name]}, 3CosAdd"] = one["accuracy_add"]
        scores[f"{names[Path(path).name]}, 3CosMul"] = one["accuracy_mul"]
    return scores


def _check(biases: dict[str, float], scores: dict[str, dict[str, float]]) -> None:
    for way in ("hard", "soft"):
        if not biases[way] < biases["before"]:
            raise RuntimeError(f"direct bias does not fall: {biases}")
        for name, score in scores["before"].items():
            if abs(scores[way][name] - score) > _TOLD:
                raise RuntimeError(f"{name} was {score}, is {scores[way][name]} after {way} debiasing")


def _measured(vectors: Path, lists: dict[str, Path], tests: int, work: Path) -> dict[str, Any]:
    """Everything that the vectors say of themselves; the direction is their own."""
    weat = [work / f"weat{number}.txt" for number in range(tests)]
    asked = ["--pairs", lists["pairs"], "--words", lists["words"], "--weat", *weat, "--json"]
    direction, words, *rest = _streamvec("bias", vectors, *asked)
    projected = [one for one in rest if "word" in one]
    found = [one for one in rest if "weat" in one]
    kept = ("effect_size", "p", "method", "partitions", "found")
    return {
        "shares": [round(share, 4) for share in direction["shares"]],
        "random_shares": [round(share, 4) for share in direction["random_shares"]],
        "direct_bias_by_own_direction": words["direct_bias"],
        "he": [one["word"] for one in projected[:10]],
        "she": [one["word"] for one in projected[:-11:-1]],
        "weat": {name: {key: one[key] for key in kept} for name, one in zip(TESTS, found, strict=True)},
        "she_he_analogies": _analogies(vectors, lists["words"]),
    }


def _analogies(path: Path, words: Path) -> dict[str, Any]:
    """The paper's "she is to x as he is to y" for x and y among the professions: the largest cos(she - he, x - y) of
    pairs at most 1 apart, each word once."""
    import streamvec

    vectors = streamvec.KeyedVectors.load(path)
    names = [word for word in streamvec.read_words(words) if word in vectors]
    rows = vectors[names].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    axis = vectors["she"].astype(np.float64) - vectors["he"].astype(np.float64)
    apart = rows[:, None] - rows[None]
    lengths = np.linalg.norm(apart, axis=2)
    scores = apart @ axis / np.linalg.norm(axis) / np.where(lengths > 0, lengths, 1)
    scores[(lengths > 1) | (lengths < 1e-6)] = -1
    found: list[list[Any]] = []
    used: set[int] = set()
    for place in np.argsort(-scores, axis=None, kind="stable").tolist():
        x, y = divmod(place, len(names))
        if not {x, y} & used:
            used |= {x, y}
            found.append([names[x], names[y], round(float(scores[x, y]), 3)])
        if len(found) == 15 or scores[x, y] < 0:
            break
    return {"pairs": found, "mean_score": float(np.mean([score for *_, score in found]))}


def _classifier(path: Path, seeds: Path) -> dict[str, Any]:
    """How well the classifier of specific words does on seeds that it has not seen, as the paper measures it."""
    from sklearn.model_selection import cross_val_predict
    from sklearn.svm import LinearSVC

    import streamvec
    from streamvec.vectors.neighbours import unit_rows
    from streamvec.vectors.specific import TRAINING_WORDS, learnt

    vectors = streamvec.KeyedVectors.load(path)
    rule = learnt(vectors, streamvec.read_words(seeds)).rule
    ranks = np.union1d(np.arange(min(len(vectors), TRAINING_WORDS)), rule.ranks)
    known, units = np.isin(ranks, rule.ranks), unit_rows(vectors.rows(ranks))
    told = cross_val_predict(LinearSVC(C=1.0, dual=False, max_iter=10_000), units, known, cv=5)
    right = int((told & known).sum())
    return {
        "f1_of_unseen_seeds": 2 * right / max(1, int(told.sum() + known.sum())),
        "paper_f1": 0.627,
        "seeds": len(rule.ranks),
        "specific": int(rule.mask(ranks, units).sum()),
    }


def _made(work: Path) -> tuple[Path, dict[str, Path], dict[str, tuple[str, Path]]]:
    """Small vectors that know all words of the tests, and lists to go with them."""
    import streamvec

    draw = random.Random(1)
    pairs = [["she", "he"], ["woman", "man"], ["girl", "boy"], ["her", "his"]]
    equal, specific = [["mother", "father"], ["she", "he"]], ["actress", "actor", "sister", "brother", "queen", "king"]
    jobs = [f"job{number}" for number in range(40)]
    some = [word for test in TESTS.values() for words in test.lists.values() for word in words.split()]
    words = list(dict.fromkeys([*(w for both in [*pairs, *equal] for w in both), *specific, *jobs, *some]))
    rows = np.random.default_rng(1).standard_normal((len(words), 16)).astype(np.float32)
    for place, word in enumerate(words):
        female = any(word == both[0] for both in [*pairs, *equal]) or word in specific[::2]
        male = any(word == both[1] for both in [*pairs, *equal]) or word in specific[1::2]
        rows[place, 0] = 4.0 * (female - male) if female or male else draw.gauss(0, 1)
    streamvec.KeyedVectors.from_arrays(words, rows).save(work / "made.arrow")
    lists = dict(pairs=pairs, equalize=equal, specific=specific, seeds=specific, words=[*jobs, *specific])
    for name, content in lists.items():
        (work / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for option, file in _SETS.values():
        lines = [f"{draw.choice(jobs)} {draw.choice(jobs)} {draw.random():.2f}" for _ in range(50)]
        (work / file).write_text("\n".join(lines if option == "--similarity" else ["she he actress actor"]) + "\n")
    sets = {name: (option, work / file) for name, (option, file) in _SETS.items()}
    return work / "made.arrow", {name: work / f"{name}.json" for name in lists}, sets


if __name__ == "__main__":
    benchmark("bias", __doc__, run, wheel_option)
