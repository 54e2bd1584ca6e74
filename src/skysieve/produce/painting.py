"""Painting arcs into a real image: its own seeing, its own gain, and nothing else of it touched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from skysieve.core.errors import RecipeError
from skysieve.core.random import stream
from skysieve.core.scores import Status
from skysieve.images.sources import ImageError
from skysieve.produce.sight import Sight
from skysieve.recipe.injection import InjectionPlan, SeeingPsf, StampPsf
from skysieve.simulate.injection import System, draw_magnitude, draw_system
from skysieve.simulate.instrument import arc_signal_to_noise
from skysieve.simulate.lensed_light import (
    Kernel,
    fineness,
    lensed_light,
    smooth_kernel,
    stamp_kernel,
)
from skysieve.simulate.psf import read_stamp

TURNS = 12
"""Systems drawn for one image before its range of signal to noise is called out of reach."""
REACH = 1.4
"""The frame must hold this many Einstein radii about the host."""
NO_ARC = "no_arc"
"""The status of a version of an image that no system gives the signal to noise asked for."""

Planes = Float32[np.ndarray, "band y x"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Painted:
    """A real image with arcs.

    Args:
        pixels: The image, as the file had it where there is no light of arcs or no data.
        light: The arcs alone, without noise, in counts of the image.
        system: What was painted.
        arc_snr: Matched-filter signal to noise of the arcs in the best band, against the sky.
        arc_contrast: The share of it that the light of the image leaves.
    """

    pixels: Planes
    light: Planes
    system: System
    arc_snr: float
    arc_contrast: float


def paint(sight: Sight, plan: InjectionPlan, *, seed: int, name: str, copy: int) -> Painted:
    """Return an image with the arcs of one system.

    Args:
        sight: The image.
        plan: What is painted.
        seed: Of the run.
        name: Of the image; with seed and copy it decides the system.
        copy: Which version, from 1.

    Raises:
        ImageError: The frame is too small for the Einstein radii that are asked for.
        RecipeError: No system of the plan has the signal to noise asked for.
    """
    _check_frame(sight, plan)
    kernels = kernels_of(sight, plan)
    for turn in range(TURNS):
        system = draw_system(plan, sight.host, seed=seed, name=name, copy=copy, turn=turn)
        light = light_of(system, sight, plan.bands, kernels)
        snr, _ = _visibility(sight, light)
        limits = _limits(plan, system.source_g_ab, snr)
        if limits is not None:
            break
    else:
        low, high = plan.arc_snr
        raise RecipeError(
            f"None of {TURNS} systems has a signal to noise of {low:g} to {high:g} here",
            "Widen --snr or --source-mag",
        )
    magnitude = draw_magnitude(plan, limits, seed=seed, name=name, copy=copy)
    light = light * np.float32(10 ** (-0.4 * (magnitude - system.source_g_ab)))
    snr, contrast = _visibility(sight, light)
    return Painted(
        pixels=add_light(sight, light, plan.bands, seed=seed, name=name, copy=copy),
        light=light,
        system=system.brightened(magnitude),
        arc_snr=snr,
        arc_contrast=contrast,
    )


def light_of(
    system: System, sight: Sight, bands: tuple[str, ...], kernels: tuple[Kernel, ...]
) -> Planes:
    """Return the lensed light of a system as an image would see it, in its counts, without noise."""
    light = lensed_light(
        system,
        bands,
        shape=sight.shape,
        pixel_scale_arcsec=sight.pixel_scale_arcsec,
        kernels=kernels,
    )
    return light * sight.counts_of_30[:, None, None].astype(np.float32)


def add_light(
    sight: Sight, light: Planes, bands: tuple[str, ...], *, seed: int, name: str, copy: int
) -> Planes:
    """Return the image with light added, and the noise of its photons; the sky has its own already.

    The noise of a band depends on seed, name, copy and band alone.
    """
    added = np.empty_like(light)
    for k, band in enumerate(bands):
        rng = stream(seed, f"inject-photons/{name}/{band}", copy)
        electrons = light[k].astype(np.float64) * sight.gain_electrons[k]
        added[k] = rng.poisson(electrons) / sight.gain_electrons[k]
    with np.errstate(invalid="ignore"):  # infinities that are no data
        return np.where(sight.valid, sight.raw + added, sight.raw)


def kernels_of(sight: Sight, plan: InjectionPlan) -> tuple[Kernel, ...]:
    """Return what a pixel of each band sees of a point."""
    fine = fineness(sight.pixel_scale_arcsec)
    if isinstance(plan.psf, StampPsf):
        return tuple(_stamp(plan.psf.files[band], fine) for band in plan.bands)
    gaussian = isinstance(plan.psf, SeeingPsf) and plan.psf.profile == "gaussian"
    beta = None if gaussian else plan.moffat_beta
    pixels = sight.fwhm_arcsec / sight.pixel_scale_arcsec
    return tuple(smooth_kernel(float(fwhm), fine, beta) for fwhm in pixels)


@lru_cache(maxsize=8)
def _stamp(file: Path, fine: int) -> Kernel:
    return stamp_kernel(read_stamp(file), fine)


def _check_frame(sight: Sight, plan: InjectionPlan) -> None:
    wanted = REACH * plan.einstein_radius_arcsec[1]
    if sight.reach_arcsec < wanted:
        sides = " x ".join(str(side) for side in sight.shape[::-1])
        fits = max(sight.reach_arcsec, 0) / REACH
        raise ImageError(
            Status.BAD_SHAPE,
            f"It is {sides} px, {sight.reach_arcsec:.1f} arcsec from the host to its edge: too small "
            f"for Einstein radii up to {plan.einstein_radius_arcsec[1]:g} arcsec",
            f"Give larger cutouts, or --einstein-radius up to {fits:.1f}",
        )


def _visibility(sight: Sight, light: Planes) -> tuple[float, float]:
    seen = np.where(sight.valid, light, 0).astype(np.float32)
    snr, contrast = arc_signal_to_noise(sight.above[None], seen[None], sight.noise)
    return float(snr[0]), float(contrast[0])


def _limits(plan: InjectionPlan, magnitude: float, snr: float) -> tuple[float, float] | None:
    """Return the magnitudes that the plan and its signal to noise allow; None if there are none."""
    if not snr > 0:
        return None
    low, high = plan.arc_snr
    bright = max(plan.source_g_ab[0], magnitude - 2.5 * math.log10(high / snr))
    faint = min(plan.source_g_ab[1], magnitude - 2.5 * math.log10(low / snr))
    return (bright, faint) if bright <= faint else None
