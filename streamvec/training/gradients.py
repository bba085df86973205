"""gradients.jsonl: how large the gradient of a loss is by the states some time steps before, as training goes on.

A line is about one layer and one of its states at one step of the training, before its weights change: ``epoch``,
``batch`` (of that step), ``layer`` (all three from 0), ``state`` ("h"; of an lstm also "c") and ``norms``, of which
number k is for k steps back, as `streamvec.models.languagemodel.LanguageModel.gradients_by_distance` defines it; null
where it is not finite. What falls to nothing with k has vanished, what grows explodes.

Five batches of an epoch are looked at, evenly spread: which ones, and every byte, is a function of the step alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from streamvec.corpus.lanes import LaneBatch
from streamvec.disk.jsontext import parsed
from streamvec.disk.reading import opened
from streamvec.errors import StreamvecError
from streamvec.models.step import Position
from streamvec.training.metrics import Metrics
from streamvec.training.run import Run

LOOKS = 5  # batches of an epoch


class _Model(Protocol):
    def gradients_by_distance(self, batch: LaneBatch, position: Position) -> Mapping[tuple[int, str], np.ndarray]:
        """Norms float64[steps] by (layer, state)."""


class GradientReport:
    """Writes gradients.jsonl while a language model trains."""

    def __init__(self, model: _Model, log: Metrics, whole: int) -> None:
        """whole: batches of an epoch with all their time steps or sequences; where none has, the first is looked at."""
        self._model, self._log = model, log
        whole = max(1, whole)
        looks = min(LOOKS, whole)
        self._wanted = {(2 * number + 1) * whole // (2 * looks) for number in range(looks)}

    def look(self, batch: LaneBatch, position: Position) -> None:
        """Looks at a batch that the model is about to train on, if it is one of the wanted."""
        if position.batch not in self._wanted:
            return
        found = self._model.gradients_by_distance(batch, position)
        records = []
        for (layer, state), norms in found.items():
            told = [float(f"{norm:.6g}") if np.isfinite(norm) else None for norm in norms.tolist()]
            records.append({**position._asdict(), "layer": layer, "state": state, "norms": told})
        self._log.append(*records)


class Curve(NamedTuple):
    """What gradients.jsonl says of one state of one layer in the last epoch that it tells of."""

    cell: str
    layer: int  # from 0
    state: str  # "h" or "c"
    epoch: int  # from 0
    norms: np.ndarray  # float64[steps], by distance in time: means over the batches; NaN where none is finite


def read_curves(folder: Path | str) -> list[Curve]:
    """Those of the RUN in *folder*, by layer and state. StreamvecError where it has none."""
    run = Run.open(folder)
    if run.kind != "lm":
        raise StreamvecError(
            f"{folder}: was trained by {run.kind}, which has no steps in time: name a RUN of streamvec train lm"
        )
    path = run.gradients.path
    if not run.about.get("report_gradients"):
        raise StreamvecError(f"{folder}: keeps no gradients: train it again with --report-gradients")
    if not path.exists():
        raise StreamvecError(f"{path}: is not there yet, or gone: streamvec resume writes it as training goes on")
    epoch, found = -1, dict[tuple[int, str], list[np.ndarray]]()
    with opened(path) as lines:
        for line in lines:
            if not line.endswith(b"\n"):  # a trainer is writing it
                break
            try:
                record = parsed(line)
                place, here = (int(record["layer"]), str(record["state"])), int(record["epoch"])
                norms = np.array(record["norms"], np.float64)
            except (ValueError, KeyError, TypeError) as problem:
                raise StreamvecError(f"{path}: damaged ({problem}): run streamvec verify") from problem
            if here > epoch:
                epoch, found = here, {}
            found.setdefault(place, []).append(norms)
    if not found:
        raise StreamvecError(f"{path}: has no line yet: wait until training has gone on")
    cell = run.about["config"]["cell"]
    return [Curve(cell, *place, epoch, _mean(each)) for place, each in sorted(found.items())]


def _mean(each: list[np.ndarray]) -> np.ndarray:
    """Of those that are finite at each distance."""
    rows = np.stack([norms[: min(map(len, each))] for norms in each])
    count, total = np.isfinite(rows).sum(axis=0), np.nansum(rows, axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
