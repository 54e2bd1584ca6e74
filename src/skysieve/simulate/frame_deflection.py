"""The deflection by many clumps at all positions of a frame, in torch.

The pull of a clump is smooth but near it. Each clump is therefore rounded off inside a radius, and
its deflection computed on a coarse grid; what the rounding took away is zero beyond that radius and
is added on a finer grid in a small square about the clump, itself rounded off inside a smaller
radius; and so on down to the frame's own positions. Cubic splines give each grid on the next one.

References:
    Hockney & Eastwood 1988, Computer Simulation Using Particles, chapter 8 (a force split into a
        smooth part on a mesh and a short-ranged rest); ours is on nested grids, without FFT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import make_interp_spline
from torch import Tensor

from skysieve.simulate.deflection import (
    Deflect,
    Pull,
    Table,
    deflect_by_strings,
    pull_of_points,
)
from skysieve.simulate.render import positions

STRINGS = 4
"""Strings computed at once."""
HALOS = 16
"""Halos or points computed at once."""


class Level(NamedTuple):
    """A grid.

    Args:
        spacing_arcsec: Between its positions, at most.
        radius_arcsec: Clumps are rounded off inside it.
    """

    spacing_arcsec: float
    radius_arcsec: float


LEVELS = (Level(0.2, 0.9), Level(0.08, 0.32))
"""From coarse to fine. The deflection is then wrong by less than 1e-4 arcsec; a PSF is a thousand
times wider."""
POINT_LEVELS = (Level(0.2, 1.4), Level(0.08, 0.56))
"""The same for points, which pull harder from nearby."""
WORTH = 1.3
"""A grid that is not this many times coarser than the next one is left out."""


class Kernels(NamedTuple):
    """What computes the deflection by some clumps, compiled or not.

    Args:
        direct: The deflection by strings at all positions.
        smooth: That by halos that are rounded off, at all positions.
        rest: What the rounding took away, in a square about each halo.
        levels: The grids; none for strings, which are computed at every position.
    """

    direct: Deflect
    smooth: Callable[..., tuple[Tensor, Tensor]]
    rest: Callable[..., tuple[Tensor, Tensor]]
    levels: tuple[Level, ...]


def make_kernels(pull: Pull | None, *, compiled: bool) -> Kernels:
    """Return the kernels of halos with this pull, or of strings."""
    return _compiled_kernels(pull) if compiled else _kernels(pull)


def _kernels(pull: Pull | None) -> Kernels:
    def smooth(
        halos: Float[Tensor, "batch clump 5"],
        x: Float[Tensor, "1 y x"],
        y: Float[Tensor, "1 y x"],
        radius: float,
    ) -> tuple[Tensor, Tensor]:
        if pull is None:
            raise TypeError("strings have no pull")
        u, v = x[:, None] - halos[:, :, 0, None, None], y[:, None] - halos[:, :, 1, None, None]
        strength = pull(halos, round_off(u**2 + v**2, radius))
        return (strength * u).sum(1), (strength * v).sum(1)

    def rest(
        halos: Float[Tensor, "batch clump 5"],
        u: Float[Tensor, "batch clump 1 x"],
        v: Float[Tensor, "batch clump y 1"],
        outer: float,
        inner: float,
    ) -> tuple[Tensor, Tensor]:
        if pull is None:
            raise TypeError("strings have no pull")
        square = u**2 + v**2
        near = pull(halos, round_off(square, inner))
        strength = near - pull(halos, round_off(square, outer))
        return strength * u, strength * v

    if pull is None:
        return Kernels(direct=deflect_by_strings, smooth=smooth, rest=rest, levels=())
    levels = POINT_LEVELS if pull is pull_of_points else LEVELS
    return Kernels(direct=deflect_by_strings, smooth=smooth, rest=rest, levels=levels)


@lru_cache(maxsize=4)
def _compiled_kernels(pull: Pull | None) -> Kernels:
    plain = _kernels(pull)
    return Kernels(
        direct=torch.compile(plain.direct, dynamic=False),
        smooth=torch.compile(plain.smooth, dynamic=False),
        rest=torch.compile(plain.rest, dynamic=False),
        levels=plain.levels,
    )


def round_off(square: Tensor, radius: float) -> Tensor:
    """Return squared distances, rounded off so that they do not fall below a quarter of radius^2.

    It is the square itself from the radius on, with three continuous derivatives there, and flat
    at 0: what depends on it is smooth.
    """
    if not radius:
        return square
    t = square / radius**2
    return radius**2 * (t + (1 - t).clamp_min(0) ** 4 / 4)


def deflect_frame(
    clumps: Sequence[Table], side: int, spacing: float, kernels: Kernels
) -> tuple[Float[Tensor, "batch y x"], Float[Tensor, "batch y x"]]:
    """Return the deflection by all clumps at the positions of a frame, in arcsec.

    Args:
        clumps: The strings, or the halos, of each image.
        side: Positions a side.
        spacing: Between them, in arcsec.
        kernels: For what the clumps are.
    """
    if not kernels.levels:
        return _deflect_by_strings(clumps, side, spacing, kernels)
    rows = _rectangle(clumps, HALOS)
    levels = _levels(side, spacing, kernels.levels)
    field = None
    above = levels[0]
    for level in levels:
        if field is None:
            field = _smooth(rows, level, kernels)
            continue
        between = torch.as_tensor(_spline(above.side, level.side), dtype=field.dtype)
        field = between @ field @ between.T
        field = field + _rest(rows, above.radius, level, kernels)
        above = level
    if field is None:
        raise ValueError("a frame has a grid")
    return field[0], field[1]


class _Grid(NamedTuple):
    side: int
    spacing: float
    radius: float


@lru_cache(maxsize=8)
def _levels(side: int, spacing: float, levels: tuple[Level, ...]) -> tuple[_Grid, ...]:
    """Return the grids for a frame, from coarse to fine; all have its outermost positions."""
    width = (side - 1) * spacing
    grids = [_Grid(side, spacing, 0.0)]
    for level in reversed(levels):
        if level.spacing_arcsec >= WORTH * grids[0].spacing:
            few = int(np.ceil(width / level.spacing_arcsec)) + 1
            grids.insert(0, _Grid(few, width / (few - 1), level.radius_arcsec))
    return tuple(grids)


def _smooth(
    rows: Float[np.ndarray, "batch clump column"], grid: _Grid, kernels: Kernels
) -> Float[Tensor, "2 batch y x"]:
    x, y = positions(grid.side, grid.spacing)
    total = torch.zeros((2, len(rows), *x.shape[1:]), dtype=x.dtype)
    for chunk in _chunks(rows, HALOS):
        total = total + torch.stack(
            kernels.smooth(torch.as_tensor(chunk, dtype=x.dtype), x, y, grid.radius)
        )
    return total


def _rest(
    rows: Float[np.ndarray, "batch clump column"], outer: float, grid: _Grid, kernels: Kernels
) -> Float[Tensor, "2 batch y x"]:
    """Return what rounding off inside ``outer`` took from a grid, but for its own rounding."""
    batch = len(rows)
    half = int(outer / grid.spacing + 0.5)
    pad = 2 * half + 1  # room for the squares of clumps beyond the edge
    wide = grid.side + 2 * pad
    nearest, beside = _nearest(rows[:, :, :2], grid, half)
    line = np.arange(-half, half + 1)
    total = torch.zeros((2, batch * wide * wide))
    first = np.arange(batch)[:, None, None, None] * wide * wide
    for k, chunk in enumerate(_chunks(rows, HALOS)):
        part = slice(k * HALOS, (k + 1) * HALOS)
        offset = torch.as_tensor(
            line * grid.spacing - beside[:, part, :, None], dtype=total.dtype
        )  # of the positions from the clump
        at = nearest[:, part, :, None] + pad + line
        flat = first + at[:, :, 1, :, None] * wide + at[:, :, 0, None, :]
        place = torch.as_tensor(flat.reshape(-1))
        u, v = offset[:, :, 0, None, :], offset[:, :, 1, :, None]
        halos = torch.as_tensor(chunk, dtype=total.dtype)
        for plane, pulled in zip(total, kernels.rest(halos, u, v, outer, grid.radius), strict=True):
            plane.index_add_(0, place, pulled.reshape(-1))
    return total.view(2, batch, wide, wide)[..., pad:-pad, pad:-pad]


def _nearest(
    place: Float[np.ndarray, "batch clump 2"], grid: _Grid, half: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the grid position nearest to each clump, and how far the clump is from it.

    A clump so far outside that its square misses the frame is given one that does.
    """
    middle = (grid.side - 1) / 2
    index = np.rint(place / grid.spacing + middle)
    index = np.clip(index, -half - 1, grid.side + half).astype(np.int64)
    return index, place - (index - middle) * grid.spacing


def _deflect_by_strings(
    clumps: Sequence[Table], side: int, spacing: float, kernels: Kernels
) -> tuple[Tensor, Tensor]:
    x, y = positions(side, spacing)
    ax, ay = torch.zeros((2, len(clumps), *x.shape[1:]), dtype=x.dtype)
    for chunk in _chunks(_rectangle(clumps, STRINGS), STRINGS):
        dx, dy = kernels.direct(torch.as_tensor(chunk, dtype=x.dtype), x, y)
        ax, ay = ax + dx, ay + dy
    return ax, ay


def _rectangle(clumps: Sequence[Table], multiple: int) -> Float[np.ndarray, "batch clump column"]:
    """Return the tables in one array; what is added to the shorter ones has no mass."""
    columns = clumps[0].shape[1]
    most = max(1, *(len(table) for table in clumps))
    rows = np.zeros((len(clumps), -(-most // multiple) * multiple, columns))
    rows[:, :, 2:] = [0.0, *[1.0] * (columns - 3)]
    for k, table in enumerate(clumps):
        rows[k, : len(table)] = table
    return rows


def _chunks(rows: Float[np.ndarray, "batch clump column"], size: int) -> list[np.ndarray]:
    """Return alike pieces; contiguous, or torch would compile anew for each number of clumps."""
    pieces = np.split(rows, rows.shape[1] // size, axis=1)
    return [np.ascontiguousarray(piece) for piece in pieces]


@lru_cache(maxsize=8)
def _spline(few: int, many: int) -> Float[np.ndarray, "many few"]:
    """Return the matrix that interpolates an evenly spaced line by a cubic spline."""
    at = np.linspace(0, few - 1, many)
    return make_interp_spline(np.arange(few), np.eye(few), k=3)(at)
