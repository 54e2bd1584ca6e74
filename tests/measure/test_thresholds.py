"""Thresholds by intent: what is asked is kept, what else comes is told, or there is a reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from skysieve.core.errors import InputError
from skysieve.measure.metrics import Draws
from skysieve.measure.thresholds import Intent, choose_thresholds

FEW = Draws(resamples=400)


def sample(m=200, n=4000, seed=0, shift=2.5, decimals=3):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.array([1, 0], np.int8), (m, n))
    scores = 1 / (1 + np.exp(2 - rng.normal(size=m + n) - shift * truth))
    return truth, np.round(scores, decimals)


def counted(truth, p, threshold):
    passed = p >= threshold
    return passed.sum(), (passed & (truth == 1)).sum(), (passed & (truth == 0)).sum()


@given(
    st.sampled_from(["inspect", "purity", "fpr", "completeness"]),
    st.floats(0.01, 1),
    st.integers(0, 5),
)
def test_a_threshold_keeps_what_was_asked_and_no_lower_one_does(name, share, seed):
    truth, p = sample(40, 300, seed, decimals=2)
    asked = max(round(share * 340), 1) if name == "inspect" else share
    choice = choose_thresholds(truth, p, [Intent(**{name: asked})], draws=Draws(resamples=50))[0]
    if choice.threshold is None:
        assert choice.undefined.reason
        assert choice.labeled is None
        return
    rows, true, false = counted(truth, p, choice.threshold)
    lower = np.unique(p)[np.unique(p) < choice.threshold][::-1]
    found = {"inspect": rows, "purity": true / rows, "fpr": false / 300, "completeness": true / 40}

    def kept(values):
        if name in {"inspect", "fpr"}:
            return values[name] <= asked + 1e-9
        return values[name] >= asked - 1e-9

    assert kept(found)
    gains = choice.labeled
    assert gains.completeness.value == true / 40
    assert gains.fpr.value == false / 300
    assert gains.purity.value == pytest.approx(true / rows)
    assert gains.inspected.value == pytest.approx(rows)
    assert gains.f1.value == pytest.approx(2 * true / (40 + rows))
    if name == "completeness":  # the highest threshold that finds them
        higher = np.unique(p)[np.unique(p) > choice.threshold]
        assert not len(higher) or counted(truth, p, higher[0])[1] / 40 < asked
    else:
        for threshold in lower:
            rows, true, false = counted(truth, p, threshold)
            assert not kept({"inspect": rows, "purity": true / rows, "fpr": false / 300})


def test_purity_at_a_prior_is_what_rows_of_that_prior_show():
    truth, p = sample(1000, 4000)
    choice = choose_thresholds(truth, p, [Intent(fpr=0.05)], prior=0.02, draws=FEW)[0]
    # The same rows with each negative 12.25 times: 1,000 of 50,000 are positives.
    weights = np.where(truth == 1, 1.0, 49_000 / 4000)
    passed = p >= choice.threshold
    assert choice.survey.purity.value == pytest.approx(
        weights[passed & (truth == 1)].sum() / weights[passed].sum()
    )
    assert choice.survey.completeness == choice.labeled.completeness
    assert choice.survey.purity.value < choice.labeled.purity.value
    assert choice.survey.inspected.value == pytest.approx(5000 * weights[passed].sum() / 50_000)


def test_inspect_counts_rows_of_the_survey():
    truth, p = sample(500, 20_000)
    choice = choose_thresholds(
        truth, p, [Intent(inspect=5000)], prior=0.001, rows=1_000_000, draws=FEW
    )[0]
    assert 4000 < choice.survey.inspected.value <= 5000
    assert choice.survey.inspected.low < 5000 < choice.survey.inspected.high


@pytest.mark.parametrize(
    ("intent", "more", "word"),
    [
        (Intent(fpr=1e-4), {}, "needs 10,000 negatives"),
        (Intent(inspect=5000), {}, "there are 4,200 rows"),
        (Intent(purity=0.5), {"prior": 1e-5}, "negatives to be told; there are 4,000"),
        (Intent(purity=0.999), {"shift": -3}, "no threshold reaches it"),
        (Intent(fpr=0.001), {"decimals": 0}, "lets too many rows through"),
    ],
)
def test_what_cannot_be_has_a_reason(intent, more, word):
    of_sample = {key: more[key] for key in ("shift", "decimals") if key in more}
    choice = choose_thresholds(*sample(**of_sample), [intent], prior=more.get("prior"), draws=FEW)[
        0
    ]
    assert choice.threshold is None
    assert word in choice.undefined.reason
    assert json.loads(json.dumps(choice.as_json(), allow_nan=False))["threshold"] is None


@pytest.mark.parametrize(
    "wrong", [{}, {"fpr": 0.1, "purity": 0.5}, {"inspect": 0}, {"purity": 1.5}, {"fpr": 0.0}]
)
def test_an_intent_is_one_thing(wrong):
    with pytest.raises(InputError):
        Intent(**wrong)


@pytest.mark.parametrize("more", [{"prior": 0.0}, {"prior": 1.0}, {"rows": 0}])
def test_a_survey_that_cannot_be_is_refused(more):
    with pytest.raises(InputError):
        choose_thresholds(*sample(), [Intent(fpr=0.1)], **more)


def test_intervals_of_a_threshold_hold_the_truth_as_often_as_they_say():
    held = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        truth = np.repeat(np.array([1, 0], np.int8), (60, 3000))
        scores = rng.normal(size=3060) + 2.5 * truth
        choice = choose_thresholds(truth, scores, [Intent(fpr=0.01)], prior=0.01, draws=FEW)[0]
        t, f = stats.norm.sf(choice.threshold - 2.5), stats.norm.sf(choice.threshold)
        purity = 0.01 * t / (0.01 * t + 0.99 * f)
        each = choice.survey
        held.append(
            [
                each.completeness.low <= t <= each.completeness.high,
                each.fpr.low <= f <= each.fpr.high,
                each.purity.low <= purity <= each.purity.high,
            ]
        )
    # 95 % with a deviation of 1.8 %.
    assert (np.mean(held, axis=0) > 0.9).all(), np.mean(held, axis=0)
