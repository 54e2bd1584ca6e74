"""Robust numbers of the pixels of cutouts, in which NaN is no data."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

CLIP_SIGMA, CLIPS = 3.0, 3
SKY_PIXELS = 8192
"""Pixels of a band's border that decide the clipping; of a larger border every second, third ..."""

Planes = Float32[np.ndarray, "n band y x"]
PerBand = Float64[np.ndarray, "n band"]
PerCutout = Float64[np.ndarray, " n"]


def frame_radius(height: int, width: int) -> Float64[np.ndarray, "y x"]:
    """Return the distance of each pixel from the center, in half-sides of the frame."""
    y, x = np.ogrid[:height, :width]
    return np.hypot((y - (height - 1) / 2) / (height / 2), (x - (width - 1) / 2) / (width / 2))


def measure_sky(pixels: Planes, border: Bool[np.ndarray, "y x"]) -> tuple[PerBand, PerBand, Planes]:
    """Return level and noise of the sky, and the border in units of them, NaN elsewhere.

    The noise is the standard deviation of what is left after clipping: a median of deviations
    would jump by whole steps in 8-bit pictures. Clipping at 3 σ makes it 1.5 % too small.

    Args:
        pixels: In any unit; NaN where there is no data.
        border: The pixels that show the sky.
    """
    every = pixels[:, :, border].astype(np.float64)
    kept = every[:, :, :: -(-every.shape[2] // SKY_PIXELS)]
    level = spread = np.zeros((*kept.shape[:2], 1))
    for _ in range(CLIPS):
        level = _middle(kept)[:, :, None]
        away = np.abs(kept - level)
        spread = 1.4826 * _middle(away)[:, :, None]
        spread = np.where(spread > 0, spread, np.sqrt(mean_of(away**2, 2))[:, :, None])
        kept = np.where(away <= CLIP_SIGMA * spread, kept, np.nan)
    kept = np.where(np.abs(every - level) <= CLIP_SIGMA * spread, every, np.nan)
    level = mean_of(kept, 2)
    kept -= level[:, :, None]
    noise = np.sqrt(mean_of(kept**2, 2))
    residual = np.full(pixels.shape, np.nan, np.float32)
    residual[:, :, border] = kept / np.where(noise > 0, noise, np.nan)[:, :, None]
    return level, noise, residual


def grain(residual: Planes, lag: int) -> PerBand:
    """Return the correlation of sky pixels ``lag`` apart, along rows and columns."""
    along = correlation(residual[..., :-lag], residual[..., lag:])
    across = correlation(residual[..., :-lag, :], residual[..., lag:, :])
    return (along + across) / 2


def correlation(a: Planes, b: Planes) -> PerBand:
    """Return the mean product of two planes of mean 0 and scatter 1; NaN if one is flat."""
    product = a * b
    both = np.isfinite(product)
    n = np.maximum(both.sum(axis=(2, 3)), 1)
    total = np.where(both, product, 0).sum(axis=(2, 3), dtype=np.float64)
    return np.where(both.any(axis=(2, 3)), total / n, np.nan)


def _middle(values: Float[np.ndarray, "n band pixel"]) -> PerBand:
    return at_rank(np.sort(values, axis=-1), 0.5)


def at_rank(ordered: Float[np.ndarray, "n band pixel"], share: float) -> PerBand:
    """Return the value at a rank, from 0 to 1, among those that are no NaN.

    ``nanquantile`` takes ten times longer.
    """
    n = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    rank = np.rint(share * np.maximum(n - 1, 0)).astype(np.int64)
    return np.take_along_axis(ordered, rank, axis=-1)[..., 0].astype(np.float64)


def mean_within(light: Float[np.ndarray, "n y x"], mask: Bool[np.ndarray, "y x"]) -> PerCutout:
    """Return the mean of the pixels of a mask that are no NaN."""
    return mean_of(light[:, None, mask], 2)[:, 0]


def share_of(part: Bool[np.ndarray, "n pixel"], whole: Bool[np.ndarray, "n pixel"]) -> PerCutout:
    """Return how many pixels of the whole belong to a part of it; NaN if there are none."""
    count = whole.sum(axis=1)
    return part.sum(axis=1) / np.where(count > 0, count, np.nan)


def mean_of(values: Float[np.ndarray, "..."], kept: int) -> Float64[np.ndarray, "..."]:
    """Return the mean of what is no NaN over axis ``kept`` and those after; NaN if nothing is.

    For four axes and ``kept`` 1 the mean runs over the bands alone, so that a map stays a map.
    """
    axes = (1,) if kept == 1 and values.ndim in (2, 4) else tuple(range(kept, values.ndim))
    held = np.isfinite(values)
    count = held.sum(axis=axes)
    total = np.where(held, values, 0).sum(axis=axes, dtype=np.float64)
    return total / np.where(count > 0, count, np.nan)
