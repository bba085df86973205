"""bias and debias: how far vectors carry a bias, and vectors without it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .answering import shown, width
from .biasrecords import debiased_record, direction_record, outermost, projection_records, weat_record, words_record
from .convert import out_option, overwrite_option
from .evaluate import Lists
from .options import json_option

if TYPE_CHECKING:
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.bias import BiasDirection, Projections
    from streamvec.vectors.debias import Debiased, Measures
    from streamvec.vectors.weat import Weat

_TOP = 30_000  # as streamvec.vectors.evaluation has it; naming it here keeps --help quick
_PERMUTATIONS = 100_000  # as streamvec.vectors.weat has it
_NAMED = 10  # missing words named
_COMPONENTS = 5  # components in the table

pairs_option = click.option("--pairs", metavar="F", help="Definitional pairs, like she and he: a direction.")
strictness_option = click.option(
    "--strictness", type=click.FloatRange(0, 100), default=1.0, show_default=True, help="The c of direct bias."
)
components_option = click.option(
    "--components",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Of how many components the bias subspace consists.",
)
seed_option = click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn at random.")


@click.command("bias", cls=Lists)
@click.argument("vectors")
@pairs_option
@click.option("--words", metavar="F", help="Words that should be neutral, like professions.")
@click.option("--weat", multiple=True, metavar="F...", help="Files of four lists: two of targets, two of attributes.")
@click.option("-o", "--out", metavar="FILE", help="A picture of --words: a name ending in .png, .svg or .pdf.")
@click.option("-n", "number", type=click.IntRange(0), default=0, help="So many words of each end; 0, the default: all.")
@strictness_option
@components_option
@click.option(
    "--permutations",
    type=click.IntRange(1),
    default=_PERMUTATIONS,
    show_default=True,
    help="Partitions drawn by a WEAT of more than 40 targets; of fewer all count.",
)
@seed_option
@json_option
def bias_(
    vectors: str,
    pairs: str | None,
    words: str | None,
    weat: tuple[str, ...],
    out: str | None,
    number: int,
    strictness: float,
    components: int,
    permutations: int,
    seed: int,
    as_json: bool,
) -> None:
    """Measure the bias of VECTORS as Bolukbasi et al. (2016) and Caliskan et al. (2017) do; any kind, any language.

    --pairs: the direction in which the words of definitional pairs differ (principal components, each pair centred at
    its mean), with the share of variance of each component, beside as many pairs of random words, a mean over 100 draws
    among the 30,000 most frequent: a first share far above theirs means that there is one direction. --words: how far
    each word lies along it, positive being the side of the pairs' first words, and direct bias, the mean of |cos|^c.
    All vectors count with length 1.

    --weat: positive effect sizes mean that the first targets go with the first attributes. p is one-sided: the share of
    partitions of the targets for which the difference is at least as large; exact with up to 40 targets.

    Lists are text, a word or pair a line, or JSON, as debiaswe publishes them: ["nurse", ...], [["she", "he"], ...] or
    [["nurse", 0.0, -0.9], ...]. A WEAT is four lines `flowers: aster, clover, ...`, first the two lists of targets and
    then the two of attributes, or {"targets": {"flowers": [...], "insects": [...]}, "attributes": {...}}. A word that
    VECTORS lack is tried in lower case, capitalised and in upper case; what is still missing is told and left out.

    \b
    Example:
      streamvec bias wiki-run --pairs definitional_pairs.json --words professions.json -o bias.png
    """
    if not pairs and not weat:
        raise click.UsageError("nothing to measure by: give --pairs F, --weat F, or both")
    if words and not pairs:
        raise click.UsageError("--words needs --pairs F: they tell the direction")
    if out and not words:
        raise click.UsageError("-o draws --words: give them")
    from streamvec.vectors.bias import bias_direction, projections
    from streamvec.vectors.weat import weat as associated
    from streamvec.vectors.wordlists import read_association, read_sets, read_words

    if out:
        from streamvec.tasks.pictures import checked

        checked(out)
    lists = [read_association(path) for path in weat]
    sets, asked = read_sets(pairs) if pairs else [], read_words(words) if words else []
    opened = _opened(vectors)
    try:
        direction = bias_direction(opened, sets, components, seed) if pairs else None
        found = projections(opened, direction, asked) if direction and words else None
        tests = [associated(opened, one, permutations, seed) for one in lists]
        direct = found.direct_bias(strictness) if found else 0.0
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    if out and direction and found:
        from streamvec.tasks.biasplot import draw_projections

        draw_projections(found, direction.ends, direct, out, number or 15)
    if as_json:
        records = [direction_record(pairs, direction)] if direction else []
        if found:
            records += [words_record(words, found, strictness), *projection_records(found, number)]
        for record in [*records, *(weat_record(path, one) for path, one in zip(weat, tests, strict=True))]:
            click.echo(json.dumps(record, ensure_ascii=False))
        return
    if found:
        _print_projections(found, number)
    if direction:
        _print_direction(direction)
        _tell_missing(pairs, direction.missing)
    if found:
        many = f"{len(found.words):,} words"
        click.echo(f"direct bias of {many}, c = {strictness:g}: {direct:.4f}")
        _tell_missing(words, found.missing)
    if tests:
        _print_weat(tests)
        for path, one in zip(weat, tests, strict=True):
            _tell_missing(path, one.missing)
    if out:
        click.echo(f"picture: {out}")


@click.command("debias", cls=Lists)
@click.argument("vectors")
@click.option("--pairs", metavar="F", required=True, help="Definitional pairs, like she and he: a direction.")
@click.option("--equalize", metavar="F", help="Pairs that shall differ in nothing but the direction.")
@click.option("--specific", metavar="F", help="Words that may keep their part, like king.")
@click.option("--learn-specific", metavar="F", help="Some such words, from which the others are learnt.")
@click.option("--save-specific", metavar="FILE", help="Write the specific words, to be looked at: a word a line.")
@click.option("--neutral", metavar="F", help="Only these words lose their part.")
@click.option("--soft", is_flag=True, help="One linear map for all words, between both ends.")
@click.option("--lambda", "strength", type=click.FloatRange(0, 1e15), help="Of --soft: how much bias counts.")
@components_option
@click.option("--words", metavar="F", help="Words whose direct bias is told before and after, like professions.")
@strictness_option
@click.option("--similarity", multiple=True, metavar="F...", help="Scores before and after: see streamvec evaluate.")
@click.option("--analogies", multiple=True, metavar="F...", help="Scores before and after: see streamvec evaluate.")
@click.option(
    "--top",
    type=click.IntRange(0),
    default=_TOP,
    show_default=True,
    help="Analogies: among so many most frequent words; 0 is all.",
)
@out_option
@overwrite_option
@json_option
def debias_(
    vectors: str,
    pairs: str,
    equalize: str | None,
    specific: str | None,
    learn_specific: str | None,
    save_specific: str | None,
    neutral: str | None,
    soft: bool,
    strength: float | None,
    components: int,
    words: str | None,
    strictness: float,
    similarity: tuple[str, ...],
    analogies: tuple[str, ...],
    top: int,
    out: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write VECTORS without the bias of definitional pairs (Bolukbasi et al. 2016) to PATH, a vectors.arrow.

    Every vector is scaled to length 1 first, and those of PATH have length 1, as in the paper. Neutral words lose their
    component along the direction; the two words of --equalize (in any case) are then equally near to each neutral word.
    Neutral are all words but those of --pairs and --equalize and those that are specific: --specific lists them,
    --learn-specific lists some, and a linear support vector machine finds the others by their vectors (it learns from
    the 50,000 most frequent words, and needs the extra `bias`; look at --save-specific). Or --neutral lists the neutral
    words, and all others stay as they are.

    --soft minimises |(TW)'(TW) - W'W|^2 + lambda |(TN)'(TB)|^2 over linear maps T, W being all words, N the neutral
    ones and B the direction. The sums grow with the vocabulary, so --lambda does too: by default V^2 / (10 N) of V
    words of which N are neutral, by which about half of the direct bias goes.

    Memory does not grow with the vocabulary (but a foreign file is read whole: import it first). Counts and order of
    words stay. n-grams stay behind. Lists are as for streamvec bias.

    \b
    Example:
      streamvec debias wiki-run --pairs definitional_pairs.json --equalize equalize_pairs.json -o fair.arrow
    """
    if save_specific and not learn_specific and not specific:
        raise click.UsageError("--save-specific needs --learn-specific F or --specific F")
    if sum(given is not None for given in (specific, learn_specific, neutral)) > 1:
        raise click.UsageError("--specific, --learn-specific and --neutral exclude each other: give one")
    if soft and equalize:
        raise click.UsageError("--equalize is for hard debiasing: leave out --soft, which maps all words alike")
    if strength is not None and not soft:
        raise click.UsageError("--lambda is for --soft")
    if save_specific and Path(save_specific).resolve() == Path(out).resolve():
        raise click.UsageError("--save-specific and --out are the same file")
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.bias import bias_direction
    from streamvec.vectors.debias import debias, measure_bias
    from streamvec.vectors.formats import may_write
    from streamvec.vectors.wordlists import read_sets, read_words

    if save_specific:
        may_write(Path(save_specific), overwrite)
    asked = read_words(words) if words else []
    lists = {
        name: read_words(path) if path else None
        for name, path in (("specific", specific), ("seeds", learn_specific), ("neutral", neutral))
    }
    sets, same = read_sets(pairs), read_sets(equalize) if equalize else []
    opened = _opened(vectors)
    scored = similarity, analogies, strictness, top
    direction = bias_direction(opened, sets, components)
    before = measure_bias(opened, direction, asked, *scored)  # first: a wrong file is told before anything is written
    try:
        done = debias(
            opened,
            Path(out),
            sets,
            same,
            **lists,
            components=components,
            soft=soft,
            strength=strength,
            overwrite=overwrite,
        )
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    if save_specific:
        _save_specific(opened, done, Path(save_specific))
    measured = before, measure_bias(KeyedVectors.load(out), direction, asked, *scored)
    if opened.has_ngrams:
        click.echo(f"streamvec: note: the n-grams stay behind: {out} does not know words never seen", err=True)
    _tell_missing(pairs, done.direction.missing)
    _tell_missing(specific or learn_specific or neutral, done.unknown)
    if done.unused:
        names = ", ".join("-".join(map(shown, one)) for one in done.unused[:_NAMED])
        click.echo(
            f"streamvec: note: {equalize}: {len(done.unused)} of {len(same)} sets are not equalized, as a word of them "
            f"is missing or in another set: {names}" + (", ..." if len(done.unused) > _NAMED else ""),
            err=True,
        )
    if learn_specific and done.specific_words <= len(done.specific.ranks):
        click.echo(
            f"streamvec: warning: {learn_specific}: the classifier finds no specific word but those of the list: give "
            "more of them, or all by --specific",
            err=True,
        )
    if done.emptied:
        click.echo(f"streamvec: warning: {done.emptied:,} words had nothing but bias: they are zeros now", err=True)
    if as_json:
        return click.echo(json.dumps(debiased_record(out, done, measured), ensure_ascii=False))
    click.echo(_told(out, done))
    _print_measures(measured, words)


def _opened(path: str) -> "KeyedVectors":
    from streamvec.vectors import KeyedVectors

    opened = KeyedVectors.load(path)
    for note in opened.notes:
        click.echo(f"streamvec: warning: {note}", err=True)
    return opened


def _save_specific(vectors: "KeyedVectors", done: "Debiased", path: Path) -> None:
    from streamvec.vectors.specific import save_specific

    click.echo(f"{path}: {save_specific(vectors, done.specific, path):,} specific words", err=True)


def _tell_missing(path: str | None, missing: Sequence[str]) -> None:
    if missing:
        names = ", ".join(map(shown, missing[:_NAMED])) + (", ..." if len(missing) > _NAMED else "")
        many = f"{len(missing):,} words are" if len(missing) > 1 else "1 word is"
        click.echo(f"streamvec: note: {path}: {many} not in the vocabulary: {names}", err=True)


def _print_projections(found: "Projections", number: int) -> None:
    rows = outermost(found, number)
    words = [shown(found.words[row]) for row in rows]
    widest = max(map(width, words))
    for place, (row, word) in enumerate(zip(rows, words, strict=True)):
        if place and row != rows[place - 1] + 1:
            click.echo("...")
        click.echo(f"{word}{' ' * (widest - width(word))}  {found.values[row]:7.4f}")
    click.echo("")


def _print_direction(direction: "BiasDirection") -> None:
    positive, negative = map(shown, direction.ends)
    click.echo(f"direction: {positive} (+) to {negative} (-), of {len(direction.sets):,} of {direction.of:,} pairs")
    click.echo("component  variance  random pairs")
    shares = list(zip(direction.shares, direction.random_shares, strict=True))[:_COMPONENTS]
    for number, (share, random) in enumerate(shares, 1):
        click.echo(f"{number:9}  {share:8.3f}  {random:12.3f}")


def _print_weat(tests: Sequence["Weat"]) -> None:
    for one in tests:
        x, y, a, b = map(shown, one.lists)
        size = "-" if one.effect_size is None else f"{one.effect_size:.3f}"
        how = f"{one.method}, {one.partitions:,} partitions"
        click.echo(f"WEAT {x} / {y} by {a} / {b}: effect size {size}, p = {one.p:.3g} ({how})")


def _print_measures(measured: Sequence["Measures"], words: str | None) -> None:
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
    click.echo(f"{'':{longest}}  before   after")
    for name, *values in rows:
        cells = ["-" if value is None else f"{value:.4f}" for value in values]
        click.echo(f"{name:{longest}}  {cells[0]:>6}  {cells[1]:>6}")


def _told(out: str, done: "Debiased") -> str:
    more = f", lambda {done.strength:g}" if done.strength is not None else f", {len(done.equalized)} sets equalized"
    return (
        f"{out}: {done.words:,} words, {done.method}: {done.neutral:,} neutral, {done.specific_words:,} specific{more}"
    )
