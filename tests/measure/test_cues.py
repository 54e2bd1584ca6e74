"""Cues: each sees what it is named after, and bears what real images have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from skysieve.core.errors import InputError
from skysieve.measure.cues import STATISTICS, CueTable, blue_to_red, join_cues, measure_cues

BANDS = ("g", "r", "i")


def sky(n: int = 40, side: int = 64, *, flux: float = 30.0, width: float = 4.0) -> np.ndarray:
    """Cutouts of unit noise with a round source of the same light in all bands."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    source = flux * np.exp(-(x**2 + y**2) / (2 * width**2))
    return (rng.normal(size=(n, 3, side, side)) + source).astype(np.float32)


def of(table: CueTable, key: str) -> np.ndarray:
    return table.values[:, [cue.key for cue in table.cues].index(key)]


def middle(pixels: np.ndarray, key: str, bands=BANDS) -> float:
    return float(np.median(of(measure_cues(pixels, bands), key)))


def test_color_is_the_ratio_of_fluxes_over_the_sky():
    pixels = sky()
    blue = pixels.copy()
    blue[:, 0] += pixels[:, 0]  # twice the light in g, and twice the noise
    ratio = np.tan(of(measure_cues(blue + np.float32(1000), BANDS), "color_core_g_r"))
    assert np.median(ratio) == pytest.approx(2, rel=0.02)
    assert np.tan(middle(pixels, "color_core_g_i")) == pytest.approx(1, rel=0.02)


def test_brightness_over_the_noise_knows_no_unit():
    pixels = sky()
    for key in ("brightness_core", "brightness_peak", "size_half_light", "noise_grain_1"):
        assert middle(pixels * np.float32(1e-11), key) == pytest.approx(middle(pixels, key), 1e-3)
    assert middle(sky(flux=60), "brightness_core") > middle(pixels, "brightness_core")


def test_noise_is_that_of_the_sky_whatever_the_source():
    for flux in (0.0, 3000.0):
        assert middle(sky(flux=flux), "noise_scatter") == pytest.approx(1, abs=0.04)
        assert abs(middle(sky(flux=flux), "noise_grain_1")) < 0.03


def test_smoothed_noise_has_grain():
    smooth = gaussian_filter(sky(), (0, 0, 1, 1))
    expected = np.exp(-1 / 4), np.exp(-4 / 4)  # of white noise under a Gaussian of sigma 1
    for lag, value in zip((1, 2), expected, strict=True):
        assert middle(smooth, f"noise_grain_{lag}") == pytest.approx(value, abs=0.06)


def test_noise_that_bands_share_is_seen():
    pixels = sky()
    pixels[:, 1] = pixels[:, 0]
    pixels[:, 2] = pixels[:, 0]
    assert middle(pixels, "noise_shared") == pytest.approx(1, abs=0.03)
    assert abs(middle(sky(), "noise_shared")) < 0.03


def test_half_the_light_of_a_gaussian_lies_within_its_known_radius():
    found = middle(sky(flux=1e4, width=4.0), "size_half_light") * 32
    assert found == pytest.approx(4 * np.sqrt(2 * np.log(2)), abs=0.5)


def test_the_frame_tells_of_steps_and_holes():
    pixels = sky()
    rounded = np.round(pixels)
    assert middle(rounded, "frame_distinct") < 0.1
    assert middle(pixels, "frame_distinct") > 0.9
    pixels[:, :, :8] = np.nan
    assert middle(pixels, "frame_no_data") == pytest.approx(1 / 8)
    clipped = np.minimum(sky(flux=300), 100)
    assert middle(clipped, "frame_at_highest") > 10 * middle(sky(flux=300), "frame_at_highest")


def test_percentiles_are_those_of_the_valid_pixels():
    pixels = sky(4)
    pixels[:, 1, :10] = np.nan
    table = measure_cues(pixels, BANDS)
    for share in (1, 50, 99):
        wanted = np.nanpercentile(pixels[:, 1], share, axis=(1, 2), method="nearest")
        np.testing.assert_allclose(of(table, f"r_p{share}"), wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(of(table, "g_std"), pixels[:, 0].std(axis=(1, 2)), rtol=1e-5)
    assert sum(cue.family == "pixels" for cue in table.cues) == 3 * len(STATISTICS)


@pytest.mark.parametrize("value", [np.nan, 0.0, 7.0])
def test_an_empty_frame_has_no_color_and_raises_nothing(value):
    pixels = np.full((2, 3, 32, 32), value, np.float32)
    table = measure_cues(pixels, BANDS)
    assert np.isnan(of(table, "brightness_core")).all()
    assert np.isnan(of(table, "noise_grain_1")).all()
    assert not np.isinf(table.values).any()


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 3, 5), (2, 2, 9, 200), (1, 5, 101, 101)])
def test_any_frame_has_finite_cues_or_none(shape):
    pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    table = measure_cues(pixels, tuple(str(k) for k in range(shape[1])))
    assert not np.isinf(table.values).any()


def test_one_cutout_is_measured_as_among_others():
    pixels = sky(6)
    together = measure_cues(pixels, BANDS).values
    alone = np.concatenate([measure_cues(pixels[k : k + 1], BANDS).values for k in range(6)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


def test_the_order_of_planes_does_not_matter_if_they_are_named():
    pixels = sky(3)
    table = measure_cues(pixels, BANDS)
    other = measure_cues(pixels[:, ::-1], BANDS[::-1])
    assert table.cues == other.cues
    np.testing.assert_array_equal(table.values, other.values)
    assert blue_to_red(("red", "green", "blue")) == [2, 1, 0]
    assert blue_to_red(("1", "2")) == [0, 1]


def test_tables_are_joined_by_cue():
    one = measure_cues(sky(2), BANDS)
    two = measure_cues(sky(3)[:, :1], ("g",))
    both = join_cues([one, two])
    assert len(both) == 5
    assert np.isnan(of(both, "color_core_g_r")[2:]).all()
    np.testing.assert_array_equal(of(both, "noise_scatter")[2:], of(two, "noise_scatter"))


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="2 bands"):
        measure_cues(sky(1), ("g", "r"))
