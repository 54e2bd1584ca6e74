"""Several finders on the same labeled rows, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skysieve.core.errors import InputError
from skysieve.measure.classification import RESAMPLES, Classification, measure_classes
from skysieve.measure.intervals import LEVEL
from skysieve.measure.paired import Difference, Disagreement, compare, compare_auc, compare_right
from skysieve.measure.predictions import Predictions
from skysieve.measure.slices import Slice, measure_slices


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which rows were asked about.

    Args:
        data: The names of what was read.
        labels: Where the labels come from.
        read: Rows of the data.
        labeled: Those whose class is known.
        asked: Those of the split.
        compared: Those that every finder could score: what all numbers are about.
        split: ``test``, ``validation`` or ``all``.
        why: How the split was found, in words.
        sha256: Of ids and classes of the compared rows, in any order.
        group: The column whose rows are drawn together; None if rows are independent.
    """

    data: str
    labels: str
    read: int
    labeled: int
    asked: int
    compared: int
    split: str
    why: str
    sha256: str
    group: str | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Entrant:
    """A finder that is compared.

    Args:
        name: Of it, here.
        finder: Its own name and version.
        sha256: Of its card.
        predictions: What it says of the compared rows.
        n_unscored: Rows asked about that it could not score.
        n_learned: Compared rows that taught, chose or calibrated it.
    """

    name: str
    finder: str
    sha256: str
    predictions: Predictions
    n_unscored: int = 0
    n_learned: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Standing:
    """How a finder does, alone and against another.

    Args:
        entrant: The finder.
        measured: Its measures.
        slices: The same by the values of a column.
        differences: What it reaches more than the other, by the names of the headline; empty for
            the other itself.
        auc_test: DeLong's test; None of several classes, of rows in groups, or for the other itself.
        right_test: McNemar's; None of rows in groups, or for the other itself.
    """

    entrant: Entrant
    measured: Classification
    slices: Sequence[Slice] = ()
    differences: Mapping[str, Difference]
    auc_test: Difference | None = None
    right_test: Disagreement | None = None

    @property
    def name(self) -> str:
        """What it is called here."""
        return self.entrant.name

    def p_value(self, name: str) -> float | None:
        """Return the chance of a headline's difference between equals, by the best test there is."""
        if name == "auc" and self.auc_test is not None:
            return self.auc_test.p_value
        if name == "accuracy" and self.right_test is not None:
            return self.right_test.p_value
        return self.differences[name].p_value


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Finders on the same rows.

    Args:
        rows: Which.
        standings: The finders, as they were named.
        against: The one that the others are compared with.
        by: The column of the slices; None if there are none.
        warnings: What keeps the numbers from being what they seem.
        resamples: Of the bootstrap.
        seed: Of it.
    """

    rows: Rows
    standings: tuple[Standing, ...]
    against: str
    by: str | None
    warnings: tuple[str, ...]
    resamples: int
    seed: int

    @property
    def first(self) -> Standing:
        """The first finder; classes and rows are the same for all."""
        return self.standings[0]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        given = self.first.entrant.predictions
        counts = dict(zip(given.classes, given.counts.tolist(), strict=True))
        return {
            "rows": vars(self.rows),
            "classes": list(given.classes),
            "positive": given.positive,
            "counts": counts,
            "against": self.against,
            "by": self.by,
            "warnings": list(self.warnings),
            "level": LEVEL,
            "resamples": self.resamples,
            "seed": self.seed,
            "finders": {each.name: _standing_json(each) for each in self.standings},
        }


def evaluate_entrants(
    rows: Rows,
    entrants: Sequence[Entrant],
    *,
    against: str,
    by: tuple[str, Sequence[str]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    warnings: Sequence[str] = (),
) -> Evaluation:
    """Measure finders on the same rows, and each against one of them.

    Args:
        rows: Which rows.
        entrants: The finders, with predictions of these rows in one order.
        against: The name of the one that the others are compared with.
        by: A column's name and its values, to be measured apart.
        resamples: Of the bootstrap.
        seed: Of it.
        warnings: To be shown with the numbers.

    Raises:
        InputError: No entrant is called ``against``.
        MismatchError: They are not about the same rows and classes.
    """
    other = next((each for each in entrants if each.name == against), None)
    if other is None:
        names = ", ".join(each.name for each in entrants)
        raise InputError(f"No finder is called {against!r} here", f"The names are {names}")
    standings = tuple(
        Standing(
            entrant=each,
            measured=measure_classes(each.predictions, resamples=resamples, seed=seed),
            slices=measure_slices(each.predictions, by[1]) if by else (),
            **_against(other, each, resamples, seed),
        )
        for each in entrants
    )
    return Evaluation(
        rows=rows,
        standings=standings,
        against=against,
        by=by[0] if by else None,
        warnings=tuple(warnings),
        resamples=resamples,
        seed=seed,
    )


def _against(other: Entrant, each: Entrant, resamples: int, seed: int) -> dict[str, Any]:
    if each is other:
        return {"differences": {}}
    first, second = other.predictions, each.predictions
    gaps = compare(first, second, resamples=resamples, seed=seed)
    two = len(first.classes) == 2
    differences: dict[str, Difference] = {}
    for (of, name), gap in gaps.items():
        if two and of == first.positive:
            differences[name] = gap
        elif not two and of is None and name.startswith("macro_"):
            differences[name.removeprefix("macro_")] = gap
    differences["accuracy"] = gaps[None, "accuracy"]
    found: dict[str, Any] = {"differences": differences}
    if first.groups is None:
        found["right_test"] = compare_right(
            first.predicted == first.truth, second.predicted == second.truth
        )
        c = first.positive_index
        if two and min(first.counts) > 1:
            positive = (first.truth == c).astype(np.int64)
            found["auc_test"] = compare_auc(
                positive, first.probabilities[:, c], second.probabilities[:, c]
            )
    return found


def _standing_json(each: Standing) -> dict[str, Any]:
    entrant = each.entrant
    return {
        "finder": entrant.finder,
        "sha256": entrant.sha256,
        "n": len(entrant.predictions),
        "n_unscored": entrant.n_unscored,
        "n_learned_from": entrant.n_learned,
        "headline": {name: vars(found) for name, found in each.measured.headline.items()},
        **each.measured.as_json(),
        "differences": {
            name: vars(found) | {"p_value": each.p_value(name)}
            for name, found in each.differences.items()
        },
        "delong": None if each.auc_test is None else vars(each.auc_test),
        "mcnemar": None if each.right_test is None else vars(each.right_test),
        "slices": [vars(found) for found in each.slices],
    }
