"""What a list of candidates will hold is said before anyone looks at it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from skysieve.core.errors import InputError
from skysieve.core.odds import at_prior
from skysieve.measure.expected import draw_expected_svg, expect
from skysieve.measure.rates import estimate_rate
from tests.measure.test_reliability import sky

KS = (10, 100, 1000)


def test_intervals_hold_what_is_found_as_often_as_they_say():
    known, estimated = np.zeros(4), np.zeros(4)
    for k in range(60):
        truth, p = sky(10_000, 3e-3, k)
        order = np.argsort(-p)
        found = np.cumsum(truth[order])
        for held, rate in ((known, 3e-3), (estimated, estimate_rate(p, 0.5, draws=300, seed=k))):
            said = expect(p[order], 0.5, rate, ks=KS, draws=300, seed=k)
            held += [one.low <= found[one.k - 1] <= one.high for one in said.best]
    assert known.min() >= 51  # of 60; 95 % less 3.5 sigma
    assert estimated.min() >= 51


def test_the_expected_number_is_the_sum_of_the_probabilities():
    _, p = sky(5000, 0.01, 1)
    p = np.sort(p)[::-1]
    said = expect(p, 0.5, 0.01, ks=KS, draws=2000)
    moved = at_prior(p, 0.5, 0.01)
    for one in said.best:
        assert one.lenses == pytest.approx(moved[: one.k].sum(), rel=1e-9)
        assert one.purity == pytest.approx(one.lenses / one.k)
        assert one.low <= one.lenses + 1
        assert one.high >= one.lenses - 1
    assert [one.k for one in said.best] == [10, 100, 1000, 5000]


def test_the_interval_is_that_of_a_poisson_binomial():
    p = np.repeat([0.9, 0.3, 0.02], [20, 50, 2000])
    said = expect(p, 0.5, 0.5, ks=(70,), draws=4000)
    exact = np.array([1.0])
    for one in p[:70]:
        exact = np.convolve(exact, [1 - one, one])
    ends = np.searchsorted(np.cumsum(exact), (0.025, 0.975))
    assert abs(said.best[0].low - ends[0]) <= 1
    assert abs(said.best[0].high - ends[1]) <= 1


def test_a_doubtful_rate_widens_the_interval():
    _, p = sky(3000, 0.01, 2, apart=1.0)
    rate = estimate_rate(p, 0.5)
    p = np.sort(p)[::-1]
    sure, doubtful = (expect(p, 0.5, one, ks=(300,)).best[0] for one in (rate.value, rate))
    assert doubtful.high - doubtful.low > 1.3 * (sure.high - sure.low)


def test_of_p_survey_the_prior_is_the_fitted_one():
    _, p = sky(2000, 0.02, 3)
    p = np.sort(p)[::-1]
    one, other = expect(p, 0.5, 0.02), expect(at_prior(p, 0.5, 0.001), 0.001, 0.02)
    for a, b in zip(one.best, other.best, strict=True):
        assert a.lenses == pytest.approx(b.lenses, rel=1e-6)


def test_the_number_asked_for_may_be_all_rows_and_not_none():
    p = np.array([0.9, 0.1])
    assert [one.k for one in expect(p, 0.5, 0.1, ks=(2, 5)).best] == [2]
    with pytest.raises(InputError, match="0 rows"):
        expect(p, 0.5, 0.1, ks=(0,))


def test_a_rate_that_is_not_known_is_refused():
    blind = estimate_rate(np.full(100, 0.5), 0.5)
    with pytest.raises(InputError, match="cannot tell"):
        expect(np.array([0.5]), 0.5, blind)
    with pytest.raises(InputError, match="rate of lenses"):
        expect(np.array([0.5]), 0.5, 0.0)


def test_the_figure_is_drawn():
    _, p = sky(2000, 0.02, 4)
    svg = draw_expected_svg(expect(np.sort(p)[::-1], 0.5, 0.02))
    ET.fromstring(svg)
    assert "all of them" in svg
