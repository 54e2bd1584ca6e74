"""Light averaged over pixels that are cut into ever smaller cells, wherever it takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import uniform_filter

TOLERANCE = 1e-3
"""Light of a cell that its points may disagree upon, against what a sharp PSF makes the peak; half of
it at each step."""
DEEPEST = 7
"""How often a pixel is halved at most: a cusp is never settled, but holds next to nothing by then."""
SEEING_PIXELS = 4
"""Side of the square that stands for a sharp PSF."""
CORNERS = ((-1, -1), (1, -1), (-1, 1), (1, 1))

Line = Float[np.ndarray, " point"]


class Seen(NamedTuple):
    """What is seen at points.

    Args:
        light: Counts per square pixel in each band.
        room: The width in pixels up to which a cell about the point misses nothing small.
    """

    light: Float[np.ndarray, "band point"]
    room: Line


def average(
    see: Callable[[Line, Line], Seen], x: Line, y: Line, side: int
) -> Float[np.ndarray, "band y x"]:
    """Return the light that falls on the pixels of a square.

    A cell is quartered until it is smaller than its room, and its middle and the two by two points
    of Gauss and Legendre, which then stand for it, agree.

    Args:
        see: What is seen at points x and y, in pixels.
        x: The middles of the pixels, row by row; a room of infinity there means that all is dark.
        y: Likewise.
        side: Pixels a side.
    """
    first = see(x, y)
    image = np.zeros((len(first.light), side * side))
    pixel = np.flatnonzero(np.isfinite(first.room))
    bands = first.light.reshape(-1, side, side)
    peak = np.array([uniform_filter(band, SEEING_PIXELS).max() for band in bands])
    allowed = TOLERANCE * peak[:, None]
    x, y, width = x[pixel], y[pixel], 1.0
    middle = Seen(first.light[:, pixel], first.room[pixel])
    for depth in range(DEEPEST + 1):
        held = _quarters(see, x, y, width)
        apart = np.abs(middle.light - held) * width**2 > allowed
        open_ = (apart.any(0) | (middle.room < width)) & (depth < DEEPEST)
        _add(image, pixel[~open_], held[:, ~open_] * width**2)
        if not open_.any():
            break
        width, allowed, pixel = width / 2, allowed / 2, np.repeat(pixel[open_], 4)
        x, y = (
            (at[open_][:, None] + np.array([corner[k] for corner in CORNERS]) * width / 2).ravel()
            for k, at in enumerate((x, y))
        )
        middle = see(x, y)
    return image.reshape(-1, side, side)


def _quarters(
    see: Callable[[Line, Line], Seen], x: Line, y: Line, width: float
) -> Float[np.ndarray, "band point"]:
    """Return the light at four points about the middles of cells."""
    step = width / 2 / np.sqrt(3)
    px, py = (
        np.concatenate([at + corner[k] * step for corner in CORNERS]) for k, at in enumerate((x, y))
    )
    light = see(px, py).light
    return light.reshape(len(light), len(CORNERS), -1).mean(1)


def _add(
    image: Float[np.ndarray, "band pixel"],
    pixel: Int[np.ndarray, " cell"],
    light: Float[np.ndarray, "band cell"],
) -> None:
    for band, values in enumerate(light):
        image[band] += np.bincount(pixel, values, image.shape[1])
