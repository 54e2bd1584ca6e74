# pyright: standard
"""The linear probe: how well numbers tell classes apart, on rows that it was not fitted to.

scipy and scikit-learn say nothing of their types: this file is where they get some.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.stats import rankdata
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler

from skysieve.core.random import seed_of

FOLDS = 5
FARTHEST = 6.0
"""In standard deviations; a linear fit must not be ruled by one bright star."""


class NoProbe(Exception):  # noqa: N818  it is an answer, and its text goes into the page
    """The rows cannot be split so that every fit sees every class."""


def probe_classes(
    values: Float64[np.ndarray, "n column"],
    classes: np.ndarray,
    groups: np.ndarray | None,
    *,
    seed: int,
) -> dict[str, Float64[np.ndarray, " n"]]:
    """Return the probability of each class, from a fit that did not see the row.

    Args:
        values: The numbers of each row; NaN is filled with the median, and told as a number.
        classes: The class of each row, as text.
        groups: What must not be split; None if every row stands by itself.
        seed: Decides the splits.

    Raises:
        NoProbe: A class has too few rows, or too few groups.
    """
    known = np.unique(classes)
    found = np.full((len(classes), len(known)), np.nan)
    for fitted, scored in _splits(classes, groups, seed):
        if len(np.unique(classes[fitted])) < len(known):
            raise NoProbe("the groups leave a part without one of the classes")
        probe = _probe().fit(values[fitted], classes[fitted])
        found[scored] = probe.predict_proba(values[scored])
    return {str(name): found[:, k].copy() for k, name in enumerate(known)}


def ranks_of(values: Float64[np.ndarray, "n column"]) -> Float64[np.ndarray, "n column"]:
    """Return the rank of each value in its column, from 1; ties share theirs, NaN has none."""
    return rankdata(values, axis=0, nan_policy="omit")


def _probe() -> Pipeline:
    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        RobustScaler(unit_variance=True),
        FunctionTransformer(np.clip, kw_args={"a_min": -FARTHEST, "a_max": FARTHEST}),
        LogisticRegression(max_iter=5000),
    )


def _splits(
    classes: np.ndarray, groups: np.ndarray | None, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    state = seed_of(seed, "probe") % 2**32
    units = np.arange(len(classes)) if groups is None else groups
    folds = min(FOLDS, *(len(np.unique(units[classes == name])) for name in np.unique(classes)))
    if folds < 2:
        raise NoProbe("a class has a single group")
    shape = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = shape(n_splits=folds, shuffle=True, random_state=state)
    return list(splitter.split(np.zeros(len(classes)), classes, groups))
