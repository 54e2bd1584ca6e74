"""Fitting: bands by name, size by pixel scale, and nothing done in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysieve.core.inputs import InputSpec
from skysieve.core.scores import Status
from skysieve.images import fit
from skysieve.images.resampling import resample
from skysieve.images.sources import COLOR
from tests.images.formats import BANDS, SPEC, sky


def fitted(pixels: np.ndarray, bands: tuple[str, ...] = BANDS, scale: float | None = 0.2):
    """Fit one cutout of flux."""
    return fit(pixels, bands, "flux", scale, SPEC)


def test_a_cutout_that_fits_is_left_alone():
    pixels = sky(1)[0]
    result = fitted(pixels)
    assert (result.status, result.flags, result.message) == (Status.OK, (), "")
    np.testing.assert_array_equal(result.pixels, pixels)


@given(st.permutations(["g", "r", "i", "z", "Y"]))
def test_bands_are_found_by_name(bands):
    pixels = sky(1, 64, 5)[0]
    result = fitted(pixels, tuple(bands))
    for k, band in enumerate(BANDS):
        np.testing.assert_array_equal(result.pixels[k], pixels[bands.index(band)])
    assert "extra_bands" in result.flags


def test_red_is_the_reddest_band():
    pixels = sky(1)[0]
    result = fitted(pixels, COLOR)
    np.testing.assert_array_equal(result.pixels, pixels[::-1])
    assert "rgb" in result.flags


def test_unnamed_planes_are_taken_in_order_and_it_says_so():
    assert "bands_assumed" in fitted(sky(1)[0], ("1", "2", "3")).flags


@pytest.mark.parametrize("bands", [("g", "r"), ("VIS",), ("1", "2"), ("1",)])
def test_missing_bands_have_no_score(bands):
    result = fitted(sky(1, 64, len(bands))[0], bands)
    assert result.status is Status.BANDS
    assert result.pixels is None
    assert "g, r, i" in result.message


def test_a_picture_is_no_flux():
    flux_only = SPEC.model_copy(update={"kind": "flux"})
    result = fit(sky(1)[0].astype(np.uint8), BANDS, "display", 0.2, flux_only)
    assert result.status is Status.KIND


@given(st.integers(16, 200), st.integers(16, 200))
def test_any_size_becomes_a_square_about_the_same_center(height, width):
    pixels = np.random.default_rng(1).normal(size=(3, height, width)).astype(np.float32)
    result = fitted(pixels)
    side = result.pixels.shape[-1]
    assert side == SPEC.side(height, width)
    assert ("cropped" in result.flags) == (max(height, width) > 128)
    assert ("padded" in result.flags) == bool(np.isnan(result.pixels).any())
    kept = result.pixels[:, np.isfinite(result.pixels).any((0, 2))]
    kept = kept[:, :, np.isfinite(result.pixels).any((0, 1))]
    top, left = ((a - min(a, 128)) // 2 for a in (height, width))
    np.testing.assert_array_equal(
        kept, pixels[:, top : top + min(height, 128), left : left + min(width, 128)]
    )


def test_too_small_a_cutout_is_told_apart_from_a_padded_one():
    assert fitted(sky(1, 16)[0]).status is Status.OK
    assert fitted(sky(1, 15)[0]).status is Status.BAD_SHAPE


def test_only_a_scale_far_from_the_finders_is_resampled():
    assert "resampled" not in fitted(sky(1, 100)[0], scale=0.263).flags
    far = fitted(sky(1, 100)[0], scale=0.1)
    assert "resampled" in far.flags
    assert np.isfinite(far.pixels[0]).sum() == 53**2  # 100 * 0.1 / 0.187
    assert fitted(sky(1)[0], scale=None).flags == ("scale_assumed",)


@given(st.floats(0.15, 4), st.integers(20, 60))
def test_resampling_keeps_surface_brightness_and_center(scale, side):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    slope = (3 + 0.01 * x + 0.02 * y).astype(np.float32)[None, None]
    new = resample(slope, scale, 1000)
    assert new.shape[-1] == max(1, round(side * scale))
    assert new.mean() == pytest.approx(3, abs=1e-3)
    at = (np.arange(new.shape[-1]) - (new.shape[-1] - 1) / 2) / scale
    expected = 3 + 0.01 * at + 0.02 * at[:, None]
    middle = slice(len(at) // 4, len(at) - len(at) // 4)  # the outermost pixels have no neighbor
    np.testing.assert_allclose(new[0, 0, middle, middle], expected[middle, middle], atol=8e-3)


def test_resampling_to_larger_pixels_averages_noise_down():
    noise = np.random.default_rng(2).normal(size=(1, 1, 120, 120)).astype(np.float32)
    assert resample(noise, 0.25, 1000).std() == pytest.approx(0.25, rel=0.1)


def test_a_hole_stays_a_hole_and_does_not_spread():
    pixels = sky(1, 100)[0]
    pixels[:, 40:50, 40:50] = np.nan
    result = fit(pixels, BANDS, "flux", 0.1, SPEC)
    holes = np.isnan(result.pixels[0, 5:58, 5:58]).sum()
    assert holes == pytest.approx(100 * (0.1 / 0.187) ** 2, abs=8)
    assert "masked" in result.flags


@pytest.mark.parametrize("value", [100.0, -9999.0, 1e20])
def test_a_mark_among_tiny_fluxes_is_no_data(value):
    pixels = sky(1)[0] * np.float32(1e-11)
    pixels[1, 3:5, 3:9] = value
    result = fitted(pixels)
    assert {"mask_value", "masked"} <= set(result.flags)
    assert np.isnan(result.pixels[1]).sum() == 12
    assert np.isfinite(result.pixels[0]).all()


def test_a_bright_star_is_no_mark():
    pixels = sky(1)[0]
    pixels[0, 30:32, 30:32] = 3e4  # saturated, but its wings are bright too
    pixels[0, 29, 30] = 1e3
    assert fitted(pixels).flags == ()


def test_the_user_may_name_the_mark():
    pixels = sky(1)[0]
    pixels[:, 0] = -99
    result = fit(pixels, BANDS, "flux", 0.2, SPEC, mask_value=-99)
    assert np.isnan(result.pixels[:, 0]).all()


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (np.zeros_like, Status.EMPTY),
        (lambda p: np.full_like(p, np.nan), Status.NONFINITE),
        (lambda p: np.full_like(p, np.inf), Status.NONFINITE),
        (lambda p: np.where(np.arange(64) < 40, np.nan, p).astype(np.float32), Status.NONFINITE),
        (lambda p: np.where(np.arange(64) < 20, np.nan, p).astype(np.float32), Status.OK),
        (lambda p: p * np.float32(1e30), Status.OK),
    ],
)
def test_a_spoiled_band_decides(spoil, status):
    pixels = sky(1)[0]
    pixels[1] = spoil(pixels[1])
    result = fitted(pixels)
    assert result.status is status
    assert status is Status.OK or "Band r" in result.message or "band r" in result.message


@given(st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0]), st.integers(0, 63))
def test_no_infinity_ever_reaches_a_finder(value, row):
    pixels = sky(1)[0]
    pixels[:, row] = value
    result = fitted(pixels)
    assert result.pixels is None or not np.isinf(result.pixels).any()


def test_a_finder_of_one_band_takes_gray_and_not_color():
    one = InputSpec(**{**SPEC.model_dump(), "bands": ("VIS",)})
    assert fit(sky(1, 64, 1)[0], ("1",), "display", None, one).status is Status.OK
    assert fit(sky(1)[0], COLOR, "display", None, one).status is Status.BANDS
