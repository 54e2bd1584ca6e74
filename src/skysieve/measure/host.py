# pyright: standard
"""The object in the middle of an image: where it is, how long and which way its light lies."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float, Float64

ROUNDS = 12
"""Times that the window of the moments is fitted to the object; most settle after five."""
LEAST_AXIS_RATIO = 0.3
FAINTEST = 5.0
"""Signal to noise of the smoothed peak below which there is no object."""

_ndimage: Any = scipy.ndimage

Plane = Float64[np.ndarray, "y x"]
Matrix = Float64[np.ndarray, "2 2"]


class HostShape(NamedTuple):
    """An object's place and shape; NaN throughout if there is none.

    Args:
        x: Its center in pixels from the first column's.
        y: Its center in pixels from the first row's.
        axis_ratio: Minor over major axis of its light, the seeing taken off; 0.3 to 1.
        angle_rad: From x to its major axis.
        sigma_pixels: Root of the mean second moment of its light, as it is seen.
    """

    x: float
    y: float
    axis_ratio: float
    angle_rad: float
    sigma_pixels: float


NO_HOST = HostShape(*[np.nan] * 5)


def find_host(
    planes: Float[np.ndarray, "band y x"],
    noise: Float[np.ndarray, " band"],
    valid: Bool[np.ndarray, "band y x"],
    *,
    reach_pixels: float,
    psf_sigma_pixels: float,
) -> HostShape:
    """Return the brightest object near the middle of an image.

    Args:
        planes: Linear flux above the sky.
        noise: Standard deviation of the sky of each band.
        valid: Where a pixel holds data.
        reach_pixels: How far from the middle the object may be.
        psf_sigma_pixels: Standard deviation of the seeing, which rounds what is seen.

    References:
        Bernstein & Jarvis 2002, AJ 123, 583, section 3 (moments in a window fitted to the object).
    """
    weighted = np.where(valid, planes, 0) / noise[:, None, None]
    light = weighted.sum(0, dtype=np.float64) / np.sqrt(len(planes))
    smooth: Plane = _ndimage.gaussian_filter(light, 1.0) * np.sqrt(4 * np.pi)
    y, x = _grid(light)
    middle = [(side - 1) / 2 for side in light.shape]
    near = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= max(reach_pixels, 1.0) ** 2
    peak = np.where(near, smooth, -np.inf)
    at = np.unravel_index(int(np.argmax(peak)), peak.shape)
    if not peak[at] >= FAINTEST:
        return NO_HOST
    center, moments = _adapt(light, (float(at[1]), float(at[0])))
    if np.hypot(center[0] - at[1], center[1] - at[0]) > 2:  # drawn away by a neighbor
        center = (float(at[1]), float(at[0]))
    inner = moments - psf_sigma_pixels**2 * np.eye(2)
    values, vectors = np.linalg.eigh(inner)
    least = LEAST_AXIS_RATIO**2 * max(float(values[1]), 1e-6)
    ratio = np.sqrt(max(float(values[0]), least) / max(float(values[1]), least))
    angle = float(np.arctan2(vectors[1, 1], vectors[0, 1]) % np.pi)
    size = float(np.sqrt(np.trace(moments) / 2))
    return HostShape(*center, float(np.clip(ratio, LEAST_AXIS_RATIO, 1.0)), angle, size)


def _adapt(light: Plane, start: tuple[float, float]) -> tuple[tuple[float, float], Matrix]:
    """Return center and moments of what a Gaussian window of the same shape sees."""
    y, x = _grid(light)
    center, moments = start, 4.0 * np.eye(2)
    for _ in range(ROUNDS):
        dx, dy = x - center[0], y - center[1]
        inverse = np.linalg.inv(moments)
        power = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        window = np.exp(-power / 2) * light
        total = float(window.sum())
        if not total > 0:
            break
        shift = np.array([(window * dx).sum(), (window * dy).sum()]) / total
        u, v = dx - shift[0], dy - shift[1]
        cross = (window * u * v).sum()
        seen = np.array([[(window * u**2).sum(), cross], [cross, (window * v**2).sum()]]) / total
        # A Gaussian seen through its own window has half its moments.
        doubled = 2 * seen
        if not _is_sound(doubled, min(light.shape) / 4):
            break
        center, moments = (
            (center[0] + 2 * float(shift[0]), center[1] + 2 * float(shift[1])),
            doubled,
        )
    return center, moments


def _grid(light: Plane) -> tuple[Plane, Plane]:
    rows, columns = light.shape
    y = np.arange(rows, dtype=np.float64)[:, None] + np.zeros((1, columns))
    return y, np.arange(columns, dtype=np.float64)[None, :] + np.zeros((rows, 1))


def _is_sound(moments: Matrix, largest_pixels: float) -> bool:
    values = np.linalg.eigvalsh(moments)
    return bool(values[0] > 0.25 and values[1] < largest_pixels**2)
