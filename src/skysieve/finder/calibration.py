"""Calibration: what a network's logit means as a probability, and at which prior."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit, logsumexp, softmax

from skysieve.core.odds import at_prior

__all__ = [
    "Beta",
    "Calibration",
    "FieldSize",
    "Isotonic",
    "Platt",
    "Temperature",
    "at_prior",
    "margin",
    "spread",
]

Vector = Float64[np.ndarray, " n"]
Prior = Annotated[float, Field(gt=0, lt=1)]
MOST_KNOTS = 200


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
    prior: Prior = 0.5

    def __call__(self, margin: Vector) -> Vector:
        """Return the probability of the positive class for each margin."""
        return expit(self.slope * margin + self.offset)


class Temperature(BaseModel):
    """The margin over a temperature: sharper or softer, but even at margin 0 as the network says.

    Args:
        temperature: Above 1 softens.
        prior: The fraction of positives among the rows it was fitted on.

    References:
        Guo et al. 2017, ICML 70, 1321, section 4.2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0)
    prior: Prior = 0.5

    def __call__(self, margin: Vector) -> Vector:
        """Return the probability of the positive class for each margin."""
        return expit(margin / self.temperature)


class Beta(BaseModel):
    """A line on either side of margin 0, smoothly joined: the likelihood ratio of two beta laws.

    Args:
        a: How much a unit of margin adds to the log odds far below 0.
        b: The same far above 0.
        c: Added to the log odds.
        prior: The fraction of positives among the rows it was fitted on.

    References:
        Kull, Silva Filho & Flach 2017, AISTATS (PMLR 54), 623, equation 3; with s the logistic of
        the margin. Neither slope may be 0 here, so that ties do not come up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["beta"] = "beta"
    a: float = Field(gt=0)
    b: float = Field(gt=0)
    c: float = 0.0
    prior: Prior = 0.5

    def __call__(self, margin: Vector) -> Vector:
        """Return the probability of the positive class for each margin."""
        below, above = -np.logaddexp(0, -margin), np.logaddexp(0, margin)  # ln s and -ln(1 - s)
        return expit(self.a * below + self.b * above + self.c)


class Isotonic(BaseModel):
    """The log odds on a rising line through knots: any shape, but the ranking stays.

    A step function would tie all rows of a step; here rows between two knots lie between them, and
    those beyond the ends on lines of the slope that Platt's would have.

    Args:
        margins: Of the knots, rising.
        log_odds: At the knots, rising.
        slope: How much a unit of margin adds to the log odds beyond the first and last knot.
        prior: The fraction of positives among the rows it was fitted on.

    References:
        Zadrozny & Elkan 2002, KDD, 694 (isotonic regression of scores).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["isotonic"] = "isotonic"
    margins: tuple[float, ...] = Field(min_length=1, max_length=MOST_KNOTS)
    log_odds: tuple[float, ...]
    slope: float = Field(gt=0)
    prior: Prior = 0.5

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if len(self.margins) != len(self.log_odds):
            raise ValueError("a knot has a margin and log odds")
        if any((np.diff(values) <= 0).any() for values in (self.margins, self.log_odds)):
            raise ValueError("the knots do not rise")
        return self

    def __call__(self, margin: Vector) -> Vector:
        """Return the probability of the positive class for each margin."""
        knots = np.array(self.margins)
        within = np.interp(margin, knots, np.array(self.log_odds))
        beyond = margin - np.clip(margin, knots[0], knots[-1])
        return expit(within + self.slope * beyond)


Calibration = Annotated[Platt | Temperature | Isotonic | Beta, Field(discriminator="kind")]
"""From the margin to the probability of the positive class; each rises, so that a ranking stays."""


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
