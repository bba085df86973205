"""debias: vectors without their bias, and what it changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .answering import opened
from .bias import components_option, strictness_option
from .biaslines import print_measures, tell_debiased, tell_words, told
from .biasrecords import debiased_record
from .convert import out_option, overwrite_option
from .evaluate import Lists, scored_options
from .options import json_option, refuse_idle
from .terminal import say, say_json


@dataclass(frozen=True)
class Asked:
    """What was asked for: files of lists by the names of their options, and how; checked on construction."""

    pairs: str
    equalize: str | None
    specific: str | None
    learn_specific: str | None
    save_specific: str | None
    neutral: str | None
    soft: bool
    strength: float | None
    components: int
    words: str | None
    strictness: float
    similarity: tuple[str, ...]
    analogies: tuple[str, ...]
    top: int

    def __post_init__(self) -> None:
        if self.save_specific and not self.learn_specific and not self.specific:
            raise click.UsageError("--save-specific needs --learn-specific F or --specific F")
        if sum(given is not None for given in (self.specific, self.learn_specific, self.neutral)) > 1:
            raise click.UsageError("--specific, --learn-specific and --neutral exclude each other: give one")
        if self.soft and self.equalize:
            raise click.UsageError("--equalize is for hard debiasing: leave out --soft, which maps all words alike")
        if self.strength is not None and not self.soft:
            raise click.UsageError("--lambda is for --soft")

    @property
    def listed(self) -> str | None:
        """The file that says which words are specific, or neutral."""
        return self.specific or self.learn_specific or self.neutral


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
@scored_options("Scores before and after: see streamvec evaluate.", "Scores before and after: see streamvec evaluate.")
@out_option
@overwrite_option
@json_option
def debias_(vectors: str, out: str, overwrite: bool, as_json: bool, **options: Any) -> None:
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
    refuse_idle(click.get_current_context(), {"strictness": "words", "top": "analogies"})
    asked = Asked(**options)
    if asked.save_specific and Path(asked.save_specific).resolve() == Path(out).resolve():
        raise click.UsageError("--save-specific and --out are the same file")
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.bias import bias_direction
    from streamvec.vectors.debias import debias, measure_bias
    from streamvec.vectors.formats import may_write
    from streamvec.vectors.specific import save_specific
    from streamvec.vectors.wordlists import read_sets, read_words

    if asked.save_specific:
        may_write(Path(asked.save_specific), overwrite)
    words, specific, seeds, neutral = (
        read_words(path) if path else None
        for path in (asked.words, asked.specific, asked.learn_specific, asked.neutral)
    )
    sets, same = read_sets(asked.pairs), read_sets(asked.equalize) if asked.equalize else []
    found = opened(vectors, few=False)
    scored = asked.similarity, asked.analogies, asked.strictness, asked.top
    direction = bias_direction(found, sets, asked.components)
    before = measure_bias(found, direction, words or [], *scored)  # first: a wrong file is told before any is written
    how: dict[str, Any] = {
        "components": asked.components,
        "soft": asked.soft,
        "strength": asked.strength,
        "overwrite": overwrite,
    }
    try:
        done = debias(found, Path(out), sets, same, specific, seeds, neutral, **how)
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    if asked.save_specific:
        number = save_specific(found, done.specific, Path(asked.save_specific))
        say(f"{asked.save_specific}: {number:,} specific words", err=True)
    measured = before, measure_bias(KeyedVectors.load(out), direction, words or [], *scored)
    if found.has_ngrams:
        say(f"streamvec: note: the n-grams stay behind: {out} does not know words never seen", err=True)
    tell_words(asked.pairs, done.direction.missing, done.direction.read_as)
    tell_words(asked.listed, done.unknown, done.read_as)
    tell_debiased(asked.equalize, len(same), asked.listed, done)
    if as_json:
        return say_json(debiased_record(out, done, measured))
    say(told(out, done))
    print_measures(measured, asked.words)
