"""``streamvec train``: text in, vectors out."""

import shlex
from pathlib import Path
from typing import Any

import click

from streamvec.disk.pasting import pasted
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.lmconfig import LmConfig
from streamvec.models.wordconfig import CbowConfig, SkipGramConfig
from streamvec.training.options import ClusterOptions, TextOptions, pick
from streamvec.vectors import KeyedVectors

from .options import (
    from_option,
    given,
    gradients_option,
    json_option,
    options_of,
    out_option,
    overwrite_option,
    valid_option,
    vectors_option,
    vocab_option,
)
from .terminal import say, say_json
from .traintask import classifier_, tagger_, translator_
from .watching import StopRequest, watching


@click.group("train")
def train_() -> None:
    """Text in, vectors out: vocabulary, shards, training and vectors in one command.

    \b
    Example:
      streamvec train skipgram wiki.txt.zst --out wiki-run
    """


def _verb(kind: str, config: type[SkipGramConfig] | type[GloveConfig], about: str) -> None:
    """Adds ``train KIND``: words of one model differ in their options and their help alone."""

    @train_.command(kind, help=f"{about}\n{_INPUT.format(kind=kind, options=_SHOWN[kind])}")
    @click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
    @out_option
    @overwrite_option
    @(from_option if kind != "glove" else lambda command: command)
    @(vocab_option if kind == "glove" else lambda command: command)
    @vectors_option
    @options_of(config, TextOptions, ClusterOptions)
    @click.option("--evaluate", multiple=True, type=click.Path(), help="A similarity set to score after each epoch.")
    @json_option
    @click.pass_context
    def train(
        context: click.Context,
        /,
        inputs: tuple[str, ...],
        out: str,
        overwrite: bool,
        vectors: str | None,
        evaluate: tuple[str, ...],
        as_json: bool,
        start_from: str | None = None,
        vocab: str | None = None,
        **options: Any,
    ) -> None:
        import streamvec

        if vocab is not None:
            only_of_matrices(given(context, options))
        usage_checked(options, config, start_from, vectors)
        begin = {"skipgram": streamvec.train_skipgram, "cbow": streamvec.train_cbow, "glove": streamvec.train_glove}
        of_kind = {"start_from": start_from, "vocab": vocab}
        before = {name: value for name, value in of_kind.items() if value is not None}
        with watching() as report, StopRequest(report.note).listening() as stop:
            trained = begin[kind](
                inputs,
                out,
                overwrite=overwrite,
                vectors=vectors,
                evaluate=evaluate,
                report=report,
                stop=stop,
                **before,
                **given(context, options),
            )
        announce(out, trained, as_json)


_INPUT = """
INPUT is plain text (a line is a document), also .gz .bz2 .xz .zst; a folder; a glob; - for standard input;
s3:// gs:// or http(s):// addresses; Parquet, Arrow or JSON Lines (--column); a MediaWiki XML dump; or a finished
RUN, whose shards are then used as they are.

\b
Example:
  streamvec train {kind} wiki.txt.zst --out wiki-run {options}
"""
_SHOWN = {"skipgram": "--dim 100 --epochs 5", "cbow": "--dim 100 --epochs 5", "glove": "--dim 100 --x-max 10"}
_verb("skipgram", SkipGramConfig, "Skip-gram: each word predicts its neighbours.")
_verb("cbow", CbowConfig, "CBOW: the average of its neighbours predicts a word.")
_verb(
    "glove",
    GloveConfig,
    "GloVe: products of vectors are logarithms of how often words stand near each other.\n\n"
    "With --vocab, INPUT is cooccurrence.bin of Stanford's GloVe, shuffled or not, compressed or not.",
)


train_.add_command(classifier_)
train_.add_command(tagger_)
train_.add_command(translator_)


@train_.command("lm")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@out_option
@overwrite_option
@valid_option
@vectors_option
@options_of(LmConfig, TextOptions, ClusterOptions)
@gradients_option
@click.option("--bidirectional", is_flag=True, hidden=True)  # there to be refused with its reason
@json_option
@click.pass_context
def lm_(
    context: click.Context,
    /,
    inputs: tuple[str, ...],
    out: str,
    overwrite: bool,
    valid: str | None,
    vectors: str | None,
    report_gradients: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """A recurrent language model, which learns to expect each next word or character.

    INPUT is as for the other kinds. What a token is follows from --level, if --tokens does not say it: words and marks
    by themselves, or every character. Words that occur less often than --min-count are one unknown word.

    \b
    Example:
      streamvec train lm novel.txt --out novel-lm --level char --hidden 512 --optimizer adam
      streamvec train lm names.txt --out names-lm --level char --separate --optimizer adam
    """
    import streamvec

    usage_checked(options, LmConfig)
    with watching() as report, StopRequest(report.note).listening() as stop:
        try:
            trained = streamvec.train_lm(
                inputs,
                out,
                overwrite=overwrite,
                valid=valid,
                vectors=vectors,
                report_gradients=report_gradients,
                report=report,
                stop=stop,
                **given(context, options),
            )
        except ValueError as problem:
            raise click.UsageError(str(problem), context) from None
    if as_json:
        return announce(out, trained, as_json)
    say(f"{out}: a language model of {len(trained):,} tokens")
    say(f"try: streamvec generate {pasted(out)}")


def only_of_matrices(options: dict[str, Any]) -> None:
    """Refuses options about text, where there is none, as wrong usage."""
    from streamvec.training.stanford import about_text

    if name := about_text(options):
        flag = "--" + name.replace("_", "-")
        raise click.UsageError(
            f"{flag} says what is counted in text, and --vocab that it is counted already: leave one out",
            click.get_current_context(),
        )


def usage_checked(
    options: dict[str, Any],
    config: type[SkipGramConfig] | type[GloveConfig] | type[LmConfig],
    start_from: str | None = None,
    vectors: str | None = None,
) -> None:
    """Refuses options that can never be right as wrong usage."""
    if start_from is not None and vectors is not None:
        raise click.UsageError(
            "--from and --vectors cannot be given together: a RUN already gives the rows of all its words",
            click.get_current_context(),
        )
    for kind in (config, TextOptions, ClusterOptions):
        try:
            kind(**pick(kind, options))
        except ValueError as problem:
            raise click.UsageError(str(problem), click.get_current_context()) from None


def announce(out: str, vectors: KeyedVectors, as_json: bool) -> None:
    """Says where the vectors lie and what to do with them."""
    path = Path(out) / "vectors.arrow"
    if as_json:
        say_json({"run": str(out), "vectors": str(path), "words": len(vectors), "dim": vectors.dim})
        return
    say(f"{path}: {len(vectors):,} words, {vectors.dim} numbers each")
    word = vectors.words[min(99, len(vectors) - 1)]
    again = shlex.quote(word) if word.isprintable() and not word.startswith("-") else "WORD"
    say(f"try: streamvec nn {pasted(out)} {again}")
