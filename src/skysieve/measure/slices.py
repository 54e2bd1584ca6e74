"""How a classifier does on parts of its rows, such as the kinds of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from skysieve.core.errors import InputError
from skysieve.measure.intervals import wilson
from skysieve.measure.labels import MOST_CLASSES
from skysieve.measure.predictions import Predictions
from skysieve.measure.rare import Truth, Values, sweep, sweep_levels

SLICE_FPRS = (0.01, 0.001)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A share of the rows of one class that have one value of a column.

    Args:
        value: The value.
        of_class: Their true class.
        n: How many they are.
        called: What is counted: the class they are called.
        cut: By what: ``argmax``, or the threshold of a false positive rate over all rows.
        share: The share of them that is called so: completeness if it is their class, else the
            rate of this confusion.
        low: Lower end of the Wilson interval, of independent rows.
        high: Upper end.
    """

    value: str
    of_class: str
    n: int
    called: str
    cut: str
    share: float
    low: float
    high: float


def measure_slices(given: Predictions, values: Sequence[str]) -> list[Slice]:
    """Return how often rows of each value and class are called the positive, and their own class.

    Of a slice of positives this is their completeness, of a slice of others their false positive
    rate. The thresholds of false positive rates are those of all rows together, so that the slices
    of a kind show where its share of the false positives comes from.

    Args:
        given: The predictions.
        values: The value of a column for each row; empty text where there is none.

    Raises:
        InputError: The column has too many values to be kinds of anything.
    """
    kinds = sorted(set(values))
    _check_kinds(len(kinds))
    column = np.array(values, np.str_)
    cuts = _cuts(given)
    found: list[Slice] = []
    for kind in kinds:
        for c, of_class in enumerate(given.classes):
            rows = (column == kind) & (given.truth == c)
            if not (n := int(rows.sum())):
                continue
            for cut, called, passed in cuts:
                own = of_class if called is None else called
                count = int((passed & rows).sum())
                low, high = wilson(count, n)
                found.append(
                    Slice(
                        value=kind or "(none)",
                        of_class=of_class,
                        n=n,
                        called=own,
                        cut=cut,
                        share=count / n,
                        low=low,
                        high=high,
                    )
                )
    return found


def _cuts(given: Predictions) -> list[tuple[str, str | None, Bool[np.ndarray, " n"]]]:
    """Return what is counted: its name, the class called (None is a row's own), which rows."""
    own = given.predicted == given.truth
    cuts: list[tuple[str, str | None, Bool[np.ndarray, " n"]]] = [("argmax", None, own)]
    scores = given.probabilities[:, given.positive_index]
    is_positive = (given.truth == given.positive_index).astype(np.int64)
    counts = sweep(is_positive, scores)
    levels: Float64[np.ndarray, " level"] = -np.unique(-scores)
    for fpr in SLICE_FPRS:
        allowed = int(fpr * counts.n_negative + 1e-9)
        if allowed < 1:
            continue
        last = int(np.searchsorted(counts.false_positives, allowed, side="right")) - 1
        passed = scores >= levels[last - 1] if last else np.zeros(len(scores), bool)
        cuts.append((f"fpr_{fpr:g}", given.positive, passed))
    return cuts


@dataclass(frozen=True, kw_only=True)
class FalseKind:
    """The false positives of one kind.

    Args:
        kind: What they are; ``(none)`` where that is not known.
        n: Labeled negatives of this kind.
        passed: Those that pass.
        rate: The share of the kind that passes.
        rate_low: Lower end of its Wilson interval.
        rate_high: Upper end.
        share: The share of all false positives that are of this kind; None if there is none.
        share_low: Lower end of its Wilson interval.
        share_high: Upper end.
    """

    kind: str
    n: int
    passed: int
    rate: float
    rate_low: float
    rate_high: float
    share: float | None
    share_low: float
    share_high: float


@dataclass(frozen=True, kw_only=True)
class FalsePositives:
    """What passes a threshold that should not, by kind, the most frequent first.

    Args:
        cut: What the threshold is of: ``p_0.5``, ``fpr_0.01`` or ``best_100``.
        threshold: Rows with at least this score pass.
        n_negative: Labeled negatives.
        passed: Those that pass.
        kinds: By kind.
    """

    cut: str
    threshold: float
    n_negative: int
    passed: int
    kinds: tuple[FalseKind, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        return {**vars(self), "kinds": [vars(each) for each in self.kinds]}


def measure_false_positives(
    truth: Truth, p: Values, kinds: Sequence[str], *, best: int = 100
) -> tuple[FalsePositives, ...]:
    """Return which kinds of negatives pass p = 0.5, low false positive rates, and among the best.

    A cut is left out that these rows cannot tell: a rate of less than one negative, more rows than
    there are, or a score that more rows share than may pass.

    Args:
        truth: 1 for a positive, 0 for a negative.
        p: Probability of the positive class.
        kinds: What each row is, such as ``spiral``; empty text where that is not known.
        best: How many of the best rows to look at.

    Raises:
        InputError: A class is missing, a score is not finite, lengths differ, or the column has
            too many values to be kinds of anything.
    """
    counts, levels = sweep_levels(truth, p)
    if len(kinds) != len(truth):
        raise InputError(f"There are {len(truth)} rows but {len(kinds)} kinds", "Give one of each")
    column = np.array(kinds, np.str_)[truth == 0]
    names, of = np.unique(column, return_inverse=True)
    _check_kinds(len(names))
    scores = p[truth == 0]
    total = np.bincount(of, minlength=len(names))
    thresholds = {"p_0.5": 0.5}
    limits = {f"fpr_{fpr:g}": (int(fpr * counts.n_negative + 1e-9), 0) for fpr in SLICE_FPRS}
    limits[f"best_{best}"] = (best if best <= len(truth) else 0, 1)
    for cut, (most, with_positives) in limits.items():
        reached = counts.false_positives + with_positives * counts.true_positives
        last = int(np.searchsorted(reached, most, side="right")) - 1
        if most and last:
            thresholds[cut] = float(levels[last - 1])
    found: list[FalsePositives] = []
    for cut, threshold in thresholds.items():
        passed = np.bincount(of[scores >= threshold], minlength=len(names))
        each = [
            _false_kind(str(name) or "(none)", int(k), int(n), int(passed.sum()))
            for name, k, n in zip(names, passed, total, strict=True)
        ]
        found.append(
            FalsePositives(
                cut=cut,
                threshold=threshold,
                n_negative=counts.n_negative,
                passed=int(passed.sum()),
                kinds=tuple(sorted(each, key=lambda one: (-one.passed, -one.rate, one.kind))),
            )
        )
    return tuple(found)


def _false_kind(kind: str, passed: int, n: int, all_passed: int) -> FalseKind:
    rate, share = wilson(passed, n), wilson(passed, all_passed)
    return FalseKind(
        kind=kind,
        n=n,
        passed=passed,
        rate=passed / n,
        rate_low=rate[0],
        rate_high=rate[1],
        share=passed / all_passed if all_passed else None,
        share_low=share[0],
        share_high=share[1],
    )


def _check_kinds(n: int) -> None:
    if n > MOST_CLASSES:
        raise InputError(
            f"The column has {n:,} different values",
            f"Choose one of at most {MOST_CLASSES}, such as kind",
        )
