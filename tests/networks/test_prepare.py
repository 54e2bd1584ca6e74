"""Preparation: what each network sees, whatever the pixels are."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

from skysieve.networks.prepare import (  # noqa: E402
    IMAGENET_MEAN,
    IMAGENET_SPREAD,
    Preparation,
    resize,
)
from skysieve.recipe.networks import (  # noqa: E402
    MinMaxScalePlan,
    PreparationPlan,
    RangeScalePlan,
    SkyScalePlan,
)


def prepared(pixels, **plan):
    return Preparation(PreparationPlan(**plan), bands=pixels.shape[1])(pixels)


def noise(n=2, bands=3, side=64, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(5, 2, (n, bands, side, side)), dtype=torch.float32)


SCALES = [
    SkyScalePlan(),
    RangeScalePlan(low=-3, high=11),
    *(
        MinMaxScalePlan(per=per, compress=compress)
        for per in ("image", "band")
        for compress in ("none", "sqrt", "log", "asinh")
    ),
]


@pytest.mark.parametrize("scale", SCALES, ids=str)
class TestEveryScale:
    def test_pixels_without_data_become_zero_and_change_no_others(self, scale):
        pixels = noise()
        pixels[0, :, 8:40:2, 8:40:2] = 5.0  # neither the least nor the greatest, nor off the sky
        holed = pixels.clone()
        holed[0, 1, 9, 9] = torch.nan
        planes = prepared(holed, scale=scale)
        assert torch.isfinite(planes).all()
        assert planes[0, 1, 9, 9] == 0
        elsewhere = torch.ones(64, 64, dtype=torch.bool)
        elsewhere[9, 9] = False
        whole = prepared(pixels, scale=scale)
        np.testing.assert_allclose(planes[0, :3, elsewhere], whole[0, :3, elsewhere], atol=1e-6)

    @pytest.mark.parametrize("fill", [0.0, 255.0, -1e30, torch.nan])
    def test_an_image_of_one_value_or_none_gives_finite_numbers(self, scale, fill):
        assert torch.isfinite(prepared(torch.full((2, 3, 32, 32), fill), scale=scale)).all()

    def test_an_image_does_not_depend_on_its_batch(self, scale):
        pixels = noise(4)
        pixels[1:] *= 1000
        torch.testing.assert_close(
            prepared(pixels, scale=scale)[:1], prepared(pixels[:1], scale=scale), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("compress", ["none", "sqrt", "log", "asinh"])
@pytest.mark.parametrize("per", ["image", "band"])
def test_minmax_spans_exactly_0_to_1(per, compress):
    scale = MinMaxScalePlan(per=per, compress=compress)
    pixels = noise() * torch.tensor([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)
    axes = (1, 2, 3) if per == "image" else (2, 3)
    planes = prepared(pixels, scale=scale)
    assert (planes.amin(axes) == 0).all()
    np.testing.assert_allclose(planes.amax(axes), 1, atol=1e-6)
    np.testing.assert_allclose(planes, prepared(pixels * 1e-9, scale=scale), atol=1e-5)


def test_minmax_over_an_image_keeps_its_colors():
    pixels = torch.rand(1, 3, 32, 32)
    pixels[0, 0, 0, 0], pixels[0, 1, 0, 0] = 0.0, 1.0
    np.testing.assert_allclose(prepared(pixels, scale=MinMaxScalePlan()), pixels, atol=1e-6)


def test_compression_is_what_the_plan_says():
    pixels = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)
    x = pixels.double().numpy()
    for compress, wanted in {
        "sqrt": np.sqrt(x),
        "log": np.log(1 + 10 * x) / np.log(11),
        "asinh": np.arcsinh(10 * x) / np.arcsinh(10),
    }.items():
        planes = prepared(pixels, scale=MinMaxScalePlan(compress=compress))
        np.testing.assert_allclose(planes, wanted, atol=1e-6)


class TestNormalize:
    scale = RangeScalePlan(low=0, high=255)

    def test_half_takes_the_range_to_minus_one_and_one(self):
        planes = prepared(torch.tensor([0.0, 255.0]).reshape(1, 1, 1, 2), scale=self.scale)
        assert planes.flatten().tolist() == [0, 1]
        planes = prepared(
            torch.tensor([0.0, 255.0]).reshape(1, 1, 1, 2), scale=self.scale, normalize="half"
        )
        assert planes.flatten().tolist() == [-1, 1]

    def test_imagenet_takes_its_mean_color_to_zero_and_its_spread_to_one(self):
        mean, spread = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_SPREAD)
        pixels = (255 * torch.stack([mean, mean + spread])).reshape(2, 3, 1, 1)
        planes = prepared(pixels, scale=self.scale, normalize="imagenet")
        np.testing.assert_allclose(planes[0].flatten(), 0, atol=1e-6)
        np.testing.assert_allclose(planes[1].flatten(), 1, atol=1e-5)

    def test_imagenet_is_what_timm_says_that_its_networks_expect(self):
        timm = pytest.importorskip("timm")
        for name in ("resnet34", "convnextv2_tiny", "efficientnet_b0"):
            known = timm.get_pretrained_cfg(name)
            assert (known.mean, known.std) == (IMAGENET_MEAN, IMAGENET_SPREAD)

    @pytest.mark.parametrize("bands", [1, 2, 4, 5])
    def test_imagenet_fits_any_number_of_bands(self, bands):
        pixels = torch.zeros(1, bands, 1, 1)
        planes = prepared(pixels, scale=self.scale, normalize="imagenet").flatten()
        if bands == 1:
            assert float(planes[0]) == pytest.approx(-0.449 / 0.226, abs=1e-5)
        else:
            colors = [-IMAGENET_MEAN[k % 3] / IMAGENET_SPREAD[k % 3] for k in range(bands)]
            np.testing.assert_allclose(planes, colors, atol=1e-5)

    @pytest.mark.parametrize("normalize", ["half", "imagenet"])
    def test_what_is_no_range_of_0_to_1_is_not_normalized(self, normalize):
        with pytest.raises(ValidationError, match="range or minmax"):
            PreparationPlan(normalize=normalize)


@pytest.mark.parametrize(("before", "after"), [(64, 224), (150, 64), (75, 48), (50, 50), (64, 65)])
def test_resizing_is_antialiased_bilinear_interpolation(before, after):
    pixels = noise(side=before)
    wanted = torch.nn.functional.interpolate(
        pixels, (after, after), mode="bilinear", antialias=True, align_corners=False
    )
    torch.testing.assert_close(resize(pixels, after), wanted, rtol=2e-5, atol=1e-4)


def test_a_crop_is_taken_after_scaling_and_before_resizing():
    pixels = torch.zeros(1, 1, 64, 64)
    pixels[0, 0, 0, 0] = 10.0  # decides the scale, and is then cut off
    pixels[0, 0, 16:48, 16:48] = 5.0
    planes = prepared(pixels, scale=MinMaxScalePlan(), crop=32, resize=48)
    assert planes.shape == (1, 1, 48, 48)
    np.testing.assert_allclose(planes, 0.5, atol=1e-6)
