"""What labels say of a ranking: a table of numbers, and the curves behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float64, Int64

from skysieve.measure.intervals import bands
from skysieve.measure.metrics import DRAWS, Draws, MetricRow, measure_ranking
from skysieve.measure.rare import Grid, Sweep, Truth, Values, sweep

__all__ = [
    "DRAWS",
    "Curve",
    "Curves",
    "Draws",
    "MetricRow",
    "measure_curves",
    "measure_inspected",
    "measure_metrics",
]

BAND_RESAMPLES = 500
"""Fewer than for a number in a table: a shade on a figure is read to a pixel, not a digit."""
MOST_POINTS = 400

_Values = Float64[np.ndarray, "*g"]
_Evaluate = Callable[[Sweep, Grid], _Values]
_Named = Mapping[str, tuple[Float64[np.ndarray, " g"], _Evaluate]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """A curve with its pointwise interval.

    Args:
        x: Where it was evaluated, increasing.
        y: Its value.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    x: Float64[np.ndarray, " g"]
    y: Float64[np.ndarray, " g"]
    low: Float64[np.ndarray, " g"]
    high: Float64[np.ndarray, " g"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves:
    """The curves of a ranking with labels of both classes.

    Args:
        roc: Completeness against false positive rate.
        purity: Purity against completeness.
        inspected: Completeness against how many of the rows are inspected, best first.
    """

    roc: Curve
    purity: Curve
    inspected: Curve


def measure_metrics(truth: Truth, p: Values, draws: Draws = DRAWS) -> tuple[MetricRow, ...]:
    """Return every metric that the labels allow, each with its interval.

    What they do not allow, :func:`skysieve.measure.metrics.measure_ranking` says, with the reason.

    Args:
        truth: 1 for a positive, 0 for a negative.
        p: Probability of the positive class, in [0, 1].
        draws: How the intervals are made.
    """
    return measure_ranking(truth, p, draws).rows


def measure_curves(truth: Truth, p: Values, draws: Draws = DRAWS) -> Curves:
    """Return ROC, purity and completeness curves with their bands.

    Raises:
        InputError: The labels are of one class.
    """
    n_positive, n_negative = _classes(truth)
    rates = np.unique(np.append(_steps(n_negative), np.geomspace(1 / max(n_negative, 1), 1, 100)))
    shares = _steps(n_positive)[1:]
    best = _ranks(len(truth))
    named: _Named = {
        "roc": (rates, Sweep.completeness_at_fpr),
        "purity": (shares, Sweep.purity_at_completeness),
        "inspected": (best, Sweep.completeness_at_k),
    }
    return Curves(**_evaluated(named, truth, p, draws))


def measure_inspected(truth: Truth, p: Values, draws: Draws = DRAWS) -> Curve:
    """Return completeness against the number inspected alone; 0 may also mean not known."""
    named: _Named = {"inspected": (_ranks(len(truth)), Sweep.completeness_at_k)}
    return _evaluated(named, truth, p, draws)["inspected"]


def _evaluated(named: _Named, truth: Truth, p: Values, draws: Draws) -> dict[str, Curve]:
    counts = sweep(truth, p)
    at = {name: partial(_at, evaluate, x) for name, (x, evaluate) in named.items()}
    ends = bands(at, truth, p, resamples=min(draws.resamples, BAND_RESAMPLES), seed=draws.seed)
    return {
        name: Curve(x=x, y=at[name](counts), low=ends[name][0], high=ends[name][1])
        for name, (x, _) in named.items()
    }


def _at(evaluate: _Evaluate, x: Grid, counts: Sweep) -> _Values:
    return evaluate(counts, x)


def _classes(truth: Truth) -> tuple[int, int]:
    n_positive = int((truth == 1).sum())
    return n_positive, len(truth) - n_positive


def _steps(n: int) -> Float64[np.ndarray, " g"]:
    """Return the shares 0, 1/n, ..., 1, or evenly spaced ones where those are too many."""
    return np.linspace(0, 1, min(n, MOST_POINTS) + 1)


def _ranks(n: int) -> Float64[np.ndarray, " g"]:
    """Return numbers from 1 to n, all of them at first and then ever fewer."""
    ranks: Int64[np.ndarray, " g"] = np.unique(
        np.round(np.geomspace(1, n, MOST_POINTS)).astype(int)
    )
    return ranks.astype(np.float64)
