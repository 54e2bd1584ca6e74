# pyright: standard
"""The figure of a fine-tuning: what so many labeled images gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from skysieve.measure.plotting import GRAY, legend_below, new_axes, plain, style_of, styled

_BAND = (16, 84)


@styled
def draw_learning_curve(
    drawn: Mapping[int, Sequence[tuple[float, float]]], ends: tuple[int, float, float]
) -> Figure:
    """Return the AUC before and after, by how many labeled images taught.

    Args:
        drawn: By the number of images: AUC before and after of each draw, on the images left.
        ends: How many images there are, and the AUC before and cross-validated on them.
    """
    figure, (axis,) = new_axes(1, (4.6, 3.4))
    count, before, after = ends
    places = [float(n) for n in (*drawn, count)]
    for k, (name, last) in enumerate((("as it was", before), ("fine-tuned", after))):
        rows = [np.array([pair[k] for pair in pairs]) for pairs in drawn.values()]
        style: dict[str, Any] = {"color": GRAY, "linestyle": "--"} if k == 0 else style_of(0)
        axis.plot(places, [*(row.mean() for row in rows), last], marker="o", label=name, **style)
        if rows:
            low, high = np.transpose([np.percentile(row, _BAND) for row in rows])
            axis.fill_between(places[:-1], low, high, color=style["color"], alpha=0.15, lw=0)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(places))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(plain))
    axis.set_xlabel("labeled images that teach")
    axis.set_ylabel("AUC of images that do not")
    legend_below(figure, axis, "mean of draws; the band holds 68 % of them")
    return figure
