"""Numbers with the interval that the size of the sample allows.

References:
    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile intervals).
    Wilson 1927, J. Am. Stat. Assoc. 22, 209 (a proportion).
    Cortes & Mohri 2005, NIPS 17, 305, section 4 (the variance of an AUC A of m positives and
        n negatives is at most A (1 - A) / min(m, n), whatever the distributions).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from skysieve.core.errors import InputError
from skysieve.core.random import stream
from skysieve.measure.rare import Sweep, Truth, Values, sweep

Metric = Callable[[Sweep], float]
Curve = Callable[[Sweep], Float64[np.ndarray, " g"]]

RESAMPLES = 2000
LEVEL = 0.95
MOST_RUNS = 4096
"""Into how many runs the rows of a sweep are joined at most before they are drawn again."""

Method = Literal["bootstrap", "wilson", "bayes"]
"""How an interval was made: percentiles of resamples, Wilson's, or percentiles of what the
population may be like (:mod:`skysieve.measure.posterior`)."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measured number, what it was measured on, and how sure it is.

    Args:
        value: The number.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n_positive: Positives it was measured on.
        n_negative: Negatives it was measured on.
        level: Chance that such an interval holds the true value.
        method: How the interval was made.
    """

    value: float
    low: float
    high: float
    n_positive: int
    n_negative: int
    level: float
    method: Method


@dataclass(frozen=True, kw_only=True)
class Undefined:
    """A number that the sample cannot tell.

    Args:
        reason: Why not, and what it would take.
    """

    reason: str

    def as_json(self) -> dict[str, str | None]:
        """Return it as JSON."""
        return {"value": None, "undefined": self.reason}


def wilson(k: float, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a proportion: ``k`` of ``n``; (0, 1) if ``n`` is 0.

    Raises:
        InputError: ``k`` does not lie between 0 and ``n``.
    """
    if not 0 <= k <= n:
        raise InputError(f"{k} of {n} is no proportion", "Give a count from 0 to n")
    if n == 0:
        return 0.0, 1.0
    z = _normal_quantile(level)
    share = k / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    scale = 1 + z * z / n
    # The ends are exact at 0 and n; rounding would push them past by 1e-17.
    low = 0.0 if k == 0 else (middle - half) / scale
    high = 1.0 if k == n else (middle + half) / scale
    return low, high


def bootstrap(
    metric: Metric,
    labels: Truth,
    scores: Values,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Measured:
    """Return a metric with its percentile interval, such as ``bootstrap(Sweep.roc_auc, ...)``.

    Positives and negatives are drawn apart, so every resample has as many of each. See
    :func:`bootstrap_all` for the rest.
    """
    found = bootstrap_all({"": metric}, labels, scores, resamples=resamples, level=level, seed=seed)
    return found[""]


def bootstrap_all(
    metrics: Mapping[str, Metric],
    labels: Truth,
    scores: Values,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Measured]:
    """Return several metrics with their intervals, from the same resamples.

    Where no resample differs, as for a perfect ranking, the bootstrap has nothing to say. The
    interval is then Wilson's for the smaller class, a bound for the AUC (Cortes & Mohri 2005), and
    ``method`` says so.

    Raises:
        InputError: See :func:`skysieve.measure.rare.sweep`.
    """
    counts = sweep(labels, scores)
    joined = condense(counts)
    drawn = np.array(
        [
            [metric(again) for metric in metrics.values()]
            for again in _resampled(joined, resamples, seed)
        ]
    )
    # What joining many rows changes is known, and taken off; of few rows it is nothing.
    drawn += [metric(counts) - metric(joined) for metric in metrics.values()]
    tail = (1 - level) / 2
    lows, highs = np.quantile(drawn, (tail, 1 - tail), axis=0)
    return {
        name: _measured(metric(counts), float(low), float(high), counts, level)
        for (name, metric), low, high in zip(metrics.items(), lows, highs, strict=True)
    }


def bands(
    curves: Mapping[str, Curve],
    labels: Truth,
    scores: Values,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, tuple[Float64[np.ndarray, " g"], Float64[np.ndarray, " g"]]]:
    """Return the ends of the pointwise percentile interval of curves, from the same resamples."""
    drawn: dict[str, list[Float64[np.ndarray, " g"]]] = {name: [] for name in curves}
    for again in _resampled(condense(sweep(labels, scores)), resamples, seed):
        for name, curve in curves.items():
            drawn[name].append(curve(again))
    tail = (1 - level) / 2
    ends = {name: np.quantile(rows, (tail, 1 - tail), axis=0) for name, rows in drawn.items()}
    return {name: (low, high) for name, (low, high) in ends.items()}


def _measured(value: float, low: float, high: float, counts: Sweep, level: float) -> Measured:
    method: Method = "bootstrap"
    if low == high:
        method = "wilson"
        n = min(counts.n_positive, counts.n_negative)
        low, high = wilson(value * n, n, level=level)
    return Measured(
        value=value,
        low=low,
        high=high,
        n_positive=counts.n_positive,
        n_negative=counts.n_negative,
        level=level,
        method=method,
    )


def interval_of(
    value: float, drawn: Float64[np.ndarray, " draw"], counts: Sweep, *, level: float = LEVEL
) -> Measured:
    """Return a metric with the percentiles of what it may be in the population.

    Args:
        value: Of the sample; the interval is made to hold it.
        drawn: See :mod:`skysieve.measure.posterior`.
        counts: The sample.
        level: Of the interval.
    """
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Measured(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        n_positive=counts.n_positive,
        n_negative=counts.n_negative,
        level=level,
        method="bayes",
    )


def condense(counts: Sweep, most: int = MOST_RUNS) -> Sweep:
    """Return a sweep with fewer levels that has nearly the same metrics.

    Levels without a positive are joined with each other: no metric of a sweep looks inside a
    stretch of negatives, and a survey is little else: the 100,000 rows of 50 lenses become 101
    levels. If there are still more than ``most``, neighbors are joined, the finer the nearer to the top.

    Args:
        counts: The sweep.
        most: How many levels there may be.
    """
    true, false = np.diff(counts.true_positives), np.diff(counts.false_positives)
    holds = true > 0
    keep = np.flatnonzero(np.append(holds[1:] | holds[:-1], True))
    if len(keep) > most:
        keep = keep[_finer_at_the_top(np.cumsum(true + false)[keep], most)]
    return Sweep(
        true_positives=np.append(0, counts.true_positives[keep + 1]),
        false_positives=np.append(0, counts.false_positives[keep + 1]),
    )


def _finer_at_the_top(
    inspected: Int64[np.ndarray, " run"], most: int
) -> Int64[np.ndarray, " kept"]:
    """Return which runs end a joined one: half of them the first, the rest at even ratios."""
    first = most // 2
    n = float(inspected[-1])
    edges = np.geomspace(float(inspected[first]), n, most - first)
    later = np.searchsorted(inspected, edges).clip(max=len(inspected) - 1)
    return np.unique(np.append(np.arange(first), later))


def _resampled(counts: Sweep, resamples: int, seed: int) -> Iterator[Sweep]:
    """Yield sweeps of samples drawn with replacement, within each class."""
    true, false = np.diff(counts.true_positives), np.diff(counts.false_positives)
    rng = stream(seed, "bootstrap")
    for _ in range(resamples):
        yield Sweep(
            true_positives=np.append(0, np.cumsum(_drawn(true, rng))),
            false_positives=np.append(0, np.cumsum(_drawn(false, rng))),
        )


def _drawn(
    per_run: Int64[np.ndarray, " run"], rng: np.random.Generator
) -> Int64[np.ndarray, " run"]:
    """Return how often each run is hit when as many rows are drawn with replacement."""
    n = int(per_run.sum())
    if len(per_run) * 16 < n:  # both ways draw from the same law; each is fast where it is used
        return rng.multinomial(n, per_run / n)
    upper = np.cumsum(per_run)
    rows = np.repeat(np.arange(len(upper)), per_run)
    return np.bincount(rows[rng.integers(0, n, n)], minlength=len(upper)).astype(np.int64)


def _normal_quantile(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
