"""What tests of tasks share: made-up reviews, labelled by their words, and options of small models."""

import random
from pathlib import Path

GOOD = ["good", "great", "fine", "lovely", "superb"]
BAD = ["bad", "awful", "poor", "dull", "boring"]
OTHER = ["the", "a", "Größe", "movie", "it's", "was", "and", "of"]
OPTIONS = ("--dim", "8", "--epochs", "3", "--learning-rate", "0.02", "--batch", "16", "--seed", "3")
LSTM = ("--encoder", "lstm", "--hidden", "6", "--bidirectional")


def reviews(count: int, seed: int) -> list[tuple[str, str]]:
    """(label, text) of each."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        label = draw.choice(["pos", "neg"])
        words = [
            draw.choice((GOOD if label == "pos" else BAD) if draw.random() < 0.4 else OTHER)
            for _ in range(draw.randrange(1, 14))
        ]
        found.append((label, " ".join([*words, *([f"once{number}"] if number % 20 == 0 else [])])))
    return found


def write_tsv(path: Path, rows: list[tuple[str, str]]) -> Path:
    """A label, a tab and a text a line."""
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
    return path


def made(folder: Path) -> Path:
    """train.tsv, and valid.tsv with three labels that no training example has, in *folder*."""
    write_tsv(folder / "train.tsv", reviews(600, 1))
    write_tsv(folder / "valid.tsv", reviews(80, 2) + [("new", "the good movie")] * 3)
    return folder
