"""The lensed light of one system on the pixels of a real image, in torch.

Everything is computed one image at a time on a grid finer than the pixels, so that neither a batch
nor a number of processes decides the last bits.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.ndimage import map_coordinates, uniform_filter
from scipy.signal import fftconvolve

from skysieve.simulate.injection import System
from skysieve.simulate.psf import gaussian, moffat
from skysieve.simulate.render import SOFTENING_PIXELS, add_sersics, ray_trace
from skysieve.simulate.scenes import LIGHT

FINE_ARCSEC = 0.09
"""The size of a point of the grid, at most."""
REACH_FWHM = 3.5
"""Half the side of a kernel, in its FWHM."""

Kernel = Float[np.ndarray, "_ _"]


def fineness(pixel_scale_arcsec: float) -> int:
    """Return how many points a side of a pixel the grid has; odd, so that one is in its middle."""
    least = max(3, math.ceil(pixel_scale_arcsec / FINE_ARCSEC))
    return least + 1 - least % 2


def smooth_kernel(fwhm_pixels: float, fine: int, beta: float | None) -> Kernel:
    """Return what a pixel sees of a point, on the fine grid: the seeing, averaged over the pixel.

    Args:
        fwhm_pixels: FWHM of the seeing in pixels.
        fine: Points a side of a pixel.
        beta: Slope of the wings of a Moffat profile; None for a Gaussian.
    """
    side = 2 * math.ceil(REACH_FWHM * fwhm_pixels * fine + fine) + 1
    if beta is None:
        profile = gaussian(fwhm_pixels * fine, side=side)
    else:
        profile = moffat(fwhm_pixels * fine, beta, side=side)
    seen = uniform_filter(profile, fine, mode="constant")
    return seen / seen.sum()


def stamp_kernel(stamp: Kernel, fine: int) -> Kernel:
    """Return a measured stamp, which is averaged over the pixel already, on the fine grid."""
    side = len(stamp)
    line = (np.arange(side * fine) - (side * fine - 1) / 2) / fine + (side - 1) / 2
    seen = map_coordinates(stamp, np.meshgrid(line, line, indexing="ij"), order=3)
    return seen / seen.sum()


def lensed_light(
    system: System,
    bands: tuple[str, ...],
    *,
    shape: tuple[int, int],
    pixel_scale_arcsec: float,
    kernels: tuple[Kernel, ...],
) -> Float32[np.ndarray, "band y x"]:
    """Return the images of the source without noise, in counts at zero point 30.

    Args:
        system: Lens and source.
        bands: Which bands.
        shape: Rows and columns of the image.
        pixel_scale_arcsec: Size of a pixel.
        kernels: One for each band, from ``smooth_kernel`` or ``stamp_kernel``, at ``fineness``.

    References:
        Kormann, Schneider & Bartelmann 1994, A&A 284, 285 (the deflector; see ``render``).
    """
    fine = fineness(pixel_scale_arcsec)
    step = pixel_scale_arcsec / fine
    x, y = (_line(side * fine, step) for side in (shape[1], shape[0]))
    x, y = x[None, None, :].expand(1, len(y), -1), y[None, :, None].expand(1, -1, len(x))
    deflector = torch.as_tensor(system.deflector, dtype=torch.float32)
    center = deflector[:2].clone()
    deflector[:2] = 0  # about the lens, so that the shear is about it too
    shear = torch.as_tensor(system.shear, dtype=torch.float32)
    rows = _components(system, bands, step)
    with torch.no_grad():
        u, v = ray_trace(deflector[None, None], shear[None], x - center[0], y - center[1])
        bright = add_sersics(rows[None], u, v, step)[0].numpy() * pixel_scale_arcsec**2
    middle = slice(fine // 2, None, fine)
    seen = [
        fftconvolve(plane.astype(np.float64), kernel, mode="same")[middle, middle]
        for plane, kernel in zip(bright, kernels, strict=True)
    ]
    # What the transform leaves where no light is, is noise of its own.
    return np.maximum(np.stack(seen), 0).astype(np.float32)


def _components(
    system: System, bands: tuple[str, ...], step: float
) -> Float[torch.Tensor, "source column"]:
    """Return the components that shine; none is smaller than a point of the grid."""
    fluxes = system.fluxes(bands)
    rows = np.concatenate([system.source[:, : len(LIGHT)], fluxes], 1)[fluxes.sum(1) > 0]
    rows[:, LIGHT.index("radius")] = np.maximum(rows[:, LIGHT.index("radius")], step)
    for row in rows:
        radius, index = row[LIGHT.index("radius")], row[LIGHT.index("sersic")]
        row[len(LIGHT) :] /= _left_by_softening(SOFTENING_PIXELS * step / radius, index)
    return torch.as_tensor(rows, dtype=torch.float32)


def _left_by_softening(softening: float, index: float) -> float:
    """Return the share of a Sersic profile's light that is left when its radius never gets to 0.

    Args:
        softening: What is added to the radius, in effective radii.
        index: Of the profile.
    """
    b = 2 * index - 1 / 3 + 0.009876 / index  # Prugniel & Simien 1997, A&A 321, 111
    edges = np.linspace(0, 1, 4001) ** 2 * 30.0  # in effective radii, finest where the cusp is
    r, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    soft, sharp = (np.exp(-b * (r + s) ** (1 / index)) @ (r * width) for s in (softening, 0.0))
    return float(soft / sharp)


def _line(count: int, step: float) -> Float[torch.Tensor, " n"]:
    return ((torch.arange(count) - (count - 1) / 2) * step).to(torch.float32)
