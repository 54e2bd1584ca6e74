"""Networks: any field, any unit, holes, and all symmetries."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from skysieve.networks.build import Ensemble, build, dihedral_views  # noqa: E402
from skysieve.networks.stretch import SkyStretch, _asinh  # noqa: E402
from skysieve.recipe.networks import ConvNetPlan, StretchPlan  # noqa: E402


def sky(n=2, side=64, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 1, (n, 3, side, side))
    image[:, :, 28:36, 28:36] += 60
    return torch.tensor(image, dtype=torch.float32)


def network(seed=0):
    torch.manual_seed(seed)
    plan = ConvNetPlan(width=8, blocks=(1, 1, 1, 1))
    return build(plan, StretchPlan(), bands=3, classes=2).eval()


class TestStretch:
    stretch = SkyStretch(3.0, 5, 2.5)

    def test_sky_is_near_zero_with_the_noise_of_the_softening(self):
        planes = self.stretch(sky())[:, :3, :20]
        assert abs(float(planes.mean())) < 0.02
        assert float(planes.std()) == pytest.approx(1 / 3, rel=0.1)

    @pytest.mark.parametrize(("factor", "level"), [(1e-11, 0.0), (250.0, 40.0), (1.0, 1000.0)])
    def test_units_and_pedestals_change_nothing(self, factor, level):
        image = sky()
        changed = self.stretch(image * factor + level * factor)
        np.testing.assert_allclose(changed.numpy(), self.stretch(image).numpy(), atol=2e-3)

    def test_a_hole_is_sky_and_is_said_to_be_a_hole(self):
        image = sky()
        image[0, 1, :5] = torch.nan
        planes = self.stretch(image)
        assert torch.isfinite(planes).all()
        assert (planes[0, 1, :5] == 0).all()
        assert (planes[0, 3, :5] == 0).all()
        assert (planes[0, 3, 5:] == 1).all()

    @pytest.mark.parametrize("fill", [0.0, 255.0, torch.nan])
    def test_an_empty_image_gives_finite_numbers(self, fill):
        assert torch.isfinite(self.stretch(torch.full((1, 3, 64, 64), fill))).all()

    def test_the_inverse_hyperbolic_sine_is_that_of_torch(self):
        x = torch.cat([torch.linspace(-50, 50, 4001), torch.tensor([-1e6, 1e6, 1e-4, 0.0])])
        x = x.reshape(1, 1, 1, -1)
        torch.testing.assert_close(_asinh(x), torch.asinh(x), rtol=1e-5, atol=1e-6)

    def test_a_dead_pixel_far_below_the_sky_gives_a_finite_number(self):
        image = sky()
        image[0, 0, 3, 3] = -1e30
        assert torch.isfinite(self.stretch(image)).all()


@pytest.mark.parametrize("side", [64, 96, 128])
def test_any_field_gives_logits(side):
    assert network()(sky(side=side)).shape == (2, 2)


def test_a_cutout_does_not_depend_on_its_batch():
    image = sky(4)
    with torch.no_grad():
        np.testing.assert_allclose(network()(image)[:1], network()(image[:1]), atol=1e-5)


def test_the_eight_views_are_different_and_closed_under_turning():
    image = torch.arange(12.0).reshape(1, 3, 2, 2)
    views = {tuple(view.flatten().tolist()) for view in dihedral_views(image)}
    turned = {
        tuple(view.flatten().tolist()) for view in dihedral_views(torch.rot90(image, 1, (2, 3)))
    }
    assert len(views) == 8
    assert views == turned


@pytest.mark.parametrize("turn", [lambda x: torch.rot90(x, 1, (2, 3)), lambda x: x.flip(3)])
def test_a_symmetric_ensemble_is_symmetric(turn):
    ensemble = Ensemble([network(0), network(1)], symmetric=True).eval()
    image = sky()
    with torch.no_grad():
        np.testing.assert_allclose(ensemble(image), ensemble(turn(image)), atol=1e-5)


def test_gradients_reach_every_weight():
    net = network().train()
    net(sky()).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
