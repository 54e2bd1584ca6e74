"""The share of lenses is read off scores without labels, or it is said that it cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from skysieve.core.errors import InputError
from skysieve.core.odds import at_prior
from skysieve.measure.rates import Known, estimate_rate, estimate_rate_above, measure_misfit
from tests.measure.test_reliability import sky


def passing(p: np.ndarray) -> tuple[int, int]:
    return int((p >= 0.5).sum()), len(p)


@pytest.mark.parametrize("rate", [1e-3, 0.02, 0.3])
def test_both_ways_hold_the_share_as_often_as_they_say(rate: float):
    em = above = told = 0
    for k in range(60):
        _, p = sky(10_000, rate, k)
        found = estimate_rate(p, 0.5, draws=10)
        em += found.low <= rate <= found.high
        truth, of_calibration = sky(2000, 0.5, 1000 + k)
        found = estimate_rate_above(
            passing(p),
            passing(of_calibration[truth == 1]),
            passing(of_calibration[truth == 0]),
            seed=k,
        )
        if found.value is not None:
            told += 1
            above += found.low <= rate <= found.high
    assert em >= 51  # of 60; 95 % less 3.5 sigma
    assert told >= 50
    assert above >= told - 9


def test_the_likelihood_ends_where_em_ends():
    _, p = sky(5000, 0.05, 7)
    rate = 0.5
    for _ in range(3000):
        rate = float(at_prior(p, 0.5, rate).mean())
    assert estimate_rate(p, 0.5).value == pytest.approx(rate, rel=1e-6)


def test_the_prior_of_the_calibration_changes_nothing():
    _, p = sky(5000, 0.05, 8)
    some = np.where(np.arange(5000) % 2, 0.5, 0.1)
    moved = np.where(some == 0.5, p, at_prior(p, 0.5, 0.1))
    assert estimate_rate(moved, some).value == pytest.approx(estimate_rate(p, 0.5).value, rel=1e-9)


def test_many_rows_in_cells_give_what_single_rows_give():
    _, p = sky(60_000, 0.01, 9)
    parts = [estimate_rate(part, 0.5, draws=5) for part in (p, np.round(p, 12))]
    rate = 0.01
    for _ in range(500):
        rate = float(at_prior(p, 0.5, rate).mean())
    for found in parts:
        assert found.value == pytest.approx(rate, rel=2e-3)


def test_a_survey_without_lenses_has_a_limit_from_above():
    _, p = sky(20_000, 0.0, 10, apart=2.5)
    found = estimate_rate(p, 0.5)
    assert found.low == 0
    assert 0 < found.high < 1e-3


def test_draws_carry_the_interval_on():
    _, p = sky(10_000, 0.02, 11)
    found = estimate_rate(p, 0.5, draws=4000)
    ends = np.quantile(found.draws, (0.025, 0.975))
    np.testing.assert_allclose(ends, (found.low, found.high), rtol=0.06)


def test_scores_that_know_nothing_tell_no_share():
    rng = np.random.default_rng(12)
    blind = np.clip(0.5 + rng.normal(0, 1e-3, 500), 0, 1)
    found = estimate_rate(blind, 0.5)
    assert found.value is None
    assert "cannot tell" in found.why
    found = estimate_rate_above((250, 500), (125, 250), (120, 250))
    assert found.value is None
    assert found.as_json()["low"] is None


def test_rows_unlike_the_labeled_ones_are_noticed_where_no_share_explains_them():
    found = estimate_rate_above((10, 100_000), (2000, 2000), (500, 2000))
    assert found.value is None
    assert "fewer rows pass" in found.why


@pytest.mark.parametrize("p", [[], [np.nan, 0.5], [1.2]])
def test_bad_rows_are_refused(p):
    with pytest.raises(InputError):
        estimate_rate(np.array(p, float), 0.5)


@pytest.mark.parametrize(("passed", "n"), [(3, 2), (-1, 2), (0, 0)])
def test_bad_counts_are_refused(passed: int, n: int):
    with pytest.raises(InputError):
        estimate_rate_above((passed, n), (1, 1), (0, 1))


def known(p: np.ndarray) -> Known:
    return Known(p=np.sort(p), share=(np.arange(len(p)) + 0.5) / len(p), count=len(p))


def test_a_survey_of_the_calibrations_rows_fits_and_another_does_not():
    fits = noticed = 0
    for k in range(60):
        truth, p = sky(2000, 0.5, 2000 + k)
        positives, negatives = known(p[truth == 1]), known(p[truth == 0])
        _, p = sky(5000, 0.01, k)
        fits += measure_misfit(p, estimate_rate(p, 0.5).value, positives, negatives).fits
        easier = p**1.3
        found = estimate_rate(easier, 0.5)
        noticed += not measure_misfit(easier, found.value, positives, negatives).fits
    assert fits >= 56  # of 60; 99 %
    assert noticed >= 56
