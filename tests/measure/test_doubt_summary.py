"""Abstention is counted row by row."""

from __future__ import annotations

import json

import numpy as np
import pytest

from skysieve.core.errors import InputError
from skysieve.measure.doubt_summary import summarize_doubt

SETS = ["lens", "lens|nonlens", "nonlens", "", "nonlens", None]
SCORED = np.array([True] * 5 + [False])
OOD = np.array([0.5, 0.2, 0.0001, 0.0, np.nan, np.nan])


def test_each_row_that_abstains_is_counted_once() -> None:
    spread = np.array([0.1, np.nan, 0.3, np.nan, np.nan, 9.0])
    found = summarize_doubt(scored=SCORED, conformal=SETS, ood=OOD, spread=spread, head=2)
    assert found.sets == {"": 1, "lens": 1, "lens|nonlens": 1, "nonlens": 2}
    shares = (found.ambiguous, found.empty, found.unusual, found.abstained, found.head_abstained)
    assert [(each.n, each.of) for each in shares if each] == [
        (1, 5),
        (1, 5),
        (2, 5),
        (3, 5),
        (1, 2),
    ]
    assert found.spread_median == pytest.approx(0.2)
    assert all(each.low <= each.n / each.of <= each.high for each in shares if each)
    json.dumps(found.as_json(), allow_nan=False)


def test_what_has_no_column_is_none_and_not_zero() -> None:
    found = summarize_doubt(scored=SCORED)
    assert found.n_scored == 5
    assert (found.sets, found.ambiguous, found.unusual, found.abstained) == (None,) * 4
    only = summarize_doubt(scored=SCORED, ood=OOD)
    assert only.ambiguous is None
    assert only.abstained is not None
    assert only.abstained.n == 2


def test_a_ranking_without_scores_has_undefined_shares() -> None:
    found = summarize_doubt(scored=np.zeros(2, bool), conformal=[None, None])
    assert found.abstained is not None
    assert found.abstained.value is None
    json.dumps(found.as_json(), allow_nan=False)


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="rows"):
        summarize_doubt(scored=SCORED, ood=OOD[:3])
