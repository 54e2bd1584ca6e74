"""From systems to images: light in front, and each source plane lensed, in torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skysieve.simulate.mass import Mass, trace
from skysieve.simulate.render import (
    MARGIN,
    Frame,
    Planes,
    add_disks,
    add_sersics,
    convolve,
    positions,
)
from skysieve.simulate.systems import BANDS, OWNERS, PLANES, Systems

SUPERSAMPLING = 4
"""Fine pixels per pixel, each way, in which sources are evaluated."""
SOFTENING = 0.01
"""Share of the usual softening of a cusp that sources have: they are finely sampled."""


class Painted(NamedTuple):
    """Noise-free images of systems; counts per pixel at zero point 30.

    Args:
        neighbors: What does not deflect.
        hosts: The light of the first and of the second deflector.
        lensed: The images of what lies in each source plane.
    """

    neighbors: Float[np.ndarray, "n band y x"]
    hosts: tuple[Float[np.ndarray, "n band y x"], ...]
    lensed: tuple[Float[np.ndarray, "n band y x"], ...]


def paint(
    systems: Systems,
    *,
    side: int,
    pixel_scale_arcsec: float,
    psf: Float[np.ndarray, "n band k k"],
) -> Painted:
    """Return noise-free images of systems.

    Rows that no system needs are left out, which changes nothing but the time: one system alone is
    painted the fastest, its planes then lie in the cache.

    Args:
        systems: What to draw.
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
        psf: The point spread function of each system and band; k odd, each summing to 1.
    """
    light, deflectors, shear, reach, near, sersics, disks = (
        torch.as_tensor(_needed(getattr(systems, name)), dtype=torch.float32)
        for name in ("light", "deflectors", "shear", "reach", "near", "sersics", "disks")
    )
    mass = Mass(deflectors, shear, reach, near)
    wide, inner = side + 2 * MARGIN, slice(MARGIN, -MARGIN)
    with torch.no_grad():
        front, behind = surface_planes(light, mass, sersics, disks, Frame(wide, pixel_scale_arcsec))
        points = torch.as_tensor(systems.points, dtype=torch.float32)
        kernel = torch.as_tensor(psf, dtype=torch.float32)

        def seen(plane: Planes) -> Float[np.ndarray, "_ band _ _"]:
            return convolve(plane, kernel)[..., inner, inner].numpy()

        neighbors, *hosts = (seen(front[:, k * BANDS : (k + 1) * BANDS]) for k in range(OWNERS))
        lensed = [
            seen(behind[:, k] + point_planes(points[:, k], wide, pixel_scale_arcsec))
            for k in range(PLANES)
        ]
    return Painted(neighbors, tuple(hosts), tuple(lensed))


def _needed(table: np.ndarray) -> np.ndarray:
    """Return a table of rows without those that are zero in all systems, at its end."""
    if table.ndim < 3:
        return table
    rows = np.flatnonzero(table.any((*range(table.ndim - 2), table.ndim - 1)))
    return table[..., : rows.max(initial=-1) + 1, :]


def surface_planes(
    light: Float[Tensor, "batch light owned"],
    mass: Mass,
    sersics: Float[Tensor, "batch plane sersic column"],
    disks: Float[Tensor, "batch plane disk diskcolumn"],
    frame: Frame,
) -> tuple[Float[Tensor, "batch flux y x"], Float[Tensor, "batch plane band y x"]]:
    """Return the light in front and that of each source plane lensed, before the PSF."""
    side, scale = frame
    x, y = positions(side, scale)
    front = add_sersics(light, x, y, scale) * scale**2
    fine = scale / SUPERSAMPLING
    x, y = positions(side * SUPERSAMPLING, fine)
    lensed = []
    for k, (u, v) in enumerate(trace(mass, x, y)):
        bright = add_sersics(sersics[:, k], u, v, fine * SOFTENING) + add_disks(disks[:, k], u, v)
        lensed.append(torch.nn.functional.avg_pool2d(bright, SUPERSAMPLING) * scale**2)
    return front, torch.stack(lensed, 1)


def point_planes(
    points: Float[Tensor, "batch point 5"], side: int, pixel_scale_arcsec: float
) -> Planes:
    """Return points as sharp as pixels can show them: after a PSF, that PSF at their places.

    Points outside the frame are left out.
    """
    places = points[..., :2] / pixel_scale_arcsec + (side - 1) / 2
    inside = ((places >= 0) & (places <= side - 1)).all(-1)
    flux = points[..., 2:] * inside[..., None]
    waves = torch.fft.fftfreq(side) * -2 * torch.pi
    kx = torch.polar(torch.ones(()), waves[: side // 2 + 1].abs() * -1 * places[..., :1])
    ky = torch.polar(torch.ones(()), waves * places[..., 1:2])
    spectrum = torch.einsum("npb,npy,npx->nbyx", flux.to(kx.dtype), ky, kx)
    return torch.fft.irfft2(spectrum, s=(side, side))
