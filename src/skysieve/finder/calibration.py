"""Calibration: what a network's logit means as a probability, and at which prior."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, logsumexp, softmax

from skysieve.core.odds import at_prior

__all__ = ["FieldSize", "Platt", "at_prior", "margin", "spread"]

Vector = Float64[np.ndarray, " n"]


class Platt(BaseModel):
    """A straight line from the margin to the log odds.

    Args:
        slope: How much a unit of margin adds to the log odds.
        offset: The log odds at margin 0.
        prior: The fraction of positives among the rows it was fitted on.

    References:
        Platt 1999, Advances in Large Margin Classifiers, 61; with a positive slope here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["platt"] = "platt"
    slope: float = Field(default=1.0, gt=0)
    offset: float = 0.0
    prior: float = Field(default=0.5, gt=0, lt=1)

    def __call__(self, margin: Vector) -> Vector:
        """Return the probability of the positive class for each margin."""
        return expit(self.slope * margin + self.offset)


class FieldSize(BaseModel):
    """What a larger field does to the margin of the same object, taken back.

    A network that averages over its field is less sure of the same arcs in a larger one.

    Args:
        reference_side: Pixels a side of the field whose margins stay as they are.
        margin_per_doubling: What is added to the margin for each doubling of the side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    reference_side: int = Field(default=64, ge=1)
    margin_per_doubling: float = 0.0

    def __call__(self, margin: Vector, side: float) -> Vector:
        """Return the margins that the same objects would have in a field of the reference side.

        Args:
            margin: Of objects in fields of one size.
            side: Pixels a side; of a field that is no square, the root of its pixels.
        """
        return margin + self.margin_per_doubling * np.log2(side / self.reference_side)


def margin(logits: Float64[np.ndarray, "n class"], positive: int) -> Vector:
    """Return the log odds that the network itself gives to the positive class.

    It is the positive logit minus the log of the sum of exponentials of the others: with two
    classes the difference of the logits, with more what a softmax over all classes would say.
    """
    others = np.delete(logits, positive, axis=1)
    if others.shape[1] == 1:  # exactly, with no rounding by exp and log
        return logits[:, positive] - others[:, 0]
    return logits[:, positive] - logsumexp(others, axis=1)


def spread(
    p: Vector, logits: Float64[np.ndarray, "n class"], positive: int
) -> Float64[np.ndarray, "n class"]:
    """Return probabilities of all classes: ``p``, and the rest shared as the logits say."""
    probabilities = np.empty_like(logits)
    others = np.arange(logits.shape[1]) != positive
    probabilities[:, others] = softmax(logits[:, others], axis=1) * (1 - p)[:, None]
    probabilities[:, positive] = p
    return probabilities
