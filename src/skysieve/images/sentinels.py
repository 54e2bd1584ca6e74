"""Values that mean "no data": a number that somebody wrote where a pixel had none."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

RATIO = 1e4
"""How many times larger than all else a repeated value must be to be taken for a mark."""


def mark_no_data(
    pixels: Float32[np.ndarray, "n band y x"], mask_value: float | None
) -> tuple[Float32[np.ndarray, "n band y x"], Bool[np.ndarray, " n"]]:
    """Put NaN where there is no data: at infinities, at ``mask_value``, and at marks.

    A mark is one exact value that repeats within a plane and is at least ``RATIO`` times larger
    than every other value there, such as the 100 of the Bologna challenge among fluxes of 1e-11.

    Returns:
        The pixels (the same array if nothing changed) and which cutouts had marked pixels.
    """
    finite = np.isfinite(pixels)
    if not finite.all():
        pixels = np.where(finite, pixels, np.float32("nan"))
    marked = _marks(pixels)
    if mask_value is not None:
        marked |= pixels == np.float32(mask_value)
    had = np.asarray(marked.any(axis=(1, 2, 3)))
    if had.any():
        pixels = np.where(marked, np.float32("nan"), pixels)
    return pixels, had


def _marks(pixels: Float32[np.ndarray, "n band y x"]) -> Bool[np.ndarray, "n band y x"]:
    n, band, height, width = pixels.shape
    planes = pixels.reshape(n * band, height * width)
    marked = np.zeros(pixels.shape, bool)
    flat = marked.reshape(planes.shape)
    for k in _suspects(planes):
        plane = planes[k]
        value = plane[np.nanargmax(np.abs(plane))]
        hits = plane == value
        rest = np.abs(plane[~hits & np.isfinite(plane)])
        if hits.sum() > 1 and rest.size and 0 < rest.max() * RATIO <= abs(value):
            flat[k] = hits
    return marked


def _suspects(planes: Float32[np.ndarray, "plane pixel"]) -> np.ndarray:
    """Return the planes that may hold a mark, judged by a sample of about 64 pixels."""
    high, low = np.fmax.reduce(planes, axis=1), np.fmin.reduce(planes, axis=1)
    peak = np.where(-low > high, low, high)[:, None]
    sample = planes[:, :: max(1, planes.shape[1] // 64)]
    ordinary = (np.abs(sample) > np.abs(peak) / RATIO) & (sample != peak)
    return np.flatnonzero(np.isfinite(peak[:, 0]) & (high > low) & ~ordinary.any(axis=1))
