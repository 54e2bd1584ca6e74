"""Images of lenses with a smooth halo, with subhalos or with vortices, in torch.

The classes share lens, source, camera and the mass inside the Einstein radius; what differs is
how a few percent of that mass is spread.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

import caustics.light.func
import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.special import ndtr
from torch import Tensor

from skysieve.core.errors import InputError, MissingError, RecipeError
from skysieve.core.random import stream
from skysieve.recipe.substructure import (
    FlatBackgroundPlan,
    SubstructureCameraPlan,
    SubstructureKind,
    SubstructurePlan,
    TruncatedNfwPlan,
)
from skysieve.simulate.clumps import (
    HALO,
    SYSTEM,
    draw_subhalos,
    draw_system,
    draw_vortices,
    reduced_radius,
)
from skysieve.simulate.deflection import (
    Deflect,
    Table,
    deflect_by_halos,
    deflect_by_lens,
    deflect_by_points,
    deflect_by_strings,
    deflect_frame,
    mass_inside,
)
from skysieve.simulate.render import MARGIN, SUPERSAMPLING, Grid, convolve, positions

BATCH = 8
"""Images computed at once; a batch is filled up, so that an image does not feel its mates."""
_light: Any = caustics.light.func  # annotated for numbers, made for tensors


@dataclass(frozen=True, eq=False, kw_only=True)
class SubstructureImages:
    """Simulated images of one class, with all that is known of them.

    Args:
        kind: The class.
        pixels: Electrons per second above the sky, with noise; or 0..1, if the plan scales.
        noise_free: Electrons per second above the sky, never scaled.
        parameters: Columns of numbers by name: those of ``SYSTEM``, ``smooth_radius`` (the
            Einstein radius of the smooth part), ``mass_inside`` (clumps inside the Einstein
            radius over all mass there), ``clumps`` (how many), ``log10_axion_mass_ev`` (NaN
            without vortices) and ``peak_snr`` (brightest pixel over its noise).
        clumps: For each image its subhalos (columns ``HALO``) or vortices (``STRING``).
    """

    kind: SubstructureKind
    pixels: Float32[np.ndarray, "n 1 y x"]
    noise_free: Float32[np.ndarray, "n 1 y x"]
    parameters: dict[str, Float[np.ndarray, " n"]]
    clumps: tuple[Table, ...]

    def __len__(self) -> int:
        return len(self.pixels)


def simulate_substructure(
    plan: SubstructurePlan,
    *,
    kind: str,
    seed: int,
    first: int,
    count: int,
    device: str = "cpu",
    compiled: bool = True,
) -> SubstructureImages:
    """Return the images ``first`` to ``first + count - 1`` of a class.

    An image depends on the plan, its class, the seed and its index; not on ``first`` or
    ``count``. On another device, or not compiled, it is the same to rounding.

    Args:
        plan: Population and camera.
        kind: The class: ``no``, ``sphere`` or ``vort``.
        seed: Decides everything that is drawn.
        first: Index of the first image, 0 or more.
        count: How many images, 1 or more.
        device: Where torch computes, such as ``"cpu"`` or ``"cuda"``.
        compiled: Use ``torch.compile`` for the deflection by clumps.

    Raises:
        InputError: The class or the device is none, or there is nothing to make.
        MissingError: The device is not there.
        RecipeError: Clumps would hold all the mass of a lens.
    """
    known = _known_kind(kind)
    _check(first, count, device)
    systems, clumps, axion = _draw(plan, known, seed, range(first, first + count))
    column = dict(zip(SYSTEM, systems.T, strict=True))
    deflect = _deflection(plan, known)
    inside = mass_inside(systems, clumps, deflect)
    smooth = reduced_radius(column["einstein_radius"], column["q"], inside)
    if (smooth <= 0).any():
        raise RecipeError("Substructure outweighs a lens", "Lower its mass_fraction")
    fast = _compile(deflect) if compiled else deflect
    noise_free = np.concatenate(
        [
            _render(
                systems[at : at + BATCH],
                smooth[at : at + BATCH],
                clumps[at : at + BATCH],
                plan.camera,
                fast,
                torch.device(device),
                coarse=deflect is deflect_by_halos,
            )
            for at in range(0, count, BATCH)
        ]
    )
    pixels, snr = _expose(noise_free, column["exposure_s"], plan.camera, known, seed, first)
    return SubstructureImages(
        kind=known,
        pixels=_scaled(pixels) if plan.scaled else pixels,
        noise_free=noise_free,
        parameters=column
        | {
            "smooth_radius": smooth,
            "mass_inside": inside / column["einstein_radius"] ** 2,
            "clumps": np.array([float(len(table)) for table in clumps]),
            "log10_axion_mass_ev": axion,
            "peak_snr": snr,
        },
        clumps=tuple(clumps),
    )


def _draw(
    plan: SubstructurePlan, kind: SubstructureKind, seed: int, indices: range
) -> tuple[Float[np.ndarray, "n 15"], list[Table], Float[np.ndarray, " n"]]:
    """Return lenses with sources, the clumps of each, and log10 of the particles' masses."""
    systems = np.stack([draw_system(plan, kind=kind, seed=seed, index=k) for k in indices])
    each = list(zip(systems, indices, strict=True))
    axion = np.full(len(systems), np.nan)
    if kind == "no":
        return systems, [np.zeros((0, len(HALO)))] * len(systems), axion
    if kind == "sphere":
        return systems, [draw_subhalos(plan, row, seed=seed, index=k) for row, k in each], axion
    drawn = [draw_vortices(plan, row, seed=seed, index=k) for row, k in each]
    return systems, [table for table, _ in drawn], np.array([mass for _, mass in drawn])


def _render(
    systems: Float[np.ndarray, "n 15"],
    smooth: Float[np.ndarray, " n"],
    clumps: list[Table],
    camera: SubstructureCameraPlan,
    deflect: Deflect | None,
    device: torch.device,
    *,
    coarse: bool,
) -> Float32[np.ndarray, "n 1 y x"]:
    """Return images without noise of up to ``BATCH`` lenses."""
    there = len(systems)
    filled = np.concatenate([systems, np.repeat(systems[:1], BATCH - there, axis=0)])
    radius = np.concatenate([smooth, np.repeat(smooth[:1], BATCH - there)])
    tables = [*clumps, *([clumps[0][:0]] * (BATCH - there))]
    fine = camera.pixel_scale_arcsec / SUPERSAMPLING
    wide = (camera.side + 2 * MARGIN) * SUPERSAMPLING
    row = torch.as_tensor(filled, dtype=torch.float32, device=device)
    c = {name: row[:, k, None, None] for k, name in enumerate(SYSTEM)}
    with torch.no_grad(), torch.device(device):
        x, y = positions(wide, fine)
        ax, ay = deflect_by_lens(row, torch.as_tensor(radius, dtype=torch.float32), x, y)
        u, v = x - ax, y - ay
        if deflect is not None:
            ax, ay = deflect_frame(tables, wide, fine, deflect, coarse=coarse)
            u, v = u - ax, v - ay
        image = torch.nn.functional.avg_pool2d(_source(c, u, v)[:, None], SUPERSAMPLING)
        image = image * camera.pixel_scale_arcsec**2
        kernel = torch.as_tensor(gaussian_psf(camera), dtype=torch.float32, device=device)
        seen = convolve(image, kernel.expand(BATCH, 1, -1, -1))[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    return seen[:there].cpu().numpy()


def _source(c: dict[str, Tensor], u: Grid, v: Grid) -> Grid:
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


def _expose(
    image: Float32[np.ndarray, "n 1 y x"],
    exposure_s: Float[np.ndarray, " n"],
    camera: SubstructureCameraPlan,
    kind: SubstructureKind,
    seed: int,
    first: int,
) -> tuple[Float32[np.ndarray, "n 1 y x"], Float[np.ndarray, " n"]]:
    """Return images with noise, and the signal to noise of their brightest pixels.

    Photons and read-out add their variances once. Photons are counted by the thousand or under a
    background of many electrons, so their Poisson noise is drawn as a Gaussian; unlike a Poisson
    draw it can't turn the rounding of another device into another image.
    """
    background = camera.background
    time = exposure_s[:, None, None, None]
    if isinstance(background, FlatBackgroundPlan):
        variance = np.full_like(time, background.rms**2)
    else:
        sky_ab = background.sky_ab_per_arcsec2 - camera.zero_point_ab
        sky = 10 ** (-0.4 * sky_ab) * camera.pixel_scale_arcsec**2
        variance = sky / time + background.exposures * (background.read_noise_electrons / time) ** 2
    sigma = np.sqrt(variance + np.maximum(image, 0) / time)
    white = np.stack(
        [
            stream(seed, f"substructure noise {kind}", first + k).standard_normal(image.shape[1:])
            for k in range(len(image))
        ]
    )
    snr = (image / sigma).max((1, 2, 3)).astype(np.float64)
    return (image + white * sigma).astype(np.float32), snr


def _scaled(pixels: Float32[np.ndarray, "n 1 y x"]) -> Float32[np.ndarray, "n 1 y x"]:
    low, high = pixels.min((1, 2, 3), keepdims=True), pixels.max((1, 2, 3), keepdims=True)
    return (pixels - low) / (high - low)


def _deflection(plan: SubstructurePlan, kind: SubstructureKind) -> Deflect | None:
    if kind == "no":
        return None
    if kind == "vort":
        return deflect_by_strings
    tnfw = isinstance(plan.subhalos.profile, TruncatedNfwPlan)
    return deflect_by_halos if tnfw else deflect_by_points


@lru_cache(maxsize=4)
def _compile(deflect: Deflect | None) -> Deflect | None:
    return None if deflect is None else torch.compile(deflect, dynamic=False)


def _known_kind(kind: str) -> SubstructureKind:
    kinds: tuple[SubstructureKind, ...] = get_args(SubstructureKind)
    for known in kinds:
        if kind == known:
            return known
    near = difflib.get_close_matches(kind, kinds, n=1)
    fix = f"Did you mean {near[0]!r}" if near else f"Known are {', '.join(kinds)}"
    raise InputError(f"No class of substructure is called {kind!r}", fix)


def _check(first: int, count: int, device: str) -> None:
    if first < 0 or count < 1:
        raise InputError(
            f"There are no {count} images from number {first} on",
            "Ask for 1 image or more, from number 0 or a later one",
        )
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"No device is called {device!r}", "Use 'cpu' or 'cuda'") from error
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise MissingError("No GPU is there for torch", "Use device 'cpu'")
