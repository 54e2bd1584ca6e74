"""Images of lenses with a smooth halo, with subhalos or with vortices.

The classes share lens, source, camera and the mass inside the Einstein radius; what differs is
how a few percent of that mass is spread.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float, Float32

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
from skysieve.simulate.deflection import Pull, Table, mass_inside, pull_of_halos, pull_of_points
from skysieve.simulate.frame_deflection import make_kernels
from skysieve.simulate.ring_light import Planes, render_rings


@dataclass(frozen=True, eq=False, kw_only=True)
class SubstructureImages:
    """Simulated images of one class, with all that is known of them.

    Args:
        kind: The class.
        pixels: Electrons per second above the sky, with noise; or 0..1, if the plan scales.
        noise_free: Electrons per second above the sky, never scaled.
        source: The source without lens and PSF, in electrons per second.
        convergence: Of the clumps, averaged over each pixel.
        parameters: Columns of numbers by name: those of ``SYSTEM``, ``smooth_radius`` (the
            Einstein radius of the smooth part), ``mass_inside`` (clumps inside the Einstein
            radius over all mass there), ``clumps`` (how many), ``log10_axion_mass_ev`` (NaN
            without vortices) and ``peak_snr`` (brightest pixel over its noise).
        clumps: For each image its subhalos (columns ``HALO``) or vortices (``STRING``).
    """

    kind: SubstructureKind
    pixels: Float32[np.ndarray, "n 1 y x"]
    noise_free: Float32[np.ndarray, "n 1 y x"]
    source: Float32[np.ndarray, "n 1 y x"]
    convergence: Float32[np.ndarray, "n 1 y x"]
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
        compiled: Use ``torch.compile``.

    Raises:
        InputError: The class or the device is none, or there is nothing to make.
        MissingError: The device is not there.
        RecipeError: Clumps would hold all the mass of a lens.
    """
    known = _known_kind(kind)
    _check(first, count, device)
    numbers = range(first, first + count)
    return simulate_numbers(plan, known, seed, numbers, device=device, compiled=compiled)


def simulate_numbers(
    plan: SubstructurePlan,
    kind: SubstructureKind,
    seed: int,
    numbers: Sequence[int],
    *,
    device: str = "cpu",
    compiled: bool = True,
) -> SubstructureImages:
    """Return the images of a class with these indices, which need not follow each other.

    Raises:
        RecipeError: Clumps would hold all the mass of a lens.
    """
    systems, clumps, axion = _draw(plan, kind, seed, numbers)
    column = dict(zip(SYSTEM, systems.T, strict=True))
    pull = _pull(plan, kind)
    inside = np.zeros(len(systems)) if kind == "no" else mass_inside(systems, clumps, pull)
    smooth = reduced_radius(column["einstein_radius"], column["q"], inside)
    if (smooth <= 0).any():
        raise RecipeError("Substructure outweighs a lens", "Lower its mass_fraction")
    kernels = None if kind == "no" else make_kernels(pull, compiled=compiled)
    seen = render_rings(systems, smooth, clumps, plan.camera, kernels, device, compiled)
    sigma = _noise(seen.lensed, column["exposure_s"], column["depth"], plan.camera)
    white = np.stack(
        [
            stream(seed, f"substructure noise {kind}", number).standard_normal(sigma.shape[1:])
            for number in numbers
        ]
    )
    pixels = (seen.lensed + white * sigma).astype(np.float32)
    return SubstructureImages(
        kind=kind,
        pixels=_scaled(pixels) if plan.scaled else pixels,
        noise_free=seen.lensed,
        source=seen.source,
        convergence=seen.convergence,
        parameters=column
        | {
            "smooth_radius": smooth,
            "mass_inside": inside / column["einstein_radius"] ** 2,
            "clumps": np.array([float(len(table)) for table in clumps]),
            "log10_axion_mass_ev": axion,
            "peak_snr": (seen.lensed / sigma).max((1, 2, 3)).astype(np.float64),
        },
        clumps=tuple(clumps),
    )


def _draw(
    plan: SubstructurePlan, kind: SubstructureKind, seed: int, numbers: Sequence[int]
) -> tuple[Float[np.ndarray, "n 16"], list[Table], Float[np.ndarray, " n"]]:
    """Return lenses with sources, the clumps of each, and log10 of the particles' masses."""
    systems = np.stack([draw_system(plan, kind=kind, seed=seed, index=k) for k in numbers])
    each = list(zip(systems, numbers, strict=True))
    axion = np.full(len(systems), np.nan)
    if kind == "no":
        return systems, [np.zeros((0, len(HALO)))] * len(systems), axion
    if kind == "sphere":
        return systems, [draw_subhalos(plan, row, seed=seed, index=k) for row, k in each], axion
    drawn = [draw_vortices(plan, row, seed=seed, index=k) for row, k in each]
    return systems, [table for table, _ in drawn], np.array([mass for _, mass in drawn])


def _noise(
    image: Planes,
    exposure_s: Float[np.ndarray, " n"],
    depth: Float[np.ndarray, " n"],
    camera: SubstructureCameraPlan,
) -> Float[np.ndarray, "n 1 y x"]:
    """Return the standard deviation of each pixel.

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
    return np.sqrt(variance + np.maximum(image, 0) / time) / depth[:, None, None, None]


def _scaled(pixels: Float32[np.ndarray, "n 1 y x"]) -> Float32[np.ndarray, "n 1 y x"]:
    low, high = pixels.min((1, 2, 3), keepdims=True), pixels.max((1, 2, 3), keepdims=True)
    return (pixels - low) / (high - low)


def _pull(plan: SubstructurePlan, kind: SubstructureKind) -> Pull | None:
    """Return the pull of halos; None where there are none."""
    if kind != "sphere":
        return None
    tnfw = isinstance(plan.subhalos.profile, TruncatedNfwPlan)
    return pull_of_halos if tnfw else pull_of_points


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
