# pyright: standard
"""Figures of a search for better settings."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skysieve.measure.plotting import COLORS, GRAY, new_axes, plain, save_figure, styled, words

Row = Mapping[str, str]


def draw_tuning(
    trials: Path, importance: Mapping[str, float], monitor: str, folder: Path
) -> tuple[Path, Path]:
    """Write the course of a search and what mattered, as ``tuning.png`` and ``tuning.svg``.

    Args:
        trials: The table ``trials.csv`` of the search.
        importance: Share of each setting in how much the figure varied; may be empty.
        monitor: The validation figure.
        folder: Takes the figures.
    """
    with trials.open(newline="", encoding="utf-8") as file:
        rows: list[Row] = [row for row in csv.DictReader(file) if row["value"]]
    return save_figure(_figure(rows, importance, monitor), folder / "tuning")


@styled
def _figure(rows: list[Row], importance: Mapping[str, float], monitor: str) -> Figure:
    names = [name for name in rows[0] if name not in ("trial", "state", "value", "epochs")]
    figure, axes = new_axes(2 + len(names), (5.6, 2.1 * (2 + len(names))))
    _course(axes[0], rows, monitor)
    shares = [importance.get(name, 0.0) for name in names]
    axes[1].barh(range(len(names)), shares, color=COLORS[0], height=0.6)
    axes[1].set_yticks(range(len(names)), names)
    axes[1].set(xlim=(0, 1), xlabel="importance (share of the variance)")
    if not importance:
        axes[1].set_title("too few whole trials to tell", fontsize=8, loc="left")
    for axis, name in zip(axes[2:], names, strict=True):
        _setting(axis, rows, name, monitor)
    return figure


def _course(axis, rows: list[Row], monitor: str) -> None:
    number = np.array([int(row["trial"]) for row in rows])
    value = np.array([float(row["value"]) for row in rows])
    whole = np.array([row["state"] == "complete" for row in rows])
    axis.plot(number[whole], value[whole], "o", color=COLORS[0], ms=4, label="whole")
    axis.plot(number[~whole], value[~whole], "x", color=GRAY, ms=5, label="cut short")
    if whole.any():
        axis.step(
            number[whole],
            np.maximum.accumulate(value[whole]),
            where="post",
            color=COLORS[1],
            label="best",
        )
    axis.set(xlabel="trial", ylabel=f"validation {words(monitor)}")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(loc="best")


def _setting(axis, rows: list[Row], name: str, monitor: str) -> None:
    value = [float(row["value"]) for row in rows]
    whole = np.array([row["state"] == "complete" for row in rows])
    texts = [row[name] for row in rows]
    try:
        x = np.array([float(text) for text in texts])
        if x.min() > 0 and x.max() > 20 * x.min():
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(FuncFormatter(plain))
    except ValueError:
        known = sorted(set(texts))
        x = np.array([known.index(text) for text in texts], float)
        axis.set_xticks(range(len(known)), known)
    y = np.array(value)
    axis.plot(x[whole], y[whole], "o", color=COLORS[0], ms=4)
    axis.plot(x[~whole], y[~whole], "x", color=GRAY, ms=5)
    axis.set(xlabel=name, ylabel=f"validation {words(monitor)}")
