"""Probabilities as odds: what they become where another fraction of the objects is positive."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

Vector = Float64[np.ndarray, " n"]
Values = Float[np.ndarray, " n"]
MOST_LOG_ODDS = 34.0
"""Beyond this a probability in double precision is 0 or 1 and says nothing more."""


def at_prior(p: Values, fitted_prior: float | Values, prior: float) -> Vector:
    """Return probabilities for a sky where another fraction of the objects is positive.

    Args:
        p: Calibrated at ``fitted_prior``, in [0, 1]; NaN stays NaN.
        fitted_prior: The fraction of positives the calibration was fitted at, in (0, 1).
        prior: The fraction of positives expected now, in (0, 1).

    References:
        Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21, eq. 2.4.
    """
    positive = p * (prior / fitted_prior)
    negative = (1 - p) * ((1 - prior) / (1 - fitted_prior))
    return np.asarray(positive / (positive + negative), np.float64)


def log_odds(p: Values) -> Vector:
    """Return the log odds of probabilities, at most 34 in size: finite also at 0 and 1."""
    with np.errstate(divide="ignore"):
        found = np.log(p, dtype=np.float64) - np.log1p(-p, dtype=np.float64)
    return np.clip(found, -MOST_LOG_ODDS, MOST_LOG_ODDS)
