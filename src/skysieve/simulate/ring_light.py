"""The light of one source behind a lens with clumps, without noise, in torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import caustics.light.func
import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.special import ndtr
from torch import Tensor

from skysieve.recipe.substructure import SubstructureCameraPlan
from skysieve.simulate.clumps import SYSTEM
from skysieve.simulate.deflection import Table, deflect_by_lens
from skysieve.simulate.frame_deflection import Kernels, deflect_frame
from skysieve.simulate.render import MARGIN, SUPERSAMPLING, Grid, convolve, positions

BATCH = 8
"""Images computed at once; a batch is filled up, so that an image does not feel its mates."""
_light: Any = caustics.light.func  # annotated for numbers, made for tensors

Planes = Float32[np.ndarray, "n 1 y x"]
Sky = Float[Tensor, "any y x"]
Paint = Callable[..., tuple[Tensor, Tensor]]


class Rings(NamedTuple):
    """What there is to see of some lenses, without noise.

    Args:
        lensed: Through the PSF, in electrons per second.
        source: As it would be without lens and PSF, in electrons per second.
        convergence: Of the clumps, over the critical density, averaged over each pixel.
    """

    lensed: Planes
    source: Planes
    convergence: Planes


def render_rings(
    systems: Float[np.ndarray, "n 16"],
    smooth_radius: Float[np.ndarray, " n"],
    clumps: Sequence[Table],
    camera: SubstructureCameraPlan,
    kernels: Kernels | None,
    device: str,
    compiled: bool,
) -> Rings:
    """Return what there is to see of lenses; none depends on the others.

    Args:
        systems: Lenses and sources; columns as in ``SYSTEM``.
        smooth_radius: Einstein radii of the smooth parts, in arcsec.
        clumps: Of each lens.
        camera: Pixels and PSF.
        kernels: For the clumps; None if there are none.
        device: Where torch computes.
        compiled: Compile the light too: the same to rounding, several times as fast.
    """
    parts: list[Rings] = []
    paint = _compiled_paint() if compiled else _paint
    for at in range(0, len(systems), BATCH):
        there = slice(at, at + BATCH)
        rows, radius, tables = systems[there], smooth_radius[there], list(clumps[there])
        missing = BATCH - len(rows)
        filled = np.concatenate([rows, np.repeat(rows[:1], missing, axis=0)])
        radius = np.concatenate([radius, np.repeat(radius[:1], missing)])
        tables += [tables[0][:0]] * missing
        with torch.no_grad(), torch.device(device):
            seen = _render(filled, radius, tables, camera, kernels, paint)
        parts.append(Rings(*(plane[: len(rows)].cpu().numpy() for plane in seen)))
    return Rings(*(np.concatenate(planes) for planes in zip(*parts, strict=True)))


def _render(
    systems: Float[np.ndarray, "n 16"],
    smooth_radius: Float[np.ndarray, " n"],
    clumps: Sequence[Table],
    camera: SubstructureCameraPlan,
    kernels: Kernels | None,
    paint: Paint,
) -> tuple[Float[Tensor, "n 1 y x"], ...]:
    fine = camera.pixel_scale_arcsec / SUPERSAMPLING
    wide = (camera.side + 2 * MARGIN) * SUPERSAMPLING
    rows = torch.as_tensor(systems, dtype=torch.float32)
    radius = torch.as_tensor(smooth_radius, dtype=torch.float32)
    pull = torch.zeros((2, len(systems), wide, wide))
    convergence = torch.zeros((len(systems), 1, camera.side, camera.side))
    if kernels is not None:
        pull = torch.stack(deflect_frame(clumps, wide, fine, kernels))
        convergence = convergence_in_pixels(pull[0], pull[1], fine)[:, None]
    image, alone = paint(rows, radius, pull, *positions(wide, fine))
    kernel = torch.as_tensor(gaussian_psf(camera), dtype=torch.float32)
    seen = convolve(image[:, None], kernel.expand(len(systems), 1, -1, -1))
    area = camera.pixel_scale_arcsec**2
    inner = slice(MARGIN, -MARGIN)
    return seen[..., inner, inner] * area, alone[:, None, inner, inner] * area, convergence


def _paint(
    rows: Float[Tensor, "n 16"],
    smooth_radius: Float[Tensor, " n"],
    pull: Float[Tensor, "2 n fine fine"],
    x: Float[Tensor, "1 fine fine"],
    y: Float[Tensor, "1 fine fine"],
) -> tuple[Grid, Grid]:
    """Return the surface brightness in each pixel of the source, lensed and as it is."""
    c = {name: rows[:, k, None, None] for k, name in enumerate(SYSTEM)}
    ax, ay = deflect_by_lens(rows, smooth_radius, x, y)
    return _pooled(_source(c, x - ax - pull[0], y - ay - pull[1])), _pooled(_source(c, x, y))


def _pooled(light: Float[Tensor, "n fine fine"]) -> Grid:
    """Return the mean over the positions of each pixel."""
    n, side, _ = light.shape
    coarse = side // SUPERSAMPLING
    return light.reshape(n, coarse, SUPERSAMPLING, coarse, SUPERSAMPLING).mean((2, 4))


@lru_cache(maxsize=1)
def _compiled_paint() -> Paint:
    return torch.compile(_paint, dynamic=False)


def convergence_in_pixels(
    ax: Float[Tensor, "n fine fine"], ay: Float[Tensor, "n fine fine"], spacing: float
) -> Float[Tensor, "n y x"]:
    """Return the convergence averaged over pixels, from deflections at two by two positions each.

    Twice the convergence in a cell is the deflection out of it through its edges (Gauss's
    theorem), so no mass is lost between positions. The margin of the frame is left out.

    Args:
        ax: Deflection along x, in arcsec.
        ay: Deflection along y, in arcsec.
        spacing: Between positions, in arcsec.
    """
    across, along = ax[:, :, 1:] - ax[:, :, :-1], ay[:, 1:] - ay[:, :-1]
    cells = (across[:, 1:] + across[:, :-1] + along[:, :, 1:] + along[:, :, :-1]) / (4 * spacing)
    first, last = 2 * MARGIN, ax.shape[1] - 2 * MARGIN - 1  # the first cells of the pixels
    left, middle, right = (cells[:, :, first + k : last + k : 2] for k in (-1, 0, 1))
    lines = (left + 2 * middle + right) / 4
    left, middle, right = (lines[:, first + k : last + k : 2] for k in (-1, 0, 1))
    return (left + 2 * middle + right) / 4


def _source(c: dict[str, Tensor], u: Sky, v: Sky) -> Grid:
    """Return the surface brightness of the source (Graham & Driver 2005, PASA 22, 118, eq. 4)."""
    n, radius, q = c["source_sersic"], c["source_radius"], c["source_q"]
    b = _light.k_sersic(n)
    norm = (
        2 * torch.pi * n * q * radius**2 * torch.exp(b) * b ** (-2 * n)
        * torch.exp(torch.lgamma(2 * n))
    )  # fmt: skip
    middle, at_radius = (c["source_x"], c["source_y"]), c["source_flux"] / norm
    return _light.brightness_sersic(*middle, q, c["source_phi"], n, radius, at_radius, u, v, b)


def gaussian_psf(camera: SubstructureCameraPlan) -> Float[np.ndarray, "k k"]:
    """Return a Gaussian stamp that sums to 1, averaged over each pixel."""
    sigma = camera.psf_fwhm_arcsec / 2.354820045 / camera.pixel_scale_arcsec
    half = min(int(np.ceil(5 * sigma)), MARGIN)  # so that no light comes in around the torus
    edges = np.arange(-half, half + 2) - 0.5
    line = np.diff(ndtr(edges / sigma))
    line /= line.sum()
    return np.outer(line, line)
