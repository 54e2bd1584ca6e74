"""Augmentation: what it changes, what it must leave alone, and where its numbers come from."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra [train]")

import torch

from skysieve.core.random import stream
from skysieve.recipe.learning import AugmentPlan
from skysieve.train.augment import augment, mix, sky_scatter

EVERYTHING = AugmentPlan(
    dihedral=True,
    mirror=0.5,
    flip=0.5,
    rotation_deg=30,
    shift_pixels=3,
    zoom=(0.9, 1.1),
    gain=(0.5, 2),
    color_spread=0.1,
    noise=0.5,
    erase=0.5,
)
SINGLE = {
    name: AugmentPlan(**{name: value})
    for name, value in {
        "dihedral": True,
        "mirror": 1.0,
        "flip": 1.0,
        "rotation_deg": 45.0,
        "shift_pixels": 5.0,
        "zoom": (1.2, 1.4),
        "gain": (2.0, 3.0),
        "color_spread": 0.3,
        "noise": 1.0,
        "erase": 1.0,
    }.items()
}


def rng(index=0):
    return stream(1, "augmentation", index)


@pytest.fixture
def pixels():
    return torch.from_numpy(np.random.default_rng(3).random((12, 3, 20, 20), np.float32))


def symmetries(image):
    turned = [torch.rot90(image, k, (1, 2)) for k in range(4)]
    return [*turned, *(each.flip(2) for each in turned)]


def same(a, b):
    return torch.equal(torch.nan_to_num(a, nan=-9.0), torch.nan_to_num(b, nan=-9.0))


class TestAnyPlan:
    def test_no_plan_no_change(self, pixels):
        seen = augment(pixels, AugmentPlan(), rng())
        assert same(seen, pixels)
        assert seen.data_ptr() != pixels.data_ptr()

    @pytest.mark.parametrize("plan", [EVERYTHING, *SINGLE.values()], ids=["everything", *SINGLE])
    def test_an_image_is_changed_by_its_place_and_the_stream_alone(self, pixels, plan):
        before = pixels.clone()
        whole, part, other = (
            augment(each, plan, rng(index))
            for each, index in ((pixels, 0), (pixels[:5], 0), (pixels, 1))
        )
        torch.testing.assert_close(whole[:5], part, equal_nan=True)
        assert same(pixels, before)
        assert not same(whole, pixels)
        if plan not in (SINGLE["mirror"], SINGLE["flip"]):  # always done, and always alike
            assert not same(whole, other)

    @pytest.mark.parametrize("plan", [EVERYTHING, *SINGLE.values()], ids=["everything", *SINGLE])
    def test_no_data_never_become_data_of_their_own(self, pixels, plan):
        holed = pixels.clone()
        holed[:, :, 4:9, 4:9] = torch.nan
        seen = augment(holed, plan, rng())
        assert 0.02 < torch.isnan(seen).float().mean() < 0.5
        there = seen[torch.isfinite(seen)]
        assert torch.isfinite(there).all()
        if plan.gain == (1, 1) and not plan.noise and not plan.color_spread:
            assert there.min() >= 0
            assert there.max() <= 1 + 1e-6


class TestSymmetries:
    def test_are_exact_and_all_eight_come(self, pixels):
        image = pixels[:1].expand(400, -1, -1, -1)
        seen = augment(image, AugmentPlan(dihedral=True), rng())
        kinds = [
            next(k for k, s in enumerate(symmetries(pixels[0])) if same(s, each)) for each in seen
        ]
        assert np.bincount(kinds, minlength=8).min() > 25

    def test_mirror_and_flip(self, pixels):
        assert same(augment(pixels, AugmentPlan(mirror=1), rng()), pixels.flip(3))
        assert same(augment(pixels, AugmentPlan(flip=1), rng()), pixels.flip(2))
        assert same(augment(pixels, AugmentPlan(flip=1, mirror=1), rng()), pixels.flip(2, 3))

    @pytest.mark.parametrize("name", ["mirror", "flip"])
    def test_the_share_is_kept(self, pixels, name):
        image = pixels[:1].expand(1000, -1, -1, -1)
        seen = augment(image, AugmentPlan(**{name: 0.3}), rng())
        changed = np.mean([not same(each, pixels[0]) for each in seen])
        assert changed == pytest.approx(0.3, abs=0.05)


class TestMoves:
    def blob(self, n=300, side=33):
        image = torch.zeros((n, 1, side, side))
        image[:, :, side // 2, side // 2] = 1
        return image

    def places(self, seen):
        peak = seen.flatten(1).argmax(1)
        return torch.stack([peak // seen.shape[-1], peak % seen.shape[-1]], 1).numpy()

    @pytest.mark.parametrize("outside", ["mirror", "zero"])
    def test_a_shift_moves_whole_pixels_and_loses_nothing(self, outside):
        seen = augment(self.blob(), AugmentPlan(shift_pixels=4, outside=outside), rng())
        assert set(torch.nan_to_num(seen).unique().tolist()) == {0.0, 1.0}
        off = self.places(torch.nan_to_num(seen)) - 16
        assert (off.min(), off.max()) == (-4, 4)
        for axis in (0, 1):
            assert np.bincount(off[:, axis] + 4, minlength=9).min() > 10

    def test_what_lies_outside_is_its_mirror_image_or_nothing(self, pixels):
        plan = AugmentPlan(shift_pixels=4)
        mirrored = augment(pixels, plan, rng())
        nothing = augment(pixels, plan.model_copy(update={"outside": "zero"}), rng())
        assert torch.isfinite(mirrored).all()
        gone = torch.isnan(nothing)
        assert gone.any()
        assert torch.equal(mirrored[~gone], nothing[~gone])
        assert (gone == gone[:, :1]).all()

    def test_interpolated_shifts_go_as_far_and_the_same_way(self):
        plan = AugmentPlan(shift_pixels=4, zoom=(1, 1.0001))
        off = self.places(augment(self.blob(), plan, rng())) - 16
        assert np.abs(off).max() == 4
        whole = self.places(augment(self.blob(), AugmentPlan(shift_pixels=4), rng())) - 16
        assert np.abs(off - whole).max() <= 1

    def test_zoom_widens_and_keeps_the_surface_brightness(self):
        line = torch.arange(41) - 20.0
        image = torch.exp(-0.5 * (line[:, None] ** 2 + line[None] ** 2) / 9)[None, None]
        seen = augment(image.float(), AugmentPlan(zoom=(1.5, 1.5)), rng())
        assert seen.max() == pytest.approx(1, abs=0.02)
        assert seen.sum() == pytest.approx(float(image.sum()) * 2.25, rel=0.01)

    def test_a_turn_keeps_the_distance_from_the_center(self):
        image = torch.zeros((100, 1, 41, 41))
        image[:, :, 19:22, 32:35] = 1
        seen = torch.nan_to_num(augment(image, AugmentPlan(rotation_deg=90, outside="zero"), rng()))
        line = torch.arange(41) - 20.0
        x, y = (seen.sum(axis)[:, 0] @ line / seen.sum((1, 2, 3)) for axis in (2, 3))
        np.testing.assert_allclose(torch.hypot(x, y), 13, atol=0.3)
        angles = torch.rad2deg(torch.atan2(y, x))
        assert angles.min() < -60
        assert angles.max() > 60

    def test_corners_of_a_turned_image_are_no_data(self):
        seen = augment(
            torch.ones((20, 1, 32, 32)), AugmentPlan(rotation_deg=45, outside="zero"), rng()
        )
        assert torch.isnan(seen[:, :, 0, 0]).float().mean() > 0.5
        torch.testing.assert_close(
            seen[torch.isfinite(seen)], torch.ones(1).expand(int(torch.isfinite(seen).sum()))
        )


class TestBrightness:
    def test_gain_is_shared_by_all_bands(self, pixels):
        ratio = augment(pixels, AugmentPlan(gain=(0.5, 2)), rng()) / pixels
        assert torch.allclose(ratio.flatten(1).min(1).values, ratio.flatten(1).max(1).values)
        assert 0.5 <= ratio.min() < ratio.max() <= 2

    def test_color_spread_is_each_bands_own(self):
        ratio = augment(torch.ones((2000, 2, 4, 4)), AugmentPlan(color_spread=0.2), rng())
        logs = ratio[:, :, 0, 0].log()
        assert float(logs.std()) == pytest.approx(0.2, rel=0.05)
        assert abs(float(torch.corrcoef(logs.T)[0, 1])) < 0.1

    def test_noise_goes_by_the_sky_of_each_image(self):
        sigma = torch.tensor([1.0, 10.0, 1000.0])[:, None, None, None].repeat(40, 1, 1, 1)
        sky = torch.from_numpy(
            np.random.default_rng(1).normal(size=(120, 1, 48, 48)).astype(np.float32)
        )
        sky = 500 + sigma * sky
        sky[:, :, 20:28, 20:28] += 1e5  # an object does not make it noisier
        added = (augment(sky, AugmentPlan(noise=1.0), rng()) - sky).std((1, 2, 3)) / sigma[
            :, 0, 0, 0
        ]
        assert float(added.max()) <= 1.2
        for k in range(3):
            assert float(added[k::3].mean()) == pytest.approx(0.5, abs=0.15)

    def test_the_scatter_of_the_sky_is_a_standard_deviation(self):
        sky = torch.from_numpy(
            np.random.default_rng(1).normal(5, 3, (9, 2, 64, 64)).astype(np.float32)
        )
        sky[:, :, :10] = torch.nan
        assert sky_scatter(sky).numpy() == pytest.approx(3, rel=0.12)
        assert sky_scatter(torch.full((1, 1, 8, 8), torch.nan)).item() == 0

    def test_a_hole_is_in_all_bands_of_a_share_of_images(self, pixels):
        seen = augment(pixels[:1].expand(400, -1, -1, -1), AugmentPlan(erase=0.25), rng())
        gone = torch.isnan(seen)
        assert (gone == gone[:, :1]).all()
        areas = gone[:, 0].float().mean((1, 2))
        assert float((areas > 0).float().mean()) == pytest.approx(0.25, abs=0.07)
        assert float(areas.max()) < 0.25


class TestMix:
    def test_images_and_targets_are_mixed_alike(self):
        targets = torch.eye(40)
        pixels = targets[:, None, :, None].expand(40, 1, 40, 40).contiguous()
        mixed, soft = mix(pixels, targets, 0.4, rng())
        torch.testing.assert_close(mixed[:, 0, :, 0], soft)
        torch.testing.assert_close(soft.sum(1), torch.ones(40))
        assert ((soft > 0).sum(1) == 2).float().mean() > 0.8

    def test_nothing_is_mixed_at_0(self, pixels):
        targets = torch.eye(12)
        assert mix(pixels, targets, 0.0, rng()) == (pixels, targets)

    def test_no_data_of_either_are_no_data(self, pixels):
        pixels[0, :, 2] = torch.nan
        mixed, _ = mix(pixels, torch.eye(12), 1.0, rng())
        assert torch.isnan(mixed).any((1, 2, 3)).sum() == 2
