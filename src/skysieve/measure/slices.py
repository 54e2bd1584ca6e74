"""How a classifier does on parts of its rows, such as the kinds of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from skysieve.core.errors import InputError
from skysieve.measure.intervals import wilson
from skysieve.measure.labels import MOST_CLASSES
from skysieve.measure.predictions import Predictions
from skysieve.measure.rare import sweep

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
    if len(kinds) > MOST_CLASSES:
        raise InputError(
            f"The column has {len(kinds):,} different values",
            f"Choose one of at most {MOST_CLASSES}, such as kind",
        )
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
