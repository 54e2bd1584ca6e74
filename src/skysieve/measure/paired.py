# pyright: standard
"""Whether two finders differ, when both saw the same rows.

scipy says little of its types: this file is where its tests get some.

References:
    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 13 and 15.
    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44, 837 (the variance of correlated AUCs).
    Sun & Xu 2014, IEEE Signal Processing Letters 21, 1389 (the same from mid-ranks).
    McNemar 1947, Psychometrika 12, 153, in its exact binomial form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from scipy import stats

from skysieve.core.errors import InputError, MismatchError
from skysieve.measure.classification import RESAMPLES, Scorer
from skysieve.measure.intervals import LEVEL
from skysieve.measure.predictions import Predictions, draw_weights
from skysieve.measure.rare import Truth, Values


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much more the second finder reaches than the first.

    Args:
        value: The measure of the second less that of the first.
        low: Lower end of the interval.
        high: Upper end of the interval.
        p_value: Two-sided chance of such a difference or a larger one between equals; None if
            nothing in the rows tells.
        level: Chance that such an interval holds the true difference.
        method: How interval and chance were found.
    """

    value: float
    low: float
    high: float
    p_value: float | None
    level: float
    method: Literal["bootstrap", "delong"]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """How often only one of two finders is right, by McNemar's exact test.

    Args:
        only_first: Rows that only the first gets right.
        only_second: Rows that only the second gets right.
        p_value: Two-sided chance of so uneven a split, or a more uneven one, between equals.
    """

    only_first: int
    only_second: int
    p_value: float


def compare(
    first: Predictions,
    second: Predictions,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[tuple[str | None, str], Difference]:
    """Return the difference of every measure, by class (None is all) and name.

    Both finders are measured on the same resamples, so that what makes rows hard for both takes
    no part. A difference of zero lies outside the interval at a level of 1 - p, so ``p_value`` is
    twice the share of resamples on the far side of zero, no less than 2 in ``resamples`` + 1.

    Args:
        first: What the first finder says.
        second: What the second says of the same rows.
        resamples: How often rows are drawn again.
        level: Of the intervals.
        seed: Decides the resamples: those of ``measure_classes`` with this seed.

    Raises:
        MismatchError: They are not about the same rows and classes.
    """
    _check_same(first, second)
    scorers = Scorer(first), Scorer(second)
    value = _gap(scorers, np.ones(len(first), np.int64))
    weights = draw_weights(first.truth, first.groups, resamples=resamples, seed=seed)
    drawn = np.stack([_gap(scorers, each) for each in weights])
    tail = (1 - level) / 2
    lows, highs = np.quantile(drawn, (tail, 1 - tail), axis=0)
    below, above = (drawn <= 0).sum(axis=0), (drawn >= 0).sum(axis=0)
    chance = np.minimum(2 * (1 + np.minimum(below, above)) / (resamples + 1), 1)
    told = scorers[0].told()
    return {
        key: Difference(
            value=float(value[m]),
            low=float(lows[m]),
            high=float(highs[m]),
            p_value=float(chance[m]),
            level=level,
            method="bootstrap",
        )
        for m, key in enumerate(scorers[0].names())
        if told[m]
    }


def compare_auc(
    labels: Truth, first: Values, second: Values, *, level: float = LEVEL
) -> Difference:
    """Return DeLong's test of the difference of two AUCs on the same, independent rows.

    Args:
        labels: 1 for a positive, 0 for a negative.
        first: Scores of the first finder; larger is more like the positive class.
        second: Scores of the second.
        level: Of the interval, which is that of a normal distribution.

    Raises:
        InputError: A class has fewer than two rows, so that no variance can be told.
    """
    positive, negative = labels == 1, labels == 0
    m, n = int(positive.sum()), int(negative.sum())
    if m < 2 or n < 2 or m + n != len(labels):
        raise InputError(
            f"There are {m} positives and {n} negatives", "Give two or more rows of each class"
        )
    of_positive, of_negative = np.empty((2, m)), np.empty((2, n))
    for k, scores in enumerate((first, second)):
        both = stats.rankdata(scores)
        # Sun & Xu eqs. 8 and 9: a row's rank among all less that within its class counts the
        # rows of the other class below it.
        of_positive[k] = (both[positive] - stats.rankdata(scores[positive])) / n
        of_negative[k] = 1 - (both[negative] - stats.rankdata(scores[negative])) / m
    value = float(np.diff(of_positive.mean(axis=1))[0])
    # The gaps first, then their variance: finders that agree give exactly 0, no rounding left.
    spread = np.diff(of_positive, axis=0).var(ddof=1) / m
    spread += np.diff(of_negative, axis=0).var(ddof=1) / n
    error = math.sqrt(float(spread))
    half = float(stats.norm.isf((1 - level) / 2)) * error
    if error > 0:
        chance = float(2 * stats.norm.sf(abs(value) / error))
    else:
        chance = 1.0 if value == 0 else None
    return Difference(
        value=value,
        low=value - half,
        high=value + half,
        p_value=chance,
        level=level,
        method="delong",
    )


def compare_right(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> Disagreement:
    """Return McNemar's exact test of two finders' accuracies on the same, independent rows.

    Args:
        first: Whether the first finder's most probable class is the true one.
        second: The same of the second.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n = only_first + only_second
    chance = float(stats.binomtest(only_first, n, 0.5).pvalue) if n else 1.0
    return Disagreement(only_first=only_first, only_second=only_second, p_value=chance)


def _gap(scorers: tuple[Scorer, Scorer], weights: np.ndarray) -> Float64[np.ndarray, " metric"]:
    return scorers[1](weights) - scorers[0](weights)


def _check_same(first: Predictions, second: Predictions) -> None:
    if first.classes != second.classes or not np.array_equal(first.truth, second.truth):
        raise MismatchError(
            "The two finders were not asked about the same rows and classes",
            "Compare them on the rows that both could score",
        )
