"""What spoils real images: trails, bleeding, glow, holes, lossy compression."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image

Planes = Float32[np.ndarray, "band y x"]


def spoil(rng: np.random.Generator, image: Planes, noise: Float[np.ndarray, " band"]) -> None:
    """Add a satellite trail, a saturated column with its bleeding, or a glow, in place."""
    bands, side, _ = image.shape
    y, x = np.mgrid[:side, :side].astype(np.float32)
    way = rng.integers(3)
    if way == 0:
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.4, 0.4) * side
        across = (x - side / 2) * np.cos(angle) + (y - side / 2) * np.sin(angle) - offset
        band = rng.integers(bands)
        strength = noise[band] * np.exp(rng.uniform(0, 4))
        image[band] += strength * np.exp(-0.5 * (across / rng.uniform(1, 3)) ** 2)
    elif way == 1:
        column, width = int(rng.integers(side)), int(rng.integers(1, 5))
        for band in range(bands):
            if rng.random() < 0.7:
                image[band, :, column : column + width] = noise[band] * np.exp(rng.uniform(2, 7))
    else:
        cx, cy = rng.uniform(-0.5, 1.5, 2) * side
        glow = np.exp(-np.hypot(x - cx, y - cy) / rng.uniform(5, 25))
        for band in range(bands):
            image[band] += noise[band] * np.exp(rng.uniform(1, 6)) * glow


def punch(rng: np.random.Generator, image: Planes) -> None:
    """Remove an edge, a block or a few pixels, in place: chip gaps, masks, a smaller field."""
    side = image.shape[-1]
    way = rng.integers(3)
    if way == 0:
        edge = int(rng.integers(1, side // 6))
        for place in (np.s_[:, :edge], np.s_[:, -edge:], np.s_[:, :, :edge], np.s_[:, :, -edge:]):
            if rng.random() < 0.7:
                image[place] = np.nan
    elif way == 1:
        y, x = rng.integers(0, side - 6, 2)
        height, width = rng.integers(2, side // 4, 2)
        if abs(y + height / 2 - side / 2) > side / 6 or abs(x + width / 2 - side / 2) > side / 6:
            image[:, y : y + height, x : x + width] = np.nan
    else:
        image[:, rng.random((side, side)) < 0.01] = np.nan


def jpeg(picture: UInt8[np.ndarray, "3 y x"], quality: int) -> UInt8[np.ndarray, "3 y x"]:
    """Return what is left of a color picture, bluest band first, that was stored as JPEG."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[::-1].transpose(1, 2, 0))).save(
        file, "JPEG", quality=quality
    )
    with Image.open(file) as image:
        return np.asarray(image).transpose(2, 0, 1)[::-1]
