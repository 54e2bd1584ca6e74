"""The table of a ranking: every metric with its interval, or why it cannot be told.

References:
    Metcalf et al. 2019, A&A 625, A119 (TPR0 and TPR10, of 100,000 test cases).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from skysieve.core.random import stream
from skysieve.measure import posterior
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

FPRS = (0.1, 0.01, 0.001, 0.0001)
BEST = (10, 50, 100, 1000, 10_000)
THRESHOLD = 0.5
CHALLENGE = 100_000
"""The test cases of the lens-finding challenge, among which its false positives are counted."""
PURER = 0.001**0.5
"""A beta of F-beta by which a false positive weighs a thousand times a missed positive."""


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
class Confusion:
    """Labeled rows by class and by the side of a threshold that they are on.

    Args:
        threshold: Rows with at least this p are called positive.
        true_positives: Positives called so.
        false_positives: Negatives called positive.
        false_negatives: Positives called negative.
        true_negatives: Negatives called so.
    """

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


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


@dataclass(frozen=True, eq=False, kw_only=True)
class _Asked:
    """A metric, how it is made of a sweep, what it is in the population, and what it lacks."""

    key: str
    name: str
    meaning: str = ""
    value: Callable[[Sweep], float] | None = None
    draw: posterior.Draw | None = None
    lacks: str = ""


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
    asked = list(_asked(n_positive, len(truth) - n_positive, confusion))
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


def confusion_at(truth: Truth, p: Values, threshold: float = THRESHOLD) -> Confusion:
    """Return how many rows of each class lie on each side of a threshold."""
    n_positive, n_passed = int(np.count_nonzero(truth == 1)), int(np.count_nonzero(p >= threshold))
    true = int(np.count_nonzero((truth == 1) & (p >= threshold)))
    return Confusion(
        threshold=threshold,
        true_positives=true,
        false_positives=n_passed - true,
        false_negatives=n_positive - true,
        true_negatives=len(truth) - n_positive - n_passed + true,
    )


def _measured(each: _Asked, counts: Sweep, joined: Sweep, draws: Draws) -> MetricRow:
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


def _asked(m: int, n: int, confusion: Confusion) -> Iterator[_Asked]:
    """Yield all metrics but the plain rates at a threshold, with what each lacks."""
    lacks = "" if m and n else f"needs both classes: there are {m:,} positives, {n:,} negatives"
    yield _Asked(
        key="roc_auc",
        name="ROC AUC",
        meaning="chance that a random positive is ranked above a random negative",
        value=Sweep.roc_auc,
        draw=posterior.draw_auc,
        lacks=lacks,
    )
    yield _Asked(
        key="average_precision",
        name="Average precision",
        meaning=f"area under the purity-completeness curve; chance is {m / max(m + n, 1):.2g}",
        value=Sweep.average_precision,
        draw=posterior.draw_average_precision,
        lacks=lacks,
    )
    for fpr in FPRS:
        yield _at_fpr(fpr, n, lacks)
    for passed in (0, 9):
        yield _before(passed, None, n, lacks)
        yield _before(passed, CHALLENGE, n, lacks)
    for k in BEST:
        yield from _at_k(k, m, n, lacks)
    for beta, key, name in ((1.0, "f1", "F1"), (PURER, "f_beta", "F-beta, beta² = 0.001,")):
        yield _f_at(beta, key, name, confusion, lacks)
    yield _purity_at(confusion, lacks)


def _at_fpr(fpr: float, n: int, lacks: str) -> _Asked:
    passed = int(fpr * n + 1e-9)
    if not lacks and passed < 1:
        lacks = f"needs {round(1 / fpr):,} negatives for one to pass; there are {n:,}"
    return _Asked(
        key=f"completeness_at_fpr_{fpr:g}",
        name=f"Completeness at FPR {fpr:g}",
        meaning=f"share of positives found while {passed:,} negatives pass",
        value=lambda counts: float(counts.completeness_at_fpr(fpr)),
        draw=partial(posterior.draw_completeness_at_fpr, fpr=fpr),
        lacks=lacks,
    )


def _before(passed: int, negatives: int | None, n: int, lacks: str) -> _Asked:
    key, of = "tpr10" if passed else "tpr0", n if negatives is None else negatives
    if negatives is None:
        name = f"Completeness before false positive {passed + 1} ({key.upper()})"
        above = f"all but {passed} of" if passed else "all"
        meaning = f"share of positives ranked above {above} {n:,} negatives"
    else:
        key, name = f"{key}_of_{of}", f"{key.upper()} of {of:,} negatives"
        meaning = f"mean over test sets of {of:,} of the {n:,} negatives"
    if not lacks and (of > n or passed >= of):
        lacks = f"needs {max(of, passed + 1):,} negatives; there are {n:,}"
    return _Asked(
        key=key,
        name=name,
        meaning=meaning,
        value=lambda counts: counts.completeness_before(passed, of),
        draw=partial(posterior.draw_completeness_before, false_positives=passed, negatives=of),
        lacks=lacks,
    )


def _at_k(k: int, m: int, n: int, lacks: str) -> Iterator[_Asked]:
    if not lacks and k > m + n:
        lacks = f"needs {k:,} labeled rows; there are {m + n:,}"
    named = (
        ("completeness", "Completeness in", m, f"share of all {m:,} positives"),
        ("purity", "Purity of", k, "share of positives"),
    )
    for key, name, among, meaning in named:
        yield _Asked(
            key=f"{key}_at_{k}",
            name=f"{name} the best {k:,}",
            meaning=f"{meaning} among the {k:,} best-ranked labeled rows",
            value=partial(_found_share, k, among),
            draw=partial(_draw_found_share, k, among),
            lacks=lacks,
        )


def _found_share(k: int, among: int, counts: Sweep) -> float:
    return float(counts.found_at_k(k)) / among


def _draw_found_share(
    k: int, among: int, counts: Sweep, rng: np.random.Generator, size: int
) -> posterior.Draws:
    return posterior.draw_found_at_k(counts, rng, size, k=k) / among


def _f_at(beta: float, key: str, name: str, confusion: Confusion, lacks: str) -> _Asked:
    weight = beta * beta
    at = confusion

    def f(m: int, true: Any, false: Any) -> Any:
        return (1 + weight) * true / (weight * m + true + false)

    def value(counts: Sweep) -> float:
        return float(f(counts.n_positive, at.true_positives, at.false_positives))

    def draw(counts: Sweep, rng: np.random.Generator, size: int) -> posterior.Draws:
        m, n = counts.n_positive, counts.n_negative
        true = m * posterior.share(at.true_positives, m, rng, size)
        return f(m, true, n * posterior.share(at.false_positives, n, rng, size))

    meaning = "harmonic mean of purity and completeness"
    if beta != 1:
        meaning = f"{meaning} in which a false positive weighs as much as {1 / weight:,.0f} misses"
    return _Asked(
        key=f"{key}_at_p_{at.threshold:g}",
        name=f"{name} at p ≥ {at.threshold:g}",
        meaning=meaning,
        value=value,
        draw=draw,
        lacks=lacks,
    )


def _purity_at(confusion: Confusion, lacks: str) -> _Asked:
    at = confusion
    passed = at.true_positives + at.false_positives
    if not lacks and not passed:
        lacks = f"no row has p ≥ {at.threshold:g}"

    def draw(counts: Sweep, rng: np.random.Generator, size: int) -> posterior.Draws:
        m, n = counts.n_positive, counts.n_negative
        true = m * posterior.share(at.true_positives, m, rng, size)
        return true / (true + n * posterior.share(at.false_positives, n, rng, size))

    return _Asked(
        key=f"purity_at_p_{at.threshold:g}",
        name=f"Purity at p ≥ {at.threshold:g}",
        meaning=f"share of positives among the {passed:,} rows with p ≥ {at.threshold:g}",
        value=lambda _counts: at.true_positives / passed,
        draw=draw,
        lacks=lacks,
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
