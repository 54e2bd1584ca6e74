# pyright: standard
"""Reliability diagrams as SVG, also of objects so rare that a linear axis shows nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from skysieve.measure.figures import BLUE, GRAY, INK, ORANGE, plain_axes, to_svg
from skysieve.measure.reliability import Bin, Reliability


def draw_reliability_svg(found: Mapping[str, Reliability], *, rare: bool) -> str:
    """Return reliability diagrams in one figure as SVG.

    Args:
        found: By name; the first two are told apart by color and mark.
        rare: Draw both axes logarithmically, with bins of equal width in the log odds: a survey
            of rare objects is one point of a linear diagram.
    """
    figure, axes = plain_axes("probability said", "share of positives found", (5.0, 4.2))
    least = 1.0
    for (name, one), color, mark in zip(found.items(), (BLUE, ORANGE), "os", strict=False):
        bins = one.bins["log_odds" if rare else "width"]
        shown = [each for each in bins if not rare or each.n_positive]
        _points(axes, shown, color, mark, name.replace("_", " "))
        least = min([least, *(min(each.said, each.low) for each in shown)])
    floor = max(10 ** np.floor(np.log10(max(least, 1e-7))), 1e-7) if rare else 0.0
    ends = (floor, 1.0)
    axes.plot(ends, ends, color=GRAY, linestyle="--", linewidth=1, label="as it should be")
    if rare:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set(xlim=(floor, 1.3), ylim=(floor, 1.3))
    else:
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left", frameon=False, labelcolor=INK, fontsize=9)
    return to_svg(figure)


def _points(axes: Axes, bins: list[Bin], color: str, mark: str, name: str) -> None:
    said, rate = [one.said for one in bins], [one.rate for one in bins]
    error = [
        [max(one.rate - one.low, 0) for one in bins],
        [max(one.high - one.rate, 0) for one in bins],
    ]
    axes.errorbar(
        said, rate, yerr=error, color=color, marker=mark, ms=4.5, lw=1.4, capsize=2, label=name
    )
