"""Differences of finders on the same rows: DeLong against the bootstrap, McNemar against counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from skysieve.core.errors import InputError, MismatchError
from skysieve.measure.intervals import bootstrap
from skysieve.measure.paired import compare, compare_auc, compare_right
from skysieve.measure.predictions import Predictions
from skysieve.measure.rare import Sweep, roc_auc


def scores(seed: int, n: int = 300, gain: float = 0.0, shared: float = 1.0):
    """Return labels and two scores that share most of what makes rows hard."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], (n // 3, n - n // 3))
    common = shared * rng.normal(size=n) + labels
    return (
        labels,
        common + 0.5 * rng.normal(size=n),
        common + gain * labels + 0.5 * rng.normal(size=n),
    )


def binary(labels, score) -> Predictions:
    p = stats.norm.cdf(score)
    return Predictions(
        truth=labels, probabilities=np.stack([1 - p, p], 1), classes=("no", "yes"), positive="yes"
    )


def delong_by_definition(labels, first, second):
    """Return difference and variance from all pairs, as DeLong et al. write them."""
    x, y = labels == 1, labels == 0
    placed = []
    for s in (first, second):
        above = (s[x][:, None] > s[y]) + 0.5 * (s[x][:, None] == s[y])
        placed.append((above.mean(axis=1), above.mean(axis=0)))
    covariance = sum(
        np.cov([placed[0][side], placed[1][side]]) / len(placed[0][side]) for side in (0, 1)
    )
    contrast = np.array([-1, 1])
    return placed[1][0].mean() - placed[0][0].mean(), contrast @ covariance @ contrast


@pytest.mark.parametrize("ties", [False, True])
def test_delong_is_its_definition(ties):
    labels, first, second = scores(0, gain=0.3)
    if ties:
        first, second = np.round(first), np.round(second, 1)
    found = compare_auc(labels, first, second)
    value, variance = delong_by_definition(labels, first, second)
    assert found.value == pytest.approx(value)
    assert found.value == pytest.approx(roc_auc(labels, second) - roc_auc(labels, first))
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * np.sqrt(variance))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(value) / np.sqrt(variance)))


def test_delong_and_bootstrap_agree():
    labels, first, second = scores(1, n=900, gain=0.15)
    exact = compare_auc(labels, first, second)
    drawn = compare(binary(labels, first), binary(labels, second), resamples=1000)["yes", "auc"]
    assert drawn.value == pytest.approx(exact.value)
    assert drawn.high - drawn.low == pytest.approx(exact.high - exact.low, rel=0.12)
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.03)
    # The rows are shared: taken apart, the finders' intervals would be far wider.
    assert exact.high - exact.low < 0.7 * np.hypot(*_widths(labels, first, second))


def _widths(labels, first, second):
    found = [bootstrap(Sweep.roc_auc, labels, s, resamples=300) for s in (first, second)]
    return [each.high - each.low for each in found]


@pytest.mark.parametrize("method", ["delong", "bootstrap"])
def test_equals_are_told_apart_as_rarely_as_promised(method):
    chances = []
    for seed in range(60):
        labels, first, second = scores(seed)
        if method == "delong":
            chances.append(compare_auc(labels, first, second).p_value)
        else:
            found = compare(binary(labels, first), binary(labels, second), resamples=150)
            chances.append(found["yes", "auc"].p_value)
    told = int((np.array(chances) < 0.05).sum())
    assert told <= 9  # 3 expected, with a deviation of 1.7
    assert np.median(chances) == pytest.approx(0.5, abs=0.15)


def test_a_finder_does_not_differ_from_itself_and_order_is_a_sign():
    labels, first, second = scores(2, gain=0.3)
    same = compare_auc(labels, first, first)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    one, other = compare_auc(labels, first, second), compare_auc(labels, second, first)
    assert (one.value, one.low, one.p_value) == pytest.approx(
        (-other.value, -other.high, other.p_value)
    )
    drawn = compare(binary(labels, first), binary(labels, first), resamples=20)
    assert all((d.value, d.low, d.high, d.p_value) == (0, 0, 0, 1) for d in drawn.values())


def test_a_clear_difference_is_told():
    labels, first, second = scores(3, gain=1.5)
    assert compare_auc(labels, first, second).p_value < 1e-6
    found = compare(binary(labels, first), binary(labels, second), resamples=400)
    assert found["yes", "auc"].p_value == pytest.approx(2 / 401)
    assert found["yes", "auc"].low > 0


def test_mcnemar_counts_only_what_the_finders_disagree_on():
    first = np.array([True] * 50 + [False] * 10 + [True] * 2)
    second = np.array([True] * 50 + [True] * 10 + [False] * 2)
    found = compare_right(first, second)
    assert (found.only_first, found.only_second) == (2, 10)
    # 2 * P(at most 2 heads of 12)
    assert found.p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert compare_right(first, first).p_value == 1


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="1 positives and 2 negatives"):
        compare_auc(np.array([1, 0, 0]), np.zeros(3), np.zeros(3))
    labels, first, second = scores(0)
    with pytest.raises(MismatchError, match="same rows"):
        compare(binary(labels, first), binary(1 - labels, second))
