"""The tags that a tagger knows: learnt in one scheme, whatever the scheme of the files, and written in the files'."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from streamvec.corpus.examples import Ragged
from streamvec.corpus.labels import Labels
from streamvec.corpus.tags import OUTSIDE, PLAIN, TagSet, convert, is_tag, tag_names
from streamvec.errors import StreamvecError

UNKNOWN = "I-(unknown)"  # stands for a tag that is not known where scores are taken


class TagLabels(Labels):
    """Every tag that sentences can have in the scheme *learnt*; ids are places in `names`.

    Tags that come in and go out are of any scheme of entities, or plain ones.
    """

    def __init__(self, names: Sequence[str], counts: Sequence[int], scheme: str, learnt: str) -> None:
        """scheme: of the files; both are "plain" where tags name no entities."""
        super().__init__(names, counts)
        self.scheme, self.learnt = scheme, learnt

    @classmethod
    def of_set(cls, found: TagSet, learnt: str, rows: Iterable[Sequence[str]]) -> Self:
        """Those of files with the tags *found*, of which *rows* are counted; StreamvecError where there is only one."""
        learnt = PLAIN if found.scheme == PLAIN else learnt
        names = tag_names(found, learnt)
        if len(names) < 2:
            raise StreamvecError(f"two tags or more are needed to tell apart, found only {names[0]!r}: name the column")
        counts: Counter[str] = Counter()
        for row in rows:
            counts.update(convert(row, learnt))
        return cls(names, [counts[name] for name in names], found.scheme, learnt)

    @property
    def is_plain(self) -> bool:
        """Whether tags are no entities, but one for each word by itself."""
        return self.learnt == PLAIN

    def ids(self, rows: Sequence[Sequence[str]]) -> Ragged:
        """The id of the tag of each word, int32; -1 for one that was not met, or that is of no scheme."""
        return super().ids(rows if self.is_plain else [self._learnt(row) for row in rows])

    def tags(self, ids: np.ndarray) -> list[str]:
        """The tags of one sentence by their ids, as the files have them; `UNKNOWN` for -1."""
        return convert([self.names[tag] if tag >= 0 else UNKNOWN for tag in ids], self.scheme)

    def to_json(self) -> dict[str, Any]:
        """What labels.json holds."""
        return {**super().to_json(), "scheme": self.scheme, "learnt": self.learnt}

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> Self:
        """What `to_json` gave; KeyError where something is missing."""
        return cls(content["labels"], content["counts"], content["scheme"], content["learnt"])

    def _learnt(self, row: Sequence[str]) -> list[str]:
        """The tags of one sentence as they are learnt; what is no tag becomes "", which has no id."""
        wrong = [place for place, tag in enumerate(row) if not is_tag(tag)]
        if not wrong:
            return convert(row, self.learnt)
        tags = convert([tag if is_tag(tag) else OUTSIDE for tag in row], self.learnt)
        for place in wrong:
            tags[place] = ""
        return tags
