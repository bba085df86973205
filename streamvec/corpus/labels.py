"""The labels of a set of examples, by name: of texts one each, of words one for each word."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from streamvec.corpus.examples import Ragged
from streamvec.disk.sealed import read_json, write_json
from streamvec.errors import StreamvecError

_MOST = 10_000


class Labels:
    """Labels in the order of their names (code points), and how often each was met; ids are places in it."""

    def __init__(self, names: Sequence[str], counts: Sequence[int]) -> None:
        self.names, self.counts = list(names), list(counts)
        self._ids = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]]) -> "Labels":
        """Those of some rows; StreamvecError where there are too many to be labels, or fewer than two."""
        met: Counter[str] = Counter()
        for row in rows:
            met.update(row)
            if len(met) > _MOST:
                examples = ", ".join(repr(name[:30]) for name in list(met)[:3])
                raise StreamvecError(
                    f"more than {_MOST:,} different labels, such as {examples}: is the label elsewhere (--columns)?"
                )
        if len(met) < 2:
            only = f"only {next(iter(met))!r}" if met else "none"
            raise StreamvecError(f"two labels or more are needed to tell apart, found {only}: give other training data")
        names = sorted(met)
        return cls(names, [met[name] for name in names])

    def __len__(self) -> int:
        return len(self.names)

    def ids(self, rows: Sequence[Sequence[str]]) -> Ragged:
        """The id of each label of each row, int32; -1 for one that was not met."""
        values = [self._ids.get(name, -1) for row in rows for name in row]
        return Ragged(np.array(values, np.int32), np.fromiter(map(len, rows), np.int64, len(rows)))

    def save(self, path: Path) -> None:
        """Writes labels.json, whole or not at all."""
        write_json(path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """What labels.json holds."""
        return {"labels": self.names, "counts": self.counts}

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> Self:
        """What `to_json` gave; KeyError where something is missing."""
        return cls(content["labels"], content["counts"])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote; StreamvecError where it is missing or damaged."""
        content = read_json(path)
        try:
            return cls.of_json(content)
        except KeyError as problem:
            raise StreamvecError(f"{path}: {problem} is missing: train again with --overwrite") from None
