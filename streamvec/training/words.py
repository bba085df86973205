"""Training of word vectors and language models from the first byte of text to vectors.arrow, and going on with it."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from streamvec.cluster.nodes import Cluster, Lost
from streamvec.corpus.cooccurrences import KIND as COOCCURRENCES
from streamvec.corpus.elsewhere import place_of_shards
from streamvec.corpus.release import return_large_blocks
from streamvec.corpus.remote import is_remote
from streamvec.disk.lock import locked
from streamvec.disk.pasting import pasted
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.blas import products
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.kinds import CONFIGS
from streamvec.training.asked import Asked
from streamvec.training.glove import train_glove_run
from streamvec.training.lm import train_lm_run
from streamvec.training.lmneeds import refuse_before_text
from streamvec.training.lmtext import BOTH_WAYS, refuse_changed_valid, valid_settings
from streamvec.training.nodeneeds import RACING
from streamvec.training.options import ClusterOptions, LabelledOptions, MachineOptions, TextOptions
from streamvec.training.progress import Reporter, Silence
from streamvec.training.replacing import forget_replaced, place_of, replacing
from streamvec.training.run import Run
from streamvec.training.stanford import about_text, resolve_stanford, settings_of, train_entries
from streamvec.training.start import refuse_shards
from streamvec.training.taskasked import asked_of_task
from streamvec.training.tasks import TASKS
from streamvec.training.tasktraining import train_task_run
from streamvec.training.text import prepared, resolve_inputs, text_of_run
from streamvec.training.warming import warm
from streamvec.training.watch import absolute
from streamvec.training.wordvectors import train_words
from streamvec.training.work import Work
from streamvec.vectors.keyedvectors import KeyedVectors

_TRAINERS: dict[str, Callable[..., None]] = {
    "skipgram": train_words,
    "cbow": train_words,
    "glove": train_glove_run,
    "lm": train_lm_run,
}


def train_skipgram(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    overwrite: bool = False,
    start_from: str | Path | None = None,
    vectors: str | Path | None = None,
    evaluate: Sequence[str | Path] = (),
    report: Reporter | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> KeyedVectors:
    """Trains skip-gram vectors on text: the command ``streamvec train skipgram`` as a function.

    inputs: paths or addresses as INPUT of the command line; out: the folder of the RUN; options: fields of
    SkipGramConfig, TextOptions and ClusterOptions (dim=100, window=5, min_count=5, threads=0, ...); evaluate:
    similarity sets whose Spearman correlation goes into metrics.jsonl after each epoch; start_from: a finished RUN
    whose words keep their rows and bring their counts (``--from``); vectors: vectors of any format that words found
    among them begin with. Either decides dim where that is not given.
    Raises ValueError for options that can never be right, StreamvecError for data or machine, Interrupted after a
    checkpoint when *stop* says so.
    """
    begin_from = (start_from, vectors)
    return _begin("skipgram", inputs, out, overwrite, begin_from, evaluate, report or Silence(), stop, options)


def train_cbow(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    overwrite: bool = False,
    start_from: str | Path | None = None,
    vectors: str | Path | None = None,
    evaluate: Sequence[str | Path] = (),
    report: Reporter | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> KeyedVectors:
    """Trains CBOW vectors on text: all as `train_skipgram`, with fields of CbowConfig."""
    begin_from = (start_from, vectors)
    return _begin("cbow", inputs, out, overwrite, begin_from, evaluate, report or Silence(), stop, options)


def train_glove(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    vocab: str | Path | None = None,
    overwrite: bool = False,
    vectors: str | Path | None = None,
    evaluate: Sequence[str | Path] = (),
    report: Reporter | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> KeyedVectors:
    """Trains GloVe vectors on text: all as `train_skipgram`, with fields of GloveConfig, and without start_from.

    With *vocab*, the vocab.txt of Stanford's GloVe, inputs are its cooccurrence.bin, of one file or several; options
    that say what is counted in text are refused then (ValueError).
    """
    begin_from, says = (None, vectors), report or Silence()
    return _begin("glove", inputs, out, overwrite, begin_from, evaluate, says, stop, options, vocab)


def train_lm(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    overwrite: bool = False,
    valid: str | Path | None = None,
    vectors: str | Path | None = None,
    report_gradients: bool = False,
    report: Reporter | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> KeyedVectors:
    """Trains a recurrent language model on text: ``streamvec train lm`` as a function; returns its words' vectors.

    valid: text whose perplexity is measured after each epoch; report_gradients: also writes gradients.jsonl; options:
    fields of LmConfig, TextOptions and ClusterOptions, where what a token is follows from ``level`` if it is not said;
    all else as `train_skipgram`.
    """
    if "bidirectional" in options:
        raise ValueError(BOTH_WAYS)
    more: dict[str, Any] = {}
    if valid is not None:
        more["valid"] = str(valid) if "://" in str(valid) else str(Path(valid).absolute())
    more |= {"report_gradients": True} if report_gradients else {}
    return _begin("lm", inputs, out, overwrite, (None, vectors), (), report or Silence(), stop, options, more=more)


def _begin(
    kind: str,
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    overwrite: bool,
    begin_from: tuple[str | Path | None, str | Path | None],
    evaluate: Sequence[str | Path],
    report: Reporter,
    stop: Callable[[], bool],
    options: Mapping[str, Any],
    vocab: str | Path | None = None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> KeyedVectors:
    if vocab is not None and (name := about_text(options)):
        raise ValueError(f"{name} says what is counted in text, and vocab that it is counted already: leave one out")
    valid = more.get("valid")
    names, start, config, text, machine = Asked.of(kind, inputs, *begin_from, valid, options)
    folder = place_of(out)
    sources = resolve_inputs(names, text) if vocab is None else resolve_stanford(names, str(vocab))
    if valid is not None:  # looked at now, not when all the text has been read
        more = {**more, **valid_settings(valid, text.column)}
    for path in [*(source.path for source in sources), *([start.path] if start else [])]:
        if folder.exists() and Path(path).resolve().is_relative_to(folder.resolve()):
            raise StreamvecError(f"{path}: lies in {folder}, which would be replaced: choose another --out")
    if machine.shards is not None and (vocab is not None or sources[0].kind == "run"):
        raise ValueError("shards says where what is made of text is to lie, and INPUT is no text: leave it out")
    if kind == "lm" and machine.shards is not None and is_remote(machine.shards):
        raise ValueError("shards of a language model must lie in a folder: it reads from many places of them at once")
    if sources[0].kind == "run":
        refuse_shards(sources[0].path, start)
        text = text_of_run(sources[0], text)
    settings = {
        **({"config": asdict(config), "text": asdict(text)} if vocab is None else settings_of(config)),
        "start": start.to_json() if start else None,
        "evaluate": absolute(evaluate),
        **({"shards": place_of_shards(machine.shards, folder)} if machine.shards else {}),
        **more,
        **({"products": products()} if kind == "lm" or getattr(config, "objective", None) == "softmax" else {}),
    }
    if kind == "lm" and sources[0].kind != "run":
        refuse_before_text(config, machine)
    with replacing(folder, overwrite, report, kind, settings, sources):
        return _go_on(Run.create(folder, kind, settings, sources), machine, report, stop, machine.cluster)


def train_task(
    kind: str,
    train: str | Path,
    out: str | Path,
    *,
    valid: str | Path | None = None,
    vectors: str | Path | None = None,
    overwrite: bool = False,
    report: Reporter | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> KeyedVectors:
    """Trains a task on labelled examples: ``streamvec train classifier`` (tagger, translator) as a function.

    train: the file of examples; valid: one to measure on after each epoch, whose best is the model; vectors: of any
    format, that words found among them begin with; options: fields of the kind's configuration, LabelledOptions and
    MachineOptions. Returns the words' vectors, and raises as `train_skipgram`.
    """
    if kind not in TASKS:
        raise ValueError(f"kind must be {' or '.join(TASKS)}, got {kind!r}")
    report = report or Silence()
    settings, source, machine = asked_of_task(TASKS[kind], str(train), valid, vectors, options)
    folder = place_of(out)
    for path in [source.path, settings.get("valid"), (settings["vectors"] or {}).get("path")]:
        if path and folder.exists() and Path(path).resolve().is_relative_to(folder.resolve()):
            raise StreamvecError(f"{path}: lies in {folder}, which would be replaced: choose another --out")
    with replacing(folder, overwrite, report, kind, settings, [source]):
        return _go_on(Run.create(folder, kind, settings, [source]), machine, report, stop)


def resume(
    folder: str | Path,
    *,
    report: Reporter | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> KeyedVectors:
    """Goes on exactly where a RUN stopped and returns its vectors; a finished one just gives them.

    options: fields of ClusterOptions: another number of threads or memory changes no byte of the result.
    """
    machine, run = ClusterOptions(**options), Run.open(folder)
    if machine.shards is not None:
        raise ValueError(f"shards stay where they were to lie ({run.about.get('shards', 'in RUN')}): leave it out")
    vectors = _go_on(run, machine, report or Silence(), stop, machine.cluster)
    forget_replaced(place_of(folder))
    return vectors


def _go_on(
    run: Run, machine: MachineOptions, report: Reporter, stop: Callable[[], bool], address: str | None = None
) -> KeyedVectors:
    """address: of a Ray cluster to work with."""
    if run.kind not in CONFIGS and run.kind not in TASKS:
        raise StreamvecError(f"{run.folder}: this streamvec cannot train a RUN of kind {run.kind!r}")
    task = TASKS.get(run.kind)
    try:
        config = (CONFIGS[run.kind] if task is None else task.config)(**run.about["config"])
        text = (TextOptions if task is None else LabelledOptions)(**run.about["text"])
    except TypeError as problem:
        raise StreamvecError(
            f"{run.folder}: run.json holds options that this streamvec does not know ({problem}): use streamvec "
            f"{run.about.get('streamvec')}, which made it"
        ) from None
    return_large_blocks()
    try:
        with contextlib.ExitStack() as held:
            held.enter_context(locked(run.folder))
            run.tidy()
            cluster = None
            if not run.is_finished:
                run.refuse_links()
                if address is not None:
                    cluster = held.enter_context(_joined(run, address))
                warm(report)
                _tell_of_other_products(run, report)
            if task is not None and isinstance(text, LabelledOptions):
                if not run.is_finished:
                    train_task_run(run, task, config, text, machine, report, stop)
            elif run.sources[0].kind == COOCCURRENCES and isinstance(config, GloveConfig):
                train_entries(run, config, machine, report, stop, cluster)
            else:
                assert isinstance(text, TextOptions)
                _from_text(run, config, text, machine, report, stop, cluster)
    except Lost as lost:
        raise StreamvecError(
            f"a worker of the cluster is gone ({lost}): go on with: streamvec resume {pasted(run.folder)}"
        ) from None
    except Interrupted as interrupted:
        if not run.folder.exists():  # stopped before there was anything to go on with
            raise
        command = f"streamvec resume {pasted(run.folder)}"
        raise Interrupted(f"{interrupted}; go on with: {command}") from None
    return KeyedVectors.load(run.vectors)


def _joined(run: Run, address: str) -> Cluster:
    """The cluster at an address; a RUN that holds nothing yet is removed where none is there, or may work on it."""
    try:
        _refuse_cluster(run)
        return Cluster(address)
    except StreamvecError:
        run.remove_if_empty()
        raise


def _refuse_cluster(run: Run) -> None:
    """StreamvecError where a RUN is of a kind that no cluster works on."""
    if run.is_labelled:
        raise StreamvecError(f"{run.folder}: a {run.kind} is trained on one machine: leave --cluster out")
    if run.about["config"].get("mode") == "hogwild":
        raise StreamvecError(f"{run.folder}: {RACING}")


def _tell_of_other_products(run: Run, report: Reporter) -> None:
    begun, now = run.about.get("products"), products()
    if begun is not None and begun != now:
        report.note(
            f"matrix products were made by {begun} when {run.folder} was begun, and are by {now} here: the last bits "
            "will differ from those of one machine"
        )


def _from_text(
    run: Run,
    config: Any,
    text: TextOptions,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
    cluster: Cluster | None,
) -> None:
    if not run.is_finished:
        refuse_changed_valid(run)
    is_ready = run.is_prepared or run.sources[0].kind == "run"
    place = run.about.get("shards")
    vocabulary, shards = prepared(run, text, machine, report, stop, cluster, place)
    if not run.is_finished:
        text_bytes = 0 if is_ready else shards.counts["bytes_read"]  # read by this process
        work = Work(run, vocabulary, text_bytes, machine, report, stop, cluster)
        _TRAINERS[run.kind](work, config, shards)
