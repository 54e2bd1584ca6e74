"""Where to cut a ranking: by what one wants, with what else one gets.

A threshold that is chosen on labeled rows is a fixed number afterwards. What it lets through of
each class is then a rate that these rows tell with an interval, and everything else follows from
the two rates: purity at another share of positives, how many rows of a survey are inspected, F1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from skysieve.core.errors import InputError
from skysieve.core.random import stream
from skysieve.measure.intervals import Measured, Undefined, interval_of
from skysieve.measure.metrics import DRAWS, Draws
from skysieve.measure.posterior import share
from skysieve.measure.rare import Sweep, Truth, Values, sweep_levels


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What a threshold is for; exactly one is given.

    Args:
        inspect: Let no more rows through than this.
        purity: Let no more negatives through than leave this share of positives, above 0.
        fpr: Let no larger share of negatives through.
        completeness: Find no smaller share of positives, above 0.

    Raises:
        InputError: None or several are given, or one cannot be.
    """

    inspect: int | None = None
    purity: float | None = None
    fpr: float | None = None
    completeness: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) != 1:
            raise InputError(
                f"An intent is one of inspect, purity, fpr and completeness, not {len(given)}",
                "Give one at a time",
            )
        if self.inspect is not None and self.inspect < 1:
            raise InputError(f"inspect is {self.inspect}", "Give 1 or more rows")
        for name in ("purity", "fpr", "completeness"):
            value = given.get(name)
            if value is not None and not 0 < value <= 1:
                raise InputError(f"{name} is {value}", "Give a share above 0, at most 1")

    @property
    def name(self) -> str:
        """What is asked, as ``purity=0.5``."""
        found = ((name, value) for name, value in vars(self).items() if value is not None)
        return "".join(f"{name}={value:g}" for name, value in found)


@dataclass(frozen=True, kw_only=True)
class Gains:
    """What a threshold brings, each with its interval.

    Args:
        completeness: Share of positives at or above it.
        fpr: Share of negatives at or above it.
        purity: Share of positives above it, at the asked prior.
        f1: Harmonic mean of purity and completeness, at the asked prior.
        inspected: Rows at or above it that are expected of the asked number of rows.
    """

    completeness: Measured
    fpr: Measured
    purity: Measured
    f1: Measured
    inspected: Measured


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The threshold of an intent.

    Args:
        intent: What was asked.
        threshold: Rows with at least this score pass; None if there is none.
        labeled: What it brings among rows like the labeled ones; None without a threshold.
        survey: What it brings in the survey that was asked about; None if none was.
        undefined: Why there is no threshold.
    """

    intent: Intent
    threshold: float | None
    labeled: Gains | None
    survey: Gains | None
    undefined: Undefined | None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        return {
            "intent": self.intent.name,
            "threshold": self.threshold,
            "undefined": None if self.undefined is None else self.undefined.reason,
            "labeled": _as_json(self.labeled),
            "survey": _as_json(self.survey),
        }


@dataclass(frozen=True, kw_only=True)
class _Field:
    """Rows of which a share are positives."""

    prior: float
    rows: float

    def purity(self, t: Any, f: Any) -> Any:
        """Return the purity of these rates of true and of false positives; NaN of nothing."""
        true, false = self.prior * t, (1 - self.prior) * f
        with np.errstate(invalid="ignore"):
            return np.divide(true, true + false)

    def inspected(self, t: Any, f: Any) -> Any:
        """Return how many rows pass."""
        return self.rows * (self.prior * t + (1 - self.prior) * f)

    def f1(self, t: Any, f: Any) -> Any:
        """Return the harmonic mean of purity and completeness."""
        true = self.prior * t
        return 2 * true / (self.prior + true + (1 - self.prior) * f)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Cuts:
    """All thresholds of labeled rows, and the rows that intents are about."""

    counts: Sweep
    levels: Float[np.ndarray, " distinct"]
    field: _Field
    is_survey: bool

    @cached_property
    def t(self) -> np.ndarray:
        """Completeness of each threshold."""
        return self.counts.true_positives[1:] / self.counts.n_positive

    @cached_property
    def f(self) -> np.ndarray:
        """False positive rate of each threshold."""
        return self.counts.false_positives[1:] / self.counts.n_negative

    def place(self, intent: Intent) -> int | Undefined:
        """Return the number of an intent's threshold, the lowest that fulfills it."""
        if intent.completeness is not None:
            wanted = max(math.ceil(intent.completeness * self.counts.n_positive - 1e-9), 1)
            return int(np.searchsorted(self.counts.true_positives[1:], wanted))
        if intent.fpr is not None:
            return self._at_fpr(intent.fpr)
        if intent.inspect is not None:
            return self._at_rows(intent.inspect)
        return self._at_purity(intent.purity or 0.0)

    def _at_fpr(self, fpr: float) -> int | Undefined:
        n = self.counts.n_negative
        allowed = math.floor(fpr * n + 1e-9)
        if allowed < 1:
            return Undefined(
                reason=f"an FPR of {fpr:g} needs {math.ceil(1 / fpr - 1e-9):,} negatives for one "
                f"to pass; there are {n:,}"
            )
        return self._last(self.counts.false_positives[1:] <= allowed)

    def _at_rows(self, most: int) -> int | Undefined:
        if most > self.field.rows:
            return Undefined(reason=f"there are {self.field.rows:,.0f} rows, not {most:,}")
        return self._last(self.field.inspected(self.t, self.f) <= most * (1 + 1e-12))

    def _at_purity(self, purity: float) -> int | Undefined:
        reached = self.field.purity(self.t, self.f)
        if not (reached >= purity - 1e-12).any():
            best = int(np.argmax(reached))
            return Undefined(
                reason=f"no threshold reaches it: the highest purity is {reached[best]:.3g}, at a "
                f"completeness of {self.t[best]:.3g}"
            )
        at = int(np.flatnonzero(reached >= purity - 1e-12)[-1])
        if self.is_survey and not self.f[at] and purity < 1:
            prior, n = self.field.prior, self.counts.n_negative
            needed = prior * self.t[at] * (1 - purity) / ((1 - prior) * purity)
            if needed * n < 1:
                return Undefined(
                    reason=f"at a prior of {prior:g} it means an FPR of {needed:.2g}, which needs "
                    f"{math.ceil(1 / needed):,} negatives to be told; there are {n:,}"
                )
        return at

    def _last(self, allowed: np.ndarray) -> int | Undefined:
        if not allowed[0]:
            true, false = self.counts.true_positives[1], self.counts.false_positives[1]
            return Undefined(
                reason=f"the highest score lets too many rows through: {true:,} positives and "
                f"{false:,} negatives have it"
            )
        return int(np.flatnonzero(allowed)[-1])


def choose_thresholds(
    truth: Truth,
    p: Values,
    intents: Sequence[Intent],
    *,
    prior: float | None = None,
    rows: int | None = None,
    draws: Draws = DRAWS,
) -> tuple[Choice, ...]:
    """Return the threshold of each intent, and what it brings.

    Args:
        truth: 1 for a positive, 0 for a negative.
        p: The score of each, on whose scale the threshold is.
        intents: What thresholds are for; ``inspect`` and ``purity`` are those of the survey, if
            one is asked about.
        prior: The share of positives in a survey, between 0 and 1; None is that of the labels.
        rows: How many rows the survey has; None is as many as are labeled.
        draws: How the intervals are made.

    Raises:
        InputError: A class is missing, a score is not finite, or the survey cannot be.
    """
    counts, levels = sweep_levels(truth, p)
    labeled = _Field(prior=counts.n_positive / len(truth), rows=len(truth))
    if prior is not None and not 0 < prior < 1:
        raise InputError(f"The prior is {prior}", "Give a share between 0 and 1")
    if rows is not None and rows < 1:
        raise InputError(f"The survey has {rows} rows", "Give 1 or more")
    is_survey = prior is not None or rows is not None
    survey = _Field(prior=prior or labeled.prior, rows=rows or len(truth))
    cuts = _Cuts(counts=counts, levels=levels, field=survey, is_survey=is_survey)
    return tuple(_choose(intent, cuts, labeled, draws) for intent in intents)


def _choose(intent: Intent, cuts: _Cuts, labeled: _Field, draws: Draws) -> Choice:
    at = cuts.place(intent)
    if isinstance(at, Undefined):
        return Choice(intent=intent, threshold=None, labeled=None, survey=None, undefined=at)
    return Choice(
        intent=intent,
        threshold=float(cuts.levels[at]),
        labeled=_gains(at, cuts.counts, labeled, draws),
        survey=_gains(at, cuts.counts, cuts.field, draws) if cuts.is_survey else None,
        undefined=None,
    )


def _gains(at: int, counts: Sweep, field: _Field, draws: Draws) -> Gains:
    m, n = counts.n_positive, counts.n_negative
    found, passed = int(counts.true_positives[at + 1]), int(counts.false_positives[at + 1])
    rng = stream(draws.seed, "threshold")
    t = share(found, m, rng, draws.resamples)
    f = share(passed, n, rng, draws.resamples)
    value = found / m, passed / n
    return Gains(
        completeness=interval_of(value[0], t, counts),
        fpr=interval_of(value[1], f, counts),
        purity=interval_of(float(field.purity(*value)), field.purity(t, f), counts),
        f1=interval_of(float(field.f1(*value)), field.f1(t, f), counts),
        inspected=interval_of(float(field.inspected(*value)), field.inspected(t, f), counts),
    )


def _as_json(gains: Gains | None) -> dict[str, Any] | None:
    if gains is None:
        return None
    return {name: vars(each) for name, each in vars(gains).items()}
