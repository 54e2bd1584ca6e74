"""From noise-free light to an image: how noisy it is, its grain, and the numbers it is told in."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import correlate1d

from skysieve.recipe.frames import NoisePlan
from skysieve.simulate.instrument import (
    HUMVI_ALPHA,
    HUMVI_Q,
    HUMVI_SCALES,
    humvi_picture,
)

Images = Float32[np.ndarray, "n band y x"]


class Level(NamedTuple):
    """How noisy an image is.

    Args:
        depth: Signal over noise, against the survey's own.
        gain: Photons per count at zero point 30.
        correlation: Width in pixels of the kernel that resampling laid over the noise.
        background: What the subtraction of the sky left, in units of the noise.
    """

    depth: float
    gain: float
    correlation: float
    background: float


def draw_level(plan: NoisePlan, rng: np.random.Generator) -> Level:
    """Return a level of noise within the ranges of a plan."""
    return Level(
        depth=float(np.exp(rng.uniform(*np.log(plan.depth)))),
        gain=float(np.exp(rng.uniform(*np.log(plan.photons_per_count)))),
        correlation=float(rng.uniform(*plan.correlation_pixels)),
        background=float(rng.uniform(*plan.background)),
    )


def observe(
    light: Float32[np.ndarray, "band y x"],
    sky: Float[np.ndarray, " band"],
    level: Level,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "band y x"]:
    """Return an image with noise.

    Args:
        light: Noise-free counts above the sky.
        sky: Standard deviation of the survey's sky in a pixel.
        level: How noisy it is.
        rng: Decides the grain.
    """
    noise = (sky / level.depth).astype(np.float32)[:, None, None]
    photons = np.maximum(light, 0) / np.float32(level.gain)
    sigma = np.sqrt(np.square(noise) + photons)
    grain = rng.standard_normal(light.shape, np.float32)
    if level.correlation > 0:
        kernel = np.exp(-0.5 * (np.arange(-2, 3) / max(level.correlation, 1e-3)) ** 2)
        kernel /= np.sqrt(np.square(kernel).sum())  # keeps the variance
        for axis in (1, 2):
            grain = correlate1d(grain, kernel, axis, mode="wrap")
    return light + grain * sigma + np.float32(level.background) * noise


def to_unit(images: Images, scaling: Literal["joint", "band"]) -> Images:
    """Return images in 0..1: each by its own range, or each band by its own; no data is 0."""
    axes = (1, 2, 3) if scaling == "joint" else (2, 3)
    there = np.isfinite(images)
    low = np.where(there, images, np.inf).min(axes, keepdims=True)
    high = np.where(there, images, -np.inf).max(axes, keepdims=True)
    dark = np.where(there, images, low)
    empty = np.isinf(low)  # nothing is there at all
    low, high = np.where(empty, 0, low), np.where(empty, 0, high)
    dark = np.where(empty, 0, dark)
    return ((dark - low) / np.maximum(high - low, np.float32(1e-20))).astype(np.float32)


def to_pictures(images: Images, bands: tuple[str, ...]) -> Images:
    """Return color pictures of 8 bits, as Space Warps showed them; no data is black."""
    n = len(images)
    return humvi_picture(
        np.nan_to_num(images, nan=0.0),
        scales=np.tile([HUMVI_SCALES[band] for band in bands], (n, 1)),
        q=np.full(n, HUMVI_Q),
        alpha=np.full(n, HUMVI_ALPHA),
    ).astype(np.float32)
