# pyright: standard
"""The seeing of an image, from the stars that happen to be in it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.optimize
from jaxtyping import Bool, Float, Float64

BRIGHT = 40.0
"""Signal to noise of the smoothed peak from which on an object may serve as a star."""
PLAUSIBLE = (0.6, 1.3)
"""FWHM of a star over the survey's median; what is wider is taken for a galaxy."""
WIDEST_ARCSEC = 2.5
ROUND = 0.9
"""Least axis ratio of a star."""
MOST = 8
"""Objects that are tried in each band, the brightest first: more take time and change little."""
MISFIT = 0.05
"""Largest residual of a star's fit beyond its noise, as a share of its peak."""
FINE = 3
"""Points a side of a pixel over which the profile is averaged."""

_ndimage: Any = scipy.ndimage
_optimize: Any = scipy.optimize

Plane = Float64[np.ndarray, "y x"]


class Seeing(NamedTuple):
    """The seeing of each band.

    Args:
        fwhm_pixels: Median of its stars; NaN where a band has none.
        stars: How many there are in each.
    """

    fwhm_pixels: Float64[np.ndarray, " band"]
    stars: tuple[int, ...]


def measure_seeing(
    planes: Float[np.ndarray, "band y x"],
    noise: Float[np.ndarray, " band"],
    valid: Bool[np.ndarray, "band y x"],
    *,
    expected_pixels: Float[np.ndarray, " band"],
    beta: float,
    avoid: tuple[float, float, float],
) -> Seeing:
    """Return the FWHM of a Moffat profile, freed of the pixel, fitted to the stars of each band.

    An object counts as a star if it is bright, alone, round, fits the profile, and is as narrow as
    the seeing can be.

    Args:
        planes: Linear flux above the sky.
        noise: Standard deviation of the sky of each band.
        valid: Where a pixel holds data.
        expected_pixels: FWHM of the survey in each band.
        beta: Slope of the profile's wings.
        avoid: x, y and radius in pixels of the host, which is no star.

    References:
        Moffat 1969, A&A 3, 455.
    """
    found: list[list[float]] = []
    for k, plane in enumerate(planes):
        above = np.where(valid[k], plane, 0).astype(np.float64)
        half = int(np.ceil(1.5 * expected_pixels[k]))
        widths = [
            _fit_star(above[box], noise[k], beta)
            for box in _candidates(above, valid[k], float(noise[k]), half, avoid)
        ]
        low, high = (bound * expected_pixels[k] for bound in PLAUSIBLE)
        found.append([width for width in widths if low <= width <= high])
    return Seeing(
        np.array([np.median(each) if each else np.nan for each in found]),
        tuple(len(each) for each in found),
    )


def _candidates(
    plane: Plane,
    valid: Bool[np.ndarray, "y x"],
    noise: float,
    half: int,
    avoid: tuple[float, float, float],
) -> list[tuple[slice, slice]]:
    """Return boxes about bright peaks that are whole, alone and away from the host."""
    smooth: Plane = _ndimage.gaussian_filter(plane, 1.0) * np.sqrt(4 * np.pi) / noise
    peaks = (_ndimage.maximum_filter(smooth, size=2 * half + 1) == smooth) & (smooth >= BRIGHT)
    local = _ndimage.maximum_filter(smooth, size=3) == smooth
    boxes: list[tuple[slice, slice]] = []
    for y, x in sorted(np.argwhere(peaks).tolist(), key=lambda at: -smooth[at[0], at[1]])[:MOST]:
        inside = half <= y < plane.shape[0] - half and half <= x < plane.shape[1] - half
        if not inside or np.hypot(x - avoid[0], y - avoid[1]) < avoid[2]:
            continue
        box = (slice(y - half, y + half + 1), slice(x - half, x + half + 1))
        others = local[box] & (smooth[box] > max(0.03 * smooth[y, x], 8.0))
        if valid[box].all() and others.sum() == 1:
            boxes.append(box)
    return boxes


def _fit_star(stamp: Plane, noise: float, beta: float) -> float:
    """Return the FWHM in pixels of an object that may be a star; infinite if it cannot be one."""
    side = stamp.shape[0]
    middle = (side - 1) / 2
    peak = float(stamp[side // 2, side // 2])
    shape = 1 / np.sqrt(2 ** (1 / beta) - 1) / 2
    line: Float64[np.ndarray, " n"] = (
        np.arange(side * FINE, dtype=np.float64) - (FINE - 1) / 2
    ) / FINE

    def model(p: Float64[np.ndarray, " p"]) -> Plane:
        """Return the profile: center, logs of both widths, angle, height, sky."""
        u = (line - p[0])[None, :], (line - p[1])[:, None]
        along = u[0] * np.cos(p[4]) + u[1] * np.sin(p[4])
        across = u[1] * np.cos(p[4]) - u[0] * np.sin(p[4])
        core = np.exp(p[2]) * shape, np.exp(p[3]) * shape
        fine = (1 + (along / core[0]) ** 2 + (across / core[1]) ** 2) ** -beta
        return p[5] * fine.reshape(side, FINE, side, FINE).mean((1, 3)) + p[6]

    def residuals(p: Float64[np.ndarray, " p"]) -> Float64[np.ndarray, " n"]:
        """Return what the profile leaves, in units of the noise."""
        return ((model(p) - stamp) / noise).ravel()

    width = np.log(side / 3.5)
    start = np.array([middle, middle, width, width - 0.05, 0.3, 1.2 * peak, 0.0])
    fit: Any = _optimize.least_squares(residuals, start, max_nfev=25)
    found: Float64[np.ndarray, " p"] = np.asarray(fit.x)
    wide, narrow = np.exp(max(found[2:4])), np.exp(min(found[2:4]))
    residual = np.sqrt(np.mean(np.square(model(found) - stamp)))
    off_center = np.hypot(found[0] - middle, found[1] - middle) > 1
    if off_center or narrow < ROUND * wide or residual > 2 * noise + MISFIT * peak:
        return np.inf
    return float(np.sqrt(wide * narrow))
