"""Intervals hold the true value as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from skysieve.core.errors import InputError
from skysieve.measure.intervals import (
    _resampled,
    bands,
    bootstrap,
    bootstrap_all,
    condense,
    wilson,
)
from skysieve.measure.rare import Sweep, sweep

TRIALS = 100


def sample(seed: int, n_positive: int = 50, n_negative: int = 100, shift: float = 1.0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.array([1, 0], np.int8), (n_positive, n_negative))
    return labels, rng.normal(size=len(labels)) + shift * labels


def completeness_at_a_tenth(counts: Sweep) -> float:
    return float(counts.completeness_at_fpr(0.1))


def test_intervals_hold_the_true_value_as_often_as_they_say():
    # Two normal distributions one deviation apart.
    truth = {
        "auc": stats.norm.cdf(1 / np.sqrt(2)),
        "completeness": stats.norm.sf(stats.norm.isf(0.1) - 1),
    }
    metrics = {"auc": Sweep.roc_auc, "completeness": completeness_at_a_tenth}
    held = dict.fromkeys(truth, 0)
    for seed in range(TRIALS):
        found = bootstrap_all(metrics, *sample(seed, 60, 200), resamples=200, seed=seed)
        for name, value in truth.items():
            held[name] += found[name].low <= value <= found[name].high
    # 95 of 100 with a deviation of 2.2; percentile intervals are a little short.
    assert all(count >= 86 for count in held.values()), held


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_wilson_holds_the_true_share_as_often_as_it_says(share):
    n = 80
    chance = stats.binom.pmf(np.arange(n + 1), n, share)
    held = [wilson(k, n)[0] <= share <= wilson(k, n)[1] for k in range(n + 1)]
    assert float(chance @ held) > 0.92


def test_wilson_agrees_with_scipy():
    for k, n in ((0, 5), (3, 10), (49, 50), (20, 20)):
        theirs = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k, n) == pytest.approx((theirs.low, theirs.high))
    assert wilson(0, 0) == (0, 1)
    with pytest.raises(InputError, match="no proportion"):
        wilson(3, 2)


def test_the_same_seed_gives_the_same_interval():
    labels, scores = sample(0)
    first, again, other = (
        bootstrap(Sweep.roc_auc, labels, scores, resamples=200, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.low != other.low
    assert (first.n_positive, first.n_negative, first.method) == (50, 100, "bootstrap")


def test_rows_in_another_order_give_the_same_interval():
    labels, scores = sample(0)
    shuffled = np.random.default_rng(5).permutation(len(labels))
    assert bootstrap(Sweep.roc_auc, labels, scores, resamples=100) == bootstrap(
        Sweep.roc_auc, labels[shuffled], scores[shuffled], resamples=100
    )


def test_a_perfect_ranking_is_not_told_to_be_certain():
    labels, scores = sample(0, 20, 1000, shift=50)
    found = bootstrap(Sweep.roc_auc, labels, scores, resamples=100)
    assert (found.value, found.high, found.method) == (1, 1, "wilson")
    assert found.low == wilson(20, 20)[0] < 0.9


@pytest.mark.parametrize("sizes", [(50, 100), (10, 5000)], ids=["drawn", "multinomial"])
def test_joined_runs_are_drawn_like_rows(sizes):
    labels, scores = sample(3, *sizes)
    fast = [again.roc_auc() for again in _resampled(condense(sweep(labels, scores)), 500, 0)]
    rng = np.random.default_rng(0)
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    slow = []
    for _ in range(200):
        rows = np.append(rng.choice(positive, len(positive)), rng.choice(negative, len(negative)))
        slow.append(sweep(labels[rows], scores[rows]).roc_auc())
    assert stats.ks_2samp(fast, slow).pvalue > 0.001


def test_joining_runs_changes_no_metric():
    labels, scores = sample(1, 20, 300)
    whole = sweep(labels, scores)
    joined = condense(whole)
    assert len(joined.true_positives) <= 42
    assert joined.roc_auc() == pytest.approx(whole.roc_auc())
    assert joined.average_precision() == pytest.approx(whole.average_precision())
    grid = np.linspace(0, 1, 50)
    np.testing.assert_allclose(joined.completeness_at_fpr(grid), whole.completeness_at_fpr(grid))
    np.testing.assert_allclose(
        joined.purity_at_completeness(grid), whole.purity_at_completeness(grid)
    )
    np.testing.assert_allclose(
        joined.completeness_at_k(300 * grid), whole.completeness_at_k(300 * grid)
    )


def test_a_band_lies_about_its_curve():
    labels, scores = sample(2)
    grid = np.linspace(0, 1, 11)
    low, high = bands(
        {"roc": lambda counts: counts.completeness_at_fpr(grid)}, labels, scores, resamples=200
    )["roc"]
    value = sweep(labels, scores).completeness_at_fpr(grid)
    assert ((low <= value) & (value <= high)).all()
