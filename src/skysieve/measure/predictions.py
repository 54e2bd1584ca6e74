"""What a classifier says of rows whose class is known, and drawing such rows again.

References:
    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 (units that are drawn
        together) and 13.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from skysieve.core.errors import InputError
from skysieve.core.random import stream

Weights = Int64[np.ndarray, " n"]
"""How often each row was drawn."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """True classes and predicted probabilities, row by row.

    Args:
        truth: The number of each row's class.
        probabilities: Of each class, in [0, 1].
        classes: Their names, in the order of the numbers.
        positive: The class that is looked for.
        groups: Rows of one number are not independent of each other and are drawn together; None
            if all are.

    Raises:
        InputError: The fields do not fit together, a class has no row, or a probability is none.
    """

    truth: Int64[np.ndarray, " n"]
    probabilities: Float64[np.ndarray, "n class"]
    classes: tuple[str, ...]
    positive: str
    groups: Int64[np.ndarray, " _"] | None = None

    def __post_init__(self) -> None:
        n, k = len(self.truth), len(self.classes)
        if k < 2 or len(set(self.classes)) != k:
            raise InputError(f"The classes are {self.classes}", "Give two or more different names")
        if self.probabilities.shape != (n, k):
            raise InputError(f"Probabilities have shape {self.probabilities.shape}", f"Give {n, k}")
        if self.groups is not None and len(self.groups) != n:
            raise InputError(f"There are {n} rows but {len(self.groups)} groups", "Give one each")
        if self.positive not in self.classes:
            raise InputError(f"The positive class {self.positive!r} is none of {self.classes}")
        if n and not 0 <= self.truth.min() <= self.truth.max() < k:
            raise InputError("A true class has no name", f"Give numbers from 0 to {k - 1}")
        p = self.probabilities
        if not (np.isfinite(p) & (p >= 0) & (p <= 1)).all():
            raise InputError(
                "A probability does not lie in [0, 1]", "Leave out rows that could not be scored"
            )
        if absent := [self.classes[c] for c in range(k) if not (self.truth == c).any()]:
            raise InputError(
                f"No row is of the class {', '.join(absent)}", "Give rows of every class"
            )

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def counts(self) -> Int64[np.ndarray, " class"]:
        """Rows of each class."""
        return np.bincount(self.truth, minlength=len(self.classes)).astype(np.int64)

    @property
    def positive_index(self) -> int:
        """The number of the class that is looked for."""
        return self.classes.index(self.positive)

    @property
    def independent(self) -> Int64[np.ndarray, " class"]:
        """Rows of each class, or where rows come in groups the groups with such a row."""
        if self.groups is None:
            return self.counts
        pairs = np.unique(np.stack([self.truth, self.groups]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.classes)).astype(np.int64)

    @cached_property
    def predicted(self) -> Int64[np.ndarray, " n"]:
        """The most probable class of each row; of equals the first."""
        return self.probabilities.argmax(axis=1).astype(np.int64)


def draw_weights(
    truth: Int64[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"] | None,
    *,
    resamples: int,
    seed: int,
) -> Iterator[Weights]:
    """Yield how often each row is drawn when as many are drawn with replacement.

    Rows are drawn within their class, so every resample has as many of each. Groups are drawn
    whole, among the groups that hold the same classes: a pair of a lens and its control stays one,
    and no class is ever without a row.

    Args:
        truth: The number of each row's class.
        groups: Rows of one number are drawn together; None draws single rows.
        resamples: How many times.
        seed: Decides all of them.
    """
    unit, strata = _strata(truth, groups)
    rng = stream(seed, "bootstrap")
    hits = np.zeros(sum(map(len, strata)), np.int64)
    for _ in range(resamples):
        for members in strata:
            drawn = rng.integers(0, len(members), len(members))
            hits[members] = np.bincount(drawn, minlength=len(members))
        yield hits[unit]


def _strata(
    truth: Int64[np.ndarray, " n"], groups: Int64[np.ndarray, " n"] | None
) -> tuple[Int64[np.ndarray, " n"], list[Int64[np.ndarray, " _"]]]:
    """Return the unit of each row, and the units that may stand for each other."""
    if groups is None:
        strata = [np.flatnonzero(truth == c) for c in np.unique(truth)]
        return np.arange(len(truth)), strata
    _, unit = np.unique(groups, return_inverse=True)
    unit = unit.reshape(-1).astype(np.int64)
    holds = np.zeros((int(unit.max()) + 1, int(truth.max()) + 1), bool)
    holds[unit, truth] = True
    _, kind = np.unique(holds, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    return unit, [np.flatnonzero(kind == k) for k in range(int(kind.max()) + 1)]
