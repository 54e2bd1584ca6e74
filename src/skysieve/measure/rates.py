# pyright: standard
"""How many of the rows of a survey are positive, from scores without labels.

Two ways that assume the same thing, label shift: the survey's positives look like the calibration's
positives, its negatives like the calibration's negatives, and only their shares differ. Where that is
wrong, as for a real sky after a simulated one, both give a wrong share with a narrow interval. The
calibrated probabilities alone cannot show it: :func:`measure_misfit` compares with calibration rows.

References:
    Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21, section 2.2 (EM; of two classes
        its likelihood is concave in the rate, and we go to its maximum by bisection).
    Lipton, Wang & Smola 2018, ICML 80, 3128, section 3 (black box shift estimation).
    Smirnov 1948, Annals of Mathematical Statistics 19, 279 (largest distance of two distributions).
    Brown, Cai & DasGupta 2001, Statistical Science 16, 101, section 3.1 (Jeffreys' draws of a share).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import expit

from skysieve.core.errors import InputError
from skysieve.core.odds import at_prior, log_odds
from skysieve.core.random import stream
from skysieve.measure.intervals import LEVEL
from skysieve.measure.rare import Values

DRAWS = 1000
WIDEST = 0.5
"""An interval wider than this share of all rows says nothing that was not known before."""
_CELLS = 4096
_HALVINGS = 60
_GRID = 400
_ONE_IN_100 = 1.63  # of the Kolmogorov distribution, in units of 1 / sqrt(n)
Vector = Float64[np.ndarray, " d"]
Passing = tuple[int, int]
"""Rows that pass a threshold, and all of them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rate:
    """The share of positives among rows without labels.

    Args:
        value: In [0, 1]; None where the scores cannot tell, and then ``why`` says so.
        low: Lower end of the interval.
        high: Upper end.
        level: Chance that such an interval holds the true share, if only the shares shifted.
        n: Rows it was estimated from.
        method: ``em`` (likelihood) or ``bbse`` (share above a threshold).
        why: Why it is undefined; empty where it is defined.
        draws: Rates that resamples gave, to carry the doubt on; empty where it is undefined.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    method: Literal["em", "bbse"]
    why: str = ""
    draws: Vector = field(default_factory=lambda: np.empty(0))

    def as_json(self) -> dict[str, Any]:
        """Return the numbers, without the draws."""
        return {name: value for name, value in vars(self).items() if name != "draws"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """How the probabilities of calibration rows of one class are distributed.

    Args:
        p: Probabilities of the positive class, rising.
        share: The share of the rows that is below each.
        count: How many rows there were.
    """

    p: Vector
    share: Vector
    count: int

    def passing(self, threshold: float) -> Passing:
        """Return how many of the rows have p of at least a threshold, and how many there are."""
        below = float(np.interp(threshold, self.p, self.share, left=0, right=1))
        return round((1 - below) * self.count), self.count


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """How far the scores of a survey are from any mixture of the calibration's positives and negatives.

    Args:
        distance: The largest difference of the two cumulative distributions.
        limit: What chance exceeds once in a hundred.
    """

    distance: float
    limit: float

    @property
    def fits(self) -> bool:
        """Whether only the share of positives need have shifted."""
        return self.distance <= self.limit


def measure_misfit(p: Values, rate: float, positives: Known, negatives: Known) -> Misfit:
    """Return how well a share of positives explains the scores of a survey.

    Args:
        p: Of all scored rows of the survey, calibrated as the calibration rows.
        rate: The share of positives among them.
        positives: Calibration rows.
        negatives: Calibration rows.

    Raises:
        InputError: There are no rows, or a probability does not lie in [0, 1].
    """
    _check(p)
    ordered = np.sort(p)
    x = np.unique(np.concatenate([positives.p, negatives.p, ordered[:: max(len(p) // _CELLS, 1)]]))
    found = np.searchsorted(ordered, x) / len(p)
    said = [np.interp(x, one.p, one.share, left=0, right=1) for one in (negatives, positives)]
    distance = np.abs(found - (1 - rate) * said[0] - rate * said[1]).max()
    doubt = 1 / len(p) + (1 - rate) ** 2 / negatives.count + rate**2 / positives.count
    return Misfit(distance=float(distance), limit=_ONE_IN_100 * math.sqrt(doubt))


def estimate_rate(
    p: Values,
    fitted_prior: float | Values,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Rate:
    """Return the share of positives under which these probabilities are most likely (EM).

    The interval is that of the likelihood ratio: over 200 simulated surveys of 4 to 2,000 lenses it
    held the true share as often as it says, while percentiles of resamples fell short for few lenses.
    It leaves out the doubt in the calibration itself: where that rests on few rows, compare with
    :func:`estimate_rate_above`.

    Args:
        p: Calibrated, in [0, 1], of all scored rows of the survey.
        fitted_prior: The fraction of positives the calibration was fitted at, of all or each.
        draws: How many rates to draw from the likelihood (Jeffreys' prior), to carry the doubt on.
        level: Of the interval.
        seed: Decides the draws.

    Raises:
        InputError: There are no rows, or a probability does not lie in [0, 1].
    """
    _check(p)
    likelihood = _Likelihood(log_odds(at_prior(p, fitted_prior, 0.5)))
    best = likelihood.best()
    low, high = likelihood.ends(best, level)
    told: dict[str, Any] = {"level": level, "n": len(p), "method": "em"}
    if high - low > WIDEST:
        return _undefined(
            told, f"the scores cannot tell: any share from {low:.3g} to {high:.3g} fits"
        )
    drawn = likelihood.draw(best, draws, stream(seed, "rate-em"))
    return Rate(value=best, low=low, high=high, draws=drawn, **told)


def estimate_rate_above(
    passed: Passing,
    positives: Passing,
    negatives: Passing,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Rate:
    """Return the share of positives from how many rows pass a threshold (BBSE).

    With a true positive rate and a false positive rate from labeled rows, the share that passes
    tells the share of positives. The interval holds the doubt in all three shares, also where a
    count is 0.

    Args:
        passed: Rows of the survey at or above the threshold, and all its scored rows.
        positives: The same of labeled positives, such as the calibration's.
        negatives: The same of labeled negatives.
        draws: How often the shares are drawn.
        level: Of the interval.
        seed: Decides the draws.

    Raises:
        InputError: The counts are no shares.
    """
    parts = (positives, negatives, passed)
    for k, m in parts:
        if not 0 <= k <= m or m == 0:
            raise InputError(f"{k} of {m} is no share", "Give a count of the scored rows")
    n = passed[1]
    rng = stream(seed, "rate-bbse")
    tpr, fpr, share = (rng.beta(k + 0.5, m - k + 0.5, draws) for k, m in parts)
    tail = (1 - level) / 2
    told: dict[str, Any] = {"level": level, "n": n, "method": "bbse"}
    if np.quantile(tpr - fpr, tail) <= 0:
        return _undefined(told, "positives pass no more often than others")
    raw = (share - fpr) / (tpr - fpr)
    low, high = (float(end) for end in np.quantile(raw, (tail, 1 - tail)))
    if high < 0 or low > 1:
        side = "fewer" if high < 0 else "more"
        return _undefined(told, f"{side} rows pass than any share explains: "
                          "the survey's rows are not like the labeled ones")  # fmt: skip
    drawn = np.clip(raw, 0, 1)
    low, high = max(low, 0.0), min(high, 1.0)
    if high - low > WIDEST:
        return _undefined(
            told, f"any share from {low:.3g} to {high:.3g} explains the rows that pass"
        )
    shares = [k / m for k, m in parts]
    value = min(max((shares[2] - shares[1]) / (shares[0] - shares[1]), 0.0), 1.0)
    return Rate(value=value, low=low, high=high, draws=drawn, **told)


def _undefined(told: dict[str, Any], why: str) -> Rate:
    return Rate(value=None, low=None, high=None, why=why, **told)


class _Likelihood:
    """How likely scores are at a rate r: each row adds log(u + r a), which is concave in r.

    Here u is the density of negatives at its score and a by how much that of positives exceeds it, up
    to a factor both share.
    """

    def __init__(self, odds: Float64[np.ndarray, " n"]) -> None:
        p, self._count = _cells(odds)
        self._negative = 2 * (1 - p)
        self._ahead = 2 * p - self._negative

    def __call__(self, rate: float) -> float:
        return float((self._count * np.log(self._negative + rate * self._ahead)).sum())

    def best(self) -> float:
        """Return the rate of the largest likelihood: where EM ends."""
        if self._slope(0.0) <= 0:
            return 0.0
        if self._slope(1.0) >= 0:
            return 1.0
        return _halve(lambda rate: self._slope(rate) > 0, 0.0, 1.0)

    def ends(self, best: float, level: float) -> tuple[float, float]:
        """Return the rates at which twice the log likelihood has fallen by a quantile of chi2."""
        least = self(best) - NormalDist().inv_cdf((1 + level) / 2) ** 2 / 2
        low = 0.0 if self(0.0) >= least else _halve(lambda rate: self(rate) < least, 0.0, best)
        high = 1.0 if self(1.0) >= least else _halve(lambda rate: self(rate) >= least, best, 1.0)
        return low, high

    def draw(self, best: float, draws: int, rng: np.random.Generator) -> Vector:
        """Return rates drawn from likelihood times Jeffreys' prior, flat in arcsin of the root."""
        edges = np.arcsin(np.sqrt(np.array(self.ends(best, 0.99999))))
        angles = np.linspace(edges[0], edges[1], _GRID)
        weight = np.exp(np.array([self(rate) for rate in np.sin(angles) ** 2]) - self(best))
        steps = np.append(0, np.cumsum((weight[1:] + weight[:-1]) / 2))
        return np.sin(np.interp(rng.random(draws), steps / steps[-1], angles)) ** 2

    def _slope(self, rate: float) -> float:
        return float((self._count * (self._ahead / (self._negative + rate * self._ahead))).sum())


def _halve(below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where a condition that holds at the low end ceases to hold."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _cells(odds: Float64[np.ndarray, " n"]) -> tuple[Vector, Vector]:
    """Return probabilities and how many rows have each; close ones are one if there are too many."""
    value, count = np.unique(odds, return_counts=True)
    if len(value) <= _CELLS:
        return expit(value), count.astype(np.float64)
    low, high = float(value[0]), float(value[-1])
    place = np.minimum((odds - low) * (_CELLS / (high - low)), _CELLS - 1).astype(np.int64)
    count = np.bincount(place, minlength=_CELLS)
    total = np.bincount(place, expit(odds), _CELLS)[count > 0]
    count = count[count > 0].astype(np.float64)
    return total / count, count


def _check(p: Values) -> None:
    if not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise InputError(
            "The probabilities are none, or not all between 0 and 1",
            "Leave out rows that could not be scored",
        )
