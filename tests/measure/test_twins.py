"""Twins: the same cutout again is found, another one of the same kind is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from skysieve.measure.grain import shrink
from skysieve.measure.twins import digest_pixels, identical, near_pairs


def sky(n: int, seed: int = 0, side: int = 48) -> np.ndarray:
    """Round galaxies of the same light at the center, each with its own noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    galaxy = 40 * np.exp(-np.hypot(x, y) / 4)
    return (rng.normal(size=(n, 3, side, side)) + galaxy).astype(np.float32)


def ellipses(n: int, seed: int = 0, side: int = 64) -> np.ndarray:
    """Smooth bright ellipses that fill the frame, of nearly one shape, each with its own noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    q, radius = rng.uniform(0.6, 0.65, (2, n, 1, 1)) * [[[[1]]], [[[20]]]]
    galaxy = 150 * np.exp(-np.sqrt(np.hypot(x, y / q) / radius * 4))
    noise = rng.normal(size=(n, 3, side, side)) * np.sqrt(1 + galaxy / 50)[:, None]
    return (noise + galaxy[:, None] * [[[0.5]], [[1.0]], [[1.5]]]).astype(np.float32)


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


def test_smooth_ellipses_with_different_noise_are_no_pair():
    """They fill the frame and have one shape: what differs is their noise."""
    pixels = ellipses(150)
    assert pairs_of(pixels) == set()
    eight_bits = np.round(128 + 20 * np.arcsinh(pixels / 2)).clip(0, 255).astype(np.float32)
    assert pairs_of(eight_bits) == set()


@pytest.mark.parametrize("make", [sky, ellipses])
def test_copies_are_found_among_ellipses(make):
    pixels = make(30, side=64)
    rng = np.random.default_rng(7)
    noise = rng.normal(0, 0.7 * pixels[:, :, 0].std(), pixels[0].shape)
    for place, change in {
        11: lambda cutout: np.rot90(cutout, 3, (1, 2)),
        12: as_jpeg,
        13: lambda cutout: cutout + noise,
        14: lambda cutout: 0.1 * cutout[:, ::-1],
    }.items():
        pixels[place] = change(pixels[place - 10])
    assert pairs_of(pixels) == {(k, k + 10) for k in (1, 2, 3, 4)}


@pytest.mark.parametrize("corner", [(4, 4), (3, 7), (0, 8)], ids=["centered", "beside", "edge"])
def test_a_cropped_copy_is_near_identical(corner):
    pixels = ellipses(12)
    top, left = corner
    cropped = np.rot90(pixels[5:6, :, top : top + 56, left : left + 56], 1, (2, 3))
    thumbs = np.concatenate([shrink(pixels), shrink(np.ascontiguousarray(cropped))])
    assert {(pair.first, pair.second) for pair in near_pairs(thumbs)[0]} == {(5, 12)}


@pytest.mark.parametrize("factor", [2, 0.75])
def test_an_enlarged_or_shrunk_copy_is_near_identical(factor):
    pixels = ellipses(12)
    size = (round(64 * factor), round(64 * factor))
    bands = [Image.fromarray(band).resize(size, Image.Resampling.BICUBIC) for band in pixels[5]]
    scaled = np.stack([np.asarray(band) for band in bands])[None]
    thumbs = np.concatenate([shrink(pixels), shrink(scaled)])
    assert {(pair.first, pair.second) for pair in near_pairs(thumbs)[0]} == {(5, 12)}


@pytest.mark.real
def test_real_pictures_share_nothing_but_what_is_known(real_data):
    """167 CFHTLS stamps are all different; one artifact of the Lens Zoo is there twice."""

    def thumbs(paths):
        planes = [np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1) for path in paths]
        return np.concatenate([shrink(each[None].astype(np.float32)) for each in planes])

    assert near_pairs(thumbs(sorted((real_data / "cfhtls").rglob("*.png"))))[1] == 0
    paths = sorted((real_data / "lens_zoo" / "artifacts").glob("*.png"))
    found = [
        {paths[each.first].name, paths[each.second].name} for each in near_pairs(thumbs(paths))[0]
    ]
    assert {"asteroid.png", "AT_asteroid.png"} in found


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
