"""A smooth surface that only rises: completeness against Einstein radius and signal to noise.

    completeness = ceiling(x) / (1 + exp(-(a + b ln x + c ln S + ...))),   b, c >= 0
    ceiling(x) = 1 / (1 + exp(-(d + e ln x))),   e >= 0

with the Einstein radius x in widths of the PSF and the signal to noise S of the arcs. The ceiling
is what is found of the clearest arcs of a radius, one less the lapse rate of psychometric functions:
arcs that the PSF blends with their lens are missed however bright they are.

References:
    Wichmann & Hill 2001, Perception & Psychophysics 63, 1293, section 1 (logistic with lapses).
    Gelman et al. 2008, Ann. Appl. Stat. 2, 1360 (weak priors keep a logistic fit finite).
    Bertsekas 1982, SIAM J. Control Optim. 20, 221 (Newton steps with bounds).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

NAMES_BEFORE, NAMES_AFTER = ("offset",), ("ceiling_logit", "ceiling_slope")
"""The coefficients before and after those of the terms."""
CEILING = 0
"""The term that the ceiling rises with: the radius."""
RISING = 2
"""The first terms, radius and signal to noise, only rise; others may fall."""
_PRIOR_OFFSET, _PRIOR_SLOPE = (0.0, 100.0), (0.0, 10.0)
_PRIOR_CEILING, _PRIOR_CEILING_SLOPE = (4.0, 1.5), (0.0, 2.0)
"""Center and spread: a ceiling about 0.98, hardly below 0.5 unless the data say it; a detector that
is a step gets a steep slope, not an endless one."""
_TINY = 1e-12
_STEPS, _HALVINGS, _SETTLED = 200, 30, 1e-9

Terms = Float64[np.ndarray, "n term"]
Row = Float64[np.ndarray, " n"]
Coefficients = Float64[np.ndarray, " coefficient"]


def evaluate_surface(coefficients: Coefficients, terms: Terms) -> Row:
    """Return the completeness at some terms, in [0, 1].

    Args:
        coefficients: Offset, a slope for each term, logit and slope of the ceiling.
        terms: Centered, the logarithms of radius and signal to noise first.
    """
    rise, ceiling = _parts(coefficients, terms)
    return rise * ceiling


def fit_surface(
    terms: Terms, found: Row, counts: Row, start: Coefficients | None = None
) -> Coefficients:
    """Return the most probable coefficients; those that only rise are 0 or more.

    Args:
        terms: Of each trial, centered.
        found: 1 where the finder found it, else 0.
        counts: How often each trial counts.
        start: Where to begin; another fit of nearly the same trials.
    """
    n = terms.shape[1]
    center, spread = (
        np.array([offset, *[slope] * n, ceiling, steeper])
        for offset, slope, ceiling, steeper in zip(
            _PRIOR_OFFSET, _PRIOR_SLOPE, _PRIOR_CEILING, _PRIOR_CEILING_SLOPE, strict=True
        )
    )
    bounded = np.zeros(n + 3, bool)
    bounded[1 : 1 + RISING] = bounded[-1] = True
    x = _first(terms, found, counts) if start is None else start
    value, slope, curve = _loss(x, terms, found, counts, center, spread)
    for _ in range(_STEPS):
        free = ~(bounded & (x <= 0) & (slope > 0))
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(curve[np.ix_(free, free)], -slope[free])
        before, scale = value, 1.0
        for _ in range(_HALVINGS):
            tried = np.where(bounded, np.maximum(x + scale * step, 0), x + scale * step)
            value, slope, curve = _loss(tried, terms, found, counts, center, spread)
            if value <= before:
                break
            scale /= 2
        else:  # rounding alone is left
            return x
        x = tried
        if before - value < _SETTLED * (1 + abs(value)):
            break
    return x


def _first(terms: Terms, found: Row, counts: Row) -> Coefficients:
    share = float(np.clip(np.average(found, weights=counts), 0.02, 0.98))
    x = np.zeros(terms.shape[1] + 3)
    x[0], x[1 : 1 + RISING], x[-2] = np.log(share / (1 - share)), 1.0, _PRIOR_CEILING[0]
    return x


def _loss(
    x: Coefficients,
    terms: Terms,
    found: Row,
    counts: Row,
    center: Coefficients,
    spread: Coefficients,
) -> tuple[float, Coefficients, Float64[np.ndarray, "coefficient coefficient"]]:
    """Return the negative logarithm of the posterior, its gradient, and the expected curvature."""
    rise, ceiling = _parts(x, terms)
    p = np.clip(rise * ceiling, _TINY, 1 - _TINY)
    by_rise, by_ceiling = (1 - rise)[:, None], (1 - ceiling)[:, None]
    # Of ln p by each coefficient.
    slopes = np.concatenate(
        [by_rise, by_rise * terms, by_ceiling, by_ceiling * terms[:, CEILING, None]], axis=1
    )
    odds = p / (1 - p)
    value = -(counts * (found * np.log(p) + (1 - found) * np.log1p(-p))).sum()
    gradient = -(slopes.T @ (counts * (found - (1 - found) * odds)))
    curve = slopes.T @ (slopes * (counts * odds)[:, None])
    away = (x - center) / spread
    value += 0.5 * (away**2).sum()
    return float(value), gradient + away / spread, curve + np.diag(spread**-2.0)


def _parts(x: Coefficients, terms: Terms) -> tuple[Row, Row]:
    return _sigmoid(x[0] + terms @ x[1:-2]), _sigmoid(x[-2] + x[-1] * terms[:, CEILING])


def _sigmoid(x: Row) -> Row:
    return 0.5 * (1 + np.tanh(0.5 * x))
