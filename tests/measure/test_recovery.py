"""Selection functions: known detectors come back, within their intervals, and nothing is guessed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression

import skysieve
from skysieve.core.errors import InputError, MissingError
from skysieve.core.random import stream
from skysieve.measure.rare import completeness_at_fpr
from skysieve.measure.recovery import Asked, measure_recovery
from skysieve.measure.recovery_page import write_recovery
from skysieve.measure.surface import _loss, evaluate_surface, fit_surface
from skysieve.measure.trials import Trials, check_rate, choose_threshold, share_of

ASKED = Asked(
    finder="known 1",
    finder_sha256="f" * 64,
    images="test",
    data_sha256="d" * 64,
    seed=3,
    population="as drawn",
    made=0,
    unscored={},
)
FWHM = 0.7


def truth(radius, snr):
    """Return the completeness of a known detector."""
    rise = -1.0 + 1.5 * np.log(radius / FWHM / 2) + 2.5 * np.log(snr / 40)
    return 0.9 / (1 + np.exp(-rise))


def trials(n: int, seed: int, *, detector=truth, copies: int = 1, known: bool = True, **more):
    """Return lenses that a known detector scores above 0.5 if it finds them, else below."""
    rng = stream(seed, "test-trials")
    radius, snr = rng.uniform(0.5, 3, n), np.exp(rng.uniform(np.log(5), np.log(500), n))
    found = rng.random(n) < detector(radius, snr)
    told = rng.normal(size=(2, n)) if known else np.full((2, n), np.nan)
    fields = {
        "p": np.where(found, 0.75, 0.25) + 0.2 * (rng.random(n) - 0.5),
        "image": np.arange(n) // copies,
        "einstein_radius_arcsec": radius,
        "arc_snr": snr,
        "psf_fwhm_arcsec": np.full(n, FWHM),
        "source_ab": 24 + told[0],
        "color": told[1],
        "weights": np.ones(n),
        "negative_p": 0.4 * rng.random(n // copies),
        "negative_image": np.arange(n // copies),
    }
    return Trials(**fields | more)


@pytest.fixture(scope="module")
def known():
    return measure_recovery(trials(3000, 1), ASKED, threshold=0.5, resamples=60)


class TestAKnownDetector:
    def test_comes_back(self, known):
        radius, snr = np.meshgrid(np.linspace(0.6, 2.9, 9), np.geomspace(7, 400, 9))
        wanted, selection = truth(radius, snr), known.selection
        assert np.abs(selection(radius, snr) - wanted).mean() < 0.02
        low, high = selection.low(radius, snr), selection.high(radius, snr)
        assert (low < high).all()
        assert (high - low).mean() < 0.1
        # One draw, so all places err together; whether 95 % hold is asked below of many.
        assert (np.maximum(low - wanted, wanted - high) < high - low).all()

    def test_has_intervals_that_hold_it_as_often_as_they_say(self):
        places = np.array([0.8, 1.5, 2.5]), np.array([60.0, 40.0, 20.0])
        held = []
        for seed in range(15):
            told = measure_recovery(
                trials(600, seed, known=False), ASKED, threshold=0.5, resamples=40
            ).selection
            low, high = told.low(*places), told.high(*places)
            held.append((low <= truth(*places)) & (truth(*places) <= high))
        # 45 intervals, of which three at a time are not independent: 0.95 less three times 0.045;
        # benchmarks/bench_selection.py asks more of them
        assert np.mean(held) > 0.8

    def test_that_is_a_step_gets_a_steep_surface(self):
        step = trials(800, 2, detector=lambda _, snr: (snr > 50).astype(float))
        selection = measure_recovery(step, ASKED, threshold=0.5, resamples=20).selection
        assert selection(1.5, 35.0) < 0.05
        assert selection(1.5, 75.0) > 0.95

    def test_that_depends_on_color_says_so(self):
        base = trials(1500, 3)
        found = stream(4, "test").random(1500) < 1 / (1 + np.exp(-2 * base.color))
        colored = trials(1500, 3, p=np.where(found, 0.8, 0.2))
        told = measure_recovery(colored, ASKED, threshold=0.5, resamples=40)
        color = told.as_json()["extended_surface"]["coefficients"]["color"]
        assert color["low"] < 2 * 1.05
        assert color["low"] > 1
        ask = told.selection
        assert ask(1.5, 50, source=(24, 1)) > ask(1.5, 50, source=(24, -1)) + 0.4

    def test_fits_and_another_does_not(self, known):
        def falling(radius, snr):
            return np.where((snr > 30) & (radius < 1.5), 0.9, 0.1)

        other = measure_recovery(
            trials(3000, 1, detector=falling), ASKED, threshold=0.5, resamples=2
        )
        assert known.misfit > 0.01
        assert other.misfit < 1e-6


class TestTheSelectionFunction:
    @settings(max_examples=30)
    @given(st.floats(0.5, 2.9), st.floats(0, 1), st.floats(6, 400), st.floats(0, 100))
    def test_only_rises(self, known, radius, wider, snr, more):
        ask = known.selection
        here = ask(radius, snr, extrapolate=True)
        assert ask(radius + wider, snr, extrapolate=True) >= here
        assert ask(radius, snr + more, extrapolate=True) >= here

    def test_lies_within_its_interval_and_0_and_1(self, known):
        ask, at = known.selection, (np.linspace(0.6, 2.8, 20), 40.0)
        assert ((ask.low(*at) <= ask(*at)) & (ask(*at) <= ask.high(*at))).all()
        assert (ask.low(*at) >= 0).all()
        assert (ask.high(*at) <= 1).all()

    def test_is_nan_where_there_were_no_lenses(self, known):
        ask = known.selection
        radius, snr = np.array([1.5, 9.0, 1.5, -1.0, 0.0]), np.array([50.0, 50.0, 5000.0, 50.0, 0])
        assert ask.inside(radius, snr).tolist() == [True, False, False, False, False]
        assert np.isnan(ask(radius, snr)).tolist() == [False, True, True, True, True]
        beyond = ask(radius, snr, extrapolate=True)
        assert np.isfinite(beyond[:3]).all()
        assert np.isnan(beyond[3:]).all()

    def test_depends_on_radius_in_widths_of_the_psf(self, known):
        ask = known.selection
        assert ask(2.4, 40, psf_fwhm_arcsec=2 * FWHM) == pytest.approx(ask(1.2, 40))

    def test_takes_any_shapes_that_broadcast(self, known):
        ask = known.selection
        assert ask(1.0, 50.0).shape == ()
        assert ask(np.ones((3, 1)), [20, 50]).shape == (3, 2)
        with pytest.raises(InputError, match="do not fit"):
            ask(np.ones(3), np.ones(2))

    def test_is_the_same_from_its_file(self, known, tmp_path):
        write_recovery(tmp_path, known)
        read = skysieve.read_selection(tmp_path / "selection.json")
        assert read == known.selection
        assert read.finder_sha256 == ASKED.finder_sha256
        assert (read(1.5, [20, 50, 90]) == known.selection(1.5, [20, 50, 90])).all()

    def test_refuses_what_is_none(self, tmp_path):
        with pytest.raises(MissingError, match="skysieve recover"):
            skysieve.read_selection(tmp_path)
        (tmp_path / "selection.json").write_text("{}")
        with pytest.raises(InputError, match="no selection function"):
            skysieve.read_selection(tmp_path)

    def test_without_color_refuses_to_be_asked_for_it(self):
        ask = measure_recovery(
            trials(400, 5, known=False), ASKED, threshold=0.5, resamples=2
        ).selection
        with pytest.raises(InputError, match="knows nothing"):
            ask(1.5, 50, source=(24, 1))


class TestTheThreshold:
    @pytest.mark.parametrize("fpr", [0.01, 0.0372, 0.5])
    def test_is_that_of_the_ranking_metrics(self, fpr):
        rng = stream(1, "test")
        negative, positive = rng.random(500).round(2), (rng.random(300) + 0.3).round(2)
        cut = choose_threshold(negative, fpr)
        labels = np.repeat([0, 1], (500, 300))
        wanted = completeness_at_fpr(labels, np.concatenate([negative, positive]), fpr)
        assert (positive >= cut).mean() == wanted
        assert (negative >= cut).mean() <= fpr

    def test_is_refused_where_the_images_cannot_tell(self):
        with pytest.raises(InputError, match="Give 1,000 images or more"):
            check_rate(46, 1e-3)
        with pytest.raises(InputError, match="less than one of 999"):
            choose_threshold(np.zeros(999), 1e-3)
        check_rate(1000, 1e-3)

    def test_is_drawn_anew_in_each_resample(self):
        given = trials(1000, 6, known=False, negative_p=np.linspace(0, 0.8, 1000))
        fixed = measure_recovery(given, ASKED, threshold=0.72, resamples=40).selection
        drawn = measure_recovery(given, ASKED, fpr=0.1, resamples=40).selection
        assert fixed.threshold == pytest.approx(drawn.threshold, abs=0.01)
        assert drawn.high(1.5, 50) - drawn.low(1.5, 50) > fixed.high(1.5, 50) - fixed.low(1.5, 50)


class TestAShare:
    def test_of_lenses_of_their_own_is_wilson_s(self):
        found = np.repeat([True, False], (30, 70))
        told = share_of(found, np.arange(100), np.ones(100))
        assert (told.value, told.n, told.n_found) == (0.3, 100, 30)
        assert told.n_effective == pytest.approx(100)
        assert told.low == pytest.approx(0.2189, abs=1e-4)  # Wilson 1927 for 30 of 100
        assert told.high == pytest.approx(0.3958, abs=1e-4)

    def test_of_copies_that_go_together_counts_images(self):
        found = np.repeat(stream(1, "test").random(100) < 0.4, 5)
        told = share_of(found, np.arange(500) // 5, np.ones(500))
        assert told.n_effective == pytest.approx(100)

    def test_takes_weights(self):
        told = share_of(np.array([True, False]), np.arange(2), np.array([3.0, 1.0]))
        assert told.value == 0.75
        with pytest.raises(InputError, match="no lens"):
            share_of(np.array([True]), np.arange(1), np.zeros(1))


class TestWhatIsWritten:
    def test_counts_add_up(self, known):
        told = known.as_json()
        for bins in (*told["bins"].values(), told["cells"]):
            key = "n" if "n" in bins[0] else "n_lenses"
            assert sum(one[key] for one in bins) == 3000
            assert sum(one["n_found"] for one in bins) == told["overall"]["n_found"]

    def test_the_table_has_units_and_origin(self, known, tmp_path):
        write_recovery(tmp_path, known)
        table = Table.read(tmp_path / "completeness.ecsv")
        assert str(table["einstein_radius_from"].unit) == "arcsec"
        assert str(table["color_median"].unit) == "mag"
        assert table.meta["finder_sha256"] == ASKED.finder_sha256
        assert (table.meta["threshold"], table.meta["seed"]) == (0.5, 3)
        assert table["n_lenses"].sum() == 3000
        inside = (table["completeness_low"] <= table["surface_high"]) & (
            table["surface_low"] <= table["completeness_high"]
        )
        assert inside.mean() > 0.85

    def test_the_page_holds_everything(self, known, tmp_path):
        html, numbers = write_recovery(tmp_path, known)
        page = html.read_text()
        assert page.count("data:image/svg+xml") == 3
        assert "http" not in page.replace("http-equiv", "")
        assert json.loads(numbers.read_text())["threshold"] == 0.5
        names = {path.name for path in tmp_path.iterdir()}
        assert {
            "surface.png",
            "surface.svg",
            "completeness.png",
            "completeness-source.svg",
        } <= names

    def test_too_few_found_make_no_surface_and_say_so(self, tmp_path):
        none = trials(200, 1, detector=lambda _, snr: 0 * snr, known=False)
        told = measure_recovery(none, ASKED, threshold=0.5, resamples=2)
        (tmp_path / "selection.json").write_text("old")
        html, _ = write_recovery(tmp_path, told)
        assert told.selection is None
        assert "There is no surface" in html.read_text()
        assert not (tmp_path / "selection.json").exists()
        assert told.as_json()["overall"]["high"] < 0.03


def test_trials_refuse_what_does_not_fit():
    with pytest.raises(InputError, match="arc_snr"):
        trials(10, 1, arc_snr=np.zeros(10))
    with pytest.raises(InputError, match="not finite"):
        trials(10, 1, p=np.full(10, np.nan))


def test_the_fit_is_the_best_there_is_within_its_bounds():
    rng = stream(1, "test")
    terms, found = rng.normal(size=(200, 3)), (rng.random(200) < 0.5).astype(float)
    counts, center, spread = rng.integers(0, 3, 200).astype(float), np.zeros(6), np.ones(6)
    x = np.array([0.3, 0.7, 1.1, -0.4, 2.0, 0.2])
    told = _loss(x, terms, found, counts, center, spread)[1]
    slopes = approx_fprime(x, lambda at: _loss(at, terms, found, counts, center, spread)[0], 1e-7)
    assert np.allclose(told, slopes, rtol=1e-4, atol=1e-4)
    terms[:, 2] += 2 * found
    fitted = fit_surface(terms, found, counts)
    again = fit_surface(terms, found, counts, fitted + 0.1)
    assert np.allclose(fitted, again, atol=1e-3)
    assert (fitted[[1, 2, 5]] >= 0).all()
    assert fitted[3] > 1


def test_the_fit_is_that_of_scikit_learn_where_there_is_no_ceiling():
    rng = stream(2, "test")
    terms = rng.normal(size=(20_000, 2))
    rise = 0.2 + terms @ np.array([1.0, 2.0])
    found = (rng.random(20_000) < 1 / (1 + np.exp(-rise))).astype(float)
    ours = fit_surface(terms, found, np.ones(20_000))
    theirs = LogisticRegression(C=np.inf).fit(terms, found)
    p = evaluate_surface(ours, terms)
    assert np.abs(p - theirs.predict_proba(terms)[:, 1]).mean() < 0.005
