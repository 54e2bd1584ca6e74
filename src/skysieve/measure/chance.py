# pyright: standard
"""Probabilities of counts; scipy says little of its types: this file is where they get some.

References:
    Johnson, Kemp & Kotz 2005, Univariate Discrete Distributions, chapter 6 (hypergeometric).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from scipy import special


def few_chosen(
    most: int, chosen: int, all_: int, marked: Int64[np.ndarray, " g"]
) -> Float64[np.ndarray, " g"]:
    """Return the chance that at most so many of the chosen are marked.

    Args:
        most: How many may be.
        chosen: How many are drawn, without replacement.
        all_: Of how many.
        marked: How many of these are marked.
    """
    total = np.zeros(len(marked))
    for i in range(most + 1):
        can = (i <= marked) & (chosen - i <= all_ - marked)
        r = np.where(can, marked, i)
        rest = np.where(can, all_ - marked, chosen - i)
        log = _log_choose(r, i) + _log_choose(rest, chosen - i) - _log_choose(all_, chosen)
        total += np.where(can, np.exp(log), 0)
    return np.minimum(total, 1)


def rank_beyond(before: int, n: int, share: Float64[np.ndarray, "*g"]) -> Float64[np.ndarray, "*g"]:
    """Return the chance that at most ``before`` of ``n`` independent rows fall into a share."""
    return special.betaincc(before + 1, n - before, np.clip(share, 0, 1))


def _log_choose(n: Int64[np.ndarray, "*g"] | int, k: int) -> Float64[np.ndarray, "*g"] | float:
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
