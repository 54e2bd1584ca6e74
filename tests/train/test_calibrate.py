import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from skysieve.core.errors import RecipeError
from skysieve.finder.calibration import margin
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
    assert found.platt.slope == pytest.approx(1.7, rel=0.05)
    assert found.platt.offset == pytest.approx(-0.6, abs=0.06)
    assert found.platt.prior == pytest.approx(truth.mean())
    assert found.scale is None


def test_separable_rows_give_finite_probabilities():
    logits = np.array([[0, -5.0]] * 20 + [[0, 5.0]] * 20)
    truth = np.array([0] * 20 + [1] * 20)
    p = calibrate(logits, truth, 1, None).platt(margin(logits, 1))
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
