import math

import pytest
import torch

from skysieve.networks.build import build_classifier
from skysieve.networks.classifier import layers
from skysieve.recipe.learning import OptimizerPlan, SchedulePlan
from skysieve.recipe.networks import ConvNetPlan, PreparationPlan
from skysieve.train.optimizing import free, optimizer_of, scheduler_of, set_to_learn

STEPS, EPOCHS = 10, 4


@pytest.fixture
def network():
    plan = ConvNetPlan(width=4, blocks=(1, 1))
    return build_classifier(plan, PreparationPlan(), bands=1, classes=2, side=32)


def rate_of(optimizer, parameter):
    for group in optimizer.param_groups:
        if any(parameter is each for each in group["params"]):
            return group["lr"]
    return None


def rates(plan, *, figures=None):
    """The rate at each step of a phase, or after each epoch for a plateau."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = scheduler_of(optimizer, plan, epochs=EPOCHS, steps=STEPS)
    found = []
    for figure in figures or [None] * (EPOCHS * STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if figure is None else schedule.step(figure)
    return found


def test_each_layer_below_learns_slower_by_the_same_factor(network):
    optimizer = optimizer_of(network, OptimizerPlan(layer_decay=0.5), 1.0)
    parts = layers(network)
    for depth, part in enumerate(reversed(parts)):
        for parameter in part.parameters():
            assert rate_of(optimizer, parameter) == pytest.approx(0.5**depth)


def test_norms_and_biases_are_not_decayed(network):
    optimizer = optimizer_of(network, OptimizerPlan(weight_decay=0.3), 1.0)
    count = 0
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            count += 1
            assert group["weight_decay"] == (0.3 if parameter.ndim > 1 else 0)
    assert count == len(list(network.parameters()))


@pytest.mark.parametrize(("train", "free_layers"), [("all", 5), ("head", 1), (0.5, 3)])
def test_a_phase_frees_the_layers_next_to_the_head(network, train, free_layers):
    parts = layers(network)
    free_layers = min(free_layers, len(parts))
    free(network, train)
    learns = [all(p.requires_grad for p in part.parameters()) for part in parts]
    expected = free_layers if train != "all" else len(parts)
    if train == 0.5:
        expected = 1 + math.ceil(0.5 * (len(parts) - 1))
    assert learns == [False] * (len(parts) - expected) + [True] * expected
    optimizer = optimizer_of(network, OptimizerPlan(), 1.0)
    held = [p for part in parts[: len(parts) - expected] for p in part.parameters()]
    assert all(rate_of(optimizer, p) is None for p in held)


def test_the_norms_of_held_layers_stay_as_they_are(network):
    set_to_learn(network, "head")
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(torch.randn(8, 1, 32, 32))
    for name, value in network.named_buffers():
        torch.testing.assert_close(value, before[name])
    set_to_learn(network, "all")
    network(torch.randn(8, 1, 32, 32))
    assert any(not torch.equal(value, before[name]) for name, value in network.named_buffers())


class TestSchedule:
    def test_constant_stays(self):
        assert set(rates(SchedulePlan(kind="constant"))) == {1.0}

    def test_steps_fall_every_so_many_epochs(self):
        found = rates(SchedulePlan(kind="step", factor=0.1, patience=2))
        assert found == pytest.approx([1.0] * 20 + [0.1] * 20)

    def test_cosine_rises_and_falls_to_nothing(self):
        found = rates(SchedulePlan(kind="cosine", warmup=0.25))
        assert found[:10] == sorted(found[:10])
        assert found[10] == 1.0
        assert found[10:] == sorted(found[10:], reverse=True)
        assert found[-1] < 0.01

    def test_one_cycle_is_highest_where_the_rise_ends(self):
        found = rates(SchedulePlan(kind="one-cycle", warmup=0.25))
        assert max(found) == pytest.approx(1.0, rel=0.02)
        assert abs(found.index(max(found)) - 9) <= 1
        assert found[0] < 0.1
        assert found[-1] < 1e-3

    def test_a_plateau_falls_when_the_figure_has_not_risen_for_its_patience(self):
        plan = SchedulePlan(kind="plateau", factor=0.5, patience=2)
        found = rates(plan, figures=[0.5, 0.6, 0.6, 0.59, 0.7, 0.7, 0.7])
        assert found == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
