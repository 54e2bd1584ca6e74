"""From systems to images: light in front, and each source plane lensed, every pixel averaged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skysieve.simulate.behind import Behind
from skysieve.simulate.lights import lights_of, paint_lights, peaks
from skysieve.simulate.mass import Mass
from skysieve.simulate.painter import Layer, assemble, blur, frame, inner
from skysieve.simulate.quadrature import average
from skysieve.simulate.render import Planes
from skysieve.simulate.scenes import LIGHT
from skysieve.simulate.systems import BANDS, OWNERS, PLANES, Systems
from skysieve.simulate.tiles import Grid


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

    Every pixel holds the light that falls on it, convolved with the point spread function. Each system
    is painted by itself, so that an image is the same in any batch.

    Args:
        systems: What to draw.
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
        psf: The point spread function of each system and band; k odd, each summing to 1.
    """
    grid = frame(side, pixel_scale_arcsec, psf)
    images = []
    for k in range(len(systems)):
        light = np.zeros((1, OWNERS + PLANES, BANDS, grid.side, grid.side), np.float32)
        light[:, :OWNERS] = assemble(_in_front(systems.light[k], grid), grid, 1, OWNERS)
        for plane in range(PLANES):
            light[0, OWNERS + plane] = _behind(systems, k, plane, grid)
            points = torch.as_tensor(systems.points[k, plane], dtype=torch.float32)
            if points.any():
                light[0, OWNERS + plane] += point_planes(points[None], grid)[0].numpy()
        images.append(blur(light, psf[k : k + 1])[..., inner(grid), inner(grid)])
    planes = np.concatenate(images)
    neighbors, *rest = (planes[:, k] for k in range(OWNERS + PLANES))
    return Painted(neighbors, tuple(rest[: OWNERS - 1]), tuple(rest[OWNERS - 1 :]))


def _in_front(table: Float[np.ndarray, "light owned"], grid: Grid) -> list[Layer]:
    """Return the light in front, in a plane for each owner."""
    fluxes = table[:, len(LIGHT) :].reshape(len(table), OWNERS, BANDS)
    rows, owner = np.nonzero(fluxes.any(2))
    lights, flux = lights_of(table[rows], grid), fluxes[rows, owner]
    peak = peaks(lights) * flux.max(1)
    outshone = peak.max(initial=0) / peak
    return [
        Layer(painted, np.zeros(len(rows), int), owner, flux)
        for painted in paint_lights(lights, outshone, grid, compiled=False)
    ]


def _behind(systems: Systems, k: int, plane: int, grid: Grid) -> Float[np.ndarray, "band y x"]:
    """Return the images of what lies in a source plane of a system, before the PSF."""
    sersics, disks = systems.sersics[k, plane], systems.disks[k, plane]
    if not (sersics.any() or disks.any()):
        return np.zeros((BANDS, grid.side, grid.side))
    tables = (systems.deflectors, systems.shear, systems.reach, systems.near)
    mass = Mass(*(torch.as_tensor(_needed(t[k : k + 1]), dtype=torch.float32) for t in tables))
    line = np.arange(grid.side) - grid.middle
    y, x = (at.ravel() for at in np.meshgrid(line, line, indexing="ij"))
    return average(Behind(sersics, disks, mass, plane, grid.pixel_scale_arcsec), x, y, grid.side)


def _needed(table: np.ndarray) -> np.ndarray:
    """Return a table of rows without those that are zero in all systems, at its end."""
    if table.ndim < 3:
        return table
    rows = np.flatnonzero(table.any((*range(table.ndim - 2), table.ndim - 1)))
    return table[..., : rows.max(initial=-1) + 1, :]


def point_planes(points: Float[Tensor, "batch point 5"], grid: Grid) -> Planes:
    """Return points as sharp as pixels can show them: after a PSF, that PSF at their places.

    Points outside the frame are left out.
    """
    side = grid.side
    places = points[..., :2] / grid.pixel_scale_arcsec + grid.middle
    inside = ((places >= 0) & (places <= side - 1)).all(-1)
    flux = points[..., 2:] * inside[..., None]
    waves = torch.fft.fftfreq(side) * -2 * torch.pi
    kx = torch.polar(torch.ones(()), waves[: side // 2 + 1].abs() * -1 * places[..., :1])
    ky = torch.polar(torch.ones(()), waves * places[..., 1:2])
    spectrum = torch.einsum("npb,npy,npx->nbyx", flux.to(kx.dtype), ky, kx)
    return torch.fft.irfft2(spectrum, s=(side, side))
