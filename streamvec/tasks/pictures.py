"""What all pictures share: where they are written, how they look, and what is said where they cannot be drawn."""

from pathlib import Path
from typing import TYPE_CHECKING

from streamvec.disk.files import whole_file
from streamvec.errors import StreamvecError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
COLOURS = ("#0b2a5b", "#b5304a", "#2fa292", "#e9a03b", "#7b5ea7", "#8c8c8c")  # from dark to light
MARKERS = ("o", "s", "^", "D", "v", "P")


def checked(path: Path | str) -> Path:
    """*path*, where it can be a picture; StreamvecError for another ending."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise StreamvecError(f"{path}: pictures end in {', '.join(FORMATS)}: choose such a name")
    return path


def new_figure(width: float, height: float) -> "Figure":
    """An empty picture of so many inches; StreamvecError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise StreamvecError("drawing needs matplotlib: pip install 'streamvec[plot]'") from None
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def plain(ax: "Axes") -> None:
    """Leaves of the axes what is needed to read numbers."""
    ax.grid(True, which="major", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def save(figure: "Figure", path: Path) -> None:
    """Writes the picture to *path*, which appears whole, replacing what is there."""
    with whole_file(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), facecolor="white")
