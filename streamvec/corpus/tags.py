"""Tag schemes: which tags together name an entity (or a chunk), in the forms that files have them, and between these.

A tag is O, outside, or a letter, a hyphen and the entity's type, such as B-PER. What the letters say:

    IOB1    I inside; B only where an entity begins right behind another of its type
    IOB2    B begins every entity, I goes on
    BIOES   B begins, I goes on, E ends; S is an entity of one word
    BILOU   the same with L for E and U for S
    plain   no letters: a tag for each word by itself, such as parts of speech

Whatever the scheme, and however broken the sequence, entities are those that the conlleval script of CoNLL-2000 finds:
a tag begins one where its letter is B, S or U, or where the tag before is O, E, L, S, U or of another type.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from streamvec.corpus.conll import Sentence
from streamvec.errors import StreamvecError

OUTSIDE = "O"
PLAIN = "plain"
# The letters of: an entity of one word; the first word of others; words within; the last one.
_LETTERS = {"IOB2": "BBII", "IOB1": "IIII", "BIOES": "SBIE", "BILOU": "UBIL"}
SCHEMES = (*_LETTERS, PLAIN)
MOST_TAGS = 10_000
_BEGINS, _ENDS = "BSU", "ELSU"
_KNOWN = "BIELSU"
_SHOWN = 60  # characters of a wrong tag in a message


class Span(NamedTuple):
    """An entity: its type, and its first and last word, counted from 0."""

    type: str
    first: int
    last: int


class TagSet(NamedTuple):
    """What the tags of a text are."""

    scheme: str  # one of SCHEMES
    counts: dict[str, int]  # how often each tag comes: by falling count, then by name
    types: tuple[str, ...]  # of entities, by name; none of plain tags
    repaired: int  # tags that cannot stand where they do in that scheme, so that others are meant
    first_repaired: str  # where the first of them stands, such as "eng.train: line 7: 'I-PER' stands for 'B-PER'"


@functools.lru_cache(MOST_TAGS)
def split_tag(tag: str) -> tuple[str, str]:
    """(letter, type) of a tag, the type of O and of a lone letter being empty; StreamvecError for any other tag."""
    letter, hyphen, kind = tag.partition("-")
    if tag == OUTSIDE or (len(letter) == 1 and letter in _KNOWN and (kind or not hyphen)):
        return letter, kind
    raise StreamvecError(
        f"tag {tag[:_SHOWN]!r} is of no known scheme: expected O, or B, I, E, S, L or U, a hyphen and a type"
    )


def spans(tags: Sequence[str]) -> list[Span]:
    """The entities of one sentence, in order; StreamvecError for a tag that is of no scheme."""
    found = []
    begun, before, kind_before = 0, OUTSIDE, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        letter, kind = split_tag(tag)
        begins = letter in _BEGINS or before == OUTSIDE or before in _ENDS or kind != kind_before
        if begins or letter == OUTSIDE:
            if before != OUTSIDE:
                found.append(Span(kind_before, begun, place - 1))
            begun = place
        before, kind_before = letter, kind
    return found


def convert(tags: Sequence[str], to: str) -> list[str]:
    """The tags of one sentence in scheme *to*: those of the same entities, whatever scheme they came in.

    So a sequence that cannot be in its scheme is repaired, too. "plain" leaves all as it is. Raises ValueError for
    another scheme, StreamvecError for a tag that is of none.
    """
    _check(to)
    if to == PLAIN:
        return list(tags)
    written = [OUTSIDE] * len(tags)
    for place, tag in _written(spans(tags), to):
        written[place] = tag
    return written


def tag_names(found: TagSet, to: str) -> tuple[str, ...]:
    """Every tag that a text of *found* can have in scheme *to*: O first, then type by type; of plain tags those met."""
    _check(to)
    if (found.scheme == PLAIN) != (to == PLAIN):
        raise ValueError(f"scheme must be that of entities where there are any, got {to} for {found.scheme} tags")
    if to == PLAIN:
        return tuple(found.counts)
    letters = dict.fromkeys(f"B{_LETTERS[to]}")
    return (OUTSIDE, *(_joined(letter, kind) for kind in found.types for letter in letters))


def scheme_of(sentences: Iterable[Sentence], scheme: str | None = None) -> TagSet:
    """What the tags of *sentences* are, read once, in bounded memory; *scheme* says what they are, None to be told.

    See `TagSurvey` for how, and for what is raised.
    """
    survey = TagSurvey()
    for sentence in sentences:
        survey.add(sentence)
    return survey.found(scheme)


class TagSurvey:
    """Recognises the scheme of tags, sentence by sentence.

    Tags without a letter and a hyphen, such as NOUN, are plain. Else the scheme is the one in which the fewest tags
    would have to be others for the same entities; of equal ones the first of IOB2, IOB1, BIOES, BILOU.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._places: dict[str, str] = {}  # of the first of each tag
        self._repaired = dict.fromkeys(_LETTERS, 0)
        self._first_repaired = dict.fromkeys(_LETTERS, "")

    def add(self, sentence: Sentence) -> None:
        """Takes a sentence into account; StreamvecError where there are more different tags than can be meant."""
        for tag, line in zip(sentence.tags, sentence.lines, strict=True):
            if tag not in self._counts:
                if len(self._counts) == MOST_TAGS:
                    raise StreamvecError(
                        f"{sentence.path}: line {line}: more than {MOST_TAGS:,} different tags, such as "
                        f"{tag[:_SHOWN]!r}: name the column that holds the tags"
                    )
                self._counts[tag] = 0
                self._places[tag] = f"{sentence.path}: line {line}"
            self._counts[tag] += 1
        known = [tag if is_tag(tag) else OUTSIDE for tag in sentence.tags]
        entities = spans(known)
        for scheme in _LETTERS:
            for place, meant in _written(entities, scheme):
                if meant != known[place]:
                    if not self._repaired[scheme]:
                        where = f"{sentence.path}: line {sentence.lines[place]}"
                        self._first_repaired[scheme] = f"{where}: {known[place]!r} stands for {meant!r}"
                    self._repaired[scheme] += 1

    def found(self, scheme: str | None = None) -> TagSet:
        """What the tags are; *scheme* says which they are to be taken for.

        Raises StreamvecError, naming the line, for a tag that is of no scheme among others that are, and where there
        are no tags at all; ValueError for a *scheme* that does not exist.
        """
        if scheme is not None:
            _check(scheme)
        if not self._counts:
            raise StreamvecError("no tags: there is no sentence in the files")
        counts = dict(sorted(self._counts.items(), key=lambda item: (-item[1], item[0])))
        if scheme == PLAIN or (scheme is None and self._are_plain()):
            return TagSet(PLAIN, counts, (), 0, "")
        for tag, place in self._places.items():
            try:
                split_tag(tag)
            except StreamvecError as problem:
                raise StreamvecError(f"{place}: {problem}; correct it, or say that tags are plain") from None
        types = tuple(sorted({split_tag(tag)[1] for tag in counts if tag != OUTSIDE}))
        scheme = scheme or min(_LETTERS, key=lambda one: self._repaired[one])
        return TagSet(scheme, counts, types, self._repaired[scheme], self._first_repaired[scheme])

    def _are_plain(self) -> bool:
        if any(is_tag(tag) and "-" in tag for tag in self._counts):
            return False
        bare = OUTSIDE in self._counts and all(is_tag(tag) for tag in self._counts)  # O, B and I alone
        return not bare


@functools.lru_cache(MOST_TAGS)
def is_tag(tag: str) -> bool:
    """Whether a tag is of a scheme of entities."""
    try:
        split_tag(tag)
    except StreamvecError:
        return False
    return True


def _check(scheme: str) -> None:
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")


def _joined(letter: str, kind: str) -> str:
    return f"{letter}-{kind}" if kind else letter


def _written(entities: Iterable[Span], scheme: str) -> Iterator[tuple[int, str]]:
    """(place, tag) of each word of the entities of one sentence."""
    alone, begins, inside, ends = tuple(_LETTERS[scheme])
    behind: Span | None = None
    for entity in entities:
        kind, first, last = entity
        letters = [alone] if first == last else [begins, *[inside] * (last - first - 1), ends]
        if scheme == "IOB1" and behind is not None and (behind.type, behind.last) == (kind, first - 1):
            letters[0] = "B"
        behind = entity
        for place, letter in enumerate(letters, first):
            yield place, _joined(letter, kind)
