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
        return _split(folder, made, made, 10, heading)
    train, test = (_reviews(bench, part) for part in ("train", "test"))
    _split(folder, train, test, 10, heading)


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
            made = [line for number in range(30) for line in (f"Anna{number} I-PER", "sleeps O", "")]
            _write(folder / name, made)
        else:
            (folder / name).write_bytes(bench.data(f"ner/{part}").read_bytes())


def dates(bench: Bench, folder: Path) -> None:
    """Every tenth date is tested on, every fiftieth chooses the epoch."""
    if bench.quick:
        lines = [f"{number % 28 + 1}/3/{1970 + number % 50}\t{1970 + number % 50}-03" for number in range(_MADE)]
    else:
        raw = bench.data("pairs/dates/date.txt").read_text(encoding="utf-8").splitlines()
        lines = ["\t".join(part.strip() for part in line.split("_")) for line in raw]
    _split(folder, lines, None, 50)


def french(bench: Bench, folder: Path) -> None:
    """Every tenth pair is tested on, every fiftieth chooses the epoch."""
    if bench.quick:
        return dates(bench, folder)
    _split(folder, bench.data("pairs/eng-fra-40k.tsv").read_text(encoding="utf-8").splitlines(), None, 50)


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


def _split(
    folder: Path, lines: Iterable[str], test: Iterable[str] | None, every: int, heading: str | None = None
) -> None:
    """Each line that *every* divides, but for 3, into valid; without other *test* lines, each tenth into test."""

    def is_valid(number: int) -> bool:
        return number % every == 3

    def is_test(number: int) -> bool:
        return test is None and number % 10 == 0

    lines, head = list(lines), [heading] if heading else []
    kept = [line for number, line in enumerate(lines) if not is_valid(number) and not is_test(number)]
    _write(folder / "train", head + kept)
    _write(folder / "valid", head + [line for number, line in enumerate(lines) if is_valid(number)])
    tested = [line for number, line in enumerate(lines) if is_test(number)] if test is None else test
    _write(folder / "test", [*head, *tested])


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
