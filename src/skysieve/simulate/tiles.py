"""Which tiles of a frame a light reaches, how finely each is sampled, and adding them up."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy import sparse

from skysieve.simulate.kernels import POINTS, TILE, Tiles

LEVELS = (1, 2, 4, 8, 16)
"""Points a pixel, each way."""

Index = Int[np.ndarray, " item"]


class Grid(NamedTuple):
    """The frame that is painted, larger than the image.

    Args:
        side: Pixels a side, a multiple of the tile's.
        edge: Pixels before the image.
        image: Pixels a side of the image.
        pixel_scale_arcsec: Size of a pixel.
    """

    side: int
    edge: int
    image: int
    pixel_scale_arcsec: float

    @property
    def tiles(self) -> int:
        """Tiles a side."""
        return self.side // TILE

    @property
    def middle(self) -> float:
        """The pixel coordinate of the middle of the image."""
        return self.edge + (self.image - 1) / 2


class Items(NamedTuple):
    """Tiles of lights, each of one light and with one fineness.

    Args:
        row: The number of the light.
        tile: The number of the tile in the frame.
        fineness: Points a pixel, each way; the same items in order of fineness.
    """

    row: Index
    tile: Index
    fineness: Index


def distances(
    x: Float[np.ndarray, " row"], y: Float[np.ndarray, " row"], tiles: int
) -> Float32[np.ndarray, "row tile"]:
    """Return how far each tile is from each point, in pixels; 0 within."""
    low = np.arange(tiles, dtype=np.float32) * TILE - 0.5
    gaps = [
        np.maximum(np.maximum(low - at[:, None], at[:, None] - low - TILE), 0).astype(np.float32)
        for at in (y, x)
    ]
    return np.hypot(gaps[0][:, :, None], gaps[1][:, None, :]).reshape(len(x), tiles * tiles)


def choose(away: Float32[np.ndarray, "row tile"], reach: Float[np.ndarray, "row level"]) -> Items:
    """Return the tiles that lights reach.

    Args:
        away: Distance of tiles from lights.
        reach: How far out each fineness is needed: the last column the finest, and the first how far
            there is any light.
    """
    level = np.zeros(away.shape, np.int8)
    for k in range(len(LEVELS)):
        level += away < reach[:, k, None]
    row, tile = np.nonzero(level)
    fineness = np.array([0, *LEVELS])[level[row, tile]]
    order = np.argsort(fineness, kind="stable")
    return Items(row[order], tile[order], fineness[order])


def nodes(fineness: int) -> Float[np.ndarray, "point 2"]:
    """Return the points (x, y) within a pixel at which light is averaged, from the pixel's center.

    They are pairs of Gauss and Legendre, whose average is right to the fourth order.
    """
    cells = max(fineness // 2, 1)
    line = (np.arange(cells) + 0.5) / cells - 0.5
    if fineness > 1:
        line = (line[:, None] + np.array([-1, 1]) / (2 * cells * np.sqrt(3))).ravel()
    y, x = np.meshgrid(line, line, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], 1)


def corners(tile: Index, tiles: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixel coordinates (x, y) of the first pixel of tiles."""
    return tile % tiles * TILE, tile // tiles * TILE


def offset(
    numbers: Float[np.ndarray, "row number"], items: Items, grid: Grid
) -> Float[np.ndarray, "tile number"]:
    """Return the numbers of each item at each of its points in a pixel, counted from there.

    The first two numbers of a light are its place; those of an item, its tile's corner from there.
    """
    parts = []
    x, y = corners(items.tile, grid.tiles)
    for fineness in LEVELS:
        mine = items.fineness == fineness
        within = nodes(fineness)
        part = np.repeat(numbers[items.row[mine]], len(within), 0)
        for axis, corner in enumerate((x, y)):
            part[:, axis] = (corner[mine][:, None] + within[None, :, axis]).ravel() - part[:, axis]
        parts.append(part.astype(np.float32))
    return np.concatenate(parts)


def averaged(values: Tiles, fineness: Index) -> Float32[np.ndarray, "item point"]:
    """Return one tile for each item from those of all its points within a pixel, in their order."""
    out = np.empty((len(fineness), POINTS), np.float32)
    first = item = 0
    while item < len(fineness):
        points = int(fineness[item]) ** 2
        count = int(np.searchsorted(fineness, fineness[item], "right")) - item
        last = first + count * points
        block = values[first:last].reshape(count, points, POINTS)
        out[item : item + count] = block[:, 0] if points == 1 else block.mean(1)
        first, item = last, item + count
    return out


def add_up(
    values: Tiles,
    target: Index,
    flux: Float[np.ndarray, "item band"],
    count: int,
) -> Float32[np.ndarray, "band target point"]:
    """Return the sum of all items on each target tile, in each band; in the items' order."""
    items = np.arange(len(values))
    base: Any = sparse.coo_array((items + 1, (target, items)), shape=(count, len(values))).tocsr()
    order = np.asarray(base.data) - 1
    planes = []
    for band in range(flux.shape[1]):
        weights = flux[order, band].astype(np.float32)
        matrix = sparse.csr_array((weights, base.indices, base.indptr), shape=base.shape)
        planes.append(np.asarray(matrix @ values))
    return np.stack(planes)
