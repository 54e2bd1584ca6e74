# pyright: standard
"""The grain of a cutout: all that is not smooth in it, noise before all, as small pictures.

scipy says nothing of its types: this file is where it gets some.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64
from scipy import ndimage

SIDE = 24
"""Pixels a side of the small picture of the whole frame."""
PATCH = 33
"""Pixels a side of the piece about the brightest place; odd, so that it has a middle."""
SAMPLED = 8_192
"""Pixels that tell a plane's sky and noise."""
_PIECE_OF = 100
"""Side of a usual frame; below 173 pixels a piece is taken pixel by pixel, below 520 in threes."""
_NEAR_CENTER = 10.0
"""Pixels from the center at which a place must be e^1/2 as bright as there to be the brightest."""

SMOOTHEST = 1e-4
"""Relative to all light: what is left of a smooth picture below it is rounding."""
_STRONGEST = 2.5
"""In local standard deviations: no single pixel decides."""


def _smoothing(side: int) -> Float64[np.ndarray, "k k"]:
    """Return the kernel that replaces a pixel by a parabola fitted about it."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(side**2, 6)
    return np.linalg.pinv(terms)[0].reshape(side, side)


PARABOLA = _smoothing(5)
_MARGIN = 2  # half the side of the parabola

Gray = Float32[np.ndarray, "y x"]
Thumbs = Float16[np.ndarray, "n pixel"]


def shrink(pixels: Float32[np.ndarray, "n band y x"]) -> Thumbs:
    """Return the grain of each cutout: of the whole frame, and of a piece about its brightest place.

    The light is compressed first, so that faint neighbors and noise count as much as a bright
    center. Then everything smooth is taken out: two galaxies of one shape are not near-identical,
    but no noise is there twice. The first picture stays when a copy is enlarged, the second
    when it is cropped. Either is zero where nothing is to be seen.
    """
    small: list[Float16[np.ndarray, " pixel"]] = []
    for each in pixels:
        light = _compressed(each)
        both = (_whole(light), _piece(light))
        small.append(np.concatenate([grain.ravel() for grain in both]).astype(np.float16))
    return np.stack(small)


def _compressed(pixels: Float32[np.ndarray, "band y x"]) -> Gray:
    """Return the light of all bands in units of their noise, compressed; without data it is sky."""
    light = np.zeros(pixels.shape[1:], np.float32)
    for plane in pixels:
        finite = plane[np.isfinite(plane)]
        if not finite.size:
            continue
        finite = finite[:: -(-finite.size // SAMPLED)]
        sky = np.median(finite)
        noise = 1.4826 * np.median(np.abs(finite - sky)) or finite.std()
        if noise > 0:
            light += np.arcsinh(np.nan_to_num((plane - sky) / noise, nan=0.0))
    return light


def _whole(light: Gray) -> Float64[np.ndarray, "small small"]:
    """Return the grain of the frame made small."""
    rows, columns = (_averaging(length, SIDE + 2 * _MARGIN) for length in light.shape)
    return _grain(rows @ light @ columns.T, np.ones((SIDE, SIDE), bool))


@lru_cache(maxsize=16)
def _averaging(length: int, count: int) -> Float64[np.ndarray, "count length"]:
    """Return the means over equal parts of a row of pixels, exact where a part cuts a pixel.

    What is linear stays so: else the steps of a smooth slope would be taken for grain.
    """
    ends = np.linspace(0, length, count + 1)
    pixel = np.arange(length)
    overlap = np.minimum(ends[1:, None], pixel + 1) - np.maximum(ends[:-1, None], pixel)
    return overlap.clip(0) * count / length


def _piece(light: Gray) -> Float64[np.ndarray, "piece piece"]:
    """Return the grain about the brightest place near the center, in pixels of the image.

    In large frames it is that of pixels taken three by three, nine by nine ...; an odd number has
    a middle, so that the same pixels are together however a copy was cropped or turned.
    """
    power = round(np.log(min(light.shape) / _PIECE_OF) / np.log(3))
    step, count = 3 ** max(power, 0), PATCH + 2 * _MARGIN
    row, column = _brightest(light.astype(np.float64), step)
    around = step * count // 2
    place = np.s_[row : row + step * count, column : column + step * count]
    cut = np.pad(light.astype(np.float64), around, mode="edge")[place]
    inside = np.pad(np.ones(light.shape), around)[place]
    coarse, share = (
        each.reshape(count, step, count, step).mean(axis=(1, 3)) for each in (cut, inside)
    )
    edge = slice(_MARGIN, -_MARGIN)
    return _grain(coarse, ndimage.binary_erosion(share == 1, np.ones(PARABOLA.shape))[edge, edge])


def _brightest(light: Float64[np.ndarray, "y x"], step: int) -> tuple[int, int]:
    """Return row and column of the brightest place near the center.

    A place that is brightest about itself stays so when the frame is cropped, wherever its center.
    """
    y, x = (np.arange(length) - (length - 1) / 2 for length in light.shape)
    nearness = np.exp(-(y[:, None] ** 2 + x**2) / (2 * (step * _NEAR_CENTER) ** 2))
    smooth = ndimage.gaussian_filter(light, 1.5 * step, mode="nearest")
    summits = smooth >= ndimage.maximum_filter(smooth, 4 * step + 1, mode="nearest")
    height = np.where(summits, smooth * nearness, -np.inf)
    row, column = np.unravel_index(int(height.argmax()), light.shape)
    return int(row), int(column)


def _grain(
    picture: Float64[np.ndarray, "wider wider"], inside: Bool[np.ndarray, "y x"]
) -> Float64[np.ndarray, "y x"]:
    """Return what is not smooth in a picture, nowhere much stronger than elsewhere, with length 1.

    Args:
        picture: With a margin about what is returned.
        inside: What is image, and all that lies about it.
    """
    edge = slice(_MARGIN, -_MARGIN)
    rough = (picture - ndimage.convolve(picture, PARABOLA))[edge, edge] * inside
    if np.sqrt((rough**2).mean()) <= SMOOTHEST * np.sqrt((picture**2).mean()):
        return np.zeros_like(rough)
    # A bright center is steep, and steep in one way for all galaxies: it must not count for more
    # than the sky. Where there is less than usual, it is left so: a smooth core has no grain.
    strength = np.sqrt(ndimage.uniform_filter(rough**2, 7, mode="mirror").clip(0))
    strength = np.maximum(strength, np.quantile(strength, 0.75))
    even = np.divide(rough, strength, out=np.zeros_like(rough), where=strength > 0)
    even = even.clip(-_STRONGEST, _STRONGEST)
    return even / np.sqrt((even**2).sum())
