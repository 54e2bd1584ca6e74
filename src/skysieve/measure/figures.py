# pyright: standard
"""The figures of the report, as SVG that takes its ink from the page around it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from io import StringIO
from typing import Literal

import matplotlib as mpl
import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from skysieve.measure.performance import Curve, Curves

INK = "#010203"
"""Stands for the color of the page's text, and becomes ``currentColor``."""
BLUE, ORANGE, GRAY = "#3d85c6", "#e08a1e", "#8b919c"  # to be told apart on white and on black
SIZE_INCH = (5.0, 3.5)
NO_LABEL = "no label"
"""The group of cutouts of which nothing is known."""


def draw_histogram(
    edges: Float64[np.ndarray, " edge"],
    counts: Mapping[str, Int64[np.ndarray, " bin"]],
    positive: str,
) -> str:
    """Return the histogram of scores, on a logarithmic scale, as SVG.

    Args:
        edges: Edges of the bins.
        counts: Rows in each bin, by the name of the group.
        positive: The class that the scores are the probability of.
    """
    figure, axes = plain_axes(f"p (probability of {positive})", "cutouts per bin")
    colors = {positive: ORANGE, NO_LABEL: GRAY}
    for name, heights in counts.items():
        color = colors.get(name, BLUE)
        axes.stairs(heights, edges, baseline=0.5, fill=True, color=color, alpha=0.25)
        axes.stairs(heights, edges, baseline=0.5, color=color, linewidth=1.6, label=name)
    axes.set_yscale("log")
    axes.set_xlim(float(edges[0]), float(edges[-1]))
    highest = max(int(heights.max()) for heights in counts.values())
    axes.set_ylim(0.5, 2 * max(highest, 5))
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if len(counts) > 1:
        _legend(axes, "upper center")
    return to_svg(figure)


def draw_roc(curve: Curve, n_negative: int, *, log: bool) -> str:
    """Return the ROC curve as SVG; a logarithmic axis begins where one negative can be told."""
    figure, axes = plain_axes("false positive rate", "completeness (true positive rate)")
    _band(axes, curve, "post")
    axes.plot(curve.x, curve.x, color=GRAY, linestyle="--", linewidth=1, label="chance")
    axes.set_ylim(0, 1.02)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(10 ** math.floor(0.1 - math.log10(max(n_negative, 2))), 1)
        axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    else:
        axes.set_xlim(-0.01, 1)
    _legend(axes, "upper left" if log else "lower right")
    return to_svg(figure)


def draw_purity(curve: Curve, base_rate: float) -> str:
    """Return purity against completeness as SVG, with the purity of a random choice."""
    figure, axes = plain_axes("completeness (recall)", "purity (precision)")
    _band(axes, curve, "pre")
    axes.axhline(base_rate, color=GRAY, linestyle="--", linewidth=1, label="chance")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _legend(axes, "lower left")
    return to_svg(figure)


def draw_inspected(curves: Mapping[str, Curve]) -> str:
    """Return completeness against the number of cutouts inspected as SVG, one curve per name."""
    figure, axes = plain_axes("cutouts inspected, best first", "completeness")
    longest = max(curves.values(), key=lambda curve: curve.x[-1])
    for (name, curve), color in zip(curves.items(), (BLUE, ORANGE), strict=False):
        _band(axes, curve, "post", color, name)
    axes.plot(
        longest.x,
        longest.x / longest.x[-1],
        color=GRAY,
        linestyle="--",
        linewidth=1,
        label="chance",
    )
    axes.set_xscale("log")
    axes.set(xlim=(1, max(float(longest.x[-1]), 2)), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    _legend(axes, "upper left")
    return to_svg(figure)


def draw_curves(curves: Curves, n_positive: int, n_negative: int) -> dict[str, str]:
    """Return the figures of labels of both classes, by title."""
    return {
        "ROC": draw_roc(curves.roc, n_negative, log=False),
        "ROC at low false positive rates": draw_roc(curves.roc, n_negative, log=True),
        "Purity and completeness": draw_purity(
            curves.purity, n_positive / (n_positive + n_negative)
        ),
    }


def plain_axes(
    x_label: str, y_label: str, size_inch: tuple[float, float] = SIZE_INCH
) -> tuple[Figure, Axes]:
    """Return an empty figure in the ink of the page."""
    x_label = x_label.replace("$", r"\$")  # the name of a class is no formula
    figure = Figure(figsize=size_inch, layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for patch in (figure.patch, axes.patch):
        patch.set_visible(False)
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.tick_params(which="both", color=GRAY, labelcolor=INK)
    axes.grid(visible=True, color=GRAY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(GRAY)
    return figure, axes


def _band(
    axes: Axes,
    curve: Curve,
    step: Literal["pre", "post"],
    color: str = BLUE,
    name: str = "this ranking",
) -> None:
    axes.fill_between(
        curve.x, curve.low, curve.high, step=step, color=color, alpha=0.22, linewidth=0
    )
    axes.step(curve.x, curve.y, where=step, color=color, linewidth=1.8, label=name)


def _legend(
    axes: Axes, place: Literal["upper left", "upper center", "lower left", "lower right"]
) -> None:
    axes.legend(loc=place, frameon=False, labelcolor=INK, fontsize=9)


def _plain(value: float, _position: int | None = None) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG element; its text stays text, and equal figures equal bytes."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "skysieve"}):
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
