import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from torch import nn

from skysieve.core.errors import RecipeError
from skysieve.finder.calibration import margin
from skysieve.measure.reliability import measure_reliability
from skysieve.recipe.classifier import CalibrationPlan
from skysieve.train.calibrate import Rescaled, calibrate, member_weights

RNG = np.random.default_rng(5)


def drawn(scores, *, factor=1.0):
    """Classes drawn with the probabilities that these logits mean."""
    p = softmax(factor * scores, axis=1)
    return np.array([RNG.choice(len(row), p=row) for row in p])


def test_platt_finds_the_line_that_labels_were_drawn_with():
    logits = np.zeros((20_000, 2))
    logits[:, 1] = RNG.normal(0, 2, 20_000)
    truth = (RNG.random(20_000) < 1 / (1 + np.exp(-(1.7 * logits[:, 1] - 0.6)))).astype(np.int64)
    found = calibrate(logits, truth, 1, None)
    assert found.calibration.slope == pytest.approx(1.7, rel=0.05)
    assert found.calibration.offset == pytest.approx(-0.6, abs=0.06)
    assert found.calibration.prior == pytest.approx(truth.mean())
    assert found.scale is None


def test_separable_rows_give_finite_probabilities():
    logits = np.array([[0, -5.0]] * 20 + [[0, 5.0]] * 20)
    truth = np.array([0] * 20 + [1] * 20)
    p = calibrate(logits, truth, 1, None).calibration(margin(logits, 1))
    assert 0.9 < p[-1] < 1
    assert 0 < p[0] < 0.1


def test_a_common_temperature_is_found_for_several_classes():
    logits = RNG.normal(0, 1, (20_000, 3))
    truth = drawn(logits, factor=2.0)
    found = calibrate(logits, truth, 1, None)
    assert found.scale is not None
    factor, offsets = found.scale
    assert factor == pytest.approx(2, rel=0.06)
    np.testing.assert_allclose(offsets, 0, atol=0.08)
    network = Rescaled(nn.Flatten(), factor, offsets)
    given = network(torch.from_numpy(logits[:5]).float()[:, :, None, None]).numpy()
    np.testing.assert_allclose(given, logits[:5] * factor + np.array(offsets), rtol=1e-5)


def test_the_asked_share_of_negatives_passes():
    logits = np.zeros((5000, 2))
    truth = (np.arange(5000) % 10 == 0).astype(np.int64)
    logits[:, 1] = RNG.normal(0, 1, 5000) + 2 * truth
    found = calibrate(logits, truth, 1, 0.05)
    passed = margin(logits, 1) >= found.pass_logit
    assert passed[truth == 0].mean() == pytest.approx(0.05, abs=0.002)
    assert found.pass_fraction == pytest.approx(passed[truth == 0].mean())


def test_a_network_that_ranks_backwards_is_refused():
    logits = np.zeros((200, 2))
    truth = (np.arange(200) % 2).astype(np.int64)
    logits[:, 1] = -3.0 * truth + RNG.normal(0, 1, 200)
    with pytest.raises(RecipeError, match="no higher"):
        calibrate(logits, truth, 1, None)


def test_the_member_that_knows_more_weighs_more():
    truth = (RNG.random(4000) < 0.3).astype(np.int64)
    signal = (2.0 * truth - 1)[:, None] * np.array([-1, 1])
    good = signal + RNG.normal(0, 1, (4000, 2))
    poor = 0.1 * signal + RNG.normal(0, 1, (4000, 2))
    shares = member_weights(np.stack([good, poor, 5 * good]), truth)
    assert shares.sum() == pytest.approx(1)
    assert shares[1] < 0.2 * shares[0]
    # A member that says the same five times louder is not believed five times as much.
    assert 5 * shares[2] == pytest.approx(shares[0], rel=0.2)


KINDS = ("platt", "temperature", "isotonic", "beta")


def rows(n, law):
    """Margins of two classes, and truths drawn by a law of the margin."""
    logits = np.zeros((n, 2))
    logits[:, 1] = RNG.normal(0, 3, n)
    return logits, (RNG.random(n) < law(logits[:, 1])).astype(np.int64)


def fitted(kind, logits, truth):
    return calibrate(logits, truth, 1, None, CalibrationPlan(kind=kind)).calibration


LAWS = {
    "platt": lambda m: expit(0.6 * m - 1.5),
    "temperature": lambda m: expit(m / 2.5),
    "beta": lambda m: expit(-0.3 * np.logaddexp(0, -m) + 2.0 * np.logaddexp(0, m) - 1),
    "isotonic": lambda m: np.where(m < -1, 0.02, np.where(m < 2, 0.4, 0.9)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_finds_its_own_law(kind):
    found = fitted(kind, *rows(20_000, LAWS[kind]))
    logits, truth = rows(20_000, LAWS[kind])
    error = measure_reliability(truth, found(logits[:, 1]), resamples=50)
    assert error.measured["ece_mass"].value < 0.015
    away = np.abs(found(logits[:, 1]) - LAWS[kind](logits[:, 1]))
    assert away.mean() < 0.012
    assert found.prior == pytest.approx(truth.mean(), abs=0.02)


def test_a_line_does_not_bend_where_others_do():
    logits, truth = rows(20_000, LAWS["isotonic"])
    errors = {
        kind: measure_reliability(truth, fitted(kind, logits, truth)(logits[:, 1]), resamples=50)
        for kind in KINDS
    }
    ece = {kind: one.measured["ece_mass"] for kind, one in errors.items()}
    assert ece["isotonic"].high < ece["platt"].low
    assert ece["beta"].value < ece["temperature"].value


def test_fits_agree_with_scikit_learn():
    logits, truth = rows(3000, LAWS["beta"])
    m = logits[:, 1]
    columns = np.stack([-np.logaddexp(0, -m), np.logaddexp(0, m)], 1)
    theirs = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(columns, truth)
    ours = fitted("beta", logits, truth)
    # Platt's targets are the only difference.
    assert (ours.a, ours.b) == pytest.approx(tuple(theirs.coef_[0]), rel=0.02)
    steps = IsotonicRegression().fit_transform(m, truth)
    ours = fitted("isotonic", logits, truth)
    assert np.abs(ours(m) - steps).mean() < 0.02
    middle = (m > ours.margins[1]) & (m < ours.margins[-2])
    assert abs((ours(m) - truth)[middle].mean()) < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_finite_probabilities_of_separable_rows(kind):
    logits = np.zeros((40, 2))
    logits[:, 1] = np.append(np.linspace(-6, -4, 20), np.linspace(4, 6, 20))
    truth = np.repeat([0, 1], 20)
    p = fitted(kind, logits, truth)(logits[:, 1])
    assert ((p > 0) & (p < 1)).all()
    assert (np.diff(p) > 0).all()
    assert p[20:].min() > 0.8
    assert p[:20].max() < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_a_network_that_ranks_backwards(kind):
    logits, truth = rows(500, LAWS["platt"])
    with pytest.raises(RecipeError, match="no higher"):
        fitted(kind, -logits, truth)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_several_classes(kind):
    logits = RNG.normal(0, 1, (5000, 3))
    truth = drawn(logits, factor=2.0)
    found = calibrate(logits, truth, 1, None, CalibrationPlan(kind=kind))
    assert found.scale is not None
    factor, offsets = found.scale
    assert factor == pytest.approx(2, rel=0.12)
    assert (kind == "temperature") == (offsets == (0.0, 0.0, 0.0))
    p = found.calibration(margin(logits * factor + np.array(offsets), 1))
    error = measure_reliability((truth == 1).astype(np.int64), p, resamples=50)
    assert error.measured["ece_mass"].low < 0.02
