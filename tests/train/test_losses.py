"""Losses against those of torch, and laws of those it does not have."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")

from skysieve.core.errors import InputError  # noqa: E402
from skysieve.recipe.learning import CrossEntropyPlan, FocalPlan  # noqa: E402
from skysieve.train.losses import distillation, loss_of, soften  # noqa: E402

COUNTS = [60, 30, 10]


@pytest.fixture
def logits():
    return torch.randn(12, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def labels():
    return torch.arange(12) % 3


@pytest.fixture
def shares():
    raw = torch.rand(12, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return raw / raw.sum(1, keepdim=True)


def whole(labels):
    return torch.eye(3, dtype=torch.float64)[labels]


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_for_whole_labels_it_is_the_cross_entropy_of_torch(
    logits, labels, class_weights, smoothing
):
    plan = CrossEntropyPlan(class_weights=class_weights, label_smoothing=smoothing)
    weight = torch.tensor([100 / 180, 100 / 90, 100 / 30], dtype=torch.float64)
    expected = torch.nn.CrossEntropyLoss(
        weight=weight if class_weights == "balanced" else None, label_smoothing=smoothing
    )(logits, labels)
    torch.testing.assert_close(
        loss_of(plan, COUNTS)(logits, whole(labels)), expected, rtol=1e-6, atol=0
    )


def test_for_shares_it_is_the_cross_entropy_of_torch(logits, shares):
    expected = torch.nn.CrossEntropyLoss()(logits, shares)
    torch.testing.assert_close(loss_of(CrossEntropyPlan(), COUNTS)(logits, shares), expected)


def test_focal_loss_without_a_power_is_cross_entropy(logits, shares):
    torch.testing.assert_close(
        loss_of(FocalPlan(gamma=0), COUNTS)(logits, shares),
        loss_of(CrossEntropyPlan(), COUNTS)(logits, shares),
    )


def test_focal_loss_of_whole_labels_is_that_of_lin(logits, labels):
    p = torch.softmax(logits, 1)[torch.arange(12), labels]
    torch.testing.assert_close(
        loss_of(FocalPlan(gamma=2), COUNTS)(logits, whole(labels)),
        (-((1 - p) ** 2) * p.log()).mean(),
    )


def test_focal_loss_of_shares_is_least_where_the_probabilities_are_the_shares(shares):
    loss = loss_of(FocalPlan(gamma=2), COUNTS)
    least = loss(shares.log(), shares)
    assert least < 1e-9
    for scale in (0.5, 2.0):
        assert loss(scale * shares.log(), shares) > 1e-4


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_has_a_slope_where_nothing_is_wrong(gamma):
    logits = torch.tensor([[40.0, -40.0]], requires_grad=True)
    loss_of(FocalPlan(gamma=gamma), [1, 1])(logits, torch.tensor([[1.0, 0.0]])).backward()
    assert torch.isfinite(logits.grad).all()


def test_a_class_without_images_has_no_weight():
    with pytest.raises(InputError, match="Class 1"):
        loss_of(CrossEntropyPlan(class_weights="balanced"), [3, 0])


def test_softening_divides_logits(logits):
    torch.testing.assert_close(soften(torch.softmax(logits, 1), 2.0), torch.softmax(logits / 2, 1))


def test_a_student_who_agrees_has_nothing_to_learn(logits):
    logits = logits.requires_grad_()
    loss = distillation(logits, torch.softmax(logits.detach() / 3, 1), 3.0)
    loss.backward()
    assert abs(float(loss.detach())) < 1e-12
    assert logits.grad.abs().max() < 1e-12


def test_the_slope_of_distillation_hardly_depends_on_the_temperature():
    # Hinton et al. 2015, eq. 4: that is what the squared temperature is for.
    student, teacher = torch.tensor([[0.1, -0.1]]), torch.tensor([[-0.1, 0.1]])
    slopes = []
    for temperature in (5.0, 50.0):
        logits = student.clone().requires_grad_()
        distillation(logits, torch.softmax(teacher / temperature, 1), temperature).backward()
        slopes.append(float(logits.grad[0, 0]))
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-2)
    assert slopes[0] > 0.05
