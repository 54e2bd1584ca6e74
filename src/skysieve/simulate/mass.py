"""Deflection by elliptical power laws with multipoles, by shear, and through two source planes, in torch.

Everything is real arithmetic on batches, in the precision of what comes in, and can be compiled.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

POWER_LAW = ("x", "y", "radius", "slope", "q", "phi", "a3", "phi3", "a4", "phi4")
"""Columns of an elliptical power law: its center, Einstein radius and position angle (arcsec, rad),
the slope of its density in space (2 is isothermal), its axis ratio, and for the multipoles of order
3 and 4 the amplitude, as a fraction of the radius, and the angle. A radius of 0 is no mass."""
TERMS = 24
"""Terms of the angular series: 1e-4 of the deflection is left out at an axis ratio of 0.2."""
CENTER_ARCSEC = 1e-6
"""Distance from a center below which the deflection is that at this distance."""

Table = Float[Tensor, "batch deflector 10"]
Plane = Float[Tensor, "batch y x"]
Field = Float[Tensor, "_ y x"]


class Mass(NamedTuple):
    """All that deflects light on its way from the source planes, in arcsec.

    Args:
        deflectors: What lies in the lens plane, columns as in ``POWER_LAW``; their radii are those
            for the first source plane.
        shear: External shear, gamma 1 and gamma 2, for the first source plane.
        reach: Deflection for each source plane over that for the first; the first is 1.
        near: What lies in the first source plane, columns as in ``POWER_LAW``, with the radii for
            the second source plane.
    """

    deflectors: Table
    shear: Float[Tensor, "batch 2"]
    reach: Float[Tensor, "batch plane"]
    near: Float[Tensor, "batch one 10"]


def trace(mass: Mass, x: Field, y: Field) -> list[tuple[Plane, Plane]]:
    """Return where in each source plane the positions of the lens plane are seen, in arcsec.

    References:
        Schneider, Ehlers & Falco 1992, Gravitational Lenses, eq. 9.7b, for two planes behind one
        lens plane; the deflection for each is in units of what is seen.
    """
    ax, ay = deflect(mass.deflectors, x, y)
    sx, sy = shear_deflection(mass.shear, x, y)
    ax, ay = ax + sx, ay + sy
    found: list[tuple[Plane, Plane]] = []
    for plane in range(mass.reach.shape[1]):
        reach = mass.reach[:, plane, None, None]
        u, v = x - reach * ax, y - reach * ay
        if plane and mass.near.shape[1]:
            bx, by = deflect(mass.near, *found[0])
            u, v = u - bx, v - by
        found.append((u, v))
    return found


def shear_deflection(shear: Float[Tensor, "batch 2"], x: Field, y: Field) -> tuple[Plane, Plane]:
    """Return the deflection by an external shear about the origin."""
    g1, g2 = shear[:, 0, None, None], shear[:, 1, None, None]
    return g1 * x + g2 * y, g2 * x - g1 * y


def deflect(rows: Table, x: Field, y: Field) -> tuple[Plane, Plane]:
    """Return the deflection by power laws in one plane, in arcsec.

    The Einstein radius is that of the circle that holds as much mass as the ellipse within which
    the mean convergence is 1.

    References:
        Tessore & Metcalf 2015, A&A 580, A79, eqs. 13 and 23, with the series of eq. 29 summed from
        its end; their b is our radius times the root of q, their q stretches x.
    """
    ax = ay = torch.zeros((), dtype=x.dtype)
    for row in rows.unbind(1):  # one after the other, so that rows of zeros change nothing at all
        dx, dy = _deflect_by_one(row, x, y)
        ax, ay = ax + dx, ay + dy
    shape = (rows.shape[0], *x.shape[1:])
    return ax.expand(shape), ay.expand(shape)


def _deflect_by_one(row: Float[Tensor, "batch 10"], x: Field, y: Field) -> tuple[Plane, Plane]:
    """Return the deflection by one power law."""
    c = {name: row[:, k, None, None] for k, name in enumerate(POWER_LAW)}
    dx, dy = x - c["x"], y - c["y"]
    cos, sin = torch.cos(c["phi"]), torch.sin(c["phi"])
    q = torch.where(c["q"] > 0, c["q"], 1.0)
    t = torch.where(c["slope"] > 0, c["slope"], 2.0) - 1
    u, v = q * (dx * cos + dy * sin), dy * cos - dx * sin
    r = torch.sqrt(u**2 + v**2).clamp_min(CENTER_ARCSEC)
    along, across = _series(u / r, v / r, t, (1 - q) / (1 + q))
    strength = 2 / (1 + q) * (c["radius"] * torch.sqrt(q) / r) ** t * r
    ax, ay = strength * along, strength * across
    mx, my = _multipoles(c, dx, dy)
    return ax * cos - ay * sin + mx, ax * sin + ay * cos + my


def _series(cos: Tensor, sin: Tensor, t: Tensor, flattening: Tensor) -> tuple[Tensor, Tensor]:
    """Return the angular part of the deflection at an elliptical angle, by Horner's rule."""
    px, py = -flattening * (cos**2 - sin**2), -flattening * 2 * cos * sin
    sx, sy = torch.ones_like(cos), torch.zeros_like(cos)
    for i in range(TERMS, 0, -1):
        factor = (2 * i - (2 - t)) / (2 * i + (2 - t))
        sx, sy = 1 + factor * (px * sx - py * sy), factor * (px * sy + py * sx)
    return cos * sx - sin * sy, cos * sy + sin * sx


def _multipoles(c: dict[str, Tensor], dx: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """Return the deflection by circular multipoles of order 3 and 4.

    References:
        Xu et al. 2015, MNRAS 447, 3189 (arXiv:1307.4220), eqs. B11 and B12, with a_m as a fraction
        of the Einstein radius: then it is the fraction by which contours of density are deformed.
    """
    r = torch.sqrt(dx**2 + dy**2).clamp_min(CENTER_ARCSEC)
    cos, sin = dx / r, dy / r
    angle = torch.atan2(dy, dx)
    ax, ay = torch.zeros_like(dx), torch.zeros_like(dx)
    for m in (3, 4):
        strength = c["radius"] * c[f"a{m}"] / (1 - m**2)
        turn = m * (angle - c[f"phi{m}"])
        even, odd = strength * torch.cos(turn), strength * m * torch.sin(turn)
        ax, ay = ax + cos * even + sin * odd, ay + sin * even - cos * odd
    return ax, ay
