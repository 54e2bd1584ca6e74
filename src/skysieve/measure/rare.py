"""How well a ranking finds something rare.

Everything here follows from one thing, the sweep: lower a threshold past each distinct score and
count what it lets through. Ties fall together, so a ranking cannot gain from their order.

References:
    Metcalf et al. 2019, A&A 625, A119 (TPR0 and TPR10 of the lens-finding challenge).
    Fawcett 2006, Pattern Recognition Letters 27, 861 (ROC curves).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from skysieve.core.errors import InputError
from skysieve.measure.chance import few_chosen

Truth = Int[np.ndarray, " n"]
"""1 for the positive class, 0 for any other."""
Values = Float[np.ndarray, " n"]
"""Finite scores; larger means more like the positive class."""
Grid = float | Float[np.ndarray, " g"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """What a falling threshold has let through, from nothing to everything.

    Args:
        true_positives: Positives at or above each distinct score, best first, after a leading 0.
        false_positives: The same for negatives.
    """

    true_positives: Int64[np.ndarray, " level"]
    false_positives: Int64[np.ndarray, " level"]

    @property
    def n_positive(self) -> int:
        """How many positives there are."""
        return int(self.true_positives[-1])

    @property
    def n_negative(self) -> int:
        """How many negatives there are."""
        return int(self.false_positives[-1])

    def roc_auc(self) -> float:
        """Return the chance that a random positive outranks a random negative; a tie is half."""
        heights = self.true_positives[1:] + self.true_positives[:-1]
        area = (heights * np.diff(self.false_positives)).sum() / 2
        return float(area) / (self.n_positive * self.n_negative)

    def average_precision(self) -> float:
        """Return the purity averaged over the positives, each at its own threshold."""
        found = self.true_positives[1:]
        # A resample may draw nothing from its first levels: 0 found of 0 counts for nothing.
        purity = found / np.maximum(found + self.false_positives[1:], 1)
        return float((np.diff(self.true_positives) * purity).sum()) / self.n_positive

    def completeness_at_false_positives(self, n: Grid) -> Float64[np.ndarray, "*g"]:
        """Return the share of positives found while at most ``n`` negatives are let through."""
        last = np.searchsorted(self.false_positives, n, side="right") - 1
        return np.asarray(self.true_positives[last] / self.n_positive)

    def completeness_at_fpr(self, fpr: Grid) -> Float64[np.ndarray, "*g"]:
        """Return the largest completeness at a false positive rate of at most ``fpr``."""
        # The nudge keeps 0.1 * 30 = 3.0000000000000004 and 0.29 * 100 = 28.999999999999996 whole.
        return self.completeness_at_false_positives(
            np.floor(np.asarray(fpr) * self.n_negative + 1e-9)
        )

    def found_at_k(self, k: Grid) -> Float64[np.ndarray, "*g"]:
        """Return the positives expected among the best ``k``; tied rows come in random order.

        Raises:
            InputError: There are fewer than ``k`` rows, or ``k`` is negative.
        """
        n = self.n_positive + self.n_negative
        if np.min(k) < 0 or np.max(k) > n:
            raise InputError(
                f"The best {np.max(k):,} of {n:,} rows cannot be told", f"Ask for 1 to {n:,}"
            )
        inspected = self.true_positives + self.false_positives
        return np.asarray(np.interp(k, inspected, self.true_positives))

    def completeness_at_k(self, k: Grid) -> Float64[np.ndarray, "*g"]:
        """Return the share of all positives that is among the best ``k``."""
        return np.asarray(self.found_at_k(k) / self.n_positive)

    def completeness_before(self, false_positives: int, negatives: int) -> float:
        """Return the completeness that smaller test sets reach on average.

        It is the mean over all sets of ``negatives`` of these negatives, with these positives, of
        the completeness while at most ``false_positives`` are let through; so samples of different
        sizes are compared at one size.

        Args:
            false_positives: 0 for TPR0, 9 for TPR10.
            negatives: How many negatives such a test set has.

        Raises:
            InputError: There are fewer negatives, or no threshold lets through too many.
        """
        if not 0 <= false_positives < negatives <= self.n_negative:
            raise InputError(
                f"{self.n_negative:,} negatives cannot tell the completeness at "
                f"{false_positives:,} false positives of {negatives:,}",
                "Give more negatives",
            )
        if negatives == self.n_negative:
            return float(self.completeness_at_false_positives(false_positives))
        # A positive counts if at most so many of the chosen negatives are ranked no lower; after
        # ten deviations more, that is so in none of a million sets.
        most = (false_positives + 10 * math.sqrt(false_positives + 1) + 20) / negatives
        end = int(np.searchsorted(self.false_positives, most * self.n_negative)) + 1
        true, false = self.true_positives[:end], self.false_positives[1:end]
        beyond = few_chosen(false_positives, negatives, self.n_negative, false)
        return float((np.diff(true) * beyond).sum()) / self.n_positive

    def f_beta(self, beta: float = 1.0) -> Float64[np.ndarray, " threshold"]:
        """Return F-beta at each distinct score: with ``beta`` below 1 purity counts more.

        References:
            van Rijsbergen 1979, Information Retrieval, chapter 7 (its effectiveness is 1 - F).
        """
        found, passed = self.true_positives[1:], self.false_positives[1:]
        # (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP), whose denominator is never 0.
        weight = beta * beta
        return (1 + weight) * found / (weight * self.n_positive + found + passed)

    def purity_at_completeness(self, completeness: Grid) -> Float64[np.ndarray, "*g"]:
        """Return the purity at the highest threshold that reaches each completeness."""
        wanted = np.maximum(np.ceil(np.asarray(completeness) * self.n_positive - 1e-9), 1)
        first = np.searchsorted(self.true_positives, wanted)
        found = self.true_positives[first]
        return np.asarray(found / (found + self.false_positives[first]))


def sweep(labels: Truth, scores: Values) -> Sweep:
    """Return the sweep of a threshold over scores.

    Raises:
        InputError: A class is missing, a label is neither 0 nor 1, a score is not finite, or
            the lengths differ.
    """
    return sweep_levels(labels, scores)[0]


def sweep_levels(labels: Truth, scores: Values) -> tuple[Sweep, Float[np.ndarray, " distinct"]]:
    """Return the sweep of a threshold, and the distinct scores that it goes past, best first.

    Raises:
        InputError: See :func:`sweep`.
    """
    check_ranking(labels, scores)
    order = np.argsort(-scores)  # rows that tie count together: their order does not matter
    ranked = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(order) - 1)
    true = np.cumsum(labels[order], dtype=np.int64)[ends]
    counts = Sweep(
        true_positives=np.append(0, true),
        false_positives=np.append(0, ends + 1 - true),
    )
    return counts, ranked[ends]


def roc_auc(labels: Truth, scores: Values) -> float:
    """Return the area under the ROC curve, in [0, 1]; 0.5 is chance."""
    return sweep(labels, scores).roc_auc()


def average_precision(labels: Truth, scores: Values) -> float:
    """Return the area under the step-wise precision-recall curve; chance is the base rate."""
    return sweep(labels, scores).average_precision()


def roc_curve(
    labels: Truth, scores: Values
) -> tuple[Float64[np.ndarray, " level"], Float64[np.ndarray, " level"]]:
    """Return false positive rate and completeness (true positive rate), from (0, 0) to (1, 1)."""
    counts = sweep(labels, scores)
    return (
        counts.false_positives / counts.n_negative,
        counts.true_positives / counts.n_positive,
    )


def precision_recall(
    labels: Truth, scores: Values
) -> tuple[Float64[np.ndarray, " level"], Float64[np.ndarray, " level"]]:
    """Return purity (precision) and completeness (recall), the best-ranked threshold first."""
    counts = sweep(labels, scores)
    true, false = counts.true_positives[1:], counts.false_positives[1:]
    return true / (true + false), true / counts.n_positive


def completeness_at_k(labels: Truth, scores: Values, k: int) -> float:
    """Return the share of all positives among the best ``k`` rows."""
    return float(sweep(labels, scores).completeness_at_k(k))


def purity_at_k(labels: Truth, scores: Values, k: int) -> float:
    """Return the share of positives among the best ``k`` rows.

    Raises:
        InputError: ``k`` is none of 1 to the number of rows.
    """
    if k < 1:
        raise InputError(f"The best {k} rows have no purity", f"Ask for 1 to {len(labels):,}")
    return float(sweep(labels, scores).found_at_k(k)) / k


def completeness_at_fpr(labels: Truth, scores: Values, fpr: float) -> float:
    """Return the largest completeness at a false positive rate of at most ``fpr``."""
    return float(sweep(labels, scores).completeness_at_fpr(fpr))


def completeness_at_false_positives(labels: Truth, scores: Values, n: int) -> float:
    """Return the completeness with at most ``n`` false positives: 0 gives TPR0, 9 gives TPR10.

    The lens-finding challenge counts them among 100,000 test cases: give the number of negatives
    beside the value.

    Raises:
        InputError: There are not more than ``n`` negatives.
    """
    counts = sweep(labels, scores)
    return counts.completeness_before(n, counts.n_negative)


def check_ranking(labels: Truth, scores: Values, *, both: bool = True) -> None:
    """Refuse labels and scores that cannot be measured.

    Args:
        labels: 1 for a positive, 0 for a negative.
        scores: Of each.
        both: Whether both classes must be there.

    Raises:
        InputError: A class is missing, a label is neither 0 nor 1, a score is not finite, or
            the lengths differ.
    """
    if labels.shape != scores.shape or labels.ndim != 1:
        raise InputError(
            f"There are {labels.shape} labels but {scores.shape} scores", "Give one of each per row"
        )
    if not ((labels == 0) | (labels == 1)).all():
        raise InputError("A label is neither 0 nor 1", "Leave out rows whose class is unknown")
    if not np.isfinite(scores).all():
        raise InputError("A score is not finite", "Leave out rows that could not be scored")
    if both and not 0 < np.count_nonzero(labels) < len(labels):
        raise InputError(
            f"All {len(labels)} labels are of one class", "Give rows of both classes to compare"
        )
