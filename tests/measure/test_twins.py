"""Twins: the same cutout again is found, another one of the same kind is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from skysieve.measure.twins import digest_pixels, identical, near_pairs, shrink


def sky(n: int, seed: int = 0, side: int = 48) -> np.ndarray:
    """Round galaxies of the same light at the center, each with its own noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    galaxy = 40 * np.exp(-np.hypot(x, y) / 4)
    return (rng.normal(size=(n, 3, side, side)) + galaxy).astype(np.float32)


def as_jpeg(cutout: np.ndarray) -> np.ndarray:
    levels = np.clip(128 + 10 * cutout, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels.transpose(1, 2, 0)).save(buffer, "JPEG", quality=97, subsampling=0)
    return np.asarray(Image.open(buffer)).transpose(2, 0, 1).astype(np.float32)


def pairs_of(pixels: np.ndarray) -> set[tuple[int, int]]:
    return {(pair.first, pair.second) for pair in near_pairs(shrink(pixels))[0]}


def test_equal_pixels_are_identical_and_others_are_not():
    pixels = sky(6)
    pixels[4] = pixels[1]
    pixels[5] = pixels[1]
    found = identical(digest_pixels(pixels))
    assert [each.tolist() for each in found] == [[1, 4, 5]]
    assert digest_pixels(pixels)[0] != digest_pixels(pixels.reshape(6, 1, 3 * 48, 48))[0]


def test_galaxies_that_only_look_alike_are_no_pair():
    assert pairs_of(sky(60)) == set()


@pytest.mark.parametrize(
    "change",
    [
        lambda cutout: np.rot90(cutout, 1, (1, 2)),
        lambda cutout: cutout[:, ::-1],
        lambda cutout: cutout[:, :, ::-1].transpose(0, 2, 1),
        lambda cutout: 3 * cutout + 100,
        as_jpeg,
    ],
    ids=["turned", "mirrored", "both", "in other units", "compressed"],
)
def test_a_changed_copy_is_near_identical(change):
    pixels = sky(12)
    pixels[9] = change(pixels[2])
    assert pairs_of(pixels) == {(2, 9)}


def test_pairs_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr("skysieve.measure.twins._BLOCK", 5)
    pixels = sky(23)
    pixels[22] = pixels[0]
    pixels[4] = pixels[3]
    assert pairs_of(pixels) == {(0, 22), (3, 4)}


def test_frames_without_anything_to_see_are_no_pair():
    pixels = np.zeros((3, 2, 20, 20), np.float32)
    pixels[1] = np.nan
    assert pairs_of(pixels) == set()
