"""The commands that tests of kills kill: every kind of training, and every other verb that writes files."""

import random
import shutil
from pathlib import Path

import numpy as np
from killing import Case
from stanford_files import entries_of, packed
from task_runs import BAD, GOOD, reviews, write_tsv

import streamvec as sv
from streamvec.vectors import KeyedVectors

EARLIER = {"dim": 12, "epochs": 1, "min_count": 2, "threads": 1}  # the RUN that another one begins from, or replaces
PREPARING = frozenset({"counting", "encoding"})
SAVING = frozenset({"training", "saving a checkpoint", "writing vectors"})
OFTEN = ("--threads", "2", "--checkpoint-batches")


def text_of(lines: int, seed: int) -> str:
    """Lines of common and rare words, some of them standing together more often than by chance."""
    draw = random.Random(seed)
    documents = []
    for number in range(lines):
        words = [f"w{int(400 * draw.random() ** 3)}" for _ in range(draw.randrange(5, 30))]
        if number % 2:
            words += draw.choice([["new", "york", "city"], ["san", "francisco"]])
        documents.append(" ".join([*words, *([f"once{number}"] if number % 20 == 0 else [])]))
    return "\n".join(documents) + "\n"


def sentences(number: int, seed: int) -> str:
    """Sentences in columns: a word and its tag."""
    draw = random.Random(seed)
    kinds = {"PER": ("Anna", "Bert", "Carla"), "LOC": ("Oslo", "Bern", "Riga"), "O": ("sees", "leaves", "the", ".")}
    lines = []
    for _ in range(number):
        tags = draw.choices(list(kinds), k=draw.randrange(2, 9))
        lines += [f"{draw.choice(kinds[tag])} {tag if tag == 'O' else 'B-' + tag}" for tag in tags]
        lines.append("")
    return "\n".join(lines) + "\n"


def pairs(number: int, seed: int) -> str:
    """Short sentences, and the same words the other way round."""
    draw = random.Random(seed)
    words = [f"w{number}" for number in range(30)]
    found = [draw.choices(words, k=draw.randrange(2, 6)) for _ in range(number)]
    return "".join(f"{' '.join(one)}\t{' '.join(reversed(one))}\n" for one in found)


def make(folder: Path) -> Path:
    """All that the commands read, in *folder*, which they are run in."""
    folder.mkdir()
    (folder / "text.txt").write_text(text_of(1000, 1))
    (folder / "valid.txt").write_text(text_of(40, 2))
    (folder / "older.txt").write_text(text_of(200, 3))
    write_tsv(folder / "train.tsv", reviews(1500, 1))
    write_tsv(folder / "valid.tsv", reviews(80, 2))
    (folder / "train.conll").write_text(sentences(300, 1))
    (folder / "valid.conll").write_text(sentences(40, 2))
    (folder / "pairs.tsv").write_text(pairs(500, 1))
    (folder / "valid-pairs.tsv").write_text(pairs(40, 2))
    (folder / "cooccurrence.bin").write_bytes(packed(entries_of(40_000, words=300, seed=3)))
    (folder / "vocab.txt").write_text("".join(f"w{number} {2000 - number}\n" for number in range(300)))
    sv.train_skipgram(folder / "older.txt", folder / "older", **EARLIER)
    sv.train_skipgram(folder / "older.txt", folder / "grams", subwords="3-4", buckets=500, **EARLIER)
    draw = np.random.default_rng(1)
    words = ["she", "he", *(f"w{number}" for number in range(20_000))]
    KeyedVectors.from_arrays(words, draw.normal(size=(len(words), 12)).astype(np.float32)).save(folder / "many.arrow")
    known = [*(f"w{number}" for number in range(300)), *GOOD, *BAD]
    KeyedVectors.from_arrays(known, draw.normal(size=(len(known), 12)).astype(np.float32)).save(folder / "known.arrow")
    (folder / "many.txt").write_text("".join(f"{word} {n % 7} {n % 5} 1.5\n" for n, word in enumerate(words)))
    (folder / "direction.txt").write_text("she he\n")
    (folder / "specific.txt").write_text("w1\nw2\n")
    return folder


def train(kind: str, *words: str, out: str = "OUT") -> tuple[str, ...]:
    return ("train", kind, *words, "--out", out)


def earlier_run(data: Path, folder: Path) -> None:
    """A finished RUN where another will be."""
    shutil.copytree(data / "older", folder / "run")


def vectors_to_index(data: Path, folder: Path) -> None:
    """An index lies beside its vectors."""
    shutil.copy(data / "many.arrow", folder)


def earlier_is_not_lost(folder: Path) -> None:
    """The earlier RUN is there, whole, until the new one has begun."""
    run, aside = folder / "run", folder / "run.replaced"
    assert (run / "run.json").exists() or (aside / "vectors.arrow").exists()


WORDS = ("text.txt", "--dim", "16", "--epochs", "2", "--min-count", "2", *OFTEN, "4")
RECURRENT = ("--hidden", "8", "--dim", "8", "--batch", "8", "--epochs", "2", "--min-count", "1", "--seed", "3", *OFTEN)

RUNS = (
    Case("skip-gram, negative sampling", train("skipgram", *WORDS), stages=PREPARING | SAVING),
    Case("skip-gram, hierarchical softmax", train("skipgram", *WORDS, "--objective", "hs"), stages=SAVING),
    Case(
        "skip-gram, softmax and --patience",
        train("skipgram", *WORDS, "--objective", "softmax", "--holdout", "0.1", "--patience", "3"),
        stages=SAVING | {"keeping the best"},
    ),
    Case(
        "skip-gram, subwords",
        train("skipgram", *WORDS, "--subwords", "3-4", "--buckets", "500"),
        stages=SAVING | {"writing n-grams"},
    ),
    Case(
        "skip-gram, phrases",
        train("skipgram", *WORDS, "--phrases", "2", "--phrase-min-count", "3", "--phrase-threshold", "2"),
        stages=PREPARING | SAVING | {"numbering for phrases", "passing over phrases"},
    ),
    Case("CBOW", train("cbow", *WORDS), stages=PREPARING | SAVING),
    Case("GloVe", train("glove", *WORDS), stages=PREPARING | SAVING | {"counting pairs", "writing pairs"}),
    Case(
        "GloVe of Stanford's co-occurrences",
        train("glove", "cooccurrence.bin", "--vocab", "vocab.txt", "--dim", "8", "--epochs", "2", *OFTEN, "2"),
        stages=SAVING | {"counting pairs", "writing pairs"},
    ),
    Case(
        "language model of words",
        train("lm", "text.txt", "--valid", "valid.txt", "--patience", "2", *RECURRENT, "40", "--report-gradients"),
        stages=PREPARING | SAVING | {"reading what is held out", "keeping the best"},
    ),
    Case(
        "language model of characters",
        train("lm", "older.txt", "--level", "char", "--optimizer", "adam", *RECURRENT, "50"),
        stages=PREPARING | SAVING,
    ),
    Case(
        "classifier",
        train(
            "classifier", "--train", "train.tsv", "--valid", "valid.tsv", "--dim", "12", "--epochs", "2",
            "--vectors", "known.arrow", *OFTEN, "9",
        ),
        stages=SAVING | {"reading rows", "writing examples", "keeping vectors", "reading what is held out"},
    ),
    Case(
        "tagger",
        train("tagger", "--train", "train.conll", "--valid", "valid.conll", *RECURRENT, "9"),
        stages=SAVING | {"reading rows", "writing examples", "keeping the best"},
    ),
    Case(
        "translator",
        train("translator", "--train", "pairs.tsv", "--valid", "valid-pairs.tsv", *RECURRENT, "20"),
        stages=SAVING | {"reading rows", "writing examples"},
    ),
    Case(
        "from standard input",
        train("skipgram", "-", *WORDS[1:]),
        stdin="text.txt",
        stages=PREPARING | SAVING | {"keeping standard input"},
    ),
    Case(
        "going on from a RUN",
        train("skipgram", "text.txt", "--from", "older", "--epochs", "2", "--min-count", "2", *OFTEN, "4"),
        stages=PREPARING | SAVING,
    ),
    Case(
        "beginning with vectors",
        train("cbow", "text.txt", "--vectors", "known.arrow", "--epochs", "2", "--min-count", "2", *OFTEN, "4"),
        stages=SAVING,
    ),
    Case("a RUN as input", train("glove", "older", "--dim", "8", "--epochs", "2", *OFTEN, "1"), stages=SAVING),
    Case(
        "taking the place of a RUN",
        (*train("skipgram", *WORDS), "--overwrite"),
        before=earlier_run,
        also=earlier_is_not_lost,
        stages=PREPARING | SAVING,
    ),
)  # fmt: skip

FILES = (
    *(
        Case(f"export: {name}", ("export", "many.arrow", "-o", "OUT", "--format", name), out=out)
        for name, out in (
            ("word2vec-text", "out.txt.gz"),
            ("word2vec-binary", "out.bin"),
            ("glove", "out.txt"),
            ("npy", "out.npy"),
            ("safetensors", "out.safetensors"),
            ("parquet", "out.parquet"),
            ("arrow", "out.feather"),
            ("projector", "out"),
            ("gensim", "out.kv"),
        )
    ),
    Case("export: n-grams", ("export", "grams", "-o", "OUT", "--dtype", "float16"), out="out.arrow"),
    Case("import: text", ("import", "many.txt", "-o", "OUT"), out="out.arrow"),
    Case("index", ("index", "OUT", "--threads", "1"), out="many.arrow", before=vectors_to_index),
    Case(
        "debias",
        ("debias", "many.arrow", "--pairs", "direction.txt", "--specific", "specific.txt", "-o", "OUT"),
        out="out.arrow",
    ),
    Case(
        "plot: a page",
        ("plot", "many.arrow", "--top", "300", "--method", "pca", "-o", "OUT"),
        out="map.html",
    ),
    Case("plot: a picture", ("plot", "older", "--top", "30", "--method", "pca", "-o", "OUT"), out="map.svg"),
    Case("vectors of sentences: npy", ("embed", "older", "text.txt", "-o", "OUT"), out="out.npy"),
    Case("vectors of sentences: parquet", ("embed", "older", "text.txt", "-o", "OUT"), out="out.parquet"),
)
