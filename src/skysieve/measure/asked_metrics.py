"""What is asked of a ranking: how each metric is counted, drawn and named, and what it lacks.

References:
    Metcalf et al. 2019, A&A 625, A119 (TPR0 and TPR10, of 100,000 test cases).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from skysieve.measure import posterior
from skysieve.measure.rare import Sweep, Truth, Values

FPRS = (0.1, 0.01, 0.001, 0.0001)
BEST = (10, 50, 100, 1000, 10_000)
THRESHOLD = 0.5
CHALLENGE = 100_000
"""The test cases of the lens-finding challenge, among which its false positives are counted."""
PURER = 0.001**0.5
"""A beta of F-beta by which a false positive weighs a thousand times a missed positive."""


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """A metric, how it is made of a sweep, what it is in the population, and what it lacks."""

    key: str
    name: str
    meaning: str = ""
    value: Callable[[Sweep], float] | None = None
    draw: posterior.Draw | None = None
    lacks: str = ""


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


def asked_metrics(m: int, n: int, confusion: Confusion) -> Iterator[Asked]:
    """Yield all metrics but the plain rates at a threshold, with what each lacks."""
    lacks = "" if m and n else f"needs both classes: there are {m:,} positives, {n:,} negatives"
    yield Asked(
        key="roc_auc",
        name="ROC AUC",
        meaning="chance that a random positive is ranked above a random negative",
        value=Sweep.roc_auc,
        draw=posterior.draw_auc,
        lacks=lacks,
    )
    yield Asked(
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


def _at_fpr(fpr: float, n: int, lacks: str) -> Asked:
    passed = int(fpr * n + 1e-9)
    if not lacks and passed < 1:
        lacks = f"needs {round(1 / fpr):,} negatives for one to pass; there are {n:,}"
    return Asked(
        key=f"completeness_at_fpr_{fpr:g}",
        name=f"Completeness at FPR {fpr:g}",
        meaning=f"share of positives found while {passed:,} negatives pass",
        value=lambda counts: float(counts.completeness_at_fpr(fpr)),
        draw=partial(posterior.draw_completeness_at_fpr, fpr=fpr),
        lacks=lacks,
    )


def _before(passed: int, negatives: int | None, n: int, lacks: str) -> Asked:
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
    return Asked(
        key=key,
        name=name,
        meaning=meaning,
        value=lambda counts: counts.completeness_before(passed, of),
        draw=partial(posterior.draw_completeness_before, false_positives=passed, negatives=of),
        lacks=lacks,
    )


def _at_k(k: int, m: int, n: int, lacks: str) -> Iterator[Asked]:
    if not lacks and k > m + n:
        lacks = f"needs {k:,} labeled rows; there are {m + n:,}"
    named = (
        ("completeness", "Completeness in", m, f"share of all {m:,} positives"),
        ("purity", "Purity of", k, "share of positives"),
    )
    for key, name, among, meaning in named:
        yield Asked(
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


def _f_at(beta: float, key: str, name: str, confusion: Confusion, lacks: str) -> Asked:
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
    return Asked(
        key=f"{key}_at_p_{at.threshold:g}",
        name=f"{name} at p ≥ {at.threshold:g}",
        meaning=meaning,
        value=value,
        draw=draw,
        lacks=lacks,
    )


def _purity_at(confusion: Confusion, lacks: str) -> Asked:
    at = confusion
    passed = at.true_positives + at.false_positives
    if not lacks and not passed:
        lacks = f"no row has p ≥ {at.threshold:g}"

    def draw(counts: Sweep, rng: np.random.Generator, size: int) -> posterior.Draws:
        m, n = counts.n_positive, counts.n_negative
        true = m * posterior.share(at.true_positives, m, rng, size)
        return true / (true + n * posterior.share(at.false_positives, n, rng, size))

    return Asked(
        key=f"purity_at_p_{at.threshold:g}",
        name=f"Purity at p ≥ {at.threshold:g}",
        meaning=f"share of positives among the {passed:,} rows with p ≥ {at.threshold:g}",
        value=lambda _counts: at.true_positives / passed,
        draw=draw,
        lacks=lacks,
    )
