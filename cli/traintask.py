"""``streamvec train classifier``, ``tagger``, ``translator``: labelled examples in, a model that tells them out."""

import inspect
from typing import Any

import click

from streamvec.disk.pasting import pasted
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.learning import Learning
from streamvec.models.taggerconfig import TaggerConfig
from streamvec.models.translatorconfig import TranslatorConfig
from streamvec.training.options import LabelledOptions, MachineOptions, pick

from .options import given, json_option, options_of, out_option, overwrite_option, vectors_option
from .terminal import say, say_json
from .watching import StopRequest, watching


def task_command(kind: str, config: type[Learning], about: str) -> click.Command:
    """``train KIND``: tasks differ in their options and their help alone."""

    @click.command(kind, help=inspect.cleandoc(about))
    @click.option("--train", "train_path", required=True, metavar="FILE", help="The examples to train on.")
    @click.option(
        "--valid", metavar="FILE", help="Examples that are measured on after each epoch; the best epoch is the model."
    )
    @out_option
    @overwrite_option
    @vectors_option
    @options_of(config, LabelledOptions, MachineOptions)
    @json_option
    @click.pass_context
    def train(
        context: click.Context,
        /,
        train_path: str,
        valid: str | None,
        out: str,
        overwrite: bool,
        vectors: str | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        from streamvec.training.words import train_task

        usage_checked(options, config)
        with watching() as report, StopRequest(report.note).listening() as stop:
            try:
                train_task(
                    kind,
                    train_path,
                    out,
                    valid=valid,
                    vectors=vectors,
                    overwrite=overwrite,
                    report=report,
                    stop=stop,
                    **given(context, options),
                )
            except ValueError as problem:
                raise click.UsageError(str(problem), context) from None
        announce_task(out, as_json)

    return train


def usage_checked(options: dict[str, Any], config: type) -> None:
    """Refuses options that can never be right as wrong usage."""
    for kind in (config, LabelledOptions, MachineOptions):
        try:
            kind(**pick(kind, options))
        except ValueError as problem:
            raise click.UsageError(str(problem), click.get_current_context()) from None


def announce_task(out: str, as_json: bool) -> None:
    """Says how good the model is, and what to do with it."""
    from streamvec.training.run import Run

    run = Run.open(out)
    said = run.best_scores()
    if as_json:
        say_json({"run": str(out), "kind": run.kind, **said})
        return
    scores = ", ".join(
        f"{name.removeprefix('heldout_')} {value:.4f}"
        for name, value in said.items()
        if name.startswith("heldout_") and value is not None  # the loss of examples whose labels are all unknown
    )
    say(f"{out}: a {run.kind}" + (f"; on {run.about['valid']}: {scores}" if scores else ""))
    say(f"try: streamvec predict {pasted(out)}")


classifier_ = task_command(
    "classifier",
    ClassifierConfig,
    """A classifier of texts: a label and a text a line, between them a tab.

    With a first line that names the columns label and text, or with --columns, there may be more columns. Files may be
    compressed.

    \b
    Example:
      streamvec train classifier --train train.tsv --valid dev.tsv --out sentiment
      streamvec train classifier --train train.tsv --encoder lstm --bidirectional --vectors wiki-run --out sentiment
    """,
)

tagger_ = task_command(
    "tagger",
    TaggerConfig,
    """A tagger of words: named entities, chunks, parts of speech.

    A file has a word a line, its tag in the last column (or --columns WORD,TAG, by number), and an empty line behind
    each sentence, as CoNLL's have. Whether entities are in IOB1, IOB2, BIOES or BILOU is told by the tags; answers have
    the scheme of the file.

    \b
    Example:
      streamvec train tagger --train eng.train --valid eng.testa --vectors glove.6B.50d.txt --out ner
      streamvec train tagger --train train.conllu --columns 2,4 --cell gru --output softmax --out pos
    """,
)

translator_ = task_command(
    "translator",
    TranslatorConfig,
    """A translator: a text and its translation a line, between them a tab.

    What is read may be a label, and what is written a name or a text: streamvec generate then writes others. With a
    first line that names the columns source and target, or with --columns, there may be more columns.

    \b
    Example:
      streamvec train translator --train train.tsv --valid dev.tsv --out english-french
      streamvec train translator --train dates.tsv --valid more-dates.tsv --level char --out dates
    """,
)
