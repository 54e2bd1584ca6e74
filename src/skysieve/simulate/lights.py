"""Sersic profiles, disks and points as tiles of light, each averaged over its pixels.

A cusp is cut at a small radius, and the light that this costs, which is known exactly, is put back at
its place; a point, and a profile too small for the pixels, is spread so that its flux, its place and its
second moments are exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import gamma, gammainc, gammaincinv

from skysieve.simulate import kernels
from skysieve.simulate.kernels import POINTS, TILE, Tiles, evaluate
from skysieve.simulate.tiles import (
    LEVELS,
    Grid,
    Index,
    Items,
    averaged,
    choose,
    distances,
    offset,
)

CUT_PIXELS, LEAST_CUT_PIXELS = 0.7, 0.4
"""Where the cusp of a profile is cut: the geometric mean of the axes, and the minor axis at least."""
CUSPED = 0.9
"""Sersic index from which on a profile is cut."""
RINGS, SPOKES = 16, 64
"""Points that stand for the light of a cut cusp."""
SMALL_PIXELS, SMOOTH = 0.35, 1.2
"""Effective radius below which a profile of at most this index is painted by its moments."""
SEEING_PIXELS2 = 2.0
"""Variance of a sharp PSF: what a profile's peak is estimated with, to tell which errors matter."""
TOLERANCE = (2e-4, 1e-3)
"""Error of the average over a pixel, against the scene's peak behind that PSF, and at most the light's."""
NOTHING = (1e-5, 1e-4)
"""Light against these peaks that is not painted."""
PIXEL_VARIANCE = 1 / 12
"""Variance of a pixel: a point is averaged over it like all light."""
TAPS = (-3, -2, -1, 0, 1, 2, 3, 4)
_AWAY = np.geomspace(0.25, 200, 28)

Column = Float[np.ndarray, " row"]


class Lights(NamedTuple):
    """Components of many scenes, one below the other; lengths in pixels.

    Args:
        x: Pixel coordinate.
        y: Pixel coordinate.
        radius: Effective radius along the major axis; 0 is a point.
        n: Sersic index.
        q: Minor over major axis.
        phi: Angle of the major axis to x, in rad.
    """

    x: Column
    y: Column
    radius: Column
    n: Column
    q: Column
    phi: Column

    def at(self, rows: np.ndarray) -> Lights:
        """Return some of them."""
        return Lights(*(column[rows] for column in self))


class Painted(NamedTuple):
    """Tiles of light of unit flux.

    Args:
        row: The number of the light.
        tile: The number of the tile in the frame.
        values: The light in its pixels.
        factor: Of the light's flux.
    """

    row: Index
    tile: Index
    values: Tiles
    factor: Column


def lights_of(table: Float[np.ndarray, "row column"], grid: Grid) -> Lights:
    """Return the components of a table of Sersic components, in pixels of a frame."""
    scale = grid.pixel_scale_arcsec
    x, y, radius, n, q, phi = table.T[:6]
    return Lights(
        x / scale + grid.middle,
        y / scale + grid.middle,
        radius / scale,
        n,
        np.where(q > 0, q, 1),
        phi,
    )


def steepness(n: Column) -> Column:
    """Return b of Sersic profiles, with which the effective radius holds half of the light.

    References:
        Graham & Driver 2005, PASA 22, 118, eq. 4.
    """
    return gammaincinv(2 * n, 0.5)


def peaks(lights: Lights) -> Column:
    """Return about how bright the middle of lights of unit flux is behind a sharp PSF."""
    return 1 / (2 * np.pi * (SEEING_PIXELS2 + lights.radius**2 * lights.q))


def paint_lights(lights: Lights, outshone: Column, grid: Grid, *, compiled: bool) -> list[Painted]:
    """Return the tiles of all components.

    Args:
        lights: What to paint.
        outshone: The peak of the brightest light of a scene over that of each light, at least 1.
        grid: The frame.
        compiled: Use ``torch.compile``.
    """
    small = (lights.radius <= 0) | ((lights.radius < SMALL_PIXELS) & (lights.n <= SMOOTH))
    large = np.flatnonzero(~small)
    cut, missing = _cut(lights.at(large))
    inside = [(at[large] > -TILE) & (at[large] < grid.side + TILE) for at in (lights.x, lights.y)]
    again = np.flatnonzero((missing > 1e-5) & inside[0] & inside[1])
    reach = _reach(lights.at(large), outshone[large])
    sersics = _sersics(lights.at(large), cut, reach, grid, compiled=compiled)
    painted = [_renumbered(sersics, large)]
    tips = _tips(lights.at(large[again]), cut[again], grid)
    painted.append(_renumbered(tips._replace(factor=missing[again][tips.row]), large[again]))
    points = np.flatnonzero(small)
    return [*painted, _renumbered(_points(lights.at(points), grid), points)]


def _renumbered(painted: Painted, rows: np.ndarray) -> Painted:
    return painted._replace(row=rows[painted.row])


def form(lights: Lights) -> tuple[Column, Column, Column]:
    """Return the factors of x², x y and y² in the squared elliptical radius over the effective one."""
    cos, sin = np.cos(lights.phi), np.sin(lights.phi)
    along, across = lights.radius**-2, (lights.radius * lights.q) ** -2
    return (
        cos**2 * along + sin**2 * across,
        2 * cos * sin * (along - across),
        sin**2 * along + cos**2 * across,
    )


def height(lights: Lights) -> Column:
    """Return the light in a pixel at the center of profiles of unit flux."""
    b = steepness(lights.n)
    disk = 2 * np.pi * lights.n * lights.q * lights.radius**2
    return b ** (2 * lights.n) / (disk * gamma(2 * lights.n))


def _cut(lights: Lights) -> tuple[Column, Column]:
    """Return the squared radius in units of the effective one where a cusp is cut, and what it costs."""
    b = steepness(lights.n)
    at = np.where(lights.n > CUSPED, _rim(lights.q) / lights.radius, 1e-6)
    steep = b * at ** (1 / lights.n)
    flat = np.pi * lights.q * (at * lights.radius) ** 2 * height(lights) * np.exp(-steep)
    return at**2, gammainc(2 * lights.n, steep) - flat


def _rim(q: np.ndarray) -> np.ndarray:
    """Return where cusps are cut along the major axis, in pixels."""
    return np.maximum(CUT_PIXELS / np.sqrt(q), LEAST_CUT_PIXELS / q)


def _variance(lights: Lights) -> Column:
    """Return the variance along the major axis, in square pixels."""
    n, there = lights.n, lights.radius > 0
    n = np.where(there, n, 1.0)
    mean = steepness(n) ** (-2 * n) * gamma(4 * n) / gamma(2 * n)
    return np.where(there, mean * lights.radius**2 / 2, 0)


def _sersics(
    lights: Lights, cut: Column, reach: np.ndarray, grid: Grid, *, compiled: bool
) -> Painted:
    b, top = steepness(lights.n), height(lights)
    numbers = np.stack([lights.x, lights.y, *form(lights), cut, 0.5 / lights.n, b, top], 1)
    items = choose(distances(lights.x, lights.y, grid.tiles), reach)
    values = evaluate(kernels.sersic, offset(numbers, items, grid), compiled=compiled)
    return Painted(
        items.row, items.tile, averaged(np.asarray(values), items.fineness), np.ones(len(items.row))
    )


def _reach(lights: Lights, outshone: Column) -> Float[np.ndarray, "row level"]:
    """Return how far from the center light is to be painted, and how far with which fineness.

    The average over a pixel of one point is off by the second derivatives over 24, that of two
    points by Gauss and Legendre by the fourth ones over 4320.
    """
    n, q, radius = (column[:, None] for column in (lights.n, lights.q, lights.radius))
    steep = steepness(lights.n)[:, None] * (_AWAY / radius) ** (1 / n)
    light = (height(lights) / peaks(lights))[:, None] * np.exp(-steep)
    nothing, tolerance = (
        np.minimum(of_scene * outshone, own)[:, None] for of_scene, own in (NOTHING, TOLERANCE)
    )
    slope = steep / n
    curvature = (slope**2 + slope) / (q * _AWAY) ** 2
    at_rim = np.where(n > CUSPED, q * _rim(q), 0)
    curvature = np.where(at_rim > _AWAY, 0, curvature)  # within the rim it is flat
    errors = (
        light / nothing,
        light * curvature / 24 / tolerance,
        light * curvature**2 / 4320 / tolerance,
        light * curvature**2 / 4320 / 16 / tolerance,
        np.zeros_like(light),
    )
    step = _AWAY[1] / _AWAY[0]
    return np.stack([np.max(np.where(e > 1, _AWAY * step, 0), 1) for e in errors], 1)


def _points(lights: Lights, grid: Grid) -> Painted:
    """Return points, widened by the second moments of the profile and of a pixel.

    Weights of Lagrange's interpolation keep all moments up to the seventh of a point.
    """
    variance = _variance(lights)
    across = variance * lights.q**2
    cos, sin = np.cos(lights.phi), np.sin(lights.phi)
    xx = variance * cos**2 + across * sin**2 + PIXEL_VARIANCE
    yy = variance * sin**2 + across * cos**2 + PIXEL_VARIANCE
    xy = (variance - across) * cos * sin
    lines = [_weights(at, grid.side) for at in (lights.x, lights.y)]
    (x0, x1, x2), (y0, y1, y2) = lines
    reach = np.zeros((len(variance), len(LEVELS)))
    reach[:, 0] = len(TAPS) / 2 + 1.5
    items = choose(distances(lights.x, lights.y, grid.tiles), reach)
    row = items.row
    values = (
        _product(y0, x0, items, grid)
        + (xx[row] / 2)[:, None] * _product(y0, x2, items, grid)
        + (yy[row] / 2)[:, None] * _product(y2, x0, items, grid)
        + xy[row][:, None] * _product(y1, x1, items, grid)
    )
    return Painted(row, items.tile, values.astype(np.float32), np.ones(len(row)))


def _product(y: np.ndarray, x: np.ndarray, items: Items, grid: Grid) -> np.ndarray:
    """Return the tiles of the products of two lines of pixels."""
    parts = [
        line.reshape(len(line), grid.tiles, TILE)[items.row, place]
        for line, place in ((y, items.tile // grid.tiles), (x, items.tile % grid.tiles))
    ]
    return (parts[0][:, :, None] * parts[1][:, None, :]).reshape(len(items.row), POINTS)


def _tips(lights: Lights, cut: Column, grid: Grid) -> Painted:
    """Return the light of cut cusps, each of unit flux, on the pixels that hold it.

    Rings of points hold what the cusp has above its rim, exactly ring by ring.
    """
    rim, b = np.sqrt(cut), steepness(lights.n)
    edges = rim[:, None] * np.linspace(0, 1, RINGS + 1) ** 2
    disk = np.pi * (edges * lights.radius[:, None]) ** 2
    level = lights.q * height(lights) * np.exp(-b * rim ** (1 / lights.n))
    within = gammainc(2 * lights.n[:, None], b[:, None] * edges ** (1 / lights.n)[:, None])
    held = np.diff(within - disk * level[:, None], axis=1)
    middle = ((edges[:, 1:] + edges[:, :-1]) / 2 * lights.radius[:, None])[:, :, None]
    turn = 2 * np.pi * (np.arange(SPOKES) + np.arange(RINGS)[:, None] / RINGS) / SPOKES
    along, across = middle * np.cos(turn), middle * np.sin(turn) * lights.q[:, None, None]
    cos, sin = (f(lights.phi)[:, None, None] for f in (np.cos, np.sin))
    x = np.rint(lights.x[:, None, None] + along * cos - across * sin).astype(int)
    y = np.rint(lights.y[:, None, None] + along * sin + across * cos).astype(int)
    weight = np.broadcast_to((held / held.sum(1, keepdims=True) / SPOKES)[:, :, None], x.shape)
    return _gathered(
        x.reshape(len(rim), RINGS * SPOKES), y.reshape(len(rim), RINGS * SPOKES), weight, grid
    )


def _gathered(x: np.ndarray, y: np.ndarray, weight: np.ndarray, grid: Grid) -> Painted:
    """Return points near one another, of each light, as the two by two tiles that they lie in."""
    rows = len(x)
    first = [line.min(1) // TILE for line in (x, y)]
    dx, dy = x - first[0][:, None] * TILE, y - first[1][:, None] * TILE
    place = dy // TILE * 2 + dx // TILE
    index = (np.arange(rows)[:, None] * 4 + place) * POINTS + dy % TILE * TILE + dx % TILE
    values = np.bincount(index.ravel(), weight.ravel(), rows * 4 * POINTS).reshape(-1, POINTS)
    row = np.repeat(np.arange(rows), 4)
    column = first[0][row] + np.tile([0, 1, 0, 1], rows)
    line = first[1][row] + np.tile([0, 0, 1, 1], rows)
    there = (column >= 0) & (line >= 0) & (column < grid.tiles) & (line < grid.tiles)
    there &= values.any(1)
    tile = line * grid.tiles + column
    return Painted(row[there], tile[there], values[there].astype(np.float32), np.ones(there.sum()))


def _weights(at: Column, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the weights of points on a line of pixels, and their first and second differences."""
    base = np.floor(at)
    within = at - base
    pad = len(TAPS) + 2
    line = np.zeros((len(at), side + 2 * pad))
    there = (base > -pad + 4) & (base < side + pad - 6)
    rows = np.flatnonzero(there)
    for tap in TAPS:
        weight = np.ones(len(at))
        for other in TAPS:
            if other != tap:
                weight *= (within - other) / (tap - other)
        line[rows, base[rows].astype(int) + tap + pad] = weight[rows]
    first = (np.roll(line, 1, 1) - np.roll(line, -1, 1)) / 2
    second = np.roll(line, 1, 1) - 2 * line + np.roll(line, -1, 1)
    inner = slice(pad, side + pad)
    return line[:, inner], first[:, inner], second[:, inner]
