"""The table of a ranking: every metric with its interval, or why it cannot be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from skysieve.core.random import stream
from skysieve.measure.asked_metrics import Asked, Confusion, asked_metrics, confusion_at
from skysieve.measure.intervals import (
    LEVEL,
    RESAMPLES,
    Measured,
    Undefined,
    condense,
    interval_of,
    wilson,
)
from skysieve.measure.rare import Sweep, Truth, Values, check_ranking, sweep


@dataclass(frozen=True, kw_only=True)
class Draws:
    """How often samples are drawn again to make intervals, and the seed that decides them."""

    resamples: int = RESAMPLES
    seed: int = 0


DRAWS = Draws()


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """A line of the table of metrics.

    Args:
        key: Its name in ``report.json``.
        name: Its name for a person.
        meaning: What it counts, in a few words.
        measured: The number.
    """

    key: str
    name: str
    meaning: str
    measured: Measured


@dataclass(frozen=True, kw_only=True)
class UndefinedRow:
    """A metric that was asked for and cannot be told.

    Args:
        key: Its name in ``report.json``.
        name: Its name for a person.
        undefined: Why not.
    """

    key: str
    name: str
    undefined: Undefined


@dataclass(frozen=True, kw_only=True)
class RankingMetrics:
    """What labels say of a ranking.

    Args:
        rows: The metrics.
        undefined: Those that these rows cannot tell.
        confusion: Of the threshold p = 0.5.
        draws: How the intervals were made.
    """

    rows: tuple[MetricRow, ...]
    undefined: tuple[UndefinedRow, ...]
    confusion: Confusion
    draws: Draws

    def as_json(self) -> dict[str, Any]:
        """Return the numbers; what is undefined has the value null and a reason."""
        told = {row.key: vars(row.measured) for row in self.rows}
        return {
            "metrics": told | {row.key: row.undefined.as_json() for row in self.undefined},
            "confusion": vars(self.confusion),
            "draws": vars(self.draws),
        }


def measure_ranking(truth: Truth, p: Values, draws: Draws = DRAWS) -> RankingMetrics:
    """Return every metric of a ranking, with its interval or with the reason that there is none.

    Args:
        truth: 1 for a positive, 0 for a negative.
        p: Probability of the positive class, in [0, 1].
        draws: How the intervals are made.

    Raises:
        InputError: A label is neither 0 nor 1, a probability is not finite, or lengths differ.
    """
    check_ranking(truth, p, both=False)
    confusion = confusion_at(truth, p)
    n_positive = confusion.true_positives + confusion.false_negatives
    asked = list(asked_metrics(n_positive, len(truth) - n_positive, confusion))
    rows: list[MetricRow] = []
    if told := [each for each in asked if not each.lacks]:
        counts = sweep(truth, p)
        joined = condense(counts)
        rows = [_measured(each, counts, joined, draws) for each in told]
    return RankingMetrics(
        rows=(*rows, *_rates(confusion)),
        undefined=tuple(
            UndefinedRow(key=each.key, name=each.name, undefined=Undefined(reason=each.lacks))
            for each in asked
            if each.lacks
        ),
        confusion=confusion,
        draws=draws,
    )


def _measured(each: Asked, counts: Sweep, joined: Sweep, draws: Draws) -> MetricRow:
    if each.value is None or each.draw is None:
        raise AssertionError(each.key)
    value = each.value(counts)
    drawn = each.draw(joined, stream(draws.seed, f"posterior {each.key}"), draws.resamples)
    # What joining many rows changes is known, and taken off; of few rows it is nothing.
    drawn = np.clip(drawn + (value - each.value(joined)), 0, 1)
    return MetricRow(
        key=each.key,
        name=each.name,
        meaning=each.meaning,
        measured=interval_of(value, drawn, counts),
    )


def _rates(confusion: Confusion) -> Iterator[MetricRow]:
    """Yield what a cut at p = 0.5 gives; this also says something where one class is missing."""
    at = confusion
    m = at.true_positives + at.false_negatives
    n = at.false_positives + at.true_negatives
    cut = f"p ≥ {at.threshold:g}"
    named = (
        ("completeness", "Completeness", at.true_positives, m, "share of positives with"),
        ("fpr", "False positive rate", at.false_positives, n, "share of negatives with"),
    )
    for key, name, k, among, meaning in named:
        if not among:
            continue
        low, high = wilson(k, among)
        yield MetricRow(
            key=f"{key}_at_p_{at.threshold:g}",
            name=f"{name} at {cut}",
            meaning=f"{meaning} {cut}: {k:,} of {among:,}",
            measured=Measured(
                value=k / among,
                low=low,
                high=high,
                n_positive=m,
                n_negative=n,
                level=LEVEL,
                method="wilson",
            ),
        )
