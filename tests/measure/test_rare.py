"""The numbers of a ranking, against scikit-learn, closed forms and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics

from skysieve.core.errors import InputError
from skysieve.measure import rare


@st.composite
def rankings(draw):
    """Labels of both classes, with scores that often tie."""
    n = draw(st.integers(2, 60))
    labels = draw(arrays.arrays(np.int8, n, elements=st.integers(0, 1)))
    labels[:2] = (0, 1)
    scores = draw(arrays.arrays(np.float64, n, elements=st.integers(0, 12).map(lambda k: k / 12)))
    return labels, scores


@given(rankings())
def test_agrees_with_scikit_learn(ranking):
    labels, scores = ranking
    assert rare.roc_auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert rare.average_precision(labels, scores) == pytest.approx(
        metrics.average_precision_score(labels, scores)
    )


@given(rankings())
def test_the_curves_are_those_of_scikit_learn(ranking):
    labels, scores = ranking
    for ours, theirs in zip(
        rare.roc_curve(labels, scores),
        metrics.roc_curve(labels, scores, drop_intermediate=False),
        strict=False,  # theirs ends with the thresholds
    ):
        np.testing.assert_allclose(ours, theirs)
    purity, completeness = rare.precision_recall(labels, scores)
    theirs = metrics.precision_recall_curve(labels, scores)
    np.testing.assert_allclose(purity[::-1], theirs[0][:-1])
    np.testing.assert_allclose(completeness[::-1], theirs[1][:-1])


@given(rankings(), st.floats(0, 1))
def test_completeness_at_a_false_positive_rate_is_the_best_that_keeps_it(ranking, rate):
    labels, scores = ranking
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert rare.completeness_at_fpr(labels, scores, rate) == tpr[fpr <= rate + 1e-9].max()


@settings(max_examples=20)  # scikit-learn is asked at every threshold
@given(rankings(), st.floats(0.05, 2))
def test_f_beta_is_that_of_scikit_learn(ranking, beta):
    labels, scores = ranking
    mine = rare.sweep(labels, scores).f_beta(beta)
    for value, threshold in zip(mine, np.unique(scores)[::-1], strict=True):
        assert value == pytest.approx(metrics.fbeta_score(labels, scores >= threshold, beta=beta))


@pytest.mark.parametrize("passed", [0, 2, 9])
def test_completeness_of_smaller_test_sets_is_their_mean(passed):
    rng = np.random.default_rng(passed)
    labels = np.repeat(np.array([1, 0], np.int8), (30, 60))
    scores = np.round(rng.normal(size=90) + 1.5 * labels, 1)  # with ties
    mean = []
    for _ in range(1000):
        rows = np.append(np.arange(30), 30 + rng.choice(60, 20, replace=False))
        mean.append(rare.completeness_at_false_positives(labels[rows], scores[rows], passed))
    value = rare.sweep(labels, scores).completeness_before(passed, 20)
    assert value == pytest.approx(np.mean(mean), abs=5 * np.std(mean) / np.sqrt(1000))
    whole = rare.sweep(labels, scores).completeness_before(passed, 60)
    assert whole == rare.completeness_at_false_positives(labels, scores, passed)


@pytest.mark.parametrize(
    "ask",
    [
        lambda *given: rare.purity_at_k(*given, 9),
        lambda *given: rare.purity_at_k(*given, 0),
        lambda *given: rare.completeness_at_k(*given, 9),
        lambda *given: rare.completeness_at_false_positives(*given, 4),
        lambda *given: rare.sweep(*given).completeness_before(0, 5),
    ],
)
def test_more_rows_than_there_are_have_no_number(ask):
    labels, scores = np.array([1, 1, 0, 1, 0, 0, 1, 0], np.int8), np.linspace(1, 0, 8)
    with pytest.raises(InputError):
        ask(labels, scores)


@given(rankings())
def test_only_the_order_of_the_scores_counts(ranking):
    labels, scores = ranking
    for metric in (rare.roc_auc, rare.average_precision):
        assert metric(labels, scores) == metric(labels, np.exp(3 * scores))


@given(rankings())
def test_the_auc_of_the_reverse_ranking_is_the_rest(ranking):
    labels, scores = ranking
    assert rare.roc_auc(labels, -scores) == pytest.approx(1 - rare.roc_auc(labels, scores))


def test_counts_of_a_ranking_by_hand():
    labels = np.array([1, 1, 0, 1, 0, 0, 1, 0], np.int8)
    scores = np.linspace(1, 0, 8)
    assert rare.completeness_at_false_positives(labels, scores, 0) == 2 / 4
    assert rare.completeness_at_false_positives(labels, scores, 1) == 3 / 4
    assert rare.completeness_at_k(labels, scores, 4) == 3 / 4
    assert rare.purity_at_k(labels, scores, 4) == 3 / 4
    assert rare.purity_at_k(labels, scores, 8) == 4 / 8
    assert float(rare.sweep(labels, scores).purity_at_completeness(0.75)) == 3 / 4


def test_tied_rows_are_found_as_often_as_chance_has_it():
    labels, scores = np.array([1, 0, 0, 0], np.int8), np.zeros(4)
    assert rare.completeness_at_k(labels, scores, 2) == 0.5
    assert rare.completeness_at_false_positives(labels, scores, 0) == 0
    assert rare.roc_auc(labels, scores) == 0.5


@pytest.mark.parametrize(
    ("labels", "scores", "word"),
    [
        ([1, 2], [0.5, 0.1], "neither 0 nor 1"),
        ([1, -1], [0.5, 0.1], "neither 0 nor 1"),
        ([1, 0], [0.5, np.nan], "not finite"),
        ([1, 1], [0.5, 0.1], "one class"),
        ([], [], "one class"),
    ],
)
def test_what_cannot_be_measured_is_refused(labels, scores, word):
    with pytest.raises(InputError, match=word):
        rare.sweep(np.array(labels, np.int8), np.array(scores, np.float64))
