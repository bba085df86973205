"""A task that has been trained, to be asked: what it says of new rows, and how well it tells those of a file."""

from collections.abc import Callable, Sequence
from typing import Any, Self

from streamvec.corpus.examples import Examples
from streamvec.corpus.tsv import Row
from streamvec.disk.pasting import pasted
from streamvec.disk.tensors import Tensors
from streamvec.disk.writing import scratch
from streamvec.errors import StreamvecError
from streamvec.models.learner import Ask, Learner
from streamvec.models.network import Network
from streamvec.training.checkpoint import ARRAYS, Checkpoints
from streamvec.training.exampleids import load_ids
from streamvec.training.labelled import write_examples
from streamvec.training.labelledrows import in_batches
from streamvec.training.options import LabelledOptions
from streamvec.training.progress import Reporter, Silence
from streamvec.training.run import Run
from streamvec.training.task import Scores
from streamvec.training.tasks import TASKS
from streamvec.training.tasktraining import mean_loss
from streamvec.training.warming import warm


class TrainedTask:
    """The model of a RUN of a task; close it, or use it in a ``with`` block."""

    def __init__(self, run: Run, threads: int = 1, report: Reporter | None = None) -> None:
        """report: is told where kernels have to be compiled first, which takes half a minute.

        StreamvecError when the RUN is of no task, has no checkpoint, or one that is damaged.
        """
        if run.kind not in TASKS:
            raise StreamvecError(
                f"{run.folder}: was trained by {run.kind}, and this asks a task on labelled examples: streamvec train "
                f"{', '.join(TASKS)} makes one"
            )
        best = Checkpoints(run.best)
        checkpoints = best if best.paths() and run.is_finished else run.checkpoints
        paths = checkpoints.paths()
        if not paths:
            raise StreamvecError(
                f"{run.folder}: has no checkpoint yet: streamvec resume {pasted(run.folder)} trains it"
            )
        warm(report or Silence())
        self.run, self.task = run, TASKS[run.kind]
        config: Any = self.task.config(**run.about["config"])
        self.config = config
        self.options = LabelledOptions(**run.about["text"])
        vocabulary, self.ids, known = load_ids(run, self.task.shape(config), self.options)
        self._about: dict[str, Any] = {
            "vocabulary_checksum": vocabulary.checksum,
            "vocabulary_size": len(vocabulary),
        }
        self._known = known.rows if known is not None else None
        self.learner = Learner(
            config,
            self.network,
            1,
            threads,
            dim=config.dim,
            trains=False,
        )
        checkpoints.verify(paths[0])
        with Tensors(paths[0] / ARRAYS) as tensors:
            for name, array in self.learner.parameters.items():
                tensors.fill(name, array)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads."""
        self.learner.close()

    def network(self) -> Network:
        """Another network for the parameters of *learner*, to ask what one of a group is not asked."""
        return self.task.network(self.config, self.ids, self._known)

    def answers(self, texts: Sequence[str], ask: Ask | None = None) -> list[Any]:
        """What the network says of each text: see the network of the task. Words of a tagger stand between spaces.
        ask: by another question than its own."""
        return self.learner.answers(self.ids.of([Row(text, "") for text in texts], untold=True), ask) if texts else []

    def score(self, path: str, stop: Callable[[], bool] = lambda: False) -> tuple[Scores, dict[str, int], float | None]:
        """(how well the examples at *path* are told, what was passed over, cut or unknown by name, the mean loss)."""
        rows = self.task.rows(path, self.config, self.options)
        with scratch() as folder:
            write_examples(folder / "x", self.ids, in_batches(rows, stop, path), rows, self._about)
            examples = Examples.open(folder / "x")
            if not examples.examples:
                raise StreamvecError(f"{path}: there are no examples in it: name another file")
            return self.task.score(self.learner, self.ids, examples), examples.counts, mean_loss(self.learner, examples)
