"""Labelled data of benchmarks as files train, valid and test: what is tested on is seen by neither of the others."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.bench import Bench
from streamvec.corpus.compression import zstd

_MADE = 200  # lines of a quick run


def imdb(bench: Bench, folder: Path) -> None:
    """Every tenth training review chooses the epoch; tested on the 25,000 test reviews."""
    heading = "label\ttext"
    if bench.quick:
        made = [f"{number % 2}\t{'good' if number % 2 else 'bad'} film number {number}" for number in range(_MADE)]
        return _split(folder, made, made, heading)
    train, test = (_reviews(bench, part) for part in ("train", "test"))
    _split(folder, train, test, heading)


def sst2(bench: Bench, folder: Path) -> None:
    """The parts that the sentences come in."""
    if bench.quick:
        return imdb(bench, folder)
    for name, part in (("train", "train"), ("valid", "dev"), ("test", "test")):
        lines = bench.data(f"sentiment/sent-conv/stsa.binary.{part}").read_text(encoding="utf-8").splitlines()
        _write(folder / name, (line.replace(" ", "\t", 1) for line in lines))


def ner(bench: Bench, folder: Path) -> None:
    """CoNLL-2003 as it comes."""
    for name, part in (("train", "eng.train"), ("valid", "eng.testa"), ("test", "eng.testb")):
        if bench.quick:
            made = [line for number in range(300) for line in (f"Anna{number} I-PER", "sleeps O", "")]
            _write(folder / name, made)
        else:
            (folder / name).write_bytes(bench.data(f"ner/{part}").read_bytes())


def dates(bench: Bench, folder: Path) -> None:
    """Every tenth date is tested on, every fiftieth chooses the epoch; a date that comes again stays where it was."""
    if bench.quick:
        lines = [f"{number % 28 + 1}/3/{1970 + number % 50}\t{1970 + number % 50}-03" for number in range(_MADE)]
    else:
        raw = bench.data("pairs/dates/date.txt").read_text(encoding="utf-8").splitlines()
        lines = ["\t".join(part.strip() for part in line.split("_")) for line in raw]
    _split_by_source(folder, lines)


def french(bench: Bench, folder: Path) -> None:
    """Every tenth English sentence is tested on, every fiftieth chooses the epoch, with all its translations."""
    if bench.quick:
        return dates(bench, folder)
    _split_by_source(folder, bench.data("pairs/eng-fra-40k.tsv").read_text(encoding="utf-8").splitlines())


def reviews(bench: Bench, path: Path) -> None:
    """The text of the training reviews, without labels, a line each."""
    _write(path, (line.partition("\t")[2] for line in _reviews(bench, "train")))


def _reviews(bench: Bench, part: str) -> Iterator[str]:
    """label, text of each review."""
    with zstd.ZstdFile(bench.data(f"sentiment/imdb.{part}.tsv.zst")) as stored:
        text = io.TextIOWrapper(stored, encoding="utf-8", newline="\n")
        next(text)  # names of the columns
        for line in text:
            label, _, review = line.rstrip("\n").split("\t")
            yield f"{label}\t{review}"


def _split_by_source(folder: Path, lines: Iterable[str]) -> None:
    """Of different sources, in the order in which they first come, each tenth goes to test, each fiftieth to valid,
    with all lines that it is in."""
    places: dict[str, int] = {}
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for line in lines:
        number = places.setdefault(line.partition("\t")[0], len(places))
        parts["test" if number % 10 == 0 else "valid" if number % 50 == 3 else "train"].append(line)
    for name, some in parts.items():
        _write(folder / name, some)


def _split(folder: Path, lines: Iterable[str], test: Iterable[str], heading: str) -> None:
    """Each tenth line chooses the epoch; *test* lines are what is tested on."""
    parts: dict[str, list[str]] = {"train": [heading], "valid": [heading]}
    for number, line in enumerate(lines):
        parts["valid" if number % 10 == 3 else "train"].append(line)
    for name, some in {**parts, "test": [heading, *test]}.items():
        _write(folder / name, some)


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
