"""From scenes to images: light, lensing (caustics) and the point spread function, in torch.

The result is free of noise, so that training can take the same scene at another depth.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import caustics.lenses.func
import caustics.light.func
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skysieve.simulate.scenes import DEFLECTOR, DISK, LIGHT, Scenes

SUPERSAMPLING = 2
"""Fine pixels per pixel, each way, in which the lensed source is evaluated."""
MARGIN = 8
"""Pixels rendered beyond each edge, so that light is convolved in from outside."""
SOFTENING_PIXELS = 0.35
"""Smoothing of the cusp of a Sersic profile, about the size of a pixel."""
POINT_RADIUS_PIXELS = 0.5
"""Standard deviation at which a star is drawn before the PSF widens it."""

_lens: Any = caustics.lenses.func  # annotated for numbers, made for tensors
_light: Any = caustics.light.func

Grid = Float[Tensor, "batch y x"]
Planes = Float[Tensor, "batch band y x"]


class Frame(NamedTuple):
    """A square of sky.

    Args:
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
    """

    side: int
    pixel_scale_arcsec: float


def render(
    scenes: Scenes,
    *,
    side: int,
    pixel_scale_arcsec: float,
    psf: Float[np.ndarray, "n band k k"],
    compiled: bool = True,
) -> tuple[Float[np.ndarray, "n band y x"], ...]:
    """Return noise-free images of scenes: (ordinary light, lensed light, companions).

    Args:
        scenes: What to draw.
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
        psf: The point spread function of each scene and band; k odd, each summing to 1.
        compiled: Use ``torch.compile``; the same numbers to rounding, several times as fast.

    Returns:
        Counts per pixel at zero point 30, float32. The sum of the first two is what a camera
        would see of a lens; of the first and third, of its control.
    """
    tables = [
        torch.as_tensor(table, dtype=torch.float32)
        for table in (
            scenes.light,
            scenes.disks,
            scenes.deflectors,
            scenes.shear,
            scenes.source,
            scenes.companions,
        )
    ]
    paint: Any = _compiled_paint() if compiled else paint_planes
    wide = side + 2 * MARGIN
    with torch.no_grad():
        planes = paint(*tables, Frame(wide, pixel_scale_arcsec))
        kernel = torch.as_tensor(psf, dtype=torch.float32)
        return tuple(
            convolve(plane, kernel)[..., MARGIN:-MARGIN, MARGIN:-MARGIN].numpy() for plane in planes
        )


class Parts(NamedTuple):
    """Noise-free images of scenes, by where the light comes from; counts at zero point 30.

    Args:
        host: The object in the middle; of a lens, the light of all that lenses.
        neighbors: Everything else that is no image of the source.
        lensed: The images of the source.
        companions: What a control shows instead of the images of the source.
    """

    host: Float[np.ndarray, "n band y x"]
    neighbors: Float[np.ndarray, "n band y x"]
    lensed: Float[np.ndarray, "n band y x"]
    companions: Float[np.ndarray, "n band y x"]


def render_parts(
    scenes: Scenes,
    *,
    side: int,
    pixel_scale_arcsec: float,
    psf: Float[np.ndarray, "n band k k"],
    lensing: bool = True,
    compiled: bool = True,
) -> Parts:
    """Return noise-free images of scenes, host and neighbors apart.

    Args:
        scenes: What to draw.
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
        psf: The point spread function of each scene and band; k odd, each summing to 1.
        lensing: False leaves out sources and companions, for scenes that have none: much faster.
        compiled: Use ``torch.compile``; the same numbers to rounding, several times as fast.
    """
    bands = psf.shape[1]
    hosts = np.arange(scenes.light.shape[1]) < np.array(scenes.hosts)[:, None]
    # The fluxes of host and neighbors stand side by side like six bands: each profile is painted once.
    light = _apart(scenes.light, hosts, len(LIGHT))
    there = scenes.disks if scenes.disks.any() else scenes.disks[:, :0]  # a lens has none
    disks = _apart(there, np.ones(there.shape[:2], bool), len(DISK))
    none = slice(None) if lensing else slice(0)
    tables = [
        torch.as_tensor(table, dtype=torch.float32)
        for table in (
            light,
            disks,
            scenes.deflectors[:, none],
            scenes.shear,
            scenes.source[:, none],
            scenes.companions[:, none],
        )
    ]
    paint: Any = _compiled_paint() if compiled else paint_planes
    with torch.no_grad():
        ordinary, *rest = paint(*tables, Frame(side + 2 * MARGIN, pixel_scale_arcsec))
        kernel = torch.as_tensor(psf, dtype=torch.float32)
        planes = (ordinary[:, :bands], ordinary[:, bands:], *rest)
        inner = slice(MARGIN, -MARGIN)
        return Parts(*(convolve(plane, kernel)[..., inner, inner].numpy() for plane in planes))


def _apart(
    table: Float[np.ndarray, "n row column"], hosts: Bool[np.ndarray, "n row"], first: int
) -> Float[np.ndarray, "n row columns"]:
    """Return the table with the fluxes twice: of what is host, and of what is not."""
    fluxes = table[..., first:]
    mine = np.where(hosts[..., None], fluxes, 0)
    return np.concatenate([table[..., :first], mine, fluxes - mine], 2)


def paint_planes(
    light: Float[Tensor, "batch light lightcolumn"],
    disks: Float[Tensor, "batch disk diskcolumn"],
    deflectors: Float[Tensor, "batch deflector 6"],
    shear: Float[Tensor, "batch 2"],
    source: Float[Tensor, "batch source column"],
    companions: Float[Tensor, "batch companion column"],
    frame: Frame,
) -> tuple[Float[Tensor, "batch plane y x"], Planes, Planes]:
    """Return the planes of ordinary light, lensed light and companions, before the PSF.

    Every flux in a table gives a plane; those of lights and disks may be more than the bands.
    """
    side, pixel_scale_arcsec = frame
    area = pixel_scale_arcsec**2
    x, y = positions(side, pixel_scale_arcsec)
    ordinary = add_sersics(light, x, y, pixel_scale_arcsec) + add_disks(disks, x, y)
    beside = add_sersics(companions, x, y, pixel_scale_arcsec)
    fine = pixel_scale_arcsec / SUPERSAMPLING
    u, v = ray_trace(deflectors, shear, *positions(side * SUPERSAMPLING, fine))
    lensed = torch.nn.functional.avg_pool2d(add_sersics(source, u, v, fine), SUPERSAMPLING)
    return ordinary * area, lensed * area, beside * area


def positions(side: int, pixel_scale_arcsec: float) -> tuple[Float[Tensor, "1 y x"], ...]:
    """Return x and y of the pixel centers, in arcsec from the middle of the frame."""
    line = (torch.arange(side) - (side - 1) / 2) * pixel_scale_arcsec
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x[None], y[None]


def ray_trace(
    deflectors: Float[Tensor, "batch deflector 6"],
    shear: Float[Tensor, "batch 2"],
    x: Float[Tensor, "one y x"],
    y: Float[Tensor, "one y x"],
) -> tuple[Grid, Grid]:
    """Return where in the source plane each position of the lens plane is seen, in arcsec.

    References:
        Kormann, Schneider & Bartelmann 1994, A&A 284, 285 (isothermal ellipsoid), through
        caustics, whose Einstein radius is that of the circle holding the same mass.
    """
    ax, ay = _lens.reduced_deflection_angle_external_shear(
        0.0, 0.0, shear[:, 0, None, None], shear[:, 1, None, None], x, y
    )
    for k in range(deflectors.shape[1]):
        columns = {name: deflectors[:, k, c, None, None] for c, name in enumerate(DEFLECTOR)}
        q = torch.where(columns["q"] > 0, columns["q"], 0.9).clamp(0.2, 0.995)
        dx, dy = _lens.reduced_deflection_angle_sie(
            columns["x"], columns["y"], q, columns["phi"], columns["radius"], x, y,
            s=columns["core"] + 1e-4,
        )  # fmt: skip
        ax, ay = ax + dx, ay + dy
    return x - ax, y - ay


def add_sersics(
    rows: Float[Tensor, "batch light column"],
    x: Float[Tensor, "any y x"],
    y: Float[Tensor, "any y x"],
    pixel_scale_arcsec: float,
) -> Planes:
    """Return the surface brightness of all components, in counts per square arcsec.

    References:
        Sersic 1963; normalization by Graham & Driver 2005, PASA 22, 118, eq. 4.
    """
    bands = rows.shape[2] - len(LIGHT)
    total = torch.zeros((rows.shape[0], bands, *x.shape[-2:]), dtype=rows.dtype)
    for k in range(rows.shape[1]):
        x0, y0, radius, n, q, phi = (rows[:, k, c, None, None] for c in range(len(LIGHT)))
        point = radius <= 0
        n = torch.where(point, 0.5, n)  # a Sersic profile of index 1/2 is a Gaussian
        radius = torch.where(point, POINT_RADIUS_PIXELS * pixel_scale_arcsec * 1.1774, radius)
        q = torch.where(q > 0, q, 1.0)
        b = 2 * n - 1 / 3 + 0.009876 / n  # Prugniel & Simien 1997, A&A 321, 111
        softening = torch.where(point, 0.0, SOFTENING_PIXELS * pixel_scale_arcsec)
        shape = _light.brightness_sersic(
            x0, y0, q, phi, n, radius, torch.ones_like(n), x, y, b, s=softening
        )
        norm = (
            2 * torch.pi * n * q * radius**2 * torch.exp(b) * b ** (-2 * n)
            * torch.exp(torch.lgamma(2 * n))
        )  # fmt: skip
        profile = shape / norm
        total = total + profile[:, None] * rows[:, k, len(LIGHT) :, None, None]
    return total


def add_disks(
    rows: Float[Tensor, "batch disk column"],
    x: Float[Tensor, "any y x"],
    y: Float[Tensor, "any y x"],
) -> Planes:
    """Return exponential disks with logarithmic arms and a ring, in counts per square arcsec.

    The arms multiply the disk by ``1 + a cos(m (theta - theta0 - w ln r))``, sharpened; the ring
    is a Gaussian in radius, modulated around so that it may be a broken or one-sided ring.
    """
    bands = rows.shape[2] - len(DISK)
    total = torch.zeros((rows.shape[0], bands, *x.shape[-2:]), dtype=rows.dtype)
    for k in range(rows.shape[1]):
        c = {name: rows[:, k, j, None, None] for j, name in enumerate(DISK)}
        there = c["radius"] > 0
        scale = torch.where(there, c["radius"], 1.0)
        q = torch.where(there, c["q"], 1.0)
        u = (x - c["x"]) * torch.cos(c["phi"]) + (y - c["y"]) * torch.sin(c["phi"])
        v = ((y - c["y"]) * torch.cos(c["phi"]) - (x - c["x"]) * torch.sin(c["phi"])) / q
        r = torch.sqrt(u**2 + v**2 + 1e-4) / scale
        theta = torch.atan2(v, u)
        wave = torch.cos(c["arms"] * (theta - c["arm_phase"] - c["winding"] / 2 * torch.log(r)))
        arms = 1 + c["arm_strength"] * (((1 + wave) / 2) ** 2 * 2.7 - 1)
        width = torch.where(there, c["ring_width"], 1.0)
        around = 1 + c["ring_lopsided"] * torch.cos(theta - c["ring_phase"])
        ring = (
            c["ring_strength"]
            * around
            * torch.exp(-0.5 * ((r - c["ring_radius"]) / width) ** 2 - c["ring_radius"])
        )
        profile = torch.where(there, torch.exp(-r) * arms.clamp_min(0) + ring, 0.0)
        spread = 1 + c["ring_strength"] * c["ring_radius"] * width * 2.5066 * torch.exp(
            -c["ring_radius"]
        )
        profile = profile / (2 * torch.pi * scale**2 * q * spread)
        total = total + profile[:, None] * rows[:, k, len(DISK) :, None, None]
    return total


def convolve(image: Planes, kernel: Float[Tensor, "batch band k k"]) -> Planes:
    """Return images convolved with a kernel each, as on a torus."""
    side, k = image.shape[-1], kernel.shape[-1]
    padded = torch.nn.functional.pad(kernel, (0, side - k, 0, side - k))
    padded = torch.roll(padded, (-(k // 2), -(k // 2)), (-2, -1))
    spectrum = torch.fft.rfft2(image) * torch.fft.rfft2(padded)
    return torch.fft.irfft2(spectrum, s=image.shape[-2:])


@lru_cache(maxsize=1)
def _compiled_paint() -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    return torch.compile(paint_planes, dynamic=False)
