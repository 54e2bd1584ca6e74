"""Putting an image on pixels of another size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float32


def resample(
    pixels: Float32[np.ndarray, "n band y x"], scale: float, max_side: int
) -> Float32[np.ndarray, "n band v u"]:
    """Put images on a grid of other pixels about the same center, keeping surface brightness.

    Larger pixels average those they cover, by area, so that noise and aliasing fall as they do
    on the sky; smaller pixels are interpolated linearly. Pixels without data take no part, and
    a new pixel has data where at least half of it was covered by data.

    Args:
        pixels: Images; NaN where there is no data.
        scale: Old pixel size over new pixel size: above 1 the image gets more pixels.
        max_side: A new side is at most this long; what lies outside is cut away.
    """
    rows = _weights(pixels.shape[2], scale, max_side)
    columns = _weights(pixels.shape[3], scale, max_side)
    valid = np.isfinite(pixels)
    if valid.all():
        return rows @ pixels @ columns.T
    covered = rows @ valid.astype(np.float32) @ columns.T
    total = rows @ np.where(valid, pixels, np.float32(0)) @ columns.T
    return np.where(covered >= 0.5, total / np.maximum(covered, np.float32(0.5)), np.float32("nan"))


@lru_cache(maxsize=64)
def _weights(old: int, scale: float, max_side: int) -> Float32[np.ndarray, "new old"]:
    """Return what each new pixel takes of each old one; each row adds up to 1."""
    new = min(max(1, round(old * scale)), max_side)
    at = (np.arange(new) + 0.5 - new / 2) / scale + old / 2 - 0.5  # in old pixels
    source = np.arange(old)
    if scale < 1:
        half = 0.5 / scale
        low = np.maximum(at[:, None] - half, source - 0.5)
        high = np.minimum(at[:, None] + half, source + 0.5)
        weights = np.maximum(high - low, 0)
    else:
        weights = np.maximum(1 - np.abs(np.clip(at, 0, old - 1)[:, None] - source), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
