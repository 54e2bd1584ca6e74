"""Point spread functions as stamps: Gaussian, Moffat, or measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import assert_never

import numpy as np
from astropy.io import fits
from jaxtyping import Float, Float32

from skysieve.core.errors import InputError
from skysieve.core.random import stream
from skysieve.core.survey import Survey, survey
from skysieve.recipe.camera import GaussianPsfPlan, MoffatPsfPlan, ObservingPlan, StampPsfPlan
from skysieve.recipe.simulation import CameraPlan

Stamp = Float[np.ndarray, "k k"]
Stamps = Float[np.ndarray, "band k k"]

STAMP_SIDE = 65
"""Pixels a side: so wide that the edge of the stamp is not seen around a bright star."""
CORE_SIDE = 19
"""Pixels a side in which a profile is averaged over each pixel; further out it is smooth."""
FINE = 5
"""Points a side over which it is averaged."""


def draw_stamps(
    plan: ObservingPlan, *, seed: int, index: int, pixel_scale_arcsec: float | None = None
) -> Stamps:
    """Return the point spread function of each band in one image; each stamp sums to 1.

    The seeing scatters about the survey's median; the bands of an image share its shape.

    Args:
        plan: The camera.
        seed: Of the run.
        index: Number of the image.
        pixel_scale_arcsec: Size of a pixel of the stamps; None for the survey's. Measured stamps
            stay as they are.

    Raises:
        InputError: A stamp's file is none.
    """
    if isinstance(plan.psf, StampPsfPlan):
        return _padded([read_stamp(plan.psf.files[band]) for band in plan.bands])
    camera, rng = survey(plan.survey), stream(seed, "psf", index)
    shared, turn = rng.normal(0, plan.psf.fwhm_spread), rng.uniform(0, np.pi)
    q, slope = rng.uniform(plan.psf.min_axis_ratio, 1), rng.uniform()
    scale_arcsec = pixel_scale_arcsec or camera.pixel_scale_arcsec
    stamps = []
    for name in plan.bands:
        own = stream(seed, f"psf-{name}", index).normal(0, plan.psf.fwhm_spread / 2)
        median = plan.psf.fwhm_scale * camera.band(name).psf_fwhm_arcsec
        fwhm = median * np.exp(shared + own) / scale_arcsec
        match plan.psf:
            case GaussianPsfPlan():
                stamps.append(gaussian(fwhm, q=q, phi=turn))
            case MoffatPsfPlan(beta=(low, high)):
                stamps.append(
                    moffat(fwhm, low + slope * (high - low), q=q, phi=turn, side=STAMP_SIDE)
                )
            case _:
                assert_never(plan.psf)
    return np.stack(stamps)


def draw_wide_stamps(plan: CameraPlan, camera: Survey, *, seed: int, index: int) -> Stamps:
    """Return the stamps that ``instrument.draw_psf`` draws, so wide that no edge is seen.

    References:
        Moffat 1969, A&A 3, 455.
    """
    rng = stream(seed, "psf", index)
    beta, shared = rng.uniform(*plan.moffat_beta), rng.normal(0, plan.seeing_spread)
    q, phi = rng.uniform(0.9, 1.0), rng.uniform(0, np.pi)
    own = np.exp(shared + rng.normal(0, plan.seeing_spread / 2, len(plan.bands)))
    median = plan.seeing_factor * np.array(
        [camera.band(name).psf_fwhm_arcsec for name in plan.bands]
    )
    return wide_moffats(median * own / camera.pixel_scale_arcsec, beta, q=q, phi=phi)


def wide_moffats(
    fwhm_pixels: Float[np.ndarray, " band"], beta: float, *, q: float, phi: float
) -> Float32[np.ndarray, "band k k"]:
    """Return Moffat profiles that sum to 1, averaged over each pixel and ending smoothly.

    All bands at once, in a tenth of the time of ``moffat``.

    Args:
        fwhm_pixels: Along the major axis.
        beta: Slope of the wings.
        q: Minor over major axis.
        phi: Angle of the major axis to x, in rad.
    """
    (x, y), (near_x, near_y), edge = _wide_grid()
    core2 = (fwhm_pixels**2 / (4 * (2 ** (1 / beta) - 1))).astype(np.float32)[:, None, None]
    cos, sin = np.cos(phi), np.sin(phi)
    form = (cos**2 + sin**2 / q**2, cos * sin * (1 - q**-2), sin**2 + cos**2 / q**2)
    xx, xy, yy = (np.float32(factor) for factor in form)

    def profile(at_x: np.ndarray, at_y: np.ndarray) -> np.ndarray:
        r2 = xx * at_x * at_x + 2 * xy * at_x * at_y + yy * at_y * at_y
        return np.exp(-np.float32(beta) * np.log1p(r2 / core2))

    stamps = profile(x, y)
    fine = profile(near_x, near_y).reshape(len(stamps), CORE_SIDE, 2, CORE_SIDE, 2).mean((2, 4))
    first = (STAMP_SIDE - CORE_SIDE) // 2
    core = slice(first, first + CORE_SIDE)
    stamps[:, core, core] = fine
    stamps *= edge
    return stamps / stamps.sum((1, 2), keepdims=True, dtype=np.float64).astype(np.float32)


@lru_cache(maxsize=1)
def _wide_grid() -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Return x and y of a stamp, of two by two points in each pixel of its core, and its taper.

    The two points by Gauss and Legendre make the average right to the fourth order; the taper falls
    from 1 to 0 in the outer quarter.
    """
    half, core = STAMP_SIDE // 2, CORE_SIDE // 2
    line = np.arange(-half, half + 1, dtype=np.float32)
    apart = np.float32(1 / (2 * np.sqrt(3)))
    near = (np.arange(-core, core + 1, dtype=np.float32)[:, None] + [-apart, apart]).ravel()
    grids = [np.meshgrid(one.astype(np.float32), one.astype(np.float32)) for one in (line, near)]
    x, y = grids[0]
    outward = np.clip((np.hypot(x, y) / (half + 1) - 0.75) / 0.25, 0, 1)
    edge = np.cos(np.pi / 2 * outward).astype(np.float32) ** 2
    return list(grids[0]), list(grids[1]), edge


def gaussian(
    fwhm_pixels: float, *, q: float = 1.0, phi: float = 0.0, side: int = STAMP_SIDE
) -> Stamp:
    """Return a Gaussian profile that sums to 1, averaged over each pixel.

    Args:
        fwhm_pixels: Along the major axis.
        q: Minor over major axis.
        phi: Angle of the major axis to x, in rad.
        side: Pixels a side, odd.
    """
    rate = 4 * np.log(2) / fwhm_pixels**2
    return _stamp(lambda r2: np.exp(-rate * r2), q, phi, side)


def moffat(
    fwhm_pixels: float, beta: float, *, q: float = 1.0, phi: float = 0.0, side: int = STAMP_SIDE
) -> Stamp:
    """Return a Moffat profile that sums to 1, averaged over each pixel.

    Args:
        fwhm_pixels: Along the major axis.
        beta: Slope of the wings.
        q: Minor over major axis.
        phi: Angle of the major axis to x, in rad.
        side: Pixels a side, odd.

    References:
        Moffat 1969, A&A 3, 455.
    """
    core2 = fwhm_pixels**2 / (4 * (2 ** (1 / beta) - 1))
    return _stamp(lambda r2: (1 + r2 / core2) ** -beta, q, phi, side)


def _stamp(profile: Callable[[np.ndarray], np.ndarray], q: float, phi: float, side: int) -> Stamp:
    """Return a profile of the squared elliptical radius, averaged over pixels near the center."""
    stamp = profile(_radius2(side, 1, q, phi))
    core = min(side, CORE_SIDE)
    fine = profile(_radius2(core, FINE, q, phi)).reshape(core, FINE, core, FINE).mean((1, 3))
    edge = (side - core) // 2
    stamp[edge : edge + core, edge : edge + core] = fine
    return stamp / stamp.sum()


def _radius2(side: int, fine: int, q: float, phi: float) -> Float[np.ndarray, "k k"]:
    """Return the squared elliptical radius from the center, at ``fine`` points a pixel."""
    line = (np.arange(side * fine) - (side * fine - 1) / 2) / fine
    y, x = line[:, None], line[None, :]
    u, v = x * np.cos(phi) + y * np.sin(phi), (y * np.cos(phi) - x * np.sin(phi)) / q
    return u**2 + v**2


def read_stamp(path: Path) -> Stamp:
    """Return a measured point spread function, scaled to a sum of 1.

    Args:
        path: FITS, whose first image is taken, or ``.npy``.

    Raises:
        InputError: It cannot be read, or is not an odd square of finite numbers with a light in it.
    """
    try:
        stamp = np.load(path, allow_pickle=False) if path.suffix == ".npy" else fits.getdata(path)
        stamp = np.asarray(stamp, np.float64)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"{path} holds no stamp: {error}", "Give FITS or .npy") from error
    square = stamp.ndim == 2 and stamp.shape[0] == stamp.shape[1] and stamp.shape[0] % 2 == 1
    if not square or not np.isfinite(stamp).all() or stamp.sum() <= 0:
        raise InputError(
            f"{path} has shape {stamp.shape} and sum {stamp.sum():g}",
            "A stamp is a square with an odd side, finite, and brighter than nothing",
        )
    return stamp / stamp.sum()


def _padded(stamps: list[np.ndarray]) -> Stamps:
    """Return square stamps of several sides as one array, the smaller ones with zeros around."""
    side = max(len(stamp) for stamp in stamps)
    return np.stack([np.pad(stamp, (side - len(stamp)) // 2) for stamp in stamps])
