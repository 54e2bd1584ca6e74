"""How well a classifier of two or more classes does on rows whose class is known.

Every class is set against all others and ranked by its own probability; see
:mod:`skysieve.measure.rare` for what follows from a ranking.

References:
    Fawcett 2006, Pattern Recognition Letters 27, 861 (ROC curves of one class against the rest).
    Guo et al. 2017, ICML 70, 1321, equation 3 (expected calibration error).
    Brier 1950, Monthly Weather Review 78, 1.
    Metcalf et al. 2019, A&A 625, A119 (TPR0 and TPR10).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skysieve.core.random import stream
from skysieve.measure import posterior
from skysieve.measure.intervals import LEVEL, Measured, Method, condense, interval_of, wilson
from skysieve.measure.predictions import Predictions, Weights, draw_weights
from skysieve.measure.rare import Sweep

RESAMPLES = 1000
FPRS = (0.01, 0.001, 0.0001)
ECE_BINS = 15

OF_CLASS = (
    "auc",
    "average_precision",
    *(f"completeness_at_fpr_{fpr:g}" for fpr in FPRS),
    "tpr0",
    "tpr10",
    "completeness",
    "purity",
    "f1",
)
"""What is measured of each class against the others; ``completeness``, ``purity`` and ``f1`` go by
the most probable class, the rest by the ranking."""
OF_ALL = ("accuracy", "micro_auc", "calibration_error", "brier")
"""What is measured of all rows at once; ``macro_`` and a name of ``OF_CLASS`` is the mean over the
classes. ``micro_auc`` ranks all pairs of a row and a class together; ``calibration_error`` is of
the most probable class in 15 bins; ``brier`` is halved, so that it lies in [0, 1] and is the usual
one of two classes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Classification:
    """What was measured of a classifier.

    Args:
        classes: Their names.
        positive: The class that is looked for.
        confusion: Rows by true class and most probable class.
        overall: Measures of all rows, and ``macro_`` means over the classes.
        by_class: Measures of each class against the others. A completeness at a false positive
            rate that fewer than one negative makes is left out.
    """

    classes: tuple[str, ...]
    positive: str
    confusion: Int64[np.ndarray, "class class"]
    overall: dict[str, Measured]
    by_class: dict[str, dict[str, Measured]]

    @property
    def headline(self) -> dict[str, Measured]:
        """The measures of a table of finders: of the positive of two classes, else macro means."""
        names = ("auc", "average_precision", *(f"completeness_at_fpr_{fpr:g}" for fpr in FPRS))
        if len(self.classes) == 2:
            found = self.by_class[self.positive]
        else:
            found = {name: self.overall[f"macro_{name}"] for name in names if self._has(name)}
        return {name: found[name] for name in names if name in found} | {
            "accuracy": self.overall["accuracy"]
        }

    def _has(self, name: str) -> bool:
        return f"macro_{name}" in self.overall

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        return {
            "classes": list(self.classes),
            "positive": self.positive,
            "confusion": self.confusion.tolist(),
            "overall": {name: vars(each) for name, each in self.overall.items()},
            "by_class": {
                name: {key: vars(each) for key, each in found.items()}
                for name, found in self.by_class.items()
            },
        }


class Scorer:
    """Predictions in the order of every threshold, so that drawing rows again costs one pass.

    Args:
        given: The predictions.
    """

    def __init__(self, given: Predictions) -> None:
        self._given = given
        n, k = len(given), len(given.classes)
        own: Bool[np.ndarray, "n class"] = np.equal(given.truth[:, None], np.arange(k))
        rows = np.arange(n)
        self._classes = [_Ranked(given.probabilities[:, c], own[:, c], rows) for c in range(k)]
        self._pairs = _Ranked(given.probabilities.ravel(), own.ravel(), np.repeat(rows, k))
        self._cell = given.truth * k + given.predicted
        confidence = given.probabilities.max(axis=1)
        # A confidence of exactly 1 belongs to the last bin; the bins are open below.
        self._bin = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
        self._gap = (given.predicted == given.truth) - confidence
        off = given.probabilities - own.astype(np.float64)
        self._square: Float64[np.ndarray, " n"] = np.square(off).sum(axis=1) / 2

    def __call__(self, weights: Weights) -> Float64[np.ndarray, " metric"]:
        """Return every measure, in the order of :meth:`names`, with rows counted so often."""
        k = len(self._given.classes)
        confusion = np.bincount(self._cell, weights, k * k).reshape(k, k)
        right = np.diag(confusion)
        of_class = np.empty((k, len(OF_CLASS)))
        for c, ranked in enumerate(self._classes):
            of_class[c, :-3] = _of_ranking(ranked.sweep(weights))
        of_class[:, -3] = right / confusion.sum(axis=1)
        of_class[:, -2] = right / np.maximum(confusion.sum(axis=0), 1)
        of_class[:, -1] = 2 * right / (confusion.sum(axis=0) + confusion.sum(axis=1))
        total = weights.sum()
        of_all = (
            right.sum() / total,
            self._pairs.sweep(weights).roc_auc(),
            np.abs(np.bincount(self._bin, weights * self._gap, ECE_BINS)).sum() / total,
            (weights * self._square).sum() / total,
        )
        return np.concatenate([of_all, of_class.mean(axis=0), of_class.ravel()])

    def sweeps(self) -> dict[str, Sweep]:
        """Return the sweep of each class against the others."""
        ones = np.ones(len(self._given), np.int64)
        pairs = zip(self._given.classes, self._classes, strict=True)
        return {name: ranked.sweep(ones) for name, ranked in pairs}

    def names(self) -> list[tuple[str | None, str]]:
        """Return the class (None is all) and the name of each measure."""
        names = (*OF_ALL, *(f"macro_{name}" for name in OF_CLASS))
        whole: list[tuple[str | None, str]] = [(None, name) for name in names]
        return whole + [(c, name) for c in self._given.classes for name in OF_CLASS]

    def told(self) -> Bool[np.ndarray, " metric"]:
        """Say which measures these rows can tell: no rate below that of a single negative."""
        negatives = len(self._given) - self._given.counts
        of_class = np.ones((len(negatives), len(OF_CLASS)), bool)
        for j, fpr in enumerate(FPRS, start=2):
            of_class[:, j] = fpr * negatives + 1e-9 >= 1
        of_class[:, OF_CLASS.index("tpr10")] = negatives > 9
        return np.concatenate([np.ones(len(OF_ALL), bool), of_class.all(axis=0), of_class.ravel()])


def measure_classes(
    given: Predictions, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Classification:
    """Return every measure with its interval.

    Where rows come in groups, intervals are percentiles of resamples of whole groups. If there are
    none, those of a class' ranking are drawn from :mod:`skysieve.measure.posterior`, those of
    accuracy and of a class' completeness, shares of independent rows, are Wilson's, and the rest
    are percentiles of resamples within each class; a measure that no resample changes has
    Wilson's. The calibration error of a resample is
    larger than that of the sample, on average; the excess is taken off (Efron & Tibshirani 1993,
    chapter 10).
    """
    scorer = Scorer(given)
    value = scorer(np.ones(len(given), np.int64))
    drawn = np.stack(
        [
            scorer(weights)
            for weights in draw_weights(given.truth, given.groups, resamples=resamples, seed=seed)
        ]
    )
    j = OF_ALL.index("calibration_error")
    drawn[:, j] = np.clip(drawn[:, j] - drawn[:, j].mean() + value[j], 0, 1)
    tail = (1 - level) / 2
    lows, highs = np.quantile(drawn, (tail, 1 - tail), axis=0)
    overall: dict[str, Measured] = {}
    by_class: dict[str, dict[str, Measured]] = {name: {} for name in given.classes}
    for m, ((of, name), told) in enumerate(zip(scorer.names(), scorer.told(), strict=True)):
        if told:
            target = overall if of is None else by_class[of]
            ends = float(lows[m]), float(highs[m])
            target[name] = _measured(given, of, name, float(value[m]), ends, level)
    if given.groups is None:
        for of, counts in scorer.sweeps().items():
            by_class[of] |= _of_population(by_class[of], counts, resamples, level, seed)
    return Classification(
        classes=given.classes,
        positive=given.positive,
        confusion=confusion_of(given),
        overall=overall,
        by_class=by_class,
    )


def confusion_of(given: Predictions) -> Int64[np.ndarray, "class class"]:
    """Return rows by true class and most probable class."""
    k = len(given.classes)
    counts = np.bincount(given.truth * k + given.predicted, minlength=k * k)
    return counts.reshape(k, k).astype(np.int64)


def _of_population(
    found: dict[str, Measured], counts: Sweep, resamples: int, level: float, seed: int
) -> dict[str, Measured]:
    """Return the measures of a ranking of independent rows with better intervals."""
    joined = condense(counts)
    draw: dict[str, posterior.Draw] = {"auc": posterior.draw_auc}
    draw["average_precision"] = posterior.draw_average_precision
    for fpr in FPRS:
        key = f"completeness_at_fpr_{fpr:g}"
        draw[key] = partial(posterior.draw_completeness_at_fpr, fpr=fpr)
    before = partial(posterior.draw_completeness_before, negatives=counts.n_negative)
    for passed, name in ((0, "tpr0"), (9, "tpr10")):
        draw[name] = partial(before, false_positives=passed)
    return {
        name: interval_of(
            found[name].value,
            each(joined, stream(seed, f"posterior {name}"), resamples),
            counts,
            level=level,
        )
        for name, each in draw.items()
        if name in found
    }


class _Ranked:
    """Rows in the order of a falling score, ties together."""

    def __init__(
        self,
        scores: Float64[np.ndarray, " m"],
        own: Bool[np.ndarray, " m"],
        rows: Int64[np.ndarray, " m"],
    ) -> None:
        order = np.argsort(-scores, kind="stable")
        self._rows = rows[order]
        self._own = own[order]
        ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
        self._ends = None if len(ends) == len(order) else ends

    def sweep(self, weights: Weights) -> Sweep:
        """Return the sweep of a threshold with rows counted so often."""
        drawn = weights[self._rows]
        both = np.cumsum(drawn)
        true = np.cumsum(np.where(self._own, drawn, 0))
        if self._ends is not None:
            both, true = both[self._ends], true[self._ends]
        return Sweep(true_positives=np.append(0, true), false_positives=np.append(0, both - true))


def _of_ranking(sweep: Sweep) -> list[float]:
    return [
        sweep.roc_auc(),
        sweep.average_precision(),
        *(float(sweep.completeness_at_fpr(fpr)) for fpr in FPRS),
        float(sweep.completeness_at_false_positives(0)),
        float(sweep.completeness_at_false_positives(9)),
    ]


def _measured(
    given: Predictions,
    of: str | None,
    name: str,
    value: float,
    ends: tuple[float, float],
    level: float,
) -> Measured:
    independent = given.independent
    share = name == "accuracy" or (of is not None and name == "completeness")
    method: Method = "bootstrap"
    if (share and given.groups is None) or ends[0] == ends[1]:
        method = "wilson"
        n = int(independent.min())
        if share:
            n = int(independent.sum() if of is None else independent[given.classes.index(of)])
        ends = wilson(value * n, n, level=level)
    n_positive = int(given.counts[given.classes.index(of or given.positive)])
    return Measured(
        value=value,
        low=ends[0],
        high=ends[1],
        n_positive=n_positive,
        n_negative=len(given) - n_positive,
        level=level,
        method=method,
    )
