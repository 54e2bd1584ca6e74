"""The sky of an image: its level and its noise, with objects clipped away."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64

CLIP_SIGMA, CLIPS = 2.5, 6
FEWEST_PIXELS = 64
"""Fewer pixels of sky than these say nothing of its noise."""


class Sky(NamedTuple):
    """The sky of each band, in the units of the image; NaN where a band shows too little of it.

    Args:
        level: Its median.
        noise: Standard deviation of a pixel.
    """

    level: Float64[np.ndarray, " band"]
    noise: Float64[np.ndarray, " band"]


def measure_sky(planes: Float[np.ndarray, "band y x"], valid: Bool[np.ndarray, "band y x"]) -> Sky:
    """Return level and noise of the sky of each band.

    Pixels beyond 2.5 deviations are clipped again and again about the median; the deviation is
    the median absolute one, corrected for what the clipping takes from a normal distribution.

    Args:
        planes: Linear flux in any unit.
        valid: Where a pixel holds data.
    """
    found = [_clipped(plane[mask]) for plane, mask in zip(planes, valid, strict=True)]
    level, noise = np.array(found, np.float64).T
    return Sky(level, noise)


def _clipped(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    kept = values.astype(np.float64)
    level, noise = np.nan, np.nan
    for _ in range(CLIPS):
        if kept.size < FEWEST_PIXELS:
            return np.nan, np.nan
        level = float(np.median(kept))
        noise = 1.4826 * float(np.median(np.abs(kept - level)))
        near = np.abs(kept - level) <= CLIP_SIGMA * noise
        if near.all():
            break
        kept = kept[near]
    return level, noise * _SHRUNK if noise > 0 else np.nan


_SHRUNK = 1.016
"""What clipping at 2.5 deviations, to convergence, takes from the deviation of a normal law."""
