"""A probability is checked against how often it came true, and the check knows its own noise."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from skysieve.core.errors import InputError
from skysieve.measure.reliability import compare_priors, measure_reliability
from skysieve.measure.reliability_figure import draw_reliability_svg


def sky(n: int, rate: float, seed: int, *, apart: float = 1.5):
    """Scores of two Gaussians: expit(2 * apart * x) is their probability at 1:1, exactly."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < rate).astype(np.int64)
    x = rng.normal(np.where(truth == 1, apart, -apart), 1.0)
    return truth, expit(2 * apart * x)


def test_trained_at_one_to_one_a_survey_of_one_in_a_thousand_is_calibrated_by_its_prior():
    truth, p = sky(200_000, 1e-3, 1)
    found = compare_priors(truth, p, 0.5, 1e-3)
    for name in ("ece_mass", "ece_width"):
        before, after = (found[key].measured[name] for key in ("as_fitted", "at_prior"))
        assert before.low > 0.09
        assert after.high < 0.002  # asked: 0.02
        assert after.low == 0, "no more than chance"
    assert found["as_fitted"].measured["said_over_found"].low > 50
    told = found["at_prior"].measured["said_over_found"]
    assert told.value == pytest.approx(1, abs=0.25)  # of 200 lenses: 3.5 sigma
    assert found["as_fitted"].measured["ece_head"].low > 0.3
    assert found["at_prior"].measured["ece_head"].low == 0


def test_numbers_agree_with_scikit_learn():
    truth, p = sky(3000, 0.3, 2)
    found = measure_reliability(truth, p, resamples=50)
    assert found.measured["brier"].value == pytest.approx(brier_score_loss(truth, p), rel=1e-9)
    for name, strategy in (("width", "uniform"), ("mass", "quantile")):
        rate, said = calibration_curve(truth, p, n_bins=15, strategy=strategy)
        bins = found.bins[name]
        np.testing.assert_allclose([one.said for one in bins], said, atol=2e-3)
        n = np.array([one.n for one in bins])
        error = float((n * np.abs(said - rate)).sum() / n.sum())
        assert found.measured[f"ece_{name}"].value == pytest.approx(error, abs=2e-4)


def test_many_rows_in_cells_give_what_single_rows_give():
    truth, p = sky(50_000, 0.05, 3)
    found = measure_reliability(truth, p, resamples=20)
    for name in ("mass", "width"):
        bins = found.bins[name]
        error = sum(one.n * abs(one.said - one.rate) for one in bins) / len(p)
        assert found.measured[f"ece_{name}"].value == pytest.approx(error, abs=1e-12)
    assert found.measured["brier"].value == pytest.approx(((p - truth) ** 2).mean(), rel=1e-4)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_intervals_hold_the_truth_as_often_as_they_say(shift: float):
    def said(p):
        return expit(np.log(p / (1 - p)) + shift)

    every, p = sky(400_000, 0.5, 4, apart=0.8)
    true = measure_reliability(every, said(p), resamples=10).measured
    held = dict.fromkeys(("ece_mass", "ece_width", "brier", "said_over_found"), 0)
    for k in range(60):
        truth, p = sky(600, 0.5, 100 + k, apart=0.8)
        found = measure_reliability(truth, said(p), resamples=100, seed=k).measured
        for name in held:
            exact = 0 if not shift and name.startswith("ece") else true[name].value
            held[name] += found[name].low <= exact <= found[name].high
    assert min(held.values()) >= 51, held  # of 60; 95 - 3.5 sigma


def test_what_rows_do_not_define_is_none():
    p = np.array([0.01, 0.02, 0.03])
    found = measure_reliability(np.zeros(3, np.int64), p, resamples=50)
    assert found.measured["said_over_found"] is None
    assert found.measured["ece_head"] is None
    assert found.measured["ece_mass"].value == pytest.approx(0.02)
    assert found.as_json()["measured"]["ece_head"] is None


@pytest.mark.parametrize(
    ("truth", "p"),
    [
        ([0, 1], [0.5, np.nan]),
        ([0, 1], [0.5, 1.5]),
        ([0, 2], [0.5, 0.5]),
        ([], []),
    ],
)
def test_bad_rows_are_refused(truth, p):
    with pytest.raises(InputError):
        measure_reliability(np.array(truth, np.int64), np.array(p, float))


@pytest.mark.parametrize("rare", [True, False])
def test_the_diagram_is_drawn(rare: bool):
    truth, p = sky(20_000, 0.01, 5)
    svg = draw_reliability_svg(compare_priors(truth, p, 0.5, 0.01), rare=rare)
    ET.fromstring(svg)
    for name in ("as fitted", "at prior", "as it should be", "currentColor"):
        assert name in svg
