"""Training of a task on labelled examples, from its files to its best epoch; going on with it is the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from streamvec.corpus.examples import Examples
from streamvec.corpus.lookup import Lookup
from streamvec.corpus.shuffled import InOrder, Shuffled
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.arrow import verify_arrow
from streamvec.models.learner import Learner
from streamvec.models.network import Network
from streamvec.training.labelled import Prepared, prepare_examples
from streamvec.training.options import LabelledOptions, MachineOptions
from streamvec.training.progress import Reporter
from streamvec.training.run import KNOWN, Run
from streamvec.training.startvectors import FromVectors
from streamvec.training.task import MEASURED, Task
from streamvec.training.taskneeds import Told, refuse_too_large
from streamvec.training.watch import Patience
from streamvec.training.work import Work
from streamvec.vectors.store import VectorsWriter, read_chunks, write_vectors

_STANDARDISED = 10_000  # examples whose means and deviations are taken


def train_task_run(
    run: Run,
    task: Task,
    config: Any,
    options: LabelledOptions,
    machine: MachineOptions,
    report: Reporter,
    stop: Callable[[], bool],
) -> None:
    """Trains a RUN of a task from where it is to its end."""
    start = run.about.get("vectors")
    keep = None if start is None else lambda path: _keep(FromVectors(**start), path, run, config, report)
    prepared = prepare_examples(
        run, task.shape(config), lambda path: task.rows(path, config, options), options, keep, machine, report, stop
    )
    examples, vocabulary = Shuffled(prepared.examples, config.batch, config.seed), prepared.vocabulary
    work = Work(run, vocabulary, 0, machine, report, stop)
    _refuse_too_large(task, config, prepared, work)
    learner = new_learner(task, config, prepared, examples.batches, machine.cores)
    watch = ScoreWatch(learner, run, vocabulary, task, prepared)
    try:
        if prepared.known is not None:
            _begin_with(learner, vocabulary, run.folder / KNOWN, report)
            if not run.checkpoints.paths():
                some = min(examples.batches, -(-_STANDARDISED // config.batch))
                learner.standardise(examples.at(0, number) for number in range(some))
        work.train(learner, examples, examples.batches, watch)
        best = watch.take_best()
        if best is not None:
            report.note(f"epoch {best} was the best on {run.about['valid']}: this is the model")
        symbols = prepared.ids.words.symbols
        counts = symbols.counts(vocabulary, 0, 0)
        write_vectors(run.vectors, symbols.names, counts, learner.vectors, work.info())
    finally:
        learner.close()


def _refuse_too_large(task: Task, config: Any, prepared: Prepared, work: Work) -> None:
    found, known = prepared.examples, 0 if prepared.known is None else len(prepared.known)
    held_out = prepared.held_out
    measured = max(held_out.longest, held_out.longest_target) if held_out is not None else 0
    longest = max(found.longest, found.longest_target)
    told = Told(found.examples, found.tokens, longest, known, measured, found.nbytes, prepared.ids.targets)

    def make(tried: Any) -> Network:
        return task.network(tried, prepared.ids, None)

    refuse_too_large(config, make, work.machine, work.load(prepared.ids.words.size), told)


def new_learner(task: Task, config: Any, prepared: Prepared, steps: int, threads: int, trains: bool = True) -> Learner:
    """The network of a task with its parameters."""
    known = prepared.known.rows if prepared.known is not None else None
    return Learner(
        config,
        lambda: task.network(config, prepared.ids, known),
        steps,
        threads,
        dim=config.dim,
        shift=prepared.ids.words.symbols.shift,
        trains=trains,
        freezes=config.freeze,
    )


def _keep(start: FromVectors, path: Path, run: Run, config: Any, report: Reporter) -> None:
    """Writes the vectors that training begins with into the RUN, which is then whole by itself."""
    vocabulary, read, found = Vocabulary.load(run.vocabulary), 0, 0
    lookup = Lookup(vocabulary)
    with VectorsWriter(path, config.dim, {"from": start.path}) as writer:
        for _, words, rows in start.blocks(run.folder, config, report.note):
            writer.write(words, rows)
            read, found = read + len(words), found + int(np.count_nonzero(lookup.numbers(words) >= 0))
    start.notes(config, len(vocabulary), found, read)  # refuses vectors that know none of the words


def _begin_with(learner: Learner, vocabulary: Vocabulary, path: Path, report: Reporter) -> None:
    """Gives the words that are among the vectors at *path* those, the first where one comes twice; StreamvecError
    where the file is damaged."""
    verify_arrow(path)
    lookup, done = Lookup(vocabulary), np.zeros(len(vocabulary), bool)
    for chunk in read_chunks(path):
        numbers = lookup.numbers(chunk.words)
        _, first = np.unique(numbers, return_index=True)
        first = first[(numbers[first] >= 0) & ~done[numbers[first]]]
        learner.set_rows("", numbers[first], chunk.vectors[first])
        done[numbers[first]] = True
    report.note(f"{int(done.sum()):,} of {len(vocabulary):,} words begin with their vectors; others at random")


class ScoreWatch(Patience):
    """Looks at the examples of --valid after each epoch, and keeps the epoch that tells most of them."""

    def __init__(self, learner: Learner, run: Run, vocabulary: Vocabulary, task: Task, prepared: Prepared) -> None:
        super().__init__(learner, run, vocabulary)
        self._learner, self._task, self._ids = learner, task, prepared.ids
        self._held_out = prepared.held_out

    @property
    def has_more(self) -> bool:
        """Whether there are such examples."""
        return self._held_out is not None

    @property
    def keeps_best(self) -> bool:
        """Where they are: the best epoch is the model."""
        return self.has_more

    def scores(self) -> tuple[dict[str, Any], float | None]:
        """The scores, whose first is what an epoch is judged by."""
        assert self._held_out is not None
        scores = self._task.score(self._learner, self._ids, self._held_out)
        told: dict[str, Any] = {"judged_by": scores.name}
        told |= {f"heldout_{name}": value for name, value in scores.said.items() if isinstance(value, float)}
        return told, -scores.judged

    def measure(self) -> tuple[float | None, bool]:
        """The mean loss."""
        assert self._held_out is not None
        return mean_loss(self._learner, self._held_out), False


def mean_loss(learner: Learner, examples: Examples) -> float | None:
    """The mean loss on examples, without dropout; None where no target is known."""
    batches, loss, count = InOrder(examples, MEASURED), 0.0, 0
    for number in range(batches.batches):
        batch = batches.at(0, number)
        if len(batch):
            found = learner.loss(batch)
            loss, count = loss + found[0], count + found[1]
    return loss / count if count else None
