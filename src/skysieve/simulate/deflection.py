"""Deflection by subhalos and vortices, in torch, and the mass that it tells."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import caustics.lenses.func
import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import make_interp_spline
from torch import Tensor

from skysieve.simulate.clumps import HALO, STRING, SYSTEM
from skysieve.simulate.render import Grid, positions

CHUNK = 4
"""Clumps computed at once."""
COARSE_ARCSEC = 0.05
"""Spacing at which the deflection by light NFW halos is computed; a cubic spline gives it between,
to less than 1e-3 of the peak of an image."""
HEAVY_ARCSEC2 = 5e-4
"""From this mass on, about 2e8 solar masses, halos are computed at every position."""
CIRCLE_POINTS = 1024
"""Points on the Einstein circle at which the deflection is summed to weigh what is inside."""

_lens: Any = caustics.lenses.func  # annotated for numbers, made for tensors

Deflect = Callable[..., tuple[Tensor, Tensor]]
Table = Float[np.ndarray, "_ column"]  # lenses have different numbers of clumps


def deflect_by_lens(
    system: Float[Tensor, "batch 15"],
    smooth_radius: Float[Tensor, " batch"],
    x: Float[Tensor, "any y x"],
    y: Float[Tensor, "any y x"],
) -> tuple[Grid, Grid]:
    """Return the deflection by the smooth lens and the shear, in arcsec; columns as in ``SYSTEM``.

    It has a core of 1e-6 arcsec: the 1e-4 of ``render.ray_trace`` would show at 1e-3 of the peak.
    """
    c = {name: system[:, k, None, None] for k, name in enumerate(SYSTEM)}
    ax, ay = _lens.reduced_deflection_angle_external_shear(0.0, 0.0, c["gamma1"], c["gamma2"], x, y)
    dx, dy = _lens.reduced_deflection_angle_sie(
        c["x"], c["y"], c["q"], c["phi"], smooth_radius[:, None, None], x, y, s=1e-6
    )
    return ax + dx, ay + dy


def deflect_by_halos(
    halos: Float[Tensor, "batch clump 5"], x: Float[Tensor, "any y x"], y: Float[Tensor, "any y x"]
) -> tuple[Grid, Grid]:
    """Return the deflection by truncated NFW halos, in arcsec; columns as in ``HALO``.

    References:
        Baltz, Marshall & Oguri 2009, JCAP 01, 015, eqs. A.4 and A.11, through caustics.
    """
    x0, y0, mass, scale, tau = (halos[:, :, c, None, None] for c in range(len(HALO)))
    u, v = x[:, None] - x0, y[:, None] - y0
    r = torch.sqrt(u**2 + v**2) + 1e-5
    whole = _lens.M0_totmass_tnfw(mass, tau)
    pull = _lens.mass_enclosed_2d_tnfw(r, scale, tau, whole) / r**2
    return (pull * u).sum(1), (pull * v).sum(1)


def deflect_by_points(
    halos: Float[Tensor, "batch clump 5"], x: Float[Tensor, "any y x"], y: Float[Tensor, "any y x"]
) -> tuple[Grid, Grid]:
    """Return the deflection by point masses, in arcsec; columns as in ``HALO``."""
    x0, y0, mass = (halos[:, :, c, None, None] for c in range(3))
    ax, ay = _lens.reduced_deflection_angle_point(
        x0, y0, torch.sqrt(mass), x[:, None], y[:, None], s=1e-5
    )
    return ax.sum(1), ay.sum(1)


def deflect_by_strings(
    strings: Float[Tensor, "batch clump 6"],
    x: Float[Tensor, "any y x"],
    y: Float[Tensor, "any y x"],
) -> tuple[Grid, Grid]:
    """Return the deflection by straight strings of even density, in arcsec.

    Each element is a Plummer lens, whose deflection ``m r / (r^2 + s^2)`` is summed along the
    string in closed form; without the core the deflection would jump across the string.
    """
    x0, y0, mass, length, phi, core = (strings[:, :, c, None, None] for c in range(len(STRING)))
    cos, sin = torch.cos(phi), torch.sin(phi)
    u = (x[:, None] - x0) * cos + (y[:, None] - y0) * sin
    v = (y[:, None] - y0) * cos - (x[:, None] - x0) * sin
    width = torch.sqrt(v**2 + core**2)
    ahead, behind = u + length / 2, u - length / 2
    density = mass / length
    along = density / 2 * torch.log((ahead**2 + width**2) / (behind**2 + width**2))
    across = density * v / width * (torch.atan(ahead / width) - torch.atan(behind / width))
    return (along * cos - across * sin).sum(1), (along * sin + across * cos).sum(1)


def mass_inside(
    systems: Float[np.ndarray, "n 15"], clumps: list[Table], deflect: Deflect | None
) -> Float[np.ndarray, " n"]:
    """Return the mass of clumps inside the Einstein circle of each lens, in square arcsec.

    Points are counted; else the deflection through the circle says it (Gauss's theorem).
    """
    radius = systems[:, SYSTEM.index("einstein_radius")]
    if deflect is None:
        return np.zeros(len(systems))
    if deflect is deflect_by_points:
        return np.array(
            [
                table[np.hypot(table[:, 0] - row[0], table[:, 1] - row[1]) < r, 2].sum()
                for table, row, r in zip(clumps, systems, radius, strict=True)
            ]
        )
    angle = np.linspace(0, 2 * np.pi, CIRCLE_POINTS, endpoint=False)
    out = np.stack([np.cos(angle), np.sin(angle)])
    through = np.empty(len(systems))
    for k, (table, row) in enumerate(zip(clumps, systems, strict=True)):
        x, y = torch.as_tensor(row[:2, None] + radius[k] * out)[:, None, None]
        ax, ay = deflect(torch.as_tensor(table[None]), x, y)
        through[k] = (ax[0, 0].numpy() * out[0] + ay[0, 0].numpy() * out[1]).mean()
    return through * radius


def deflect_frame(
    clumps: list[Table], side: int, spacing: float, deflect: Deflect, *, coarse: bool
) -> tuple[Tensor, Tensor]:
    """Return the deflection by all clumps at the positions of a frame."""
    factor = COARSE_ARCSEC / spacing
    x, y = positions(side, spacing)
    if not coarse or factor <= 1:
        return _deflect_all(clumps, x, y, deflect)
    heavy = [table[table[:, 2] >= HEAVY_ARCSEC2] for table in clumps]
    light = [table[table[:, 2] < HEAVY_ARCSEC2] for table in clumps]
    few = int(np.ceil((side - 1) / factor)) + 1
    step = (side - 1) * spacing / (few - 1)  # so that the outermost positions are the same
    between = torch.as_tensor(_spline(few, side), dtype=torch.float32)
    ax, ay = _deflect_all(heavy, x, y, deflect)
    x, y = positions(few, step)
    dx, dy = _deflect_all(light, x, y, deflect)
    return ax + between @ dx @ between.T, ay + between @ dy @ between.T


@lru_cache(maxsize=8)
def _spline(few: int, many: int) -> Float[np.ndarray, "many few"]:
    """Return the matrix that interpolates an evenly spaced line by a cubic spline."""
    at = np.linspace(0, few - 1, many)
    return make_interp_spline(np.arange(few), np.eye(few), k=3)(at)


def _deflect_all(
    clumps: list[Table], x: Tensor, y: Tensor, deflect: Deflect
) -> tuple[Tensor, Tensor]:
    """Return the deflection by all clumps, a few at a time; missing ones have no mass."""
    columns = clumps[0].shape[1]
    most = max(len(table) for table in clumps)
    rows = np.zeros((len(clumps), -(-max(most, 1) // CHUNK) * CHUNK, columns))
    rows[:, :, 2:] = [0.0, *[1.0] * (columns - 3)]
    for k, table in enumerate(clumps):
        rows[k, : len(table)] = table
    ax, ay = torch.zeros((2, len(clumps), *x.shape[1:]), dtype=x.dtype, device=x.device)
    for chunk in np.split(rows, rows.shape[1] // CHUNK, axis=1):
        # Contiguous, or torch would compile anew for each number of clumps.
        part = torch.as_tensor(np.ascontiguousarray(chunk), dtype=x.dtype, device=x.device)
        dx, dy = deflect(part, x, y)
        ax, ay = ax + dx, ay + dy
    return ax, ay
