# pyright: standard
"""The figures of an exploration: how single cues are spread in each class."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64

from skysieve.measure.figures import BLUE, GRAY, ORANGE, plain_axes, to_svg

MOST_BINS = 24
COLORS = (ORANGE, BLUE, "#4a9d5b", "#a05fb4", "#c9504c", "#2aa4a8", "#96762f", GRAY)
"""Of the classes; the first is the one a cue separates best."""
KEPT = (0.01, 0.99)
"""The share of values that decides the range shown; the rest is counted at the ends."""


def draw_cue(
    values: Float64[np.ndarray, " n"], classes: np.ndarray, positive: str, meaning: str
) -> str:
    """Return the spread of a cue in each class as SVG; every class has the same area.

    Args:
        values: The cue of each row; NaN where there is none.
        classes: The class of each row, as text.
        positive: The class drawn in the first color.
        meaning: What the cue is.
    """
    held = np.isfinite(values)
    values, classes = values[held], classes[held]
    low, high = np.quantile(values, KEPT)
    if not low < high:
        low, high = values.min(), values.max()
    rarest = min(int((classes == name).sum()) for name in set(classes.tolist()))
    bins = int(np.clip(2 * math.sqrt(rarest), 6, MOST_BINS))
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    figure, axes = plain_axes(meaning, "share of the class", size_inch=(4.2, 2.6))
    names = sorted(set(classes.tolist()), key=lambda name: (name != positive, name))
    for name, color in zip(names, COLORS, strict=False):
        mine = np.clip(values[classes == name], edges[0], edges[-1])
        heights = np.histogram(mine, edges)[0] / len(mine)
        axes.stairs(heights, edges, fill=True, color=color, alpha=0.22)
        axes.stairs(heights, edges, color=color, linewidth=1.6, label=name.replace("$", r"\$"))
    axes.set_xlim(float(edges[0]), float(edges[-1]))
    axes.set_ylim(0, None)
    axes.locator_params(nbins=5)
    if max(abs(edges[0]), abs(edges[-1])) < 1e-2 and edges.any():
        axes.ticklabel_format(axis="x", style="sci", scilimits=(0, 0))
    legend = axes.legend(frameon=False, fontsize=9, ncols=math.ceil(len(names) / 4))
    for text in legend.get_texts():
        text.set_color(axes.xaxis.label.get_color())
    return to_svg(figure)
