"""What a bundle keeps of its calibration rows, to say how far a new row can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import BaseModel, ConfigDict, Field, model_validator

from skysieve.core.errors import InputError
from skysieve.measure.conformal import Sets, kept_ranks, prediction_sets, threshold_rank

UNUSUAL = 0.001
"""A row that looks stranger than all but this share of calibration rows is flagged."""
FLAG = "unusual"
LEAST_ROWS = 40
"""Calibration rows below which nothing can be said of how strange a row looks."""
_TAIL, _LEAST_TAIL, _STEEPEST = 0.02, 10, 200.0
_KEPT = 300

Vector = Float64[np.ndarray, " n"]


class ClassSample(BaseModel):
    """What calibration rows of one class were given as the probability of this class.

    Args:
        count: How many rows.
        ranks: Which of their probabilities are kept: places in rising order, from 1.
        values: These probabilities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    count: int = Field(ge=0)
    ranks: tuple[int, ...]
    values: tuple[float, ...]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ranks, values = np.array(self.ranks), np.array(self.values)
        if len(ranks) != len(values) or (np.diff(ranks) < 1).any() or (np.diff(values) < 0).any():
            raise ValueError("ranks and values must match and rise")
        if len(ranks) and not (ranks[0] == 1 and ranks[-1] == self.count):
            raise ValueError("the first and the last of the rows must be kept")
        if bool(len(ranks)) != bool(self.count):
            raise ValueError("rows are counted but none is kept")
        return self

    def threshold(self, confidence: float) -> float:
        """Return the probability from which the class is in a set; 0 if there are too few rows."""
        wanted = threshold_rank(self.count, confidence)
        place = int(np.searchsorted(self.ranks, wanted, side="right")) - 1
        return self.values[place] if place >= 0 else 0.0


class Conformal(BaseModel):
    """What makes sets of classes of probabilities.

    Args:
        samples: Of each class, in the order of the logits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: tuple[ClassSample, ...] = Field(min_length=2)

    def sets(self, p: Float64[np.ndarray, "n class"], confidence: float) -> Sets:
        """Return which classes are in the set of each row.

        Args:
            p: Probabilities as the finder gives them, at the prior of its calibration.
            confidence: How often the true class is to be in the set, in (0, 1).

        Raises:
            InputError: The confidence does not lie between 0 and 1.
        """
        return prediction_sets(p, np.array([one.threshold(confidence) for one in self.samples]))


def fit_conformal(p: Float64[np.ndarray, "n class"], truth: Int64[np.ndarray, " n"]) -> Conformal:
    """Return what is kept of calibration rows to make sets of classes.

    Args:
        p: Probabilities that the whole sieve gives them.
        truth: Their classes.

    Raises:
        InputError: A probability is not finite.
    """
    if not np.isfinite(p).all():
        raise InputError("A calibration row has no probability", "Leave out rows without a score")
    samples = []
    for k in range(p.shape[1]):
        said = np.sort(p[truth == k, k])
        ranks = kept_ranks(len(said))
        samples.append(
            ClassSample(count=len(said), ranks=ranks.tolist(), values=said[ranks - 1].tolist())
        )
    return Conformal(samples=tuple(samples))


def name_sets(sets: Sets, classes: Sequence[str], positive: int) -> list[str]:
    """Return the names in each set, joined by ``|``, the positive class first; "" if there is none."""
    order = [positive, *(k for k in range(len(classes)) if k != positive)]
    return ["|".join(classes[k] for k in order if row[k]) for row in sets]


class Strangeness(BaseModel):
    """How strange calibration rows look to a stage, and so how many look stranger than a new row.

    Up to its last value it is the share of rows itself, between two kept rows on a straight line
    of its logarithm. Beyond, where rows are few, it goes on as a power law.

    Args:
        count: How many rows.
        values: Kept distances, rising.
        shares: The share of rows that look at least so strange, falling.
        tail_index: The power of the law beyond the last value.

    References:
        Hill 1975, Ann. Stat. 3, 1163: the index of the tail.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    count: int = Field(ge=LEAST_ROWS)
    values: tuple[float, ...] = Field(min_length=2)
    shares: tuple[float, ...] = Field(min_length=2)
    tail_index: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        values, shares = np.array(self.values), np.array(self.shares)
        if len(values) != len(shares) or (np.diff(values) < 0).any() or values[-1] <= 0:
            raise ValueError("values and shares must match, and values must rise")
        if (np.diff(shares) >= 0).any() or not (shares[-1] > 0 and shares[0] <= 1):
            raise ValueError("shares must fall within (0, 1]")
        return self

    def __call__(self, strangeness: Vector) -> Vector:
        """Return the share of calibration rows that look stranger, in [0, 1]; NaN stays NaN."""
        last = self.values[-1]
        within = np.exp(np.interp(strangeness, self.values, np.log(self.shares)))
        within = np.where(strangeness < self.values[0], 1.0, within)
        with np.errstate(over="ignore"):
            beyond = self.shares[-1] * (np.maximum(strangeness, last) / last) ** -self.tail_index
        return np.where(strangeness > last, beyond, within)


def fit_strangeness(found: Vector) -> Strangeness:
    """Return what is kept of how strange calibration rows look.

    Args:
        found: Their distances, 0 or more.

    Raises:
        InputError: A distance is not finite, or there are too few.
    """
    if len(found) < LEAST_ROWS or not np.isfinite(found).all():
        raise InputError(
            f"{len(found)} calibration rows, some perhaps without a distance",
            f"Give at least {LEAST_ROWS}",
        )
    falling = np.maximum(np.sort(found)[::-1], 1e-12)
    n = len(falling)
    tail = max(round(n * _TAIL), _LEAST_TAIL)
    # The place of the tail's threshold and those above it that are kept, in falling order.
    ranks = kept_ranks(n, _KEPT)
    ranks = np.append(tail + 1, ranks[ranks > tail + 1])
    above = np.log(falling[:tail] / falling[tail]).mean()
    return Strangeness(
        count=n,
        values=falling[ranks - 1][::-1].tolist(),
        shares=(ranks / (n + 1))[::-1].tolist(),
        tail_index=min(1 / max(float(above), 1e-9), _STEEPEST),
    )
