"""Sets of classes that hold the true one as often as was asked: split conformal, class by class.

A class is in the set of an object if its probability is not among the smallest that calibration
rows of this very class were given. As each class has a threshold of its own, the promise holds
within every class, and so at any share of lenses.

References:
    Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World, section 4.5.
    Sadinle, Lei & Wasserman 2019, J. Am. Stat. Assoc. 114, 223, section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skysieve.core.errors import InputError
from skysieve.measure.intervals import LEVEL, wilson

KEPT = 1000
"""How many of a class's calibration rows a bundle keeps, at most."""

Sets = Bool[np.ndarray, "n class"]


def kept_ranks(n: int, most: int = KEPT) -> Int64[np.ndarray, " k"]:
    """Return which of ``n`` ordered numbers to keep, from 1: all, or densest among the smallest.

    The first and the last are always kept; neighbors differ by a constant factor, so that the
    share of rows below a threshold is known to ln(n) / most of itself.
    """
    if n <= most:
        return np.arange(1, n + 1)
    return np.unique(np.round(np.geomspace(1, n, most)).astype(np.int64))


def threshold_rank(n: int, confidence: float) -> int:
    """Return which of a class's ``n`` probabilities, in rising order from 1, is the threshold.

    The true class of a new object lies below the k-th of n exchangeable rows with a chance of
    at most k / (n + 1). 0 means that so few rows cannot give the confidence: every object's set
    then holds the class.

    Raises:
        InputError: The confidence does not lie between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise InputError(f"The confidence is {confidence}", "Give a share such as 0.9")
    return n + 1 - math.ceil((n + 1) * confidence - 1e-9)  # 0.9 of 10 is 9, whatever the last bit


def prediction_sets(
    p: Float64[np.ndarray, "n class"], thresholds: Float64[np.ndarray, " class"]
) -> Sets:
    """Return which classes are in each row's set; none where a probability is NaN.

    Args:
        p: Probabilities of the classes, in [0, 1].
        thresholds: Of each class, from which it is in the set.
    """
    return p >= thresholds


@dataclass(frozen=True, kw_only=True)
class Covered:
    """How often sets held the true class.

    Args:
        name: Of the class, or ``all``.
        value: The share of its rows.
        low: Lower end of the Wilson interval.
        high: Upper end of it.
        n: Rows.
        confidence: What was asked for.
        level: Of the interval.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    confidence: float
    level: float = LEVEL
    method: str = "wilson"

    def as_json(self) -> dict[str, Any]:
        """Return it with None for a share of no rows."""
        return {**vars(self), "value": self.value if self.n else None}


def measure_coverage(
    sets: Sets, truth: Int64[np.ndarray, " n"], classes: Sequence[str], confidence: float
) -> tuple[Covered, ...]:
    """Return how often the sets hold the true class: of each class, then of all rows.

    Args:
        sets: Which classes are in the set of each row.
        truth: Their classes.
        classes: The names of these.
        confidence: What the sets were made for.

    Raises:
        InputError: A truth is none of the classes, or the rows do not match.
    """
    if len(truth) != len(sets) or sets.shape[1] != len(classes):
        raise InputError(f"{len(truth)} classes for sets of {sets.shape} and {len(classes)} names")
    if len(truth) and not (truth.min() >= 0 and truth.max() < len(classes)):
        raise InputError("A true class is none of the classes of the sets")
    held = sets[np.arange(len(truth)), truth]
    parts = [(name, held[truth == k]) for k, name in enumerate(classes)] + [("all", held)]
    return tuple(_covered(name, part, confidence) for name, part in parts)


def _covered(name: str, held: Bool[np.ndarray, " m"], confidence: float) -> Covered:
    n, k = len(held), int(held.sum())
    low, high = wilson(k, n)
    value = k / n if n else math.nan
    return Covered(name=name, value=value, low=low, high=high, n=n, confidence=confidence)
