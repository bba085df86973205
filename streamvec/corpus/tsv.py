"""Pairs from a file of columns between tabs: a label and a text, or two texts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from streamvec.corpus.labels import Labels
from streamvec.corpus.lines import Lines
from streamvec.errors import StreamvecError


class Row(NamedTuple):
    """What is read, and what is to be told of it, as text: a label, the tags of its words, or another text."""

    text: str
    target: str


class Columns(NamedTuple):
    """Where a row's parts stand, counted from 0, and how many columns there are."""

    text: int
    target: int
    width: int


_ENOUGH = 40  # rows that tell whether labels come again


class TsvRows:
    """Iterates over the rows of a source; *counts* says what was passed over, by name.

    names: what the columns of text and target are called where a first line names them; columns: the two of the
    command line (``--columns``), in that order, by number from 1 or by name. Without either, a line has two columns,
    *names* in the order of *usual*. Empty lines are passed over and counted, and so are rows without text or target;
    characters that were no text are counted as replaced.
    """

    def __init__(
        self,
        lines: Lines,
        path: str,
        names: tuple[str, str],
        usual: tuple[int, int],
        columns: Sequence[str] = (),
        are_labels: bool = False,
    ) -> None:
        """are_labels: whether targets are labels: then a first line whose target's name stands in its place, or beside
        one other, names columns; and labels must come again."""
        self._are_labels = are_labels
        self._lines, self._path, self._names, self._usual, self._columns = lines, path, names, usual, columns
        self.counts = {"rows": 0, "empty_lines": 0, "without_text": 0, "without_target": 0, "replaced": 0}

    def __iter__(self) -> Iterator[Row]:
        self.counts.update(dict.fromkeys(self.counts, 0))  # whoever asked for them has the same ones
        found: Columns | None = None
        for number, line in self._lines:
            self.counts["replaced"] = self._lines.replaced
            if not line.strip():
                self.counts["empty_lines"] += 1
                continue
            fields = line.split("\t")
            if found is None:
                found, is_heading = self._find(fields, number)
                if is_heading:
                    continue
            if len(fields) != found.width:
                raise StreamvecError(
                    f"{self._path}: line {number}: {len(fields)} columns between tabs, expected {found.width}: "
                    f"{line[:60]!r}: correct the line, or take it out"
                )
            row = Row(fields[found.text].strip(), fields[found.target].strip())
            if not row.target:
                self.counts["without_target"] += 1
            elif not row.text:
                self.counts["without_text"] += 1
            else:
                self.counts["rows"] += 1
                yield row

    def labels(self, rows: Iterable[Row]) -> Labels:
        """The labels of *rows*; StreamvecError where hardly one comes twice, which labels do."""
        found = Labels.of([row.target] for row in rows)
        if len(found) * 2 > sum(found.counts) >= _ENOUGH:
            raise StreamvecError(
                f"{self._path}: {len(found):,} different labels of {sum(found.counts):,} rows, such as "
                f"{found.names[0][:30]!r}: is the label in the other column (--columns)?"
            )
        return found

    def _find(self, fields: list[str], number: int) -> tuple[Columns, bool]:
        """Where the columns are, and whether *fields*, of the first line that is not empty, only name them."""
        lower, where = [field.strip().lower() for field in fields], f"{self._path}: line {number}"
        wanted = [name.lower() for name in self._columns or self._names]
        by_number = all(name.isdecimal() for name in wanted)
        is_heading = not by_number and all(name in lower for name in wanted)
        if is_heading:
            places = [lower.index(name) for name in wanted]
        elif by_number:
            places = [int(name) - 1 for name in wanted]
            found = [lower[place] for place in places if 0 <= place < len(lower)]
            is_heading = found == [*self._names] or (self._are_labels and found[1:] == [self._names[1]])
        elif self._columns:
            raise StreamvecError(
                f"{where}: no columns called {' and '.join(self._columns)}, found "
                f"{', '.join(fields)[:80]!r}: give --columns as in the first line, or as numbers"
            )
        elif len(fields) == 2 and self._are_labels and self._names[1] in lower:
            is_heading, target = True, lower.index(self._names[1])
            places = [1 - target, target]
        elif len(fields) == 2:
            places = list(self._usual)
        else:
            raise StreamvecError(
                f"{where}: {len(fields)} columns between tabs, expected {' and '.join(self._order)}: say "
                "which with --columns, by numbers from 1, or name them in a first line"
            )
        if max(places) >= len(fields) or min(places) < 0:
            raise StreamvecError(
                f"{where}: {len(fields)} columns, --columns asks for {' and '.join(self._columns)}: "
                "name columns that are there, from 1"
            )
        return Columns(places[0], places[1], len(fields)), is_heading

    @property
    def _order(self) -> list[str]:
        """The names in the order that they usually stand in."""
        return [name for _, name in sorted(zip(self._usual, self._names, strict=True))]
