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
    method: Literal["bootstrap", "wilson"]


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
    drawn = np.array(
        [
            [metric(again) for metric in metrics.values()]
            for again in _resampled(counts, resamples, seed)
        ]
    )
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
    for again in _resampled(sweep(labels, scores), resamples, seed):
        for name, curve in curves.items():
            drawn[name].append(curve(again))
    tail = (1 - level) / 2
    ends = {name: np.quantile(rows, (tail, 1 - tail), axis=0) for name, rows in drawn.items()}
    return {name: (low, high) for name, (low, high) in ends.items()}


def _measured(value: float, low: float, high: float, counts: Sweep, level: float) -> Measured:
    method: Literal["bootstrap", "wilson"] = "bootstrap"
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


def _resampled(counts: Sweep, resamples: int, seed: int) -> Iterator[Sweep]:
    """Yield sweeps of samples drawn with replacement, within each class."""
    true, false = _merged(counts)
    rng = stream(seed, "bootstrap")
    for _ in range(resamples):
        yield Sweep(
            true_positives=np.append(0, np.cumsum(_drawn(true, rng))),
            false_positives=np.append(0, np.cumsum(_drawn(false, rng))),
        )


def _merged(counts: Sweep) -> tuple[Int64[np.ndarray, " run"], Int64[np.ndarray, " run"]]:
    """Return positives and negatives per run, where levels without a positive are joined.

    No metric of a sweep looks inside a stretch of negatives, and a survey is little else: the
    100,000 rows of 50 lenses become 101 runs.
    """
    true, false = np.diff(counts.true_positives), np.diff(counts.false_positives)
    holds = true > 0
    starts = np.flatnonzero(np.append(True, holds[1:] | holds[:-1]))
    return np.add.reduceat(true, starts), np.add.reduceat(false, starts)


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
