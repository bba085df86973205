"""What bias and debias say to a person, line by line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .answering import width
from .biasrecords import outermost
from .terminal import say, shown

if TYPE_CHECKING:
    from streamvec.vectors.bias import BiasDirection, Projections
    from streamvec.vectors.debias import Debiased, Measures
    from streamvec.vectors.weat import Weat

_NAMED = 10  # words named of many
_COMPONENTS = 5  # components in the table


def tell_words(path: str | None, missing: Sequence[str], read_as: Mapping[str, str]) -> None:
    """Notes of words of the list at *path* that are not in the vocabulary, or only in another form."""
    if read_as:
        names = [f"{shown(word)} ({shown(form)})" for word, form in list(read_as.items())[:_NAMED]]
        _note(path, len(read_as), "taken in another form", names)
    if missing:
        _note(path, len(missing), "not in the vocabulary", [shown(word) for word in missing[:_NAMED]])


def _note(path: str | None, number: int, what: str, names: Sequence[str]) -> None:
    many = f"{number:,} words are" if number > 1 else "1 word is"
    more = ", ..." if number > len(names) else ""
    say(f"streamvec: note: {path}: {many} {what}: {', '.join(names)}{more}", err=True)


def print_projections(found: "Projections", number: int) -> None:
    rows = outermost(found, number)
    words = [shown(found.words[row]) for row in rows]
    widest = max(map(width, words))
    for place, (row, word) in enumerate(zip(rows, words, strict=True)):
        if place and row != rows[place - 1] + 1:
            say("...")
        say(f"{word}{' ' * (widest - width(word))}  {found.values[row]:7.4f}")
    say("")


def print_direction(direction: "BiasDirection") -> None:
    positive, negative = map(shown, direction.ends)
    say(f"direction: {positive} (+) to {negative} (-), of {len(direction.sets):,} of {direction.of:,} pairs")
    say("component  variance  random pairs")
    shares = list(zip(direction.shares, direction.random_shares, strict=True))[:_COMPONENTS]
    for number, (share, random) in enumerate(shares, 1):
        say(f"{number:9}  {share:8.3f}  {random:12.3f}")


def print_weat(tests: Sequence["Weat"]) -> None:
    for one in tests:
        x, y, a, b = map(shown, one.lists)
        size = "-" if one.effect_size is None else f"{one.effect_size:.3f}"
        how = f"{one.method}, {one.partitions:,} partitions"
        say(f"WEAT {x} / {y} by {a} / {b}: effect size {size}, p = {one.p:.3g} ({how})")


def tell_debiased(asked_equal: str | None, of: int, listed: str | None, done: "Debiased") -> None:
    """Notes and warnings of what was done; *asked_equal*, *listed*: the files of sets (*of* so many) and of words."""
    if done.unused:
        names = ", ".join("-".join(map(shown, one)) for one in done.unused[:_NAMED])
        say(
            f"streamvec: note: {asked_equal}: {len(done.unused)} of {of} sets are not equalized, as a word of them is "
            f"missing or in another set, or they do not differ along the direction: {names}"
            + (", ..." if len(done.unused) > _NAMED else ""),
            err=True,
        )
    if done.specific.weights is not None and done.specific_words <= len(done.specific.ranks):
        say(
            f"streamvec: warning: {listed}: the classifier finds no specific word but those of the list: give more of "
            "them, or all by --specific",
            err=True,
        )
    if done.emptied:
        say(f"streamvec: warning: {done.emptied:,} words had nothing but bias: they are zeros now", err=True)


def print_measures(measured: Sequence["Measures"], words: str | None) -> None:
    before, after = measured
    rows: list[tuple[str, float | None, float | None]] = []
    if before.direct_bias is not None and after.direct_bias is not None:
        rows.append((f"direct bias, {Path(words or '').name}", before.direct_bias, after.direct_bias))
    for old, new in zip(before.similarity, after.similarity, strict=True):
        rows.append((f"{Path(old.path).name}, Spearman", old.spearman, new.spearman))
    for one, other in zip(before.analogies, after.analogies, strict=True):
        name = Path(one.path).name
        rows.append((f"{name}, 3CosAdd", one.total.accuracy_add, other.total.accuracy_add))
        rows.append((f"{name}, 3CosMul", one.total.accuracy_mul, other.total.accuracy_mul))
    if not rows:
        return
    longest = max(len(name) for name, *_ in rows)
    say(f"{'':{longest}}  before   after")
    for name, *values in rows:
        cells = ["-" if value is None else f"{value:.4f}" for value in values]
        say(f"{name:{longest}}  {cells[0]:>6}  {cells[1]:>6}")


def told(out: str, done: "Debiased") -> str:
    more = f", lambda {done.strength:g}" if done.strength is not None else f", {len(done.equalized)} sets equalized"
    return (
        f"{out}: {done.words:,} words, {done.method}: {done.neutral:,} neutral, {done.specific_words:,} specific{more}"
    )
