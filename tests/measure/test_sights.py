"""Sky, host and seeing of an image, by laws."""

from __future__ import annotations

import numpy as np
import pytest

from skysieve.measure.host import find_host
from skysieve.measure.sky import measure_sky
from skysieve.measure.stars import measure_seeing
from skysieve.simulate.psf import moffat

NOISE = np.array([3.0])


def sky(side: int = 61, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, NOISE[0], (1, side, side)).astype("f4")


def put(image: np.ndarray, x: int, y: int, stamp: np.ndarray) -> None:
    half = len(stamp) // 2
    image[0, y - half : y + half + 1, x - half : x + half + 1] += stamp


def ellipse(sigma: float, q: float, phi: float, side: int = 41) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side // 2
    u, v = x * np.cos(phi) + y * np.sin(phi), y * np.cos(phi) - x * np.sin(phi)
    return np.exp(-(u**2 + (v / q) ** 2) / (2 * sigma**2))


class TestSky:
    def test_is_that_of_the_noise_whatever_shines_on_it(self):
        bare, crowded = sky(), sky()
        put(crowded, 30, 30, 4000 * ellipse(3.0, 0.8, 0.3))
        for image in (bare, crowded):
            seen = measure_sky(image + 100, np.ones(image.shape, bool))
            assert seen.noise[0] == pytest.approx(3.0, rel=0.06)
            assert seen.level[0] == pytest.approx(100, abs=0.5)

    def test_scales_with_the_unit(self):
        image, valid = sky(), np.ones((1, 61, 61), bool)
        small = measure_sky(image * np.float32(1e-11), valid)
        assert small.noise == pytest.approx(measure_sky(image, valid).noise * 1e-11, rel=1e-3)

    def test_sees_only_what_is_valid(self):
        image = sky()
        image[:, :, :30] = 1e6
        valid = image < 1e5
        assert measure_sky(image, valid).noise[0] == pytest.approx(3.0, rel=0.06)

    def test_is_unknown_without_pixels_or_noise(self):
        none = np.zeros((1, 61, 61), bool)
        assert np.isnan(measure_sky(sky(), none).noise[0])
        assert np.isnan(measure_sky(np.zeros((1, 61, 61), "f4"), ~none).noise[0])


class TestHost:
    @pytest.mark.parametrize(("q", "phi"), [(0.6, 0.4), (0.8, 2.5), (0.5, 1.57)])
    def test_has_the_axis_ratio_and_angle_of_its_light(self, q, phi):
        image = sky()
        put(image, 31, 28, 3000 * ellipse(4.0, q, phi))
        seen = find_host(
            image, NOISE, np.ones(image.shape, bool), reach_pixels=5, psf_sigma_pixels=0
        )
        assert (seen.x, seen.y) == pytest.approx((31, 28), abs=0.1)
        assert seen.axis_ratio == pytest.approx(q, abs=0.03)
        assert np.cos(2 * (seen.angle_rad - phi)) == pytest.approx(1, abs=0.01)

    def test_is_rounder_seen_through_seeing(self):
        image = sky()
        widths = 4.0**2 + 2.0**2, (4.0 * 0.6) ** 2 + 2.0**2
        put(image, 30, 30, 3000 * ellipse(widths[0] ** 0.5, (widths[1] / widths[0]) ** 0.5, 0.4))
        seen = find_host(
            image, NOISE, np.ones(image.shape, bool), reach_pixels=5, psf_sigma_pixels=2.0
        )
        assert seen.axis_ratio == pytest.approx(0.6, abs=0.03)

    def test_is_the_one_near_the_middle(self):
        image = sky()
        put(image, 30, 30, 500 * ellipse(2.0, 0.9, 0.0, 21))
        put(image, 50, 50, 5000 * ellipse(2.0, 0.9, 0.0, 21))
        valid = np.ones(image.shape, bool)
        seen = find_host(image, NOISE, valid, reach_pixels=5, psf_sigma_pixels=0)
        assert (seen.x, seen.y) == pytest.approx((30, 30), abs=0.3)

    def test_is_none_in_empty_sky(self):
        image = sky()
        valid = np.ones(image.shape, bool)
        seen = find_host(image, NOISE, valid, reach_pixels=5, psf_sigma_pixels=1)
        assert np.isnan(seen.x)


class TestSeeing:
    def measure(self, image: np.ndarray, expected: float = 4.0):
        valid = np.isfinite(image)
        return measure_seeing(
            image, NOISE, valid, expected_pixels=np.array([expected]), beta=3.5, avoid=(30, 30, 8)
        )

    @pytest.mark.parametrize("fwhm", [3.3, 4.2])
    def test_is_that_of_the_stars(self, fwhm):
        image = sky()
        put(image, 14, 15, 30_000 * moffat(fwhm, 3.5, side=25))
        seen = self.measure(image)
        assert seen.stars == (1,)
        assert seen.fwhm_pixels[0] == pytest.approx(fwhm, rel=0.03)

    def test_is_not_that_of_galaxies_pairs_or_the_host(self):
        image = sky()
        put(image, 30, 30, 30_000 * moffat(4.0, 3.5, side=25))
        put(image, 14, 46, 30_000 * moffat(7.0, 3.5, side=25))
        put(image, 46, 46, 30_000 * moffat(4.0, 3.5, q=0.6, side=25))
        put(image, 14, 14, 30_000 * moffat(4.0, 3.5, side=25))
        put(image, 17, 15, 20_000 * moffat(4.0, 3.5, side=25))
        seen = self.measure(image)
        assert seen.stars == (0,)
        assert np.isnan(seen.fwhm_pixels[0])

    def test_is_not_that_of_a_star_with_a_hole(self):
        image = sky()
        put(image, 14, 15, 30_000 * moffat(4.0, 3.5, side=25))
        image[0, 15, 14] = np.nan
        assert self.measure(image).stars == (0,)
