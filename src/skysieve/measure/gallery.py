# pyright: standard
"""Which predictions to look at, and a figure of them: the best, the worst and some at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from skysieve.core.random import stream
from skysieve.measure.predictions import Predictions

Picture = UInt8[np.ndarray, "_ _ 3"]
Kind = Literal["best", "worst", "random"]

SHOWN = 8
RIGHT, WRONG = "#0072B2", "#D55E00"  # told apart by color-blind readers; the text says it too


@dataclass(frozen=True, kw_only=True)
class Example:
    """A prediction to look at.

    Args:
        row: Its row among the predictions.
        kind: Why it is shown: its true class is the most probable of all rows of the class, the
            least, or chance chose it.
        of_class: Its true class.
        predicted: Its most probable class.
        p: The probability of its true class.
        p_predicted: The probability of its most probable class.
    """

    row: int
    kind: Kind
    of_class: str
    predicted: str
    p: float
    p_predicted: float


def choose_examples(given: Predictions, *, shown: int = SHOWN, seed: int = 0) -> list[Example]:
    """Return the best, the worst and random predictions of each class; no row of a class twice.

    Args:
        given: The predictions.
        shown: The most of each kind and class; a class of fewer than three times as many rows
            is shared out.
        seed: Decides the random ones.
    """
    found: list[Example] = []
    for c, name in enumerate(given.classes):
        rows = np.flatnonzero(given.truth == c)
        order = rows[np.argsort(-given.probabilities[rows, c], kind="stable")]
        each = min(shown, max(1, len(rows) // 3))
        best = order[:each]
        worst = order[each:][::-1][:each]
        left = np.sort(order[len(best) : len(order) - len(worst)])
        random = stream(seed, "gallery", c).permutation(left)[:each]
        chosen: Mapping[Kind, np.ndarray] = {"best": best, "worst": worst, "random": random}
        for kind, numbers in chosen.items():
            for row in numbers.tolist():
                called = int(given.predicted[row])
                found.append(
                    Example(
                        row=row,
                        kind=kind,
                        of_class=name,
                        predicted=given.classes[called],
                        p=float(given.probabilities[row, c]),
                        p_predicted=float(given.probabilities[row, called]),
                    )
                )
    return found


def draw_gallery(
    examples: Sequence[Example], ids: Sequence[str], pictures: Sequence[Picture]
) -> Figure:
    """Return a figure of examples of one class, a line for each kind, with id, class and p below.

    Args:
        examples: What to show, of one class.
        ids: The id of each.
        pictures: The color picture of each.
    """
    kinds = [kind for kind in ("best", "worst", "random") if any(e.kind == kind for e in examples)]
    across = max(sum(each.kind == kind for each in examples) for kind in kinds)
    size = 1.45 * across + 0.5, 2.05 * len(kinds)
    with mpl.rc_context({"font.size": 7, "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(kinds), across, squeeze=False)
        for axis in axes.ravel():
            axis.set_axis_off()
        for line, kind in enumerate(kinds):
            mine = [k for k, each in enumerate(examples) if each.kind == kind]
            for place, k in enumerate(mine):
                _show(axes[line, place], examples[k], ids[k], pictures[k])
            axes[line, 0].text(
                -0.1, 0.5, kind, rotation=90, ha="right", va="center", fontsize=9,
                transform=axes[line, 0].transAxes,
            )  # fmt: skip
    return figure


def _show(axis: Axes, example: Example, name: str, picture: Picture) -> None:
    axis.imshow(picture, interpolation="nearest")
    axis.set_axis_on()
    axis.set(xticks=[], yticks=[])
    right = example.predicted == example.of_class
    for spine in axis.spines.values():
        spine.set(color=RIGHT if right else WRONG, linewidth=1.6)
    lines = [_shorten(name), f"{_shorten(example.of_class)}  {show_p(example.p)}"]
    if not right:
        lines.append(f"taken for {_shorten(example.predicted, 11)}, {show_p(example.p_predicted)}")
    axis.set_xlabel("\n".join(lines), fontsize=6.5, labelpad=3)


def show_p(p: float) -> str:
    """Return a probability in few letters; one that only rounds to 0 or 1 is not shown as such."""
    if 0 < p < 0.001:
        return "p < 0.001"
    return "p > 0.999" if 0.999 < p < 1 else f"p = {p:.3f}"


def _shorten(text: str, most: int = 22) -> str:
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"
