"""Disks with arms and rings as tiles of light, each averaged over its pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from skysieve.simulate import kernels
from skysieve.simulate.kernels import evaluate
from skysieve.simulate.lights import Painted
from skysieve.simulate.scenes import DISK
from skysieve.simulate.tiles import LEVELS, Grid, averaged, choose, distances, offset

SOFT_ARCSEC = 0.01
"""Radius within which the arms' logarithm is cut."""
SCALE_LENGTHS = 13.0
"""How far a disk is painted: to e**-13 of its center."""
RING_WIDTHS = 5.0
FINE_PIXELS = (12.0, 6.0, 3.0, 1.0)
"""Distances within which 2, 4, 8 and 16 points a pixel are taken, each way, of a round disk."""


def paint_disks(rows: Float[np.ndarray, "row column"], grid: Grid, *, compiled: bool) -> Painted:
    """Return the tiles of disks of unit flux."""
    c = dict(zip(DISK, rows.T, strict=False))
    scale = c["radius"] / grid.pixel_scale_arcsec
    x, y = (c[name] / grid.pixel_scale_arcsec + grid.middle for name in ("x", "y"))
    ringed = c["ring_strength"] > 0
    width = np.where(ringed, c["ring_width"], 1.0)
    numbers = np.concatenate([x[:, None], y[:, None], shapes_of(rows, grid)], 1)
    ring = np.where(ringed, c["ring_radius"] + RING_WIDTHS * width, 0)
    reach = np.zeros((len(rows), len(LEVELS)))
    reach[:, 0] = scale * np.maximum(SCALE_LENGTHS, ring)
    # Rings and arms are as sharp as they are narrow: on the minor axis, in pixels.
    sharp = np.maximum(1, 2.0 / (scale * c["q"] * np.minimum(width, 1)))
    reach[:, 1:] = sharp[:, None] * FINE_PIXELS
    items = choose(distances(x, y, grid.tiles), reach)
    values = evaluate(kernels.disk, offset(numbers, items, grid), compiled=compiled)
    light = averaged(np.asarray(values), items.fineness)
    return Painted(items.row, items.tile, light, np.ones(len(items.row)))


def shapes_of(rows: Float[np.ndarray, "row column"], grid: Grid) -> Float[np.ndarray, "row number"]:
    """Return the kernel's numbers of disks of unit flux, but for their places."""
    c = dict(zip(DISK, rows.T, strict=False))
    scale = c["radius"] / grid.pixel_scale_arcsec
    width = np.where(c["ring_strength"] > 0, c["ring_width"], 1.0)
    spread = c["ring_strength"] * c["ring_radius"] * width * np.sqrt(2 * np.pi)
    held = 2 * np.pi * scale**2 * c["q"] * (1 + spread * np.exp(-c["ring_radius"]))
    shape = [np.cos(c["phi"]) / scale, np.sin(c["phi"]) / scale, 1 / c["q"],
             (SOFT_ARCSEC / c["radius"]) ** 2]  # fmt: skip
    rest = [c[name] for name in DISK[6:11]] + [width] + [c[name] for name in DISK[12:]]
    return np.stack([*shape, *rest, 1 / held], 1)
