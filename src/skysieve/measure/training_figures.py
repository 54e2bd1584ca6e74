# pyright: standard
"""The figures of a classifier: history, ROC, purity, confusion, calibration; for paper and page.

References:
    Guo et al. 2017, ICML 70, 1321 (the reliability diagram).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from skysieve.measure.classification import Classification, confusion_of
from skysieve.measure.intervals import wilson
from skysieve.measure.plotting import (
    GRAY,
    label_of,
    legend_below,
    new_axes,
    plain,
    save_figure,
    short,
    style_of,
    styled,
    told,
    words,
)
from skysieve.measure.predictions import Predictions
from skysieve.measure.rare import precision_recall, roc_curve

__all__ = [
    "draw_class_purity",
    "draw_class_roc",
    "draw_confusion",
    "draw_finders",
    "draw_history",
    "draw_reliability",
    "mean_roc",
    "save_figure",
]

RELIABILITY_BINS = 10
_POINTS = 2000


@styled
def draw_history(
    history: Sequence[Mapping[str, float]], *, monitor: str, chosen: float | None
) -> Figure:
    """Return the course of a fit: losses above, validation figures below, phases as steps.

    Args:
        history: A row per epoch: ``epoch``, losses (named ``..loss``), validation figures, and
            where known ``phase`` and ``learning_rate``.
        monitor: The figure by which the epoch was chosen, as in ``history``.
        chosen: The epoch whose weights were kept; None marks none.
    """
    names = [name for name in history[0] if name not in ("epoch", "step", "phase", "learning_rate")]
    losses = [name for name in names if name.endswith("loss")]
    others = [name for name in names if name not in losses]
    rate = [name for name in ("learning_rate",) if name in history[0]]
    panels = [("loss", losses), ("validation figure", others), ("learning rate", rate)]
    panels = [(label, columns) for label, columns in panels if columns]
    figure, axes = new_axes(len(panels), (6.2, 0.6 + 1.9 * len(panels)))
    epochs = np.array([row["epoch"] for row in history])
    for axis, (label, columns) in zip(axes, panels, strict=True):
        for k, name in enumerate(columns):
            values = np.array([row.get(name, math.nan) for row in history])
            style = style_of(k)
            mark = "o" if len(epochs) <= 40 else None
            width = 2.2 if name == monitor else 1.3
            axis.plot(
                epochs, values, marker=mark, markersize=3, lw=width, label=words(name), **style
            )
        axis.set_ylabel(label)
        _mark_phases(axis, history, named=axis is axes[0])
        if chosen is not None:
            axis.axvline(chosen, color="#000000", lw=1, ls=":", label=f"chosen: epoch {chosen:g}")
        if label == "learning rate":
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter(FuncFormatter(plain))
            axis.yaxis.set_minor_formatter(NullFormatter())
        else:
            axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        axis.sharex(axes[0])
    for axis in axes[:-1]:
        axis.tick_params(labelbottom=False)
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.align_ylabels()
    return figure


@styled
def draw_class_roc(given: Predictions, measured: Classification) -> Figure:
    """Return the ROC curve of each class against the rest and their mean, whole and at low rates."""
    figure, (whole, low) = new_axes(2, (7.2, 3.6 + 0.2 * (len(given.classes) + 1)), across=True)
    grid = np.unique(np.append(0, np.geomspace(1 / len(given), 1, _POINTS)))
    heights = []
    for c, name in enumerate(given.classes):
        fpr, tpr = roc_curve((given.truth == c).astype(np.int64), given.probabilities[:, c])
        heights.append(tpr[np.searchsorted(fpr, grid, side="right") - 1])
        auc = measured.by_class[name]["auc"]
        label = f"{label_of(name)}: {told(auc)}"
        if len(given.classes) > 2 or name == given.positive:
            _curve(whole, low, (fpr, tpr), c, label)
    if len(given.classes) > 2:
        label = f"mean of the classes: {told(measured.overall['macro_auc'])}"
        for axis in (whole, low):
            axis.step(grid, np.mean(heights, axis=0), "k--", where="post", lw=1.6, label=label)
    chance = np.geomspace(1e-6, 1, 200)
    for axis in (whole, low):
        axis.plot(chance, chance, color=GRAY, lw=1, ls=":", label="chance")
        axis.set(ylim=(0, 1.02), xlabel="false positive rate")
    whole.set(xlim=(-0.01, 1), ylabel="completeness (true positive rate)")
    fewest = int((len(given) - given.counts).max())
    low.set_xscale("log")
    low.set_xlim(10 ** math.floor(0.1 - math.log10(max(fewest, 10))), 1)
    low.xaxis.set_major_formatter(FuncFormatter(plain))
    legend_below(figure, whole, "area under the curve, 95 % interval")
    return figure


@styled
def draw_class_purity(given: Predictions, measured: Classification) -> Figure:
    """Return purity against completeness of each class, with the purity of a random choice."""
    figure, (axis,) = new_axes(1, (4.6, 4.0 + 0.2 * len(given.classes)))
    for c, name in enumerate(given.classes):
        purity, completeness = precision_recall(
            (given.truth == c).astype(np.int64), given.probabilities[:, c]
        )
        style = style_of(c)
        label = f"{label_of(name)}: {told(measured.by_class[name]['average_precision'])}"
        axis.step(completeness, purity, where="pre", lw=1.6, label=label, **style)
        share = float((given.truth == c).mean())
        axis.axhline(share, color=style["color"], lw=0.9, ls=":")
    axis.set(
        xlim=(0, 1.02),
        ylim=(0, 1.02),
        xlabel="completeness (recall)",
        ylabel="purity (precision)",
    )
    legend_below(figure, axis, "average precision, 95 % interval; dotted: random choice", columns=1)
    return figure


@styled
def draw_confusion(given: Predictions) -> Figure:
    """Return the confusion matrix: counts, and below each its share of the true class."""
    counts = confusion_of(given)
    k = len(given.classes)
    side = 1.6 + 0.95 * k
    figure, (axis,) = new_axes(1, (side + 0.8, side))
    shares = counts / counts.sum(axis=1, keepdims=True)
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i in range(k):
        for j in range(k):
            ink = "white" if shares[i, j] > 0.55 else "black"
            text = f"{counts[i, j]:,}\n{100 * shares[i, j]:.1f} %"
            axis.text(j, i, text, ha="center", va="center", color=ink)
    names = [short(name, 18) for name in given.classes]
    axis.set_xticks(range(k), names, rotation=30 if max(map(len, names)) > 8 else 0)
    axis.set_yticks(range(k), names)
    axis.set(xlabel="most probable class", ylabel="true class")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    bar = figure.colorbar(image, ax=axis, shrink=0.8)
    bar.set_label("share of the true class")
    return figure


@styled
def draw_reliability(given: Predictions, measured: Classification) -> Figure:
    """Return how often a class is true where its probability is said to be p, with counts below."""
    figure = Figure(figsize=(4.8, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    shown = [given.positive_index] if len(given.classes) == 2 else range(len(given.classes))
    axis.plot([0, 1], [0, 1], color=GRAY, lw=1, ls=":", label="perfect calibration")
    for place, c in enumerate(shown):
        p, own = given.probabilities[:, c], given.truth == c
        bins = np.clip(np.digitize(p, edges) - 1, 0, RELIABILITY_BINS - 1)
        n = np.bincount(bins, minlength=RELIABILITY_BINS)
        held = n > 0
        said = np.bincount(bins, p, RELIABILITY_BINS)[held] / n[held]
        hits = np.bincount(bins, own, RELIABILITY_BINS)[held]
        ends = np.array(
            [wilson(hit, total) for hit, total in zip(hits.tolist(), n[held].tolist(), strict=True)]
        )
        rate = hits / n[held]
        style = style_of(c)
        error = np.clip([rate - ends[:, 0], ends[:, 1] - rate], 0, None)
        said = np.clip(said + 0.006 * (place - (len(shown) - 1) / 2), 0, 1)  # bars side by side
        axis.errorbar(
            said,
            rate,
            yerr=error,
            marker="o",
            ms=4,
            lw=1.3,
            capsize=2,
            label=label_of(given.classes[c]),
            **style,
        )
        below.stairs(np.maximum(n, 0.5), edges, baseline=0.5, lw=1.4, color=style["color"])
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that is of the class")
    below.set(xlabel="probability of the class", ylabel="rows per bin", yscale="log")
    below.set_ylim(0.5, None)
    below.yaxis.set_major_formatter(FuncFormatter(plain))
    error = measured.overall["calibration_error"]
    title = f"calibration error {error.value:.3f}, 95 % interval {error.low:.3f}–{error.high:.3f}"
    legend_below(figure, axis, title)
    figure.align_ylabels()
    return figure


@styled
def draw_finders(
    curves: Mapping[str, tuple[Predictions, Classification]], *, log: bool = True
) -> Figure:
    """Return the ROC curves of several finders on the same rows: of the positive, or class means."""
    figure, (whole, low) = new_axes(2, (7.2, 3.6 + 0.2 * len(curves)), across=True)
    for k, (name, (given, measured)) in enumerate(curves.items()):
        label = f"{label_of(short(name, 44))}: {told(measured.headline['auc'])}"
        _curve(whole, low, mean_roc(given), k, label)
    given = next(iter(curves.values()))[0]
    chance = np.geomspace(1e-6, 1, 200)
    for axis in (whole, low):
        axis.plot(chance, chance, color=GRAY, lw=1, ls=":", label="chance")
        axis.set(ylim=(0, 1.02), xlabel="false positive rate")
    what = "completeness" if len(given.classes) == 2 else "mean completeness of the classes"
    whole.set(xlim=(-0.01, 1), ylabel=what)
    if log:
        low.set_xscale("log")
    fewest = int((len(given) - given.counts).max())
    low.set_xlim(10 ** math.floor(0.1 - math.log10(max(fewest, 10))), 1)
    low.xaxis.set_major_formatter(FuncFormatter(plain))
    legend_below(figure, whole, "area under the curve, 95 % interval", columns=1)
    return figure


def mean_roc(
    given: Predictions,
) -> tuple[Float64[np.ndarray, " level"], Float64[np.ndarray, " level"]]:
    """Return the ROC of the positive of two classes, or the mean of the curves of all."""
    if len(given.classes) == 2:
        c = given.positive_index
        return roc_curve((given.truth == c).astype(np.int64), given.probabilities[:, c])
    grid = np.unique(np.append(0, np.geomspace(1 / len(given), 1, _POINTS)))
    heights = []
    for c in range(len(given.classes)):
        fpr, tpr = roc_curve((given.truth == c).astype(np.int64), given.probabilities[:, c])
        heights.append(tpr[np.searchsorted(fpr, grid, side="right") - 1])
    return grid, np.mean(heights, axis=0)


def _curve(
    whole: Axes,
    low: Axes,
    curve: tuple[Float64[np.ndarray, " level"], Float64[np.ndarray, " level"]],
    number: int,
    label: str,
) -> None:
    for axis in (whole, low):
        axis.step(*curve, where="post", lw=1.6, label=label, **style_of(number))


def _mark_phases(axis: Axes, history: Sequence[Mapping[str, float]], *, named: bool) -> None:
    phases = [row.get("phase", 0) for row in history]
    for before, now, left, right in zip(phases, phases[1:], history, history[1:], strict=False):
        if before != now:
            middle = (left["epoch"] + right["epoch"]) / 2
            axis.axvline(middle, color=GRAY, lw=1)
            if named:
                axis.annotate(
                    f"phase {now:g}",
                    (middle, 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(3, 2),
                    textcoords="offset points",
                    color=GRAY,
                    fontsize=8,
                )
