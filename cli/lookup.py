"""Look-ups: nn, analogy, similarity, doesnt-match and vector, for words given as arguments or a line on stdin."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from streamvec.errors import StreamvecError

from .answering import (
    VALUES,
    Answer,
    Meant,
    answer_all,
    answer_lines,
    by_index,
    fields_of,
    meant,
    meant_by_query,
    neighbours,
    opened,
)
from .options import WORD, json_option

number_option = click.option(
    "-n", "number", type=click.IntRange(1), default=10, show_default=True, help="How many neighbours."
)
restrict_option = click.option(
    "--restrict", metavar="TOP", type=click.IntRange(1), help="Only among the TOP most frequent words."
)
exact_option = click.option("--exact", is_flag=True, help="Look at every word, also where there is an index.")


def by_option(*measures: str) -> Callable[[Any], Any]:
    """--by, one of *measures*."""
    return click.option(
        "--by",
        "measure",
        type=click.Choice(measures),
        default="cosine",
        show_default=True,
        help="What is near: the cosine, the Euclidean distance"
        + (", or products of cosines (3CosMul)." if "cosmul" in measures else "."),
    )


@click.command("nn")
@click.argument("vectors")
@click.argument("words", type=WORD, nargs=-1)
@number_option
@click.option(
    "--positive", type=WORD, metavar="WORD", multiple=True, help="Counts for an answer; several make one query."
)
@click.option("--negative", type=WORD, metavar="WORD", multiple=True, help="Counts against an answer.")
@restrict_option
@by_option(*VALUES)
@exact_option
@json_option
def nn_(
    vectors: str,
    words: tuple[str, ...],
    number: int,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    restrict: int | None,
    measure: str,
    exact: bool,
    as_json: bool,
) -> None:
    """Nearest neighbours of each WORD, by cosine.

    VECTORS is a RUN, a vectors file, or another tool's file as it is. Without a WORD, each line on stdin is a query,
    answered as it comes; an empty line is passed over. With --positive and --negative words are added up and taken
    away: one query.

    A word that is not in the vocabulary is taken in another case where there is such a one, or answered by its n-grams
    where the model has some (--subwords, or a fastText .bin); both are said. A query of several words with spaces
    between them is the phrase that they are (new_york) where there is one, and otherwise asks for the neighbours of
    their mean.

    The index that streamvec index made is used where there is one, and that is said; --exact looks at every word.

    \b
    Example:
      streamvec nn wiki-run river -n 5
      streamvec nn wiki-run --positive king --positive woman --negative man
      printf 'river\\nnew york\\n' | streamvec nn wiki-run --json
    """
    if words and (positive or negative):
        raise click.UsageError("give words, or --positive and --negative: not both", click.get_current_context())
    is_one = bool(positive or negative)
    found = opened(vectors, few=bool(words or is_one), exact=exact)
    more = by_index(found, number, restrict, measure)

    def answer(queries: Sequence[tuple[dict[str, Any], list[str], list[str]]]) -> Iterator[Answer]:
        ready: list[tuple[dict[str, Any], list[Meant] | StreamvecError]] = []
        for said, plus, minus in queries:
            try:
                ready.append((said, [_several(found, plus), _several(found, minus)]))
            except StreamvecError as problem:
                ready.append((said, problem))
        groups = [(each[0].words, each[1].words) for _, each in ready if not isinstance(each, StreamvecError)]
        answers = iter(found.most_similar_groups(groups, number, restrict, measure))
        for said, each in ready:
            if isinstance(each, StreamvecError):
                yield said, each
            else:
                told = _joined(each).said() | {"neighbours": neighbours(next(answers), measure)} | more
                yield said | told, None

    if is_one:
        said = {"positive": list(positive), "negative": list(negative)}
        answer_all(answer([(said, list(positive), list(negative))]), as_json, headed=False)
    elif words:
        answer_all(answer([({"query": word}, [word], []) for word in words]), as_json, headed=len(words) > 1)
    else:
        answer_lines(lambda lines: answer([({"query": line}, [line], []) for line in lines]), as_json, number)


def _several(vectors: Any, queries: list[str]) -> Meant:
    return _joined([meant_by_query(vectors, query) for query in queries])


def _joined(each: list[Meant]) -> Meant:
    found = Meant([], {}, [])
    for one in each:
        found.words.extend(one.words)
        found.read_as.update(one.read_as)
        found.composed.extend(one.composed)
    return found


@click.command("analogy")
@click.argument("vectors")
@click.argument("words", type=WORD, nargs=-1, metavar="[A B C]")
@number_option
@restrict_option
@by_option(*VALUES)
@exact_option
@json_option
def analogy_(
    vectors: str,
    words: tuple[str, ...],
    number: int,
    restrict: int | None,
    measure: str,
    exact: bool,
    as_json: bool,
) -> None:
    """A is to B as C is to ...? The words nearest to B - A + C, the three left out.

    Without words, each line on stdin holds three, with tabs or spaces between them.

    \b
    Example:
      streamvec analogy wiki-run man king woman
    """
    if words and len(words) != 3:
        raise click.UsageError(f"analogy takes three words (man king woman), got {len(words)}")
    found = opened(vectors, few=bool(words), exact=exact)
    more = by_index(found, number, restrict, measure)

    def answer(asked: list[list[str]]) -> Iterator[dict[str, Any]]:
        groups = [([b, c], [a]) for a, b, c in asked]
        for one in found.most_similar_groups(groups, number, restrict, measure):
            yield {"neighbours": neighbours(one, measure)} | more

    _answer_sets(found, words, 3, answer, as_json, number)


@click.command("similarity")
@click.argument("vectors")
@click.argument("words", type=WORD, nargs=-1, metavar="[WORD WORD]")
@by_option("cosine", "euclidean")
@json_option
def similarity_(vectors: str, words: tuple[str, ...], measure: str, as_json: bool) -> None:
    """Cosine similarity of two words, from -1 to 1, or their distance.

    Without words, each line on stdin holds two, with a tab or spaces between them.

    \b
    Example:
      streamvec similarity wiki-run river lake
      streamvec similarity wiki-run --by euclidean < pairs.tsv
    """
    if words and len(words) != 2:
        raise click.UsageError(f"similarity takes two words, got {len(words)}")
    found = opened(vectors, few=bool(words))

    def answer(asked: list[list[str]]) -> Iterator[dict[str, Any]]:
        for value in found.similarities([(a, b) for a, b in asked], measure).tolist():
            yield {VALUES[measure]: value}

    _answer_sets(found, words, 2, answer, as_json)


@click.command("doesnt-match")
@click.argument("vectors")
@click.argument("words", type=WORD, nargs=-1)
@json_option
def doesnt_match_(vectors: str, words: tuple[str, ...], as_json: bool) -> None:
    """Which WORD does not belong to the others? All of them, with their cosine to the mean of all: it is the last.

    Without words, each line on stdin holds some, with tabs or spaces between them.

    \b
    Example:
      streamvec doesnt-match wiki-run breakfast lunch dinner bridge
    """
    if len(words) == 1:
        raise click.UsageError("doesnt-match takes two words or more, got 1")
    found = opened(vectors, few=bool(words))

    def answer(asked: list[list[str]]) -> Iterator[dict[str, Any]]:
        for each in asked:
            ranked = found.rank_by_centrality(each)
            yield {"words": neighbours(ranked, "cosine"), "odd": ranked[-1][0]}

    _answer_sets(found, words, None, answer, as_json)


@click.command("vector")
@click.argument("vectors")
@click.argument("words", type=WORD, nargs=-1)
@json_option
def vector_(vectors: str, words: tuple[str, ...], as_json: bool) -> None:
    """The vector of each WORD: the word and its numbers on a line, with spaces between them.

    Without a WORD, each line on stdin is one.

    \b
    Example:
      streamvec vector wiki-run river lake
    """
    found = opened(vectors, few=bool(words))

    def answer(queries: Sequence[str]) -> Iterator[Answer]:
        for query in queries:
            try:
                said = meant(found, [query])
                yield {"query": query, **said.said(), "vector": found.get_vector(said.words[0]).tolist()}, None
            except StreamvecError as problem:
                yield {"query": query}, problem

    if words:
        answer_all(answer(words), as_json, headed=True)
    else:
        answer_lines(answer, as_json)


def _answer_sets(
    vectors: Any,
    words: tuple[str, ...],
    number: int | None,
    of: Callable[[list[list[str]]], Iterable[dict[str, Any]]],
    as_json: bool,
    neighbours_each: int = 1,
) -> None:
    """Answers *words*, or the *number* of words (None: two or more) on each line of stdin, by what *of* says of all."""

    def read(query: str | tuple[str, ...]) -> tuple[list[str], Meant] | StreamvecError:
        try:
            each = fields_of(query, number) if isinstance(query, str) else list(query)
            return each, meant(vectors, each)
        except StreamvecError as problem:
            return problem

    def answer(queries: Sequence[str | tuple[str, ...]]) -> Iterator[Answer]:
        ready = [read(query) for query in queries]
        answers = iter(of([one[1].words for one in ready if not isinstance(one, StreamvecError)]))
        for query, one in zip(queries, ready, strict=True):
            if isinstance(one, StreamvecError):
                yield {"query": query}, one
            else:
                yield {"query": one[0], **one[1].said(), **next(answers)}, None

    if words:
        answer_all(answer([words]), as_json, headed=False)
    else:
        answer_lines(answer, as_json, neighbours_each)
