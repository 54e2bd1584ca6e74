# pyright: standard
"""A smooth surface that only rises: completeness against Einstein radius and signal to noise.

    completeness = ceiling / (1 + exp(-(a + b ln x + c ln S + ...))),   b, c >= 0

with the Einstein radius x in widths of the PSF and the signal to noise S of the arcs. The ceiling
is what the finder misses of the clearest arcs, the lapse rate of psychometric functions.

References:
    Wichmann & Hill 2001, Perception & Psychophysics 63, 1293, section 1 (logistic with lapses).
    Gelman et al. 2008, Ann. Appl. Stat. 2, 1360 (weak priors keep a logistic fit finite).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy import optimize

CEILING_CENTER, CEILING_SPREAD = 4.0, 1.5
"""The prior of the logit of the ceiling: 0.98, and hardly ever below 0.5 unless the data say it."""
SLOPE_SPREAD = 10.0
"""That of a slope by a factor e: a detector that is a step gets a steep slope, not an endless one."""
RISING = 2
"""The first terms, radius and signal to noise, only rise; others may fall."""
_TINY = 1e-12

Terms = Float64[np.ndarray, "n term"]
Row = Float64[np.ndarray, " n"]
Coefficients = Float64[np.ndarray, " coefficient"]


def evaluate_surface(coefficients: Coefficients, terms: Terms) -> Row:
    """Return the completeness at some terms, in [0, 1].

    Args:
        coefficients: Offset, a slope for each term, and the logit of the ceiling.
        terms: Centered, the logarithms of radius and signal to noise first.
    """
    rise = _sigmoid(coefficients[0] + terms @ coefficients[1:-1])
    return rise * _sigmoid(coefficients[-1])


def fit_surface(
    terms: Terms, found: Row, counts: Row, start: Coefficients | None = None
) -> Coefficients:
    """Return the most probable coefficients, those of the first terms 0 or more.

    Args:
        terms: Of each trial, centered.
        found: 1 where the finder found it, else 0.
        counts: How often each trial counts.
        start: Where to begin; another fit of nearly the same trials.
    """
    if start is None:
        share = np.clip(np.average(found, weights=counts), 0.02, 0.98)
        slopes = np.zeros(terms.shape[1])
        slopes[:RISING] = 1.0
        start = np.concatenate(([np.log(share / (1 - share))], slopes, [CEILING_CENTER]))
    bounds = [(None, None)]
    bounds += [(0.0 if k < RISING else None, None) for k in range(terms.shape[1])]
    bounds += [(-6.0, 12.0)]
    fitted = optimize.minimize(
        _loss, start, args=(terms, found, counts), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 500},
    )  # fmt: skip
    return np.asarray(fitted.x, np.float64)


def log_likelihood(coefficients: Coefficients, terms: Terms, found: Row) -> float:
    """Return the natural logarithm of the chance of what was found."""
    p = np.clip(evaluate_surface(coefficients, terms), _TINY, 1 - _TINY)
    return float((found * np.log(p) + (1 - found) * np.log1p(-p)).sum())


def _loss(
    x: Coefficients, terms: Terms, found: Row, counts: Row
) -> tuple[float, Float64[np.ndarray, " coefficient"]]:
    """Return the negative logarithm of the posterior, and its gradient."""
    rise, ceiling = _sigmoid(x[0] + terms @ x[1:-1]), _sigmoid(x[-1])
    p = np.clip(rise * ceiling, _TINY, 1 - _TINY)
    value = -(counts * (found * np.log(p) + (1 - found) * np.log1p(-p))).sum()
    by_p = counts * (found - (1 - found) * p / (1 - p))  # p times the slope of the likelihood
    by_offset = by_p * (1 - rise)
    gradient = -np.concatenate(
        ([by_offset.sum()], terms.T @ by_offset, [(by_p * (1 - ceiling)).sum()])
    )
    slopes, lapse = x[1:-1] / SLOPE_SPREAD, (x[-1] - CEILING_CENTER) / CEILING_SPREAD
    value += 0.5 * ((slopes**2).sum() + lapse**2)
    gradient[1:-1] += slopes / SLOPE_SPREAD
    gradient[-1] += lapse / CEILING_SPREAD
    return float(value), gradient


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x)))
