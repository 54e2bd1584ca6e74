"""Deflection by subhalos and vortices, in torch, and the mass that it tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import caustics.lenses.func
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skysieve.simulate.clumps import HALO, STRING, SYSTEM
from skysieve.simulate.render import Grid

CIRCLE_POINTS = 256
"""Points on the Einstein circle at which the deflection is summed to weigh what is inside: enough for
1e-5 arcsec of the Einstein radius."""

_lens: Any = caustics.lenses.func  # annotated for numbers, made for tensors

Deflect = Callable[..., tuple[Tensor, Tensor]]
Pull = Callable[[Tensor, Tensor], Tensor]
"""From halos (batch clump 5) and squared distances (batch clump y x) to deflection over distance."""
Table = Float[np.ndarray, "_ column"]  # lenses have different numbers of clumps


def deflect_by_lens(
    system: Float[Tensor, "batch 16"],
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


def pull_of_halos(
    halos: Float[Tensor, "batch clump 5"], square: Float[Tensor, "batch clump y x"]
) -> Float[Tensor, "batch clump y x"]:
    """Return the deflection by truncated NFW halos over the distance; columns as in ``HALO``.

    Args:
        halos: Of each image.
        square: Of the distance from each, in square arcsec.

    References:
        Baltz, Marshall & Oguri 2009, JCAP 01, 015, eqs. A.4 and A.11, through caustics.
    """
    mass, scale, tau = (halos[:, :, c, None, None] for c in range(2, len(HALO)))
    r = torch.sqrt(square) + 1e-5
    whole = _lens.M0_totmass_tnfw(mass, tau)
    return _lens.mass_enclosed_2d_tnfw(r, scale, tau, whole) / r**2


def pull_of_points(
    halos: Float[Tensor, "batch clump 5"], square: Float[Tensor, "batch clump y x"]
) -> Float[Tensor, "batch clump y x"]:
    """Return the deflection by point masses over the distance; columns as in ``HALO``."""
    return halos[:, :, 2, None, None] / (square + 1e-10)


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
    # The difference of the arc tangents of ahead and behind over the width, in one.
    angle = torch.atan2(length * width, width**2 + ahead * behind)
    across = density * v / width * angle
    return (along * cos - across * sin).sum(1), (along * sin + across * cos).sum(1)


def mass_inside(
    systems: Float[np.ndarray, "n 16"], clumps: Sequence[Table], pull: Pull | None
) -> Float[np.ndarray, " n"]:
    """Return the mass of clumps inside the Einstein circle of each lens, in square arcsec.

    Points are counted; else the deflection through the circle says it (Gauss's theorem).

    Args:
        systems: The lenses; columns as in ``SYSTEM``.
        clumps: The halos or strings of each; none has no mass.
        pull: Of the halos; None for strings.
    """
    radius = systems[:, SYSTEM.index("einstein_radius")]
    if pull is pull_of_points:
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
        ax, ay = _deflect(torch.as_tensor(table[None]), x, y, pull)
        through[k] = (ax[0, 0].numpy() * out[0] + ay[0, 0].numpy() * out[1]).mean()
    return through * radius


def _deflect(
    clumps: Float[Tensor, "1 clump column"], x: Tensor, y: Tensor, pull: Pull | None
) -> tuple[Tensor, Tensor]:
    if pull is None:
        return deflect_by_strings(clumps, x, y)
    u, v = x[:, None] - clumps[:, :, 0, None, None], y[:, None] - clumps[:, :, 1, None, None]
    strength = pull(clumps, u**2 + v**2)
    return (strength * u).sum(1), (strength * v).sum(1)
