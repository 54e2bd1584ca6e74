"""Weighing anew what a finder says and sees, by labeled rows and a prior about what it said before.

References:
    MacKay 1992, Neural Computation 4, 720, sections 2 to 4 (evidence of a logistic regression).
    Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, section 3.4 (Laplace).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64
from scipy.linalg import cho_factor
from scipy.optimize import minimize
from scipy.special import expit, softmax

from skysieve.recipe.finetune import FinetuneRecipe

LEAST_SLOPE = 0.05
"""Of the finder's own log odds: below, a calibration would turn its ranking around."""
_DEADEST = 0.05  # of the mean spread of features: what a feature is divided by, at least

Features = Float64[np.ndarray, "n feature"]
Odds = Float64[np.ndarray, " n"]
Positive = Bool[np.ndarray, " n"]


class Weighing(NamedTuple):
    """New log odds of old ones and of features.

    Args:
        slope: Of the old log odds.
        offset: Added.
        weights: Of the features.
    """

    slope: float
    offset: float
    weights: Float64[np.ndarray, " feature"]

    def __call__(self, features: Features, log_odds: Odds) -> Odds:
        """Return the new log odds of rows."""
        return self.slope * log_odds + self.offset + features @ self.weights


def weigh(
    features: Features, log_odds: Odds, positive: Positive, recipe: FinetuneRecipe
) -> Weighing:
    """Return the likeliest weighing under each width of the prior, averaged by their evidence.

    Args:
        features: Of labeled rows.
        log_odds: What the finder says of them.
        positive: Whether they are of the class that is looked for.
        recipe: The prior.
    """
    middle, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.maximum(spread, max(_DEADEST * float(spread.mean()), 1e-9))
    # Directions in which the rows differ: as many as there are rows, at most.
    scaled = (features - middle) / (spread * np.sqrt(features.shape[1]))
    left, sizes, directions = np.linalg.svd(scaled, full_matrices=False)
    seen = left * sizes
    center = float(log_odds.mean())
    line = [recipe.slope_width * (log_odds - center), np.full(len(log_odds), recipe.offset_width)]
    found = [
        _fit(np.column_stack([width * seen, *line]), log_odds, positive) for width in recipe.widths
    ]
    shares = softmax([evidence for _, evidence in found])
    along = np.tensordot(shares * np.array(recipe.widths), [answer[:-2] for answer, _ in found], 1)
    tilt, moved = np.tensordot(shares, [answer[-2:] for answer, _ in found], 1)
    weights = (along @ directions) / (spread * np.sqrt(features.shape[1]))
    return Weighing(
        slope=float(1 + recipe.slope_width * tilt),
        offset=float(
            recipe.offset_width * moved - recipe.slope_width * tilt * center - middle @ weights
        ),
        weights=weights,
    )


def recalibrate(log_odds: Odds, positive: Positive, recipe: FinetuneRecipe) -> tuple[float, float]:
    """Return slope and offset that make log odds those of labeled rows, with the same prior.

    The slope is ``LEAST_SLOPE`` or more.
    """
    center = float(log_odds.mean())
    line = [recipe.slope_width * (log_odds - center), np.full(len(log_odds), recipe.offset_width)]
    (tilt, moved), _ = _fit(np.column_stack(line), log_odds, positive)
    slope = max(1 + recipe.slope_width * float(tilt), LEAST_SLOPE)
    return slope, recipe.offset_width * float(moved) - (slope - 1) * center


def _fit(
    columns: Float64[np.ndarray, "n column"], start: Sequence[float] | Odds, positive: Positive
) -> tuple[Float64[np.ndarray, " column"], float]:
    """Return the likeliest weights of columns, of unit normal prior, and the log evidence."""
    begin, sign = np.asarray(start), np.where(positive, 1.0, -1.0)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        said = begin + columns @ x
        value = np.logaddexp(0, -sign * said).sum() + x @ x / 2
        return float(value), columns.T @ (expit(said) - positive) + x

    answer = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B",
                      options={"maxiter": 2000}).x  # fmt: skip
    p = expit(begin + columns @ answer)
    curvature = np.eye(len(answer)) + (columns * (p * (1 - p))[:, None]).T @ columns
    factor, _ = cho_factor(curvature, lower=True)
    return answer, -loss(answer)[0] - float(np.log(np.diag(factor)).sum())
