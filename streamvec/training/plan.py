"""What a training will take, told before anything starts: peak memory, disk and time, and what stands in its way.

The inputs are sampled, not read (`streamvec.training.seen`); the sums are those of `streamvec.training.needs`; rates
are tried out on this machine for a second or two.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.corpus.sources import Source
from streamvec.errors import StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.kinds import CONFIGS, WordConfig
from streamvec.models.softmax import refuse_infeasible
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training import clusterplan, needs
from streamvec.training.adopt import refuse_other_marks
from streamvec.training.asked import Asked
from streamvec.training.clusterplan import Machines, Stage, spread_of
from streamvec.training.glovetiming import entries_a_second, pairs_a_second
from streamvec.training.lmplan import Measured, plan_lm
from streamvec.training.nodeneeds import leading_bytes
from streamvec.training.options import MachineOptions, TextOptions
from streamvec.training.pairneeds import PairNeeds, pair_needs
from streamvec.training.planned import (
    DISK_RATE,
    PAIR_SORT_RATE,
    START_SECONDS,
    Plan,
    Saved,
    peak_disk,
    preparing_disk,
    preparing_memory,
    preparing_seconds,
    warn_of_refusals,
    warn_of_room,
)
from streamvec.training.run import Run
from streamvec.training.seen import Seen, of_run, of_text
from streamvec.training.start import Start
from streamvec.training.tableneeds import neighbours_disk
from streamvec.training.text import resolve_inputs, text_of_run
from streamvec.training.timing import tokens_a_second

_PAIR_RATE, _ID_RATE = 1.3e7, 5e7  # tokens of a thread whose pairs are counted; tokens
_MERGE_RATE = 1.2e7  # pairs of runs a second, merged and written by one thread


def plan_training(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path = ".",
    *,
    kind: str = "skipgram",
    start_from: str | Path | None = None,
    vectors: str | Path | None = None,
    valid: str | Path | None = None,
    report_gradients: bool = False,
    machines: Machines | None = None,
    **options: Any,
) -> Plan:
    """What `train_skipgram` with the same arguments will take: the command ``streamvec plan`` as a function.

    kind: "skipgram", "cbow" for `train_cbow`, "glove" for `train_glove`, or "lm" for `train_lm`, which alone has
    *valid* and *report_gradients*; the time that measuring on *valid* takes is not told. Reads a bounded part of the
    inputs, and trains on it for about a second. *out* says on which disk the RUN would be. *machines*: nodes that
    would do the work, each like this machine.
    Raises ValueError for options that can never be right, StreamvecError when an input cannot be read or planned, or
    holds no word that is frequent enough.
    """
    if kind not in CONFIGS:
        raise ValueError(f"kind must be {' or '.join(CONFIGS)}, got {kind!r}")
    if kind in ("glove", "lm") and start_from is not None:
        raise ValueError(f"start_from must be left out of kind {kind}, which cannot go on from a RUN: vectors can")
    if kind != "lm" and (valid is not None or report_gradients):
        name = "valid" if valid is not None else "report_gradients"
        raise ValueError(f"{name} must be left out of kind {kind}: it is of language models, kind lm")
    names, start, config, text, asked = Asked.of(kind, inputs, start_from, vectors, valid, options)
    if "-" in names:
        raise StreamvecError(
            "- (standard input) cannot be planned: it can be read only once, and nobody knows how much will come: "
            "plan with a file that holds some of it"
        )
    machine = replace(asked, memory=asked.memory_bytes)  # before anything here takes memory
    sources = resolve_inputs(names, text)
    if sources[0].kind == "run":
        refuse_other_marks(Run.open(sources[0].path), Run(Path(out), {"kind": kind}))
        text = text_of_run(sources[0], text)
    if kind == "lm":
        measured = Measured.of(valid, text) if valid is not None else None
        plan = plan_lm(config, machine, _seen(sources, text, config, start), measured, report_gradients, machines)
    else:
        plan = _plan_words(config, machine, _seen(sources, text, config, start), machines)
    warn_of_room(plan, machine, Path(out), asked.memory is not None)
    return plan


def _seen(sources: list[Source], text: TextOptions, config: Any, start: Start | None) -> Seen:
    if sources[0].kind == "run":
        return of_run(Path(sources[0].path), config, start)
    return of_text(sources, text, config, start)


def _plan_words(config: WordConfig, machine: MachineOptions, seen: Seen, machines: Machines | None) -> Plan:
    """The plan of word vectors; what will be refused is among its warnings."""
    work = _work_of(config, machine, seen)
    seconds, spread, rate = _seconds(config, machine, seen, work), None, work.rate
    if machines is not None:
        spread = spread_of(
            machines, config, machine, seen.load, _stages(machines, config, machine, seen, work), seconds
        )
        seconds |= spread.seconds
        rate = work.amount * config.epochs / seconds["training"]
    about, corpus = seen.about, seen.corpus
    one = needs.checkpoint_bytes(config.array_bytes(corpus.words, corpus.ngrams))
    vectors, is_begun = needs.result_bytes(config, corpus), seen.start is not None
    saved = Saved.of(config, machine, work.steps, seconds["training"], is_begun, one, vectors)
    seconds["training"] += saved.seconds
    disk = _disk(machine, seen, work) | saved.disk
    if isinstance(config, SkipGramConfig) and config.ngrams:
        about = about | {"ngrams": corpus.ngrams.rows}
    if work.pairs:
        about = about | {"pairs": work.pairs.stored, "entries": work.pairs.entries}
    plan = Plan(
        about,
        _memory(config, machine, seen, work, spread is not None),
        disk,
        seconds,
        peak_disk(disk, work.pairs.peak_disk if work.pairs else 0),
        round(rate),
        work.unit,
        config.epochs,
        config.dim,
        config.model_bytes(corpus.words, corpus.ngrams),
        machine.memory_bytes,
        cluster=spread.to_json() if spread else None,
    )

    def refuse_infeasible_sums() -> None:
        if isinstance(config, SkipGramConfig) and config.objective == "softmax":
            refuse_infeasible(config, corpus.words, corpus.tokens, machine.cores)

    def refuse_too_large() -> None:
        if spread is None or isinstance(config, GloveConfig):  # of which the leading process has all records
            needs.refuse_too_large(config, machine, seen.load)
        if spread is not None:
            spread.refuse_too_large(config, seen.load, machine)

    warn_of_refusals(plan, refuse_too_large, refuse_infeasible_sums)
    return plan


def _stages(
    machines: Machines, config: WordConfig, machine: MachineOptions, seen: Seen, work: "_Work"
) -> dict[str, Stage]:
    """What the nodes of a cluster do."""
    stages = clusterplan.preparing(machines, machine, seen)
    if isinstance(config, SkipGramConfig):
        return stages | {"training": clusterplan.training_words(machines, machine, config, seen, work.rate)}
    assert work.pairs is not None and seen.pairs is not None
    corpus, near = seen.corpus, seen.pairs.near
    return stages | {
        "pairs": clusterplan.counting_pairs(machines, machine, corpus.tokens, near, work.pairs, work.pair_rate),
        "training": clusterplan.training_glove(machines, config, seen, work.pairs, work.rate),
    }


class _Work(NamedTuple):
    """What an epoch is, and how fast it goes."""

    amount: int  # in units
    unit: str
    rate: float  # units a second
    steps: int
    pairs: PairNeeds | None = None  # of GloVe
    pair_rate: float = 0.0  # pairs that a thread counts in a second


def _work_of(config: WordConfig, machine: MachineOptions, seen: Seen) -> _Work:
    corpus, threads = seen.corpus, machine.cores
    if isinstance(config, SkipGramConfig):
        rate = tokens_a_second(config, corpus, seen.counts, seen.batches, seen.shown, threads)
        return _Work(corpus.tokens, "words", rate, -(-corpus.tokens // BATCH_TOKENS))
    assert seen.pairs is not None
    pair_rate = pairs_a_second(config.counted, seen.batches)
    pairs = pair_needs(machine, seen.pairs, seen.load, corpus.tokens, pair_rate)
    rate = entries_a_second(config, corpus.words, pairs, seen.counts, threads)
    return _Work(pairs.entries, "entries", rate, pairs.batches, pairs, pair_rate)


def _memory(
    config: WordConfig, machine: MachineOptions, seen: Seen, work: _Work, leads: bool = False
) -> dict[str, int]:
    """Peak memory of each stage in this process; leads: whether nodes do the work."""
    memory = preparing_memory(machine, seen)
    if work.pairs:
        memory |= {"pairs": work.pairs.counting_memory, "blocks": work.pairs.writing_memory}
    if leads and isinstance(config, SkipGramConfig):
        return memory | {"training": leading_bytes(config, machine, seen.load)}
    return memory | {"training": needs.training_bytes(config, machine, seen.load)}


def _seconds(config: WordConfig, machine: MachineOptions, seen: Seen, work: _Work) -> dict[str, float]:
    corpus, sample, threads = seen.corpus, seen.sample, machine.cores
    training = work.amount * config.epochs / work.rate
    seconds = {"starting": START_SECONDS, **preparing_seconds(machine, seen)}
    if sample is not None and seen.phrases is not None:
        # The text is encoded once, and its numbers are read in each pass and twice more.
        tokens = sample.all_tokens()
        pairs = seen.phrases.all_pairs(tokens)
        one = tokens / threads / _PAIR_RATE + pairs / PAIR_SORT_RATE
        seconds["phrases"] = seen.passes * one + 2 * tokens / threads / _ID_RATE
    if work.pairs and seen.pairs:
        runs, busy = work.pairs.runs, min(threads, len(os.sched_getaffinity(0)))
        counted = corpus.tokens * seen.pairs.near / work.pair_rate / busy
        seconds["pairs"] = counted + runs.written / PAIR_SORT_RATE / busy
        seconds["blocks"] = runs.kept / _MERGE_RATE / min(work.pairs.at_once, busy) + work.pairs.disk / DISK_RATE
    return seconds | {"training": training}


def _disk(machine: MachineOptions, seen: Seen, work: _Work) -> dict[str, int]:
    """Disk of what is there before training writes anything."""
    corpus, sample, ids, near = seen.corpus, seen.sample, 0, 0
    if sample is not None and seen.phrases is not None:
        tokens = sample.all_tokens()
        ids = needs.shards_bytes(corpus._replace(tokens=tokens)) + needs.vocabulary_bytes(corpus)
        near = neighbours_disk(machine, seen.phrases.all_pairs, tokens)
    prepared = preparing_disk(machine, seen)
    return {
        "counting": prepared["counting"],
        "phrases": ids,
        "pairs": near,
        "shards": prepared["shards"],
        "vocabulary": prepared["vocabulary"],
        "runs": work.pairs.runs_disk if work.pairs else 0,
        "cooccurrences": work.pairs.disk if work.pairs else 0,
    }
