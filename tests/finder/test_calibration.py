"""Calibration gives probabilities, keeps the order, and moves with the prior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.special import softmax

from skysieve.finder.bundle import load, save
from skysieve.finder.calibration import (
    Beta,
    Calibration,
    Isotonic,
    Platt,
    Temperature,
    at_prior,
    margin,
    spread,
)
from skysieve.finder.card import Stage
from tests.finder.tiny import tiny_card, tiny_graph

fractions = st.floats(1e-6, 1 - 1e-6)


@given(slope=st.floats(0.01, 10), offset=st.floats(-10, 10))
def test_platt_gives_probabilities_and_keeps_the_order(slope: float, offset: float) -> None:
    p = Platt(slope=slope, offset=offset)(np.linspace(-50, 50, 101))
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= 0).all()


KINDS = (
    Platt(slope=0.7, offset=-1.0, prior=0.3),
    Temperature(temperature=2.5, prior=0.3),
    Beta(a=0.2, b=1.5, c=-1.0, prior=0.3),
    Isotonic(margins=(-3.0, 0.5, 0.6), log_odds=(-2.0, -1.9, 4.0), slope=0.5, prior=0.3),
    Isotonic(margins=(1.0,), log_odds=(0.0,), slope=0.5, prior=0.3),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_calibration_keeps_the_ranking_without_new_ties(kind: Calibration) -> None:
    margins = np.sort(np.random.default_rng(0).uniform(-10, 10, 20_000))
    p = kind(margins)
    assert ((p > 0) & (p < 1)).all()
    assert (np.diff(p) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_calibration_goes_through_a_bundle(kind: Calibration, tmp_path) -> None:
    card = tiny_card().model_copy(
        update={"stages": (Stage(file="stage-1.onnx", calibration=kind),)}
    )
    save(tmp_path / "tiny", card, {"stage-1.onnx": tiny_graph(), "README.md": b"Tiny.\n"})
    assert load(tmp_path / "tiny").card.stages[0].calibration == kind


def test_older_bundles_read_as_ever() -> None:
    old = {"kind": "platt", "slope": 1.5, "offset": -0.5, "prior": 0.5}
    stage = Stage.model_validate({"file": "stage-1.onnx", "calibration": old})
    assert stage.calibration == Platt(slope=1.5, offset=-0.5)
    assert list(stage.model_dump()["calibration"]) == list(old), "the hash of a plan counts on it"
    assert Stage(file="stage-1.onnx").calibration == Platt()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "pickle"},
        {"slope": 1.0},
        {"kind": "temperature", "temperature": 0},
        {"kind": "beta", "a": 0, "b": 1},
        {"kind": "isotonic", "margins": [0, 1], "log_odds": [0], "slope": 1},
        {"kind": "isotonic", "margins": [0, 1], "log_odds": [1, 1], "slope": 1},
        {"kind": "isotonic", "margins": [1, 0], "log_odds": [0, 1], "slope": 1},
        {"kind": "isotonic", "margins": [], "log_odds": [], "slope": 1},
        {"kind": "platt", "temperature": 1},
    ],
)
def test_a_calibration_of_a_card_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Calibration).validate_python(wrong)


def test_equal_slopes_of_a_beta_calibration_are_platt_and_a_temperature() -> None:
    margins = np.linspace(-40, 40, 81)
    np.testing.assert_allclose(
        Beta(a=0.4, b=0.4, c=1.0)(margins), Platt(slope=0.4, offset=1.0)(margins), rtol=1e-12
    )
    np.testing.assert_allclose(
        Temperature(temperature=2.5)(margins), Platt(slope=0.4)(margins), rtol=1e-12
    )


@pytest.mark.parametrize("wrong", [{"slope": 0}, {"slope": float("nan")}, {"prior": 1.0}])
def test_a_calibration_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Platt(**wrong)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_without_calibration_it_is_a_softmax(classes: int) -> None:
    logits = np.random.default_rng(0).normal(size=(50, classes), scale=3)
    p = Platt()(margin(logits, 1))
    np.testing.assert_allclose(spread(p, logits, 1), softmax(logits, axis=1), rtol=1e-9)


@given(p=fractions, fitted=fractions, prior=fractions)
def test_the_prior_moves_the_odds_by_the_ratio_of_priors(
    p: float, fitted: float, prior: float
) -> None:
    def odds(x: float) -> float:
        return x / (1 - x)

    moved = at_prior(np.array([p]), np.array([fitted]), prior)[0]
    expected = odds(p) * odds(prior) / odds(fitted)
    assert moved == pytest.approx(expected / (1 + expected), rel=1e-6)


def test_the_same_prior_changes_nothing_and_certainty_stays() -> None:
    p = np.array([0.0, 0.25, 1.0, np.nan])
    np.testing.assert_allclose(at_prior(p, np.full(4, 0.1), 0.1), p)
    np.testing.assert_allclose(at_prior(p, np.full(4, 0.1), 0.9)[[0, 2, 3]], p[[0, 2, 3]])


def test_counted_frequencies_agree_with_the_shifted_prior() -> None:
    """Draw a sky at another prior, and count."""
    rng = np.random.default_rng(1)
    lens = rng.random(400_000) < 0.02
    log_odds = rng.normal(np.where(lens, 1.0, -1.0), 1.0)  # of two Gaussians: exactly 2x
    p = at_prior(Platt(slope=2.0, offset=0.0, prior=0.5)(log_odds), np.full(len(lens), 0.5), 0.02)
    for low in (0.0, 0.05, 0.1, 0.3):
        rows = (p >= low) & (p < low + 0.05)
        error = np.sqrt(p[rows].mean() / rows.sum())
        assert lens[rows].mean() == pytest.approx(p[rows].mean(), abs=4 * error)
