"""Views and flaws: what they change, and what they must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra [train]")

from skysieve.train.flaws import jpeg, punch, spoil
from skysieve.train.views import View, blur, warp, window


def view(n=1, *, angle=0.0, zoom=1.0, shift=(0.0, 0.0), mirrored=False):
    return View(
        angle=np.full(n, angle),
        zoom=np.full(n, zoom),
        shift=np.tile(np.asarray(shift, float), (n, 1)),
        mirrored=np.full(n, mirrored),
    )


@pytest.fixture
def images():
    return np.random.default_rng(1).random((2, 3, 40, 40), np.float32)


def gaussian(side=64, x=0.0, y=0.0, sigma=3.0):
    line = np.arange(side) - (side - 1) / 2
    v, u = np.meshgrid(line, line, indexing="ij")
    return np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / sigma**2).astype(np.float32)[None, None]


class TestWarp:
    def test_no_change_cuts_out_the_middle(self, images):
        np.testing.assert_allclose(warp(images, view(2), 20), images[:, :, 10:30, 10:30], atol=1e-5)

    @pytest.mark.parametrize("quarter", [1, 2, 3])
    def test_a_quarter_turn_is_exact(self, images, quarter):
        seen = warp(images, view(2, angle=quarter * np.pi / 2), 40)
        np.testing.assert_allclose(seen, np.rot90(images, quarter, (2, 3)), atol=1e-4)

    def test_mirrored(self, images):
        seen = warp(images, view(2, mirrored=True), 40)
        np.testing.assert_allclose(seen, images[:, :, :, ::-1], atol=1e-5)

    def test_zoom_keeps_the_surface_brightness_and_widens(self):
        image = gaussian()
        seen = warp(image, view(zoom=1.5), 64)
        assert seen.max() == pytest.approx(image.max(), rel=0.02)
        assert seen.sum() == pytest.approx(image.sum() * 1.5**2, rel=0.01)

    def test_an_object_off_the_center_is_brought_there_by_the_shift(self):
        for turn in (0.0, 0.7):
            seen = warp(gaussian(x=6.0), view(angle=turn, shift=(0, 0)), 64)[0, 0]
            y, x = np.unravel_index(seen.argmax(), seen.shape)
            assert np.hypot(y - 31.5, x - 31.5) == pytest.approx(6, abs=1)
        centered = warp(gaussian(x=6.0), view(shift=(6.0, 0.0)), 64)
        np.testing.assert_allclose(centered, gaussian(), atol=0.02)


class TestBlur:
    def test_variances_add(self):
        seen = blur(np.repeat(gaussian(sigma=2.0), 2, 1), np.array([[1.0, 0.0]]))
        line = np.arange(64) - 31.5
        for band, expected in ((0, 5.0), (1, 4.0)):
            profile = seen[0, band].sum(0)
            assert (profile * line**2).sum() / profile.sum() == pytest.approx(expected, rel=0.02)

    def test_the_light_is_kept(self, images):
        seen = blur(images, np.full((2, 3), 0.8))
        np.testing.assert_allclose(seen.mean(), images.mean(), rtol=0.01)


class TestWindow:
    def test_outside_is_dark_or_mirrored(self, images):
        shift = np.array([0, 30])
        dark = window(images, shift, 40, fill="constant")
        np.testing.assert_array_equal(dark[..., :10], images[..., 30:])
        assert (dark[..., 10:] == 0).all()
        assert (window(images, shift, 40)[..., 10:] > 0).all()


class TestFlaws:
    def test_spoiling_adds_light_somewhere(self):
        for seed in range(12):
            image = np.zeros((3, 48, 48), np.float32)
            spoil(np.random.default_rng(seed), image, np.ones(3))
            assert np.isfinite(image).all()
        assert image.max() > 0

    def test_punching_leaves_the_object(self):
        for seed in range(30):
            image = np.ones((3, 64, 64), np.float32)
            punch(np.random.default_rng(seed), image)
            assert np.isfinite(image[:, 28:36, 28:36]).mean() > 0.9

    def test_jpeg_keeps_bands_apart_and_is_lossy(self):
        rng = np.random.default_rng(2)
        picture = np.zeros((3, 48, 48), np.uint8)
        picture[0, 10:30, 10:30] = 200
        picture += rng.integers(0, 20, picture.shape, np.uint8)
        seen = jpeg(picture, 90)
        assert not np.array_equal(seen, picture)
        assert seen[0, 15:25, 15:25].mean() > 150
        assert seen[2, 15:25, 15:25].mean() < 60
