"""evaluate: similarity sets and analogies, as a table for people or a JSON object a line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .evaluaterun import evaluate_run
from .options import json_option
from .terminal import say, say_json

if TYPE_CHECKING:
    from streamvec.vectors.evaluation import AnalogyScores, SectionScore, SimilarityScore

_TOP = 30_000  # as streamvec.vectors.evaluation has it; naming it here keeps --help quick
_NAMED = 10  # missing words named in the table

Row = tuple[str, str, str, str, str]


class Lists(click.Command):
    """A command whose lists of files may follow their option at once, as a shell expands ``sets/*.tsv``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Writes the option before each further file, once VECTORS has been given."""
        spread: list[str] = []
        options = [one for one in self.params if isinstance(one, click.Option)]
        lists = {name for one in options if one.multiple for name in one.opts}
        valued = {name for one in options if not one.is_flag for name in one.opts}
        option, placed, value = "", False, False  # the list we are in; whether VECTORS came; whether a value is due
        for place, word in enumerate(args):
            if word == "--":
                spread += args[place:]
                break
            if value:
                value = False
            elif word.startswith("-") and word != "-":
                name, equals, _ = word.partition("=")
                option = name if name in lists else ""
                value = not equals and name in valued
            elif option and placed:
                spread.append(option)
            else:
                placed = True
            spread.append(word)
        return super().parse_args(ctx, spread)


def scored_options(similarity: str, analogies: str, more: str = "") -> Callable[[Any], Any]:
    """--similarity, --analogies and --top, with what they are for; *more* is said of the last."""

    def decorate(command: Any) -> Any:
        top = f"Analogies: among so many most frequent words; 0 is all.{more}"
        command = click.option("--top", type=click.IntRange(0), default=_TOP, show_default=True, help=top)(command)
        command = click.option("--analogies", multiple=True, metavar="F...", help=analogies)(command)
        return click.option("--similarity", multiple=True, metavar="F...", help=similarity)(command)

    return decorate


@click.command("evaluate", cls=Lists)
@click.argument("vectors")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@scored_options(
    "Files of pairs: word, word, score a line.",
    "Files of questions: four words a line, : sections.",
    " (word2vec's script has 30000, gensim 300000.)",
)
@click.option("--case-sensitive", is_flag=True, help="A word is what is written; otherwise case is ignored.")
@json_option
def evaluate_(
    vectors: str,
    texts: tuple[str, ...],
    similarity: tuple[str, ...],
    analogies: tuple[str, ...],
    top: int,
    case_sensitive: bool,
    as_json: bool,
) -> None:
    """How good VECTORS are, by files of other people's judgement; or how well a trained model tells or expects a TEXT.

    For a RUN of a task (classifier, tagger, translator) and TEXTs, files like those it was trained on: its scores.

    For a RUN of kind lm and TEXTs: perplexity of a token, bits per character (line breaks included), and the share
    of words that the model does not know. Each TEXT is read as one sequence (as documents, by a model that was trained
    with --separate) that begins behind </s> (of characters, a line break), as what generate writes does: every token
    counts once, and all probabilities are exact.

    Similarity: Spearman's and Pearson's correlation of cosines with the scores. Analogies: the share of right answers
    by 3CosAdd and by 3CosMul, the three words of the question left out of the answers; sections whose name begins with
    gram are syntactic. What has a word that VECTORS lack is left out of the score, counted, and its words are named,
    also where n-grams would give them a vector. Case is ignored as in word2vec's and gensim's evaluations: the most
    frequent form of a word stands for it.

    \b
    Example:
      streamvec evaluate wiki-run --similarity wordsim353.tsv simlex999.tsv --analogies questions-words.txt
    """
    if texts:
        if similarity or analogies:
            raise click.UsageError(
                "TEXT is for a trained model, --similarity and --analogies for vectors: ask one by one"
            )
        return evaluate_run(vectors, texts, as_json)
    if not similarity and not analogies:
        raise click.UsageError(
            "nothing to evaluate by: give --similarity F, --analogies F, or both; to a trained model, TEXT"
        )
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.evaluation import evaluate_analogies, evaluate_similarity

    opened = KeyedVectors.load(vectors)
    for note in opened.notes:
        say(f"streamvec: warning: {note}", err=True)
    if opened.has_ngrams:
        say("streamvec: note: words that are not in the vocabulary are left out: n-grams do not count", err=True)
    pairs = [evaluate_similarity(opened, path, case_sensitive=case_sensitive) for path in similarity]
    questions = [evaluate_analogies(opened, path, top, case_sensitive) for path in analogies]
    if as_json:
        for one in [*map(_similarity_json, pairs), *(record for each in questions for record in _analogies_json(each))]:
            say_json(one)
        return
    rows: list[Row | None] = [("similarity", "Spearman", "Pearson", "found", "pairs")] if pairs else []
    for score in pairs:
        cells = _number(score.spearman), _number(score.pearson)
        rows.append((Path(score.path).name, *cells, f"{score.found:,}", f"{score.pairs:,}"))
    for scores in questions:
        rows += [None] if rows else []
        rows.append((f"analogies, top {scores.top:,}", "3CosAdd", "3CosMul", "found", "questions"))
        rows += [_section(section) for section in scores.sections]
        rows.append(None)
        rows += [_section(total) for total in (scores.semantic, scores.syntactic, scores.total) if total.questions]
    _print(rows)
    for score in pairs:
        _name_missing(score.path, score.missing, f"the {len(opened):,} words")
    for scores in questions:
        _name_missing(scores.path, scores.missing, f"the top {scores.top:,}")


def _similarity_json(score: "SimilarityScore") -> dict[str, Any]:
    return {
        "similarity": score.path,
        "spearman": score.spearman,
        "pearson": score.pearson,
        "found": score.found,
        "pairs": score.pairs,
        "missing": list(score.missing),
    }


def _analogies_json(scores: "AnalogyScores") -> Iterator[dict[str, Any]]:
    """A record a section, and one for each of the totals, which come last."""
    for section in scores.sections:
        yield {"analogies": scores.path, "top": scores.top, "section": section.name, **_section_json(section)}
    for total in (scores.semantic, scores.syntactic, scores.total):
        yield {"analogies": scores.path, "top": scores.top, "section": None, **_section_json(total)} | (
            {"missing": list(scores.missing)} if total.kind == "total" else {}
        )


def _section_json(section: "SectionScore") -> dict[str, Any]:
    return {
        "kind": section.kind,
        "accuracy_add": section.accuracy_add,
        "accuracy_mul": section.accuracy_mul,
        "right_add": section.right_add,
        "right_mul": section.right_mul,
        "found": section.found,
        "questions": section.questions,
    }


def _section(section: "SectionScore") -> Row:
    cells = _number(section.accuracy_add), _number(section.accuracy_mul)
    return section.name, *cells, f"{section.found:,}", f"{section.questions:,}"


def _name_missing(path: str, missing: tuple[str, ...], where: str) -> None:
    if missing:
        names = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        say(f"{Path(path).name}: {len(missing):,} not among {where}: {names}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print(rows: list[Row | None]) -> None:
    """Columns under each other; None is an empty line."""
    widths = [max(len(row[column]) for row in rows if row) for column in range(5)]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [row[k].rjust(widths[k]) for k in range(1, 5)] if row else []
        say("  ".join(cells).rstrip())
