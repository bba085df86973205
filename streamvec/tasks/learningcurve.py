"""How a task's score grows with the number of labelled examples, with vectors to begin from and without."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.corpus.examples import Examples
from streamvec.errors import StreamvecError
from streamvec.tasks.pictures import COLOURS, MARKERS, checked, new_figure, plain, save
from streamvec.training.run import EXAMPLES, Run
from streamvec.training.tasks import TASKS

_SAME = ("seed", "train_size")  # options by which the points of one line may differ


class Point(NamedTuple):
    """One training."""

    run: str
    line: str  # what tells it from those of other lines
    examples: int  # that it was trained on
    score: float
    measured: str  # the score's name


def read_points(folders: Sequence[str]) -> list[Point]:
    """A point for each RUN, in their order; StreamvecError where one is none of a task, or was not measured."""
    runs = [Run.open(folder) for folder in folders]
    points, about = [], [_about(run) for run in runs]
    paths = {one["vectors"] for one in about if one["vectors"]}
    if len({Path(path).name for path in paths}) == len(paths):  # otherwise the whole path tells them apart
        about = [{**one, "vectors": one["vectors"] and Path(one["vectors"]).name} for one in about]
    for run, mine in zip(runs, about, strict=True):
        scores = run.best_scores()
        if "judged_by" not in scores:
            what = "has not come to the end of an epoch" if run.about.get("valid") else "was trained without --valid"
            what = what if run.kind in TASKS else f"is of kind {run.kind}, no task"
            raise StreamvecError(f"{run.folder}: has no score to draw: it {what}")
        measured = scores["judged_by"]
        differs = [name for name in mine if len({str(other.get(name)) for other in about}) > 1]
        line = ", ".join(_named(name, mine[name]) for name in differs) or _named("vectors", mine["vectors"])
        examples = Examples.open(run.folder / EXAMPLES).examples
        points.append(Point(str(run.folder), line, examples, scores[f"heldout_{measured}"], measured))
    if len({point.measured for point in points}) > 1:
        told = sorted({point.measured for point in points})
        raise StreamvecError(f"the RUNs were measured by {' and by '.join(told)}: draw them one by one")
    return points


def draw_learning_curve(points: Sequence[Point], path: Path | str) -> None:
    """Writes the picture to *path*: a line through the mean scores of the RUNs of each size, and each as a point."""
    path, figure = checked(path), new_figure(7.2, 4.4)
    ax = figure.subplots()
    lines: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        lines[point.line][point.examples].append(point.score)
    for number, (name, found) in enumerate(sorted(lines.items())):
        look, sizes = number % len(COLOURS), sorted(found)
        means = [sum(found[size]) / len(found[size]) for size in sizes]
        ax.plot(sizes, means, color=COLOURS[look], linewidth=1.5, marker=MARKERS[look], markersize=6, label=name)
        each = [(size, score) for size in sizes for score in found[size] if len(found[size]) > 1]
        for size, score in each:
            ax.plot(size, score, color=COLOURS[look], marker=MARKERS[look], markersize=3, alpha=0.5)
    sizes = sorted({point.examples for point in points})
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.set_xlabel("labelled examples")
    ax.set_ylabel(points[0].measured.replace("_", " "))
    plain(ax)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    save(figure, path)


def _about(run: Run) -> dict[str, Any]:
    options = {**run.about["config"], **run.about["text"]}
    vectors = run.about.get("vectors")
    kept = {name: value for name, value in options.items() if name not in _SAME}
    return {"kind": run.kind, "vectors": vectors["path"] if vectors else None, **kept}


def _named(option: str, value: Any) -> str:
    if option == "vectors":
        return f"vectors of {value}" if value else "random vectors"
    return f"{option.replace('_', ' ')} {value}"
