# pyright: standard
"""How figures for paper and page look: dark on white, told apart by color-blind readers.

References:
    Wong 2011, Nature Methods 8, 441 (the colors).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from skysieve.core.files import whole_file
from skysieve.measure.intervals import Measured

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442", "#000000")
"""Of classes and finders, in turn; with ``DASHES`` no two of the first 32 look alike."""
DASHES = ("-", "--", "-.", ":")
GRAY = "#7a7f87"
DPI = 200
Drawing = TypeVar("Drawing", bound=Callable[..., Figure])
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d9dce1",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,  # the name of a class is no formula
    "svg.fonttype": "none",
    "svg.hashsalt": "skysieve",
}


def styled(draw: Drawing) -> Drawing:
    """Draw with the style of this file, and leave that of the process alone."""
    return mpl.rc_context(_STYLE)(draw)


def save_figure(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as ``stem.png`` and ``stem.svg``, dark on white, and return their paths.

    Args:
        figure: What to write; equal figures give equal bytes.
        stem: The folder, which must exist, and the name without ending.
    """
    paths = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    with mpl.rc_context(_STYLE):
        for path in paths:
            kind = path.suffix[1:]
            metadata = {"Date": None} if kind == "svg" else {"Software": None}
            with whole_file(path) as temporary:
                figure.savefig(
                    temporary, format=kind, dpi=DPI, facecolor="white", metadata=metadata
                )
            figure.set_layout_engine("none")  # it stands: arranging it again takes a second
    return paths


def new_axes(
    count: int, size_inch: tuple[float, float], *, across: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes below each other, or across."""
    # Across, the numbers at the ends of two axes would touch.
    layout = ConstrainedLayoutEngine(wspace=0.08 if across else 0.02)
    figure = Figure(figsize=size_inch, layout=layout)
    FigureCanvasAgg(figure)
    shape = (1, count) if across else (count, 1)
    axes = figure.subplots(*shape, squeeze=False, sharey=across)
    return figure, list(axes.ravel())


def style_of(number: int) -> dict[str, Any]:
    """Return color and dashes of the class or finder of this number."""
    return {"color": COLORS[number % len(COLORS)], "linestyle": DASHES[number // len(COLORS) % 4]}


def legend_below(figure: Figure, axis: Axes, title: str, columns: int = 2) -> None:
    """Put the legend of an axis below the whole figure, where it hides nothing."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, title=title, title_fontsize=8,
        frameon=False, fontsize=8,
    )  # fmt: skip


def told(measured: Measured) -> str:
    """Return a number with its interval, to four digits."""
    return f"{measured.value:.4f} ({measured.low:.4f}–{measured.high:.4f})"


def label_of(name: str) -> str:
    """Return a name that a legend shows: it would hide one that begins with a line."""
    return f" {name}" if name.startswith("_") else name


def words(name: str) -> str:
    """Return the name of a column as words."""
    return {"auc": "AUC"}.get(name, name.replace("_", " ").replace("auc", "AUC"))


def short(text: str, most: int) -> str:
    """Return a text of at most so many letters; what is left out of its middle is a dot."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"


def plain(value: float, _position: int | None = None) -> str:
    """Return the number of a tick without a power of ten."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
