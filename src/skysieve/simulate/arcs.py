"""The images of lensed sources as tiles of light: rays are traced only where they can meet a source."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from skysieve.simulate import kernels
from skysieve.simulate.kernels import POINTS, TILE, Tiles, evaluate
from skysieve.simulate.lights import Lights, Painted, form, height, steepness
from skysieve.simulate.tiles import LEVELS, Grid, averaged, corners, nodes

NOTHING = 1e-5
"""Light against a source's center that is not painted."""
POINTS_PER_WIDTH = 1.0
"""Rays for each standard deviation of a source across its minor axis, at least."""
CENTER_RADII = (1.0, 0.3)
"""Effective radii around a source's center in which rays are denser."""
DENSER = ((0.9, (1.5, 1.0)), (1.2, (2.0, 2.0)), (np.inf, (4.0, 2.0)))
"""How much within each of them, by the Sersic index up to which: the higher, the sharper its cusp."""
AT_MASSES = 4
"""Rays a pixel, each way, at least, within a tile of a deflector."""
FINEST_CUSP = 8
"""Rays a pixel, each way, that a cusp alone may ask for."""


class Masses(NamedTuple):
    """Deflectors and shear of scenes; lengths in pixels.

    Args:
        table: Columns as in ``scenes.DEFLECTOR``; rows of radius 0 are none. x and y count from
            the middle of the image.
        shear: Gamma 1 and gamma 2.
    """

    table: Float[np.ndarray, "n deflector 6"]
    shear: Float[np.ndarray, "n 2"]


def paint_arcs(
    sources: Lights,
    scene: Int[np.ndarray, " row"],
    masses: Masses,
    grid: Grid,
    *,
    compiled: bool,
) -> Painted:
    """Return the tiles of lensed components.

    Args:
        sources: Components behind the lenses, with x and y from the middle of the image.
        scene: Which scene each is in; ascending.
        masses: What lenses them.
        grid: The frame.
        compiled: Use ``torch.compile``.
    """
    if not len(scene):
        return _nothing()
    extent = _extent(sources)
    tiles = _where(sources, extent, scene, masses, grid)
    coarse = _trace(*_points(*tiles, 1, grid), masses, compiled=compiled)
    item, row, near = _pairs(tiles[0], coarse, sources, extent, scene)
    finest = np.zeros(len(tiles[0]), int)
    np.maximum.at(finest, item, _need(sources, row, near))
    finest = np.where(_at_masses(*tiles, masses, grid), np.maximum(finest, AT_MASSES), finest)
    finest[np.bincount(item, minlength=len(finest)) == 0] = 0
    # All finenesses go through the kernels together: a block for each would be mostly empty.
    rays, lit, first = [], [], 0
    for fineness in LEVELS[1:]:
        mine = np.flatnonzero(finest == fineness)
        pairs = np.flatnonzero(finest[item] == fineness)
        rays.append(_points(tiles[0][mine], tiles[1][mine], fineness, grid))
        lit.append((pairs, first + np.searchsorted(mine, item[pairs]) * fineness**2))
        first += len(mine) * fineness**2
    owner, x, y = (np.concatenate(parts) for parts in zip(*rays, strict=True))
    fine = _trace(owner, x, y, masses, compiled=compiled)
    pair, start = (np.concatenate(parts) for parts in zip(*lit, strict=True))
    light = _light(fine, start, sources, row[pair], finest[item[pair]], compiled=compiled)
    return Painted(row[pair], tiles[1][item[pair]], light, np.ones(len(pair)))


def _nothing() -> Painted:
    none = np.zeros(0, int)
    return Painted(none, none, np.empty((0, POINTS), np.float32), np.zeros(0))


def _extent(sources: Lights) -> np.ndarray:
    """Return the radius along the major axis beyond which a source is dark."""
    return sources.radius * (-np.log(NOTHING) / steepness(sources.n)) ** sources.n


def _where(
    sources: Lights, extent: np.ndarray, scene: np.ndarray, masses: Masses, grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """Return scene and tile of all tiles in which there may be an image.

    A ray at a distance d from the lens meets the source plane no further in than ``d (1 - shear)``
    less the greatest deflection, and, inside one lens without a core, no further in than the least
    deflection less ``d (1 + shear)``.
    """
    n = len(masses.table)
    bound = np.zeros(n)
    np.maximum.at(bound, scene, np.hypot(sources.x, sources.y) + extent)
    radius, q, core = (masses.table[:, :, k] for k in (2, 3, 5))
    least, most = _deflections(radius, q)
    shear = np.hypot(*masses.shear.T)
    offset = np.hypot(masses.table[:, 0, 0], masses.table[:, 0, 1])
    alone = ((radius > 0).sum(1) == 1) & (core[:, 0] == 0) & (offset == 0)
    outer = (bound + most.sum(1)) / (1 - shear)
    inner = np.where(alone, (least[:, 0] - bound) / (1 + shear), 0)
    line = np.arange(grid.tiles) * TILE + (TILE - 1) / 2 - grid.middle
    away = np.hypot(line[:, None], line[None, :]).ravel()
    half = TILE / np.sqrt(2)
    hit = (away - half < outer[:, None]) & (away + half > inner[:, None]) & (bound > 0)[:, None]
    scenes, tiles = np.nonzero(hit)
    return scenes, tiles


def _at_masses(scene: np.ndarray, tile: np.ndarray, masses: Masses, grid: Grid) -> np.ndarray:
    """Return which tiles lie at a deflector, where a small step in the sky is a large one behind it."""
    x, y = (corner + (TILE - 1) / 2 - grid.middle for corner in corners(tile, grid.tiles))
    table = masses.table[scene]
    away = np.hypot(x[:, None] - table[:, :, 0], y[:, None] - table[:, :, 1])
    return np.asarray(((away < TILE) & (table[:, :, 2] > 0)).any(1))


def _deflections(radius: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and greatest deflection of isothermal ellipsoids."""
    q = _allowed(q)
    flat = np.sqrt(1 - q**2)
    strength = radius * np.sqrt(q) / flat
    return strength * np.arctan(flat / q), strength * np.arctanh(flat)


def _allowed(q: np.ndarray) -> np.ndarray:
    """Return axis ratios that float32 can tell from a circle's; those of no mass are made up."""
    return np.clip(np.where(q > 0, q, 0.9), 0.05, 0.9995)


def _points(
    scene: np.ndarray, tile: np.ndarray, fineness: int, grid: Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scene, x and y of tiles, once for each of the points within a pixel."""
    within = nodes(fineness)
    x, y = corners(tile, grid.tiles)
    px = ((x - grid.middle)[:, None] + within[None, :, 0]).ravel()
    py = ((y - grid.middle)[:, None] + within[None, :, 1]).ravel()
    return np.repeat(scene, len(within)), px, py


def _trace(
    scene: np.ndarray, x: np.ndarray, y: np.ndarray, masses: Masses, *, compiled: bool
) -> tuple[Tiles, Tiles]:
    """Return where tiles are seen: from the middle of the image, in pixels."""
    count = masses.table.shape[1]
    there = [np.arange(len(scene))]
    there += [np.flatnonzero(masses.table[scene, k, 2] > 0) for k in range(1, count)]
    numbers = [
        _sie(x[rows], y[rows], masses, scene[rows], k, keep=k == 0) for k, rows in enumerate(there)
    ]
    u, v = evaluate(kernels.trace, np.concatenate(numbers), compiled=compiled)
    first = len(scene)
    for rows in there[1:]:
        u[rows] += u[first : first + len(rows)]
        v[rows] += v[first : first + len(rows)]
        first += len(rows)
    return u[: len(scene)], v[: len(scene)]


def _sie(
    x: np.ndarray, y: np.ndarray, masses: Masses, scene: np.ndarray, k: int, *, keep: bool
) -> np.ndarray:
    x0, y0, radius, q, phi, core = masses.table[:, k].T
    q = _allowed(q)
    flat = np.sqrt(1 - q**2)
    strength = radius * np.sqrt(q) / flat
    rows = np.stack([np.cos(phi), np.sin(phi), q, strength, flat, core,
                     np.full(len(q), float(keep)), *masses.shear.T, x0, y0], 1)  # fmt: skip
    return np.concatenate([np.stack([x, y], 1), rows[scene]], 1).astype(np.float32)


def _pairs(
    of: np.ndarray,
    rays: tuple[np.ndarray, np.ndarray],
    sources: Lights,
    extent: np.ndarray,
    scene: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which tiles meet which sources, and how near: in effective radii.

    Rays between those traced come nearer by at most half a pixel's diagonal, stretched by the lens.
    """
    count = np.bincount(scene, minlength=int(of.max(initial=0)) + 1)
    first = np.cumsum(count) - count
    many = count[of]
    item = np.repeat(np.arange(len(of)), many)
    row = np.arange(len(item)) - np.repeat(np.cumsum(many) - many, many) + first[of[item]]
    columns = (sources.x, sources.y, *form(sources))
    x, y, xx, xy, yy = (column[row, None].astype(np.float32) for column in columns)
    u, v = rays[0][item] - x, rays[1][item] - y
    near = np.sqrt((xx * u * u + xy * u * v + yy * v * v).min(1))
    # Moving by d in the source plane moves the elliptical radius by at most d over the minor axis.
    minor = sources.radius[row] * sources.q[row]
    near = np.maximum(near - 1.5 / minor, 0)
    met = near * sources.radius[row] < extent[row]
    return item[met], row[met], near[met]


def _need(sources: Lights, row: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the rays a pixel, each way, that a source needs in a tile."""
    width = sources.radius * sources.q / (1.2 * np.sqrt(sources.n))
    kind = np.searchsorted([limit for limit, _ in DENSER], sources.n[row])
    denser = np.array([factors for _, factors in DENSER])[kind]
    smooth = POINTS_PER_WIDTH / width[row]
    wanted = smooth
    for k, radius in enumerate(CENTER_RADII):
        wanted = np.where(near < radius, wanted * denser[:, k], wanted)
    wanted = np.maximum(smooth, np.minimum(wanted, FINEST_CUSP))
    levels = np.array(LEVELS[1:])
    return levels[np.minimum(np.searchsorted(levels, wanted), len(levels) - 1)]


def _light(
    rays: tuple[np.ndarray, np.ndarray],
    start: np.ndarray,
    sources: Lights,
    row: np.ndarray,
    fineness: np.ndarray,
    *,
    compiled: bool,
) -> np.ndarray:
    """Return the light of pairs of tile and source, averaged over the rays of each pixel."""
    numbers = np.stack(
        [-sources.x, -sources.y, *form(sources), np.full(len(sources.x), 1e-12),
         0.5 / sources.n, steepness(sources.n), height(sources)], 1)  # fmt: skip
    points = fineness**2
    before = np.cumsum(points) - points
    each = np.repeat(start - before, points) + np.arange(points.sum())
    light = evaluate(
        kernels.sersic,
        numbers.astype(np.float32)[np.repeat(row, points)],
        rays[0][each],
        rays[1][each],
        compiled=compiled,
    )
    return averaged(np.asarray(light), fineness)
