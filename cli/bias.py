"""bias: how far vectors carry a bias, of any kind and in any language."""

import click

from .answering import opened
from .biaslines import print_direction, print_projections, print_weat, tell_words
from .biasrecords import direction_record, projection_records, weat_record, words_record
from .evaluate import Lists
from .options import json_option, refuse_idle
from .terminal import say, say_json

_PERMUTATIONS = 100_000  # as streamvec.vectors.weat has it; naming it here keeps --help quick

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


@click.command("bias", cls=Lists)
@click.argument("vectors")
@click.option("--pairs", metavar="F", help="Definitional pairs, like she and he: a direction.")
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
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of what is drawn at random.")
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
    idle = {"strictness": "words", "number": "words", "components": "pairs", "permutations": "weat"}
    refuse_idle(click.get_current_context(), idle)
    from streamvec.vectors.bias import bias_direction, projections
    from streamvec.vectors.weat import weat as associated
    from streamvec.vectors.wordlists import read_association, read_sets, read_words

    if out:
        from streamvec.tasks.pictures import checked

        checked(out)
    lists = [read_association(path) for path in weat]
    sets, asked = read_sets(pairs) if pairs else [], read_words(words) if words else []
    asked_of = opened(vectors, few=False)
    try:
        direction = bias_direction(asked_of, sets, components, seed) if pairs else None
        found = projections(asked_of, direction, asked) if direction and words else None
        tests = [associated(asked_of, one, permutations, seed) for one in lists]
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
            say_json(record)
        return
    if found:
        print_projections(found, number)
    if direction:
        print_direction(direction)
        tell_words(pairs, direction.missing, direction.read_as)
    if found:
        many = f"{len(found.words):,} words"
        say(f"direct bias of {many}, c = {strictness:g}: {direct:.4f}")
        tell_words(words, found.missing, found.read_as)
    if tests:
        print_weat(tests)
        for path, one in zip(weat, tests, strict=True):
            tell_words(path, one.missing, one.read_as)
    if out:
        say(f"picture: {out}")
