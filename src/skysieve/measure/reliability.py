# pyright: standard
"""Whether a probability means what it says: reliability diagram, calibration error, Brier score.

References:
    Bröcker & Smith 2007, Weather and Forecasting 22, 651 (reliability diagrams, and how far from
        the diagonal a perfectly calibrated forecast falls by chance).
    Guo et al. 2017, ICML 70, 1321, equation 3 (expected calibration error).
    Brier 1950, Monthly Weather Review 78, 1.
    Davison & Hinkley 1997, Bootstrap Methods and their Application, equation 5.6 (the basic
        interval, which takes off the excess that resampling adds).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import expit

from skysieve.core.errors import InputError
from skysieve.core.odds import at_prior, log_odds
from skysieve.core.random import stream
from skysieve.measure.intervals import LEVEL, Measured, wilson
from skysieve.measure.rare import Truth, Values

BINS = 15
RESAMPLES = 1000
HEAD = 0.1
"""From this probability on a row is of the head, which an error over all rows would hide."""
_CELLS = 600
Binning = Literal["mass", "width", "log_odds"]


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Rows of about the same probability.

    Args:
        n: How many they are.
        n_positive: How many of them are positive.
        said: Their mean probability.
        rate: The share of them that is positive.
        low: Lower end of its Wilson interval.
        high: Upper end.
    """

    n: int
    n_positive: int
    said: float
    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How far probabilities are from the frequencies they stand for.

    Args:
        measured: ``ece_mass`` and ``ece_width``, the mean distance of probability and frequency over
            15 bins of as many rows, or as wide, each; ``ece_head``, that of the rows with p of at
            least 0.1 in bins of as many rows; ``brier``, the mean squared distance of p and truth;
            ``said_over_found``, the sum of p over the number of positives. None where the rows
            do not define it.
        chance: The 97.5 % quantile of each error over rows whose truth was drawn with these very
            probabilities: less cannot be told from a perfect calibration.
        bins: The diagram, in three binnings; empty bins are left out.
    """

    measured: Mapping[str, Measured | None]
    chance: Mapping[str, float]
    bins: Mapping[Binning, tuple[Bin, ...]]

    def as_json(self) -> dict[str, Any]:
        """Return every number with its interval, counts and method; None is undefined."""
        return {
            "measured": {k: None if m is None else asdict(m) for k, m in self.measured.items()},
            "chance": dict(self.chance),
            "bins": {name: [asdict(one) for one in bins] for name, bins in self.bins.items()},
        }


def measure_reliability(
    truth: Truth, p: Values, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Reliability:
    """Return how far probabilities are from the frequencies they stand for, with intervals.

    Rows are drawn again without regard to their class, since how many positives there are is part
    of what is tested. More than 600 different probabilities are drawn in cells of a hair's breadth.

    Args:
        truth: 1 for a positive, 0 for any other; one class alone has a calibration too.
        p: The probability of each row, in [0, 1].
        resamples: How often.
        level: Of the intervals.
        seed: Decides the resamples.

    Raises:
        InputError: There are no rows, p is no probability, or a label is neither 0 nor 1.
    """
    _check(truth, p)
    cells = _Cells(truth, p)
    value = cells.errors(cells.negative[None], cells.positive[None])
    drawn = cells.errors(*cells.resampled(resamples, stream(seed, "reliability")))
    by_chance = cells.errors(*cells.calibrated(resamples, stream(seed, "reliability-chance")))
    tail = (1 - level) / 2
    measured: dict[str, Measured | None] = {}
    chance: dict[str, float] = {}
    n_positive = int(truth.sum())
    for name, found in value.items():
        again = drawn[name][np.isfinite(drawn[name])]
        if not np.isfinite(found[0]) or len(again) < 0.9 * resamples:
            measured[name] = None
            continue
        low, high = np.quantile(again, (tail, 1 - tail))
        if name.startswith("ece"):
            chance[name] = float(np.nanquantile(by_chance[name], 1 - tail))
            low, high = _ends(found[0], again, (low, high), chance[name])
        measured[name] = Measured(
            value=float(found[0]), low=float(low), high=float(high), n_positive=n_positive,
            n_negative=len(p) - n_positive, level=level, method="bootstrap",
        )  # fmt: skip
    return Reliability(
        measured=measured, chance=chance, bins={name: _bins(truth, p, name) for name in _EDGES}
    )


def _ends(
    value: float, again: Float64[np.ndarray, " d"], ends: tuple[float, float], chance: float
) -> tuple[float, float]:
    """Return the interval of a mean distance, which resampling makes too large.

    The excess of a resample over its sample is more than that of the sample over the truth where bins are
    few standard errors off, and as much where they are many: each end is the outer one of the two.
    """
    excess = float(again.mean()) - value
    low = 0.0 if value <= chance else min(2 * value - ends[1], ends[0] - 2 * excess)
    high = max(2 * value - ends[0], ends[1] - excess, value)
    return min(max(low, 0.0), value), min(high, 1.0)


def compare_priors(
    truth: Truth, p: Values, fitted_prior: float, prior: float, *, seed: int = 0
) -> dict[str, Reliability]:
    """Return the reliability of probabilities ``as_fitted`` and ``at_prior``, on the same rows.

    Args:
        truth: 1 for a positive, 0 for any other.
        p: Calibrated at ``fitted_prior``.
        fitted_prior: The fraction of positives of the calibration rows, in (0, 1).
        prior: The fraction of positives expected among these rows, in (0, 1).
        seed: Decides the resamples.
    """
    moved = at_prior(p, fitted_prior, prior)
    return {
        "as_fitted": measure_reliability(truth, p, seed=seed),
        "at_prior": measure_reliability(truth, moved, seed=seed),
    }


def _mass_edges(p: Values) -> Float64[np.ndarray, " edge"]:
    return np.quantile(p, np.arange(1, BINS) / BINS, method="inverted_cdf").astype(np.float64)


def _width_edges(p: Values) -> Float64[np.ndarray, " edge"]:  # noqa: ARG001  as its siblings
    return np.arange(1, BINS) / BINS


def _odds_edges(p: Values) -> Float64[np.ndarray, " edge"]:
    return _even_odds(p, BINS + 1)[1:-1]


def _even_odds(p: Values, n: int) -> Float64[np.ndarray, " edge"]:
    """Return probabilities from the least to the largest, at equal steps of the log odds."""
    low, high = log_odds(np.quantile(p, (0, 1)))
    return expit(np.linspace(low, high, n))


_EDGES: dict[Binning, Callable[[Values], Float64[np.ndarray, " edge"]]] = {
    "mass": _mass_edges,
    "width": _width_edges,
    "log_odds": _odds_edges,
}


def _bins(truth: Truth, p: Values, binning: Binning) -> tuple[Bin, ...]:
    place = np.searchsorted(_EDGES[binning](p), p)
    n, found, said = (
        np.bincount(place, w, BINS) for w in (None, truth.astype(float), p.astype(float))
    )
    return tuple(_bin(int(n[k]), int(found[k]), said[k] / n[k]) for k in np.flatnonzero(n))


def _bin(n: int, n_positive: int, said: float) -> Bin:
    low, high = wilson(n_positive, n)
    return Bin(
        n=n, n_positive=n_positive, said=float(said), rate=n_positive / n, low=low, high=high
    )


Counts = Int64[np.ndarray, "draw cell"]


class _Cells:
    """Rows gathered by their probability, so that a resample costs as much as there are cells."""

    def __init__(self, truth: Truth, p: Values) -> None:
        self._edges = {"ece_mass": _mass_edges(p), "ece_width": _width_edges(p)}
        head = p[p >= HEAD]
        self._edges["ece_head"] = _mass_edges(head) if len(head) else np.empty(0)
        values, place = np.unique(p, return_inverse=True)
        if len(values) > _CELLS:  # no cell lies across an edge
            every = [
                np.quantile(p, np.linspace(0, 1, _CELLS // 2)),
                _even_odds(p, _CELLS // 2),
                np.nextafter([HEAD], 0),
                *self._edges.values(),
            ]
            place = np.searchsorted(np.unique(np.concatenate(every)), p)
            _, place = np.unique(place, return_inverse=True)
        n = np.bincount(place)
        self.positive = np.bincount(place, truth).astype(np.int64)
        self.negative = n - self.positive
        self.p = np.bincount(place, p) / n
        squares = [(p - c) ** 2 * (truth == c) for c in (0, 1)]
        self._squared = [  # of a row of the class; exact for the sample, whatever the cells
            np.bincount(place, square) / np.maximum(count, 1)
            for square, count in zip(squares, (self.negative, self.positive), strict=True)
        ]
        self.first = np.zeros(len(n))
        self.first[place] = p  # a row of the cell says on which side of every edge it lies

    def resampled(self, draws: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
        """Return counts of as many rows, drawn with replacement."""
        both = np.concatenate([self.negative, self.positive])
        drawn = rng.multinomial(int(both.sum()), both / both.sum(), draws)
        return drawn[:, : len(self.p)], drawn[:, len(self.p) :]

    def calibrated(self, draws: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
        """Return counts of these rows, with a truth drawn by their probabilities.

        Their Brier score means nothing: a cell without positives does not know that of one.
        """
        n = self.negative + self.positive
        positive = rng.binomial(n, np.clip(self.p, 0, 1), (draws, len(n)))
        return n - positive, positive

    def errors(self, negative: Counts, positive: Counts) -> dict[str, Float64[np.ndarray, " draw"]]:
        """Return every measure of each draw; NaN where it is not defined."""
        n = negative + positive
        off = n * self.p - positive  # summed over a bin: probability less frequency, times rows
        total = n.sum(axis=1)
        found = {}
        for name, edges in self._edges.items():
            of_head = self.first >= (HEAD if name == "ece_head" else 0)
            place = np.searchsorted(edges, self.first[of_head])
            inside = np.eye(BINS)[place]
            rows = n[:, of_head].sum(axis=1)
            with np.errstate(invalid="ignore"):
                found[name] = np.abs(off[:, of_head] @ inside).sum(axis=1) / np.where(
                    rows > 0, rows, np.nan
                )
        squared = negative @ self._squared[0] + positive @ self._squared[1]
        found["brier"] = squared / total
        true = positive.sum(axis=1)
        found["said_over_found"] = (n @ self.p) / np.where(true > 0, true, np.nan)
        return found


def _check(truth: Truth, p: Values) -> None:
    if truth.shape != p.shape or not len(p):
        raise InputError(
            f"There are {truth.shape} labels but {p.shape} probabilities",
            "Give one of each per row",
        )
    if not np.isin(truth, (0, 1)).all():
        raise InputError("A label is neither 0 nor 1", "Leave out rows whose class is unknown")
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError(
            "A probability does not lie between 0 and 1", "Leave out rows that could not be scored"
        )
