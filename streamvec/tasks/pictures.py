"""What all pictures share: where they are written, how they look, and what is said where they cannot be drawn."""

import colorsys
import re
from pathlib import Path
from typing import TYPE_CHECKING

from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
COLOURS = ("#0b2a5b", "#b5304a", "#2fa292", "#e9a03b", "#7b5ea7", "#8c8c8c")  # from dark to light
MARKERS = ("o", "s", "^", "D", "v", "P")
GROUPS = (  # colours of equal weight, on white and on black, neighbours unlike each other
    "#3b7dd8",
    "#e8743b",
    "#2c9f6b",
    "#c94f9b",
    "#b58b00",
    "#7a5fd0",
    "#d6404e",
    "#159bb3",
    "#7d9b2a",
    "#a0654b",
    "#e07fa4",
    "#6f7f94",
)
_GOLDEN = 0.381966  # of a turn: hues that go on with it never meet
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|^\\s|\\s$")


def checked(path: Path | str, others: tuple[str, ...] = ()) -> Path:
    """*path*, where it can be a picture or ends in one of *others*; StreamvecError for another ending."""
    path, endings = Path(path), (*FORMATS, *others)
    if path.suffix.lower() not in endings:
        raise StreamvecError(f"{path}: pictures end in {', '.join(endings)}: choose such a name")
    return path


def group_colours(number: int) -> list[str]:
    """Colours of so many groups; beyond the first dozen they are made up."""
    more = []
    for one in range(number - len(GROUPS)):
        light = (0.42, 0.56, 0.66)[one % 3]
        red, green, blue = colorsys.hls_to_rgb((0.08 + one * _GOLDEN) % 1, light, 0.55)
        more.append("#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue)))
    return [*GROUPS[:number], *more]


def visible(word: str) -> str:
    """*word* as it can be drawn: control characters, those that turn the direction of text, and white space at its
    ends are written out."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", word)


def needs_matplotlib() -> None:
    """StreamvecError where matplotlib is missing."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise StreamvecError("drawing needs matplotlib: pip install 'streamvec[plot]'") from None


def new_figure(width: float, height: float) -> "Figure":
    """An empty picture of so many inches; StreamvecError where matplotlib is missing."""
    needs_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def plain(ax: "Axes") -> None:
    """Leaves of the axes what is needed to read numbers."""
    ax.grid(True, which="major", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def save(figure: "Figure", path: Path) -> None:
    """Writes the picture to *path*, which appears whole, replacing what is there: the same bytes each time."""
    from matplotlib import rc_context

    format = path.suffix[1:].lower()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    with whole_file(path) as file, rc_context({"svg.hashsalt": "streamvec"}):
        figure.savefig(file, format=format, facecolor="white", metadata=undated)
