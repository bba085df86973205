"""What every trainer is given, and what all of them do alike: take up the last checkpoint, begin from vectors, loop."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol

from streamvec.cluster.nodes import Cluster
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.step import Position
from streamvec.training import loop
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.crews import despite_losses
from streamvec.training.needs import Load
from streamvec.training.options import MachineOptions
from streamvec.training.progress import Reporter
from streamvec.training.reading import Batches
from streamvec.training.run import Run
from streamvec.training.start import Fillable, fill, start_of

_PATTERN = 4096  # characters of a pattern for tokens that are told beside the vectors


class Trained(loop.Model[loop.SomeBatch_contra], Fillable, Protocol[loop.SomeBatch_contra]):
    """A model that can be trained, and begin from vectors."""


class Watched(loop.Watching, Protocol):
    """Who looks at the model after each epoch, and goes on with what a checkpoint says."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a checkpoint's state."""


class Work(NamedTuple):
    """A RUN to be trained, on this machine or with a cluster, for somebody who watches."""

    run: Run
    vocabulary: Vocabulary
    text_bytes: int  # of text that this process has just prepared
    machine: MachineOptions
    report: Reporter
    stop: Callable[[], bool]
    cluster: Cluster | None = None

    def load(self, words: int | None = None) -> Load:
        """What the training has to hold; words: as many as the vocabulary has, or as many as are said."""
        started = start_of(self.run.about) is not None
        return Load(words or len(self.vocabulary), self.vocabulary.mean_bytes, self.text_bytes, started=started)

    def info(self) -> dict[str, Any]:
        """What vectors.arrow says of how it was made; ``text`` is how lines become words, for who asks with lines.

        A pattern for tokens that is very long is left out with it: what is said must fit.
        """
        text = self.run.about.get("text") or {}
        told = {name: text[name] for name in ("tokens", "keep_case", "token_pattern", "phrases") if name in text}
        about = {"streamvec": version("streamvec"), "kind": self.run.kind, **self.run.about["config"]}
        fits = told and len(told.get("token_pattern") or "") <= _PATTERN
        return {**about, "text": told} if fits else about

    def train(
        self,
        model: Trained[loop.SomeBatch],
        batches: Batches[loop.SomeBatch],
        steps: int,
        watch: Watched,
        look: Callable[[loop.SomeBatch, Position], None] = loop.no_look,
        renew: Callable[[], None] | None = None,
    ) -> None:
        """Trains *model* from its last checkpoint, or from what the RUN begins with, to its end.

        steps: of an epoch; renew: has a model whose workers are lost begin anew, with those that can be had: it then
        goes on from its last checkpoint. Raises as `loop.train` does.
        """
        checkpoints = Checkpoints(self.run.checkpoints.folder, steps=steps)

        def attempt() -> None:
            self._train(model, batches, steps, checkpoints, watch, look)

        if renew is None:
            return attempt()
        note, folder = self.report.note, self.run.folder
        despite_losses(attempt, checkpoints.newest, "checkpoint", note, folder, renew)

    def _train(
        self,
        model: Trained[loop.SomeBatch],
        batches: Batches[loop.SomeBatch],
        steps: int,
        checkpoints: Checkpoints,
        watch: Watched,
        look: Callable[[loop.SomeBatch, Position], None],
    ) -> None:
        run, begin = self.run, start_of(self.run.about)
        found = checkpoints.load(model.arrays, self.report.note)
        position = found[0] if found else Position(0, 0)
        run.metrics.forget_after(position)
        run.gradients.forget_from(position)
        watch.restore(found[1] if found else {})
        if begin and not found:
            fill(model, self.vocabulary, begin, run.folder, self.report.note, self.stop)
            checkpoints.save(position, model.arrays, watch.state())
        schedule = loop.Schedule.of(run.about["config"]["epochs"], steps, self.machine)
        loop.train(model, batches, position, schedule, checkpoints, run.metrics, self.report, self.stop, watch, look)
