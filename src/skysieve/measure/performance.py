"""What labels say of a ranking: a table of numbers, and the curves behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float64, Int64

from skysieve.measure.intervals import (
    LEVEL,
    RESAMPLES,
    Measured,
    Metric,
    bands,
    bootstrap_all,
    wilson,
)
from skysieve.measure.rare import Grid, Sweep, Truth, Values, sweep

FPRS = (0.1, 0.01, 0.001)
BEST = (10, 50, 100, 1000, 10_000)
THRESHOLD = 0.5
BAND_RESAMPLES = 500
"""Fewer than for a number in a table: a shade on a figure is read to a pixel, not a digit."""
MOST_POINTS = 400

_Values = Float64[np.ndarray, "*g"]
_Evaluate = Callable[[Sweep, Grid], _Values]
_Named = Mapping[str, tuple[Float64[np.ndarray, " g"], _Evaluate]]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """How often samples are drawn again to make intervals, and the seed that decides them."""

    resamples: int = RESAMPLES
    seed: int = 0


DRAWS = Draws()


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """A line of the table of metrics.

    Args:
        key: Its name in ``report.json``.
        name: Its name for a person.
        meaning: What it counts, in a few words.
        measured: The number.
    """

    key: str
    name: str
    meaning: str
    measured: Measured


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

    Args:
        truth: 1 for a positive, 0 for a negative.
        p: Probability of the positive class, in [0, 1].
        draws: How the intervals are made.
    """
    n_positive, n_negative = _classes(truth)
    rows: tuple[MetricRow, ...] = ()
    if n_positive and n_negative:
        rows = _ranked_metrics(truth, p, draws) + _purity_at_best(truth, p)
    return rows + _threshold_metrics(truth, p)


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


def _ranked_metrics(truth: Truth, p: Values, draws: Draws) -> tuple[MetricRow, ...]:
    n_positive, n_negative = _classes(truth)
    named: dict[str, tuple[str, str, Metric]] = {
        "roc_auc": (
            "ROC AUC",
            "chance that a random positive is ranked above a random negative",
            Sweep.roc_auc,
        ),
        "average_precision": (
            "Average precision",
            f"area under the purity-completeness curve; chance is {n_positive / len(truth):.2g}",
            Sweep.average_precision,
        ),
    }
    for fpr in FPRS:
        if fpr * n_negative >= 1:  # with fewer negatives, such a rate cannot be told from none
            named[f"completeness_at_fpr_{fpr:g}"] = (
                f"Completeness at FPR {fpr:g}",
                f"share of positives found while {int(fpr * n_negative + 1e-9):,} negatives pass",
                partial(_number_at, Sweep.completeness_at_fpr, fpr),
            )
    for n, key, meaning in (
        (0, "tpr0", "share of positives ranked above every negative"),
        (9, "tpr10", "share of positives found while fewer than 10 negatives pass"),
    ):
        if n < n_negative:
            named[key] = (
                f"Completeness before false positive {n + 1} ({key.upper()})",
                meaning,
                partial(_number_at, Sweep.completeness_at_false_positives, n),
            )
    for k in _best(len(truth)):
        named[f"completeness_at_{k}"] = (
            f"Completeness in the best {k:,}",
            f"share of all {n_positive:,} positives among the {k:,} best-ranked labeled rows",
            partial(_number_at, Sweep.completeness_at_k, k),
        )
    metrics = {key: metric for key, (_, _, metric) in named.items()}
    found = bootstrap_all(metrics, truth, p, resamples=draws.resamples, seed=draws.seed)
    return tuple(
        MetricRow(key=key, name=name, meaning=meaning, measured=found[key])
        for key, (name, meaning, _) in named.items()
    )


def _purity_at_best(truth: Truth, p: Values) -> tuple[MetricRow, ...]:
    counts = sweep(truth, p)
    return tuple(
        MetricRow(
            key=f"purity_at_{k}",
            name=f"Purity of the best {k:,}",
            meaning=f"share of positives among the {k:,} best-ranked labeled rows",
            measured=_proportion(float(counts.found_at_k(k)), k, truth),
        )
        for k in _best(len(truth))
    )


def _threshold_metrics(truth: Truth, p: Values) -> tuple[MetricRow, ...]:
    """Return what a cut at p = 0.5 gives; this also says something where one class is missing."""
    n_positive, n_negative = _classes(truth)
    passed = p >= THRESHOLD
    true, false = int(passed[truth == 1].sum()), int(passed[truth == 0].sum())
    cut = f"p ≥ {THRESHOLD:g}"
    named = (
        ("completeness", "Completeness", true, n_positive, "share of positives with"),
        ("fpr", "False positive rate", false, n_negative, "share of negatives with"),
    )
    return tuple(
        MetricRow(
            key=f"{key}_at_p_{THRESHOLD:g}",
            name=f"{name} at {cut}",
            meaning=f"{meaning} {cut}: {k:,} of {n:,}",
            measured=_proportion(k, n, truth),
        )
        for key, name, k, n, meaning in named
        if n
    )


def _proportion(k: float, n: int, truth: Truth) -> Measured:
    n_positive, n_negative = _classes(truth)
    low, high = wilson(k, n)
    return Measured(
        value=k / n,
        low=low,
        high=high,
        n_positive=n_positive,
        n_negative=n_negative,
        level=LEVEL,
        method="wilson",
    )


def _number_at(evaluate: _Evaluate, x: float, counts: Sweep) -> float:
    return float(evaluate(counts, x))


def _classes(truth: Truth) -> tuple[int, int]:
    n_positive = int((truth == 1).sum())
    return n_positive, len(truth) - n_positive


def _best(n: int) -> list[int]:
    return [k for k in BEST if k < n]


def _steps(n: int) -> Float64[np.ndarray, " g"]:
    """Return the shares 0, 1/n, ..., 1, or evenly spaced ones where those are too many."""
    return np.linspace(0, 1, min(n, MOST_POINTS) + 1)


def _ranks(n: int) -> Float64[np.ndarray, " g"]:
    """Return numbers from 1 to n, all of them at first and then ever fewer."""
    ranks: Int64[np.ndarray, " g"] = np.unique(
        np.round(np.geomspace(1, n, MOST_POINTS)).astype(int)
    )
    return ranks.astype(np.float64)
