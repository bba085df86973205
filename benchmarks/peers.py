"""Tasks of the peers, each in a process of its own: gensim, fastText, and the one evaluator of everybody's vectors.

gensim's corpus_file mode takes no more than 10,000 tokens as one sentence: a longer line is cut into pieces of that
length, nothing is dropped, and windows do not cross the cuts. fastText does the same at 1,024 tokens.
"""

import json
import subprocess
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Skip, answer, environment

GENSIM_SENTENCE = 10_000
# Both train with numpy 2 on Python 3.11 and are equally fast; the first needs no compiler, and the second one's check
# of its loss stops some small runs ("Encountered NaN") whose vectors are sound.
FASTTEXT = ("fasttext-wheel==0.9.2", "fasttext==0.9.3")
_FASTTEXT_SCRIPT = Path(__file__).with_name("fasttext_task.py")


def gensim_vocabulary(settings: dict[str, Any]) -> dict[str, Any]:
    """Times build_vocab over the file settings["text"]."""
    model = _gensim(settings)
    begin = time.perf_counter()
    model.build_vocab(corpus_file=settings["text"])
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "words": len(model.wv), "tokens": int(model.corpus_total_words)}


def gensim_phrases(settings: dict[str, Any]) -> dict[str, Any]:
    """Times Phrases over settings["text"], read and split before; writes what it found to settings["found"]."""
    from gensim.models.phrases import Phrases

    with Path(settings["text"]).open(encoding="utf-8") as lines:
        sentences = [line.split() for line in lines]
    scoring = {"word2vec": "default", "npmi": "npmi"}[settings["score"]]
    begin = time.perf_counter()
    model = Phrases(sentences, min_count=settings["min_count"], threshold=settings["threshold"], scoring=scoring)
    learnt = time.perf_counter()
    frozen = model.freeze()
    found = time.perf_counter()
    after = sum(len(frozen[sentence]) for sentence in sentences)
    end = time.perf_counter()
    Path(settings["found"]).write_text("\n".join(sorted(frozen.phrasegrams)), encoding="utf-8")
    tokens = model.corpus_word_count
    return {
        "counting_seconds": learnt - begin,
        "finding_seconds": found - begin,  # scoring all pairs is freeze()
        "joining_seconds": end - found,
        "tokens": tokens,
        "joined": tokens - after,
        "complete": model.min_reduce == 1,  # whether nothing was pruned
    }


def gensim_train(settings: dict[str, Any]) -> dict[str, Any]:
    """Times train(), the vocabulary built before; keeps the vectors in the order of settings["words"]."""
    from gensim.models import word2vec

    model = _gensim(settings)
    begin = time.perf_counter()
    model.build_vocab(corpus_file=settings["text"])
    vocabulary_seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    model.train(
        corpus_file=settings["text"],
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=settings["config"]["epochs"],
    )
    seconds = time.perf_counter() - begin
    missing = _keep(settings, model.wv.index_to_key, model.wv.vectors)
    return {
        "seconds": seconds,
        "vocabulary_seconds": vocabulary_seconds,
        "words": len(model.wv),
        "words_missing": missing,
        "fast_version": word2vec.FAST_VERSION,
        "blas": _blas(),
    }


def _gensim(settings: dict[str, Any]) -> Any:
    from gensim.models import Word2Vec

    config = settings["config"]
    return Word2Vec(
        vector_size=config["dim"],
        window=config["window"],
        negative=0 if config.get("objective") == "hs" else config["negative"],
        sample=config["sample"],
        alpha=config["learning_rate"],
        min_alpha=config["final_learning_rate"],
        min_count=settings["min_count"],
        sg=int(settings.get("kind") != "cbow"),
        hs=int(config.get("objective") == "hs"),
        workers=settings["threads"],
        seed=config["seed"],
    )


def _blas() -> list[str]:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return sorted({f"{one['internal_api']} {one['version']} {one.get('architecture')}" for one in threadpool_info()})


def _keep(settings: dict[str, Any], found: list[str], vectors: np.ndarray) -> int:
    """Saves the rows of settings["words"], in that order, zeros for those not found; returns how many those are."""
    rank = {word: number for number, word in enumerate(found)}
    wanted = Path(settings["words"]).read_text(encoding="utf-8").split("\n")
    rows = np.array([rank.get(word, -1) for word in wanted])
    out = np.zeros((len(wanted), vectors.shape[1]), np.float32)
    out[rows >= 0] = vectors[rows[rows >= 0]]
    np.save(settings["vectors"], out)
    return int((rows < 0).sum())


def install_fasttext(folder: Path) -> tuple[Path, str]:
    """(interpreter, distribution) of a virtual environment with fastText in *folder*; Skip when none installs."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / "bin" / "python"
    reasons = []
    for distribution in FASTTEXT:
        done = subprocess.run([python, "-m", "pip", "install", "-q", distribution], capture_output=True, text=True)
        if not done.returncode:
            return python, distribution
        reasons.append(f"{distribution}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    raise Skip("; ".join(reasons))


def fasttext_train(python: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Times fastText in the environment of *python*; its script knows nothing of this project."""
    raw = Path(settings["vectors"]).with_suffix(".fasttext")
    command = [str(python), str(_FASTTEXT_SCRIPT), json.dumps({**settings, "raw": str(raw)})]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    if done.returncode:
        raise Skip(f"fastText failed: {done.stderr.strip().splitlines()[-1]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found = raw.with_suffix(".words").read_text(encoding="utf-8").split("\n")
    result["words_missing"] = _keep(settings, found, np.load(raw.with_suffix(".npy")))
    return result


def score(settings: dict[str, Any]) -> dict[str, Any]:
    """Scores of settings["vectors"] by gensim's evaluators, with how many questions had all their words."""
    from gensim.models import KeyedVectors

    words = Path(settings["words"]).read_text(encoding="utf-8").split("\n")
    vectors = np.load(settings["vectors"])
    if not np.isfinite(vectors).all():
        raise ValueError("the vectors hold numbers that are not finite")
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(words, vectors)
    scores: dict[str, Any] = {}
    for name, path in settings["pairs"].items():
        total = sum(1 for line in Path(path).read_text(encoding="utf-8").splitlines() if line[:1] != "#")
        _, spearman, missing = keyed.evaluate_word_pairs(path, restrict_vocab=len(words))
        found = round(total * (1 - missing / 100))
        scores[name] = {"spearman": round(float(spearman[0]), 4), "pairs": total, "found": found}
    restrict = settings["restrict"]
    accuracy, sections = keyed.evaluate_word_analogies(settings["analogies"], restrict_vocab=restrict)
    whole = sections[-1]
    found = len(whole["correct"]) + len(whole["incorrect"])
    scores["analogies"] = {"accuracy": round(float(accuracy), 4), "found": found, "among_words": restrict}
    return scores


if __name__ == "__main__":
    tasks = {"gensim-vocabulary": gensim_vocabulary, "gensim-phrases": gensim_phrases, "gensim-train": gensim_train}
    answer({**tasks, "score": score})
