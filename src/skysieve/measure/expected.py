# pyright: standard
"""How many lenses to expect among the first k, and how pure they are: before anyone has looked.

The count is a sum of Bernoulli trials of unequal chances (Poisson binomial). Its interval holds two
doubts: in the chances of the draw, and in the share of lenses that the chances rest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.ticker import FuncFormatter

from skysieve.core.errors import InputError
from skysieve.core.odds import at_prior, log_odds
from skysieve.core.random import stream
from skysieve.measure.figures import BLUE, GRAY, INK, plain_axes, to_svg
from skysieve.measure.intervals import LEVEL
from skysieve.measure.plotting import plain
from skysieve.measure.rare import Values
from skysieve.measure.rates import Rate

KS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
DRAWS = 1000
_STEP, _GROUPS = 0.05, 8192
_LEAST = 1e-12


@dataclass(frozen=True, kw_only=True)
class AtBest:
    """What to expect among the first k rows.

    Args:
        k: How many are inspected.
        lenses: The expected number of lenses.
        low: Lower end of an interval for the number that will be found.
        high: Upper end.
        purity: ``lenses / k``.
        purity_low: ``low / k``.
        purity_high: ``high / k``.
    """

    k: int
    lenses: float
    low: float
    high: float
    purity: float
    purity_low: float
    purity_high: float


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What to expect of a ranking.

    Args:
        best: For each k, ascending; the last is all rows.
        n: Ranked rows.
        rate: The share of lenses that it rests on.
        rate_low: Lower end of its interval; None if somebody gave it as known.
        rate_high: Upper end.
        level: Of the intervals.
        draws: How often the sky was drawn.
        seed: What decided the draws.
    """

    best: tuple[AtBest, ...]
    n: int
    rate: float
    rate_low: float | None
    rate_high: float | None
    level: float
    draws: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Return every number with its interval, counts and method."""
        return {**asdict(self), "method": "draws of the Poisson binomial and of the rate"}


def expect(
    p: Values,
    fitted_prior: float | Values,
    rate: float | Rate,
    *,
    ks: Sequence[int] = KS,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Expected:
    """Return the number of lenses and the purity to expect among the first k rows.

    Args:
        p: Calibrated probabilities of all ranked rows, in the order of the ranking.
        fitted_prior: The fraction of positives they were calibrated at, of all or each row; of
            ``p_survey`` the prior it was made for.
        rate: The share of lenses among the rows: a number that is taken as known, or an estimate
            whose doubt is carried on.
        ks: How many are inspected; those beyond the number of rows are left out, all rows put in.
        draws: How often the sky is drawn.
        level: Of the intervals.
        seed: Decides the draws.

    Raises:
        InputError: There are no rows, a probability is none, a k is below 1, or the rate is not
            between 0 and 1 or undefined.
    """
    _check(p, ks)
    value, drawn = _rates(rate, draws)
    n = len(p)
    even = at_prior(p, fitted_prior, 0.5)
    ends = np.unique([k for k in ks if k < n] + [n])
    starts = _starts(even, ends)
    sizes = np.diff(np.append(starts, n))
    groups = np.add.reduceat(even, starts) / sizes
    rng = stream(seed, "expected")
    counts = np.stack([rng.binomial(sizes, at_prior(groups, 0.5, one)) for one in drawn])
    last = np.searchsorted(starts, ends) - 1
    total = np.cumsum(counts, axis=1)[:, last]
    tail = (1 - level) / 2
    lows, highs = np.quantile(total, (tail, 1 - tail), axis=0, method="inverted_cdf")
    means = np.cumsum(at_prior(even, 0.5, min(max(value, _LEAST), 1 - _LEAST)))[ends - 1]
    return Expected(
        best=tuple(
            AtBest(
                k=k,
                lenses=float(mean),
                low=float(low),
                high=float(high),
                purity=float(mean / k),
                purity_low=float(low / k),
                purity_high=float(high / k),
            )
            for k, mean, low, high in zip(ends.tolist(), means, lows, highs, strict=True)
        ),
        n=n,
        rate=value,
        rate_low=rate.low if isinstance(rate, Rate) else None,
        rate_high=rate.high if isinstance(rate, Rate) else None,
        level=level,
        draws=draws,
        seed=seed,
    )


def draw_expected_svg(found: Expected) -> str:
    """Return the expected number of lenses, and the purity, against the number inspected as SVG."""
    figure, axes = plain_axes("cutouts inspected, best first", "lenses among them", (5.0, 3.8))
    k = [one.k for one in found.best]
    axes.fill_between(
        k, [one.low for one in found.best], [one.high for one in found.best],
        color=BLUE, alpha=0.22, linewidth=0,
    )  # fmt: skip
    axes.plot(k, [one.lenses for one in found.best], color=BLUE, marker="o", ms=3.5, lw=1.8,
              label=f"expected, {found.level:.0%} interval")  # fmt: skip
    ends = np.array([k[0], k[-1]], float)
    axes.plot(ends, ends, color=GRAY, linestyle="--", linewidth=1, label="all of them")
    axes.plot(ends, ends * found.rate, color=GRAY, linestyle=":", linewidth=1, label="by chance")
    axes.set_xscale("log")
    axes.set_yscale("log")
    most = max(one.high for one in found.best)
    axes.set(xlim=(k[0], max(k[-1], k[0] + 1)), ylim=(0.3, 2 * max(most, 1)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(plain))
    axes.legend(loc="upper left", frameon=False, labelcolor=INK, fontsize=9)
    return to_svg(figure)


def _rates(rate: float | Rate, draws: int) -> tuple[float, Float64[np.ndarray, " d"]]:
    if isinstance(rate, Rate):
        if rate.value is None:
            raise InputError(
                f"The rate of lenses is not known: {rate.why}", "Give one with --prior"
            )
        return rate.value, np.clip(np.resize(rate.draws, draws), _LEAST, 1 - _LEAST)
    if not 0 < rate < 1:
        raise InputError(f"The rate of lenses is {rate}", "Give a share between 0 and 1")
    return rate, np.full(draws, rate)


def _starts(
    even: Float64[np.ndarray, " n"], ends: Int64[np.ndarray, " k"]
) -> Int64[np.ndarray, " group"]:
    """Return where groups of rows begin: at every k, and where the odds have changed by 5 %."""
    steps = np.floor(log_odds(even) / _STEP)
    changes = np.flatnonzero(np.diff(steps)) + 1
    if len(changes) > _GROUPS:  # a ranking of several stages may go up and down
        changes = changes[np.linspace(0, len(changes) - 1, _GROUPS).astype(np.int64)]
    return np.unique(np.concatenate([[0], changes, ends[:-1]])).astype(np.int64)


def _check(p: Values, ks: Sequence[int]) -> None:
    if not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise InputError(
            "The probabilities are none, or not all between 0 and 1",
            "Leave out rows that could not be scored",
        )
    if any(k < 1 for k in ks):
        raise InputError(f"{min(ks)} rows cannot be inspected", "Give a number from 1 on")
