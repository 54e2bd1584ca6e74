"""Classifiers of every kind: the laws that all of them keep."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from skysieve.core.errors import RecipeError  # noqa: E402
from skysieve.networks.build import build_classifier, dihedral_views, multiply_adds  # noqa: E402
from skysieve.networks.classifier import layers, plain  # noqa: E402
from skysieve.networks.equivariant import GroupConv, Halve, symmetries  # noqa: E402
from skysieve.recipe.networks import (  # noqa: E402
    BackbonePlan,
    CnnPlan,
    ConvNetPlan,
    EquivariantPlan,
    MinMaxScalePlan,
    MultiScalePlan,
    PreparationPlan,
    RangeScalePlan,
)

SMALL = {
    "convnet": ConvNetPlan(width=4, blocks=(1, 1)),
    "cnn": CnnPlan(widths=(4, 8), dense=8),
    "multiscale": MultiScalePlan(width=4, levels=2),
    "c4": EquivariantPlan(group="c4", width=2, blocks=(1, 1)),
    "d4": EquivariantPlan(width=2, blocks=(1, 2)),
    "resnet": BackbonePlan(name="resnet10t", attention="cbam"),
    "vit": BackbonePlan(name="vit_tiny_patch16_224"),
}
EVERY = pytest.mark.parametrize("network", SMALL.values(), ids=SMALL.keys())
SMOOTH = PreparationPlan(scale=MinMaxScalePlan(compress="asinh"))


def images(n=3, bands=2, side=32, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.gamma(2, 1, (n, bands, side, side)), dtype=torch.float32)


def fitted(network, prepare=SMOOTH, *, bands=2, side=32, classes=3):
    """A classifier whose weights and running statistics are not those of its start."""
    torch.manual_seed(7)
    classifier = build_classifier(network, prepare, bands=bands, classes=classes, side=side)
    with torch.no_grad():
        for part in classifier.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.weight.uniform_(0.5, 1.5)
                part.bias.uniform_(-0.5, 0.5)
                part.momentum = 0.5
        classifier.train()
        for seed in range(2):
            classifier(images(8, bands, side, seed))
    return classifier.eval()


@EVERY
class TestEveryKind:
    @pytest.mark.parametrize("prepare", [PreparationPlan(), SMOOTH], ids=["sky", "minmax"])
    def test_logits_of_a_row_do_not_depend_on_its_batch(self, network, prepare):
        classifier = fitted(network, prepare)
        pixels = images(4)
        others = torch.cat([pixels[:1], 50 * images(6, seed=3)])
        with torch.no_grad():
            alone = classifier(pixels[:1])
            np.testing.assert_allclose(classifier(others)[:1], alone, atol=2e-5)
            np.testing.assert_allclose(classifier(pixels.flip(0))[-1:], alone, atol=2e-5)
            assert (classifier(pixels).std(0) > 1e-4).all()  # and they do depend on the row

    def test_holes_give_finite_logits_and_gradients(self, network):
        classifier = fitted(network, PreparationPlan()).train()
        pixels = images()
        pixels[0, 0] = torch.nan
        pixels[1] = torch.nan
        pixels[2, :, 4:9] = torch.nan
        logits = classifier(pixels)
        assert torch.isfinite(logits).all()
        logits.square().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in classifier.parameters())

    def test_gradients_reach_every_weight(self, network):
        classifier = fitted(network).train()
        classifier(images(8)).square().sum().backward()
        unmoved = [n for n, p in classifier.named_parameters() if p.grad is None]
        assert not unmoved

    def test_layers_hold_every_parameter_once_and_end_in_the_head(self, network):
        classifier = fitted(network)
        found = layers(classifier)
        held = [id(p) for layer in found for p in layer.parameters()]
        assert len(held) == len(set(held))
        assert set(held) == {id(p) for p in classifier.parameters()}
        assert 3 in {p.shape[0] for p in found[-1].parameters()}
        assert len(found) >= 3

    def test_layers_go_from_the_input_to_the_head(self, network):
        """A part's place is the time at which the first of its modules with weights runs."""
        classifier = fitted(network)
        time: dict[int, int] = {}

        def note(part, _given, _got):
            time.setdefault(id(part), len(time))

        for part in classifier.modules():
            if next(part.parameters(recurse=False), None) is not None:
                part.register_forward_hook(note)
        with torch.no_grad():
            classifier(images())
        firsts = [
            min(time[id(m)] for m in layer.modules() if id(m) in time)
            for layer in layers(classifier)
        ]
        assert all(a < b for a, b in pairwise(firsts))

    def test_plain_layers_give_the_same(self, network):
        classifier = fitted(network)
        ordinary = plain(classifier)
        assert not any(isinstance(part, GroupConv) for part in ordinary.modules())
        with torch.no_grad():
            pixels = images()
            np.testing.assert_allclose(ordinary(pixels), classifier(pixels), atol=2e-5)
        assert any(p.requires_grad for p in classifier.parameters())  # the one to train is whole

    def test_counting_multiply_adds_leaves_the_mode_alone(self, network):
        classifier = fitted(network).train()
        before = {name: value.clone() for name, value in classifier.state_dict().items()}
        assert multiply_adds(classifier, bands=2, side=32) > 1000
        assert classifier.training
        assert all(torch.equal(before[k], v) for k, v in classifier.state_dict().items())


def test_multiply_adds_are_those_of_the_arithmetic():
    conv = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert multiply_adds(conv, bands=3, side=10) == 10 * 10 * 5 * 3 * 9


class TestEquivariant:
    @pytest.mark.parametrize("side", [32, 50, 75])  # 25, 13; 37 (or 38), 19
    @pytest.mark.parametrize("prepare", [PreparationPlan(), SMOOTH], ids=["sky", "minmax"])
    def test_the_eight_symmetries_change_no_logits(self, prepare, side):
        plan = EquivariantPlan(width=3, blocks=(1, 1, 1, 1))
        classifier = fitted(plan, prepare, side=side)
        pixels = images(2, side=side)
        pixels[0, 0, 3:9, 4:5] = torch.nan
        with torch.no_grad():
            logits = [classifier(view) for view in dihedral_views(pixels)]
            assert float(logits[0].std()) > 1e-2
            for view in logits[1:]:
                np.testing.assert_allclose(view, logits[0], atol=1e-4)

    def test_turns_alone_leave_mirror_images_different(self):
        classifier = fitted(EquivariantPlan(group="c4", width=3, blocks=(1, 1)))
        pixels = images(2)
        with torch.no_grad():
            logits = classifier(pixels)
            turned = classifier(torch.rot90(pixels, 1, (2, 3)))
            np.testing.assert_allclose(turned, logits, atol=1e-4)
            assert float((classifier(pixels.flip(3)) - logits).abs().max()) > 1e-3

    @pytest.mark.parametrize("resized", [48, 51])
    def test_a_resized_crop_keeps_the_symmetry(self, resized):
        prepare = PreparationPlan(scale=RangeScalePlan(high=9), crop=40, resize=resized)
        classifier = fitted(EquivariantPlan(width=2, blocks=(1, 1)), prepare, side=50)
        pixels = images(2, side=50)
        with torch.no_grad():
            np.testing.assert_allclose(
                classifier(pixels.transpose(2, 3).flip(2)), classifier(pixels), atol=1e-4
            )

    def test_a_crop_without_a_center_is_refused(self):
        with pytest.raises(RecipeError, match=r"prepare\.crop = 40"):
            fitted(EquivariantPlan(), PreparationPlan(crop=41), side=50)

    @pytest.mark.parametrize("group", ["c4", "d4"])
    def test_a_turned_field_is_convolved_to_a_turned_field(self, group):
        """Every element's image is turned and moves to the place of the product."""
        torch.manual_seed(0)
        acts = symmetries(group)
        lift = GroupConv(2, 3, 3, group=group, lift=True)
        conv = GroupConv(3, 2, 3, group=group)
        pixels = images(1, side=9)
        with torch.no_grad():
            fields = conv(lift(pixels)).unflatten(1, (2, len(acts)))
            probe = torch.arange(9.0).reshape(3, 3)
            for u in acts:
                turned = conv(lift(u(pixels))).unflatten(1, (2, len(acts)))
                for h, act in enumerate(acts):
                    (k,) = [k for k, g in enumerate(acts) if torch.equal(g(probe), u(act(probe)))]
                    np.testing.assert_allclose(turned[:, :, k], u(fields[:, :, h]), atol=1e-5)

    @pytest.mark.parametrize("side", [8, 9])
    def test_halving_commutes_with_turning(self, side):
        pixels = images(1, side=side)
        np.testing.assert_allclose(Halve()(pixels.flip(3)), Halve()(pixels).flip(3), atol=1e-6)


def test_a_field_that_is_halved_away_is_refused():
    with pytest.raises(RecipeError, match=r"network\.widths"):
        build_classifier(CnnPlan(widths=(4,) * 6), SMOOTH, bands=1, classes=2, side=32)


def test_a_crop_beyond_the_image_is_refused():
    with pytest.raises(RecipeError, match="more than the 32 pixels"):
        build_classifier(CnnPlan(), PreparationPlan(crop=40), bands=1, classes=2, side=32)
