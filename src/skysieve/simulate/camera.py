"""From noise-free light to what a camera delivers: seeing, photons, readouts, sky, full pixels.

A survey's stack of ``N`` exposures is drawn in electrons of all exposures together. A pixel of
mean light ``s`` and sky ``b`` holds ``Poisson(s + b) + Normal(0, N r^2)``, ``r`` the read noise
(Howell 2006, Handbook of CCD Astronomy, eq. 4.4, without dark current and with the sky known).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.visualization import make_lupton_rgb
from jaxtyping import Bool, Float, Float32, UInt8
from scipy.ndimage import convolve1d
from scipy.signal import fftconvolve

from skysieve.core.errors import MismatchError
from skysieve.core.random import stream
from skysieve.core.survey import survey
from skysieve.recipe.camera import BackgroundPlan, ObservingPlan, PicturePlan
from skysieve.simulate.psf import Stamps, draw_stamps

GAUSSIAN_ELECTRONS = 1000.0
"""Sky from which on photons are drawn as Gaussian, five times as fast; their skewness is 0.03."""

Planes = Float32[np.ndarray, "band y x"]
Picture = UInt8[np.ndarray, "y x rgb"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Observation:
    """One image as a camera delivers it.

    Args:
        counts: Linear, sky subtracted, at the survey's zero point.
        picture: Red, green, blue, for a PNG; None if linear counts were asked for.
        noiseless: The light without noise and background, blurred, in counts.
        noise: Standard deviation of the sky of a pixel, in counts.
        saturated: Where a pixel was full.
        psf: The point spread functions.
    """

    counts: Planes
    picture: Picture | None
    noiseless: Planes
    noise: Float[np.ndarray, " band"]
    saturated: Bool[np.ndarray, "band y x"]
    psf: Stamps


def observe(
    light: Planes, plan: ObservingPlan, *, seed: int, index: int, psf: Stamps | None = None
) -> Observation:
    """Return the image that a camera takes of noise-free light.

    Noise and seeing of a band are decided by seed, index and the band alone, whatever else is
    observed.

    Args:
        light: Counts at the survey's zero point, without seeing, in the plan's bands.
        plan: The camera.
        seed: Of the run.
        index: Number of the image.
        psf: Stamps to use instead of those the plan draws.

    Raises:
        MismatchError: There are not as many planes as the plan has bands.
    """
    if len(light) != len(plan.bands):
        raise MismatchError(
            f"The light has {len(light)} planes, the plan {len(plan.bands)} bands",
            "Give one plane for each band",
        )
    stamps = draw_stamps(plan, seed=seed, index=index) if psf is None else psf
    noiseless = blur(light, stamps)
    counts, saturated = expose(noiseless, plan, seed=seed, index=index)
    noise = sky_noise_counts(plan)
    shown = plan.delivery if isinstance(plan.delivery, PicturePlan) else None
    return Observation(
        counts=counts,
        picture=None if shown is None else lupton_picture(counts, plan.bands, noise, shown),
        noiseless=noiseless,
        noise=noise,
        saturated=saturated,
        psf=stamps,
    )


def sky_noise_counts(plan: ObservingPlan) -> Float[np.ndarray, " band"]:
    """Return the standard deviation of the empty sky in a pixel, in counts."""
    camera = survey(plan.survey)
    noise = np.array([camera.sky_noise_counts(name) for name in plan.bands])
    return noise / np.sqrt(plan.exposure_scale)


def blur(light: Planes, psf: Stamps) -> Planes:
    """Return light convolved with a point spread function for each band; beyond the edge is dark."""
    return fftconvolve(light, psf.astype(np.float32), mode="same", axes=(1, 2))


def expose(
    light: Planes, plan: ObservingPlan, *, seed: int, index: int
) -> tuple[Planes, Bool[np.ndarray, "band y x"]]:
    """Return blurred light with noise and residual sky, and where pixels were full.

    Args:
        light: Counts at the survey's zero point; below zero there are no photons.
        plan: The camera.
        seed: Of the run.
        index: Number of the image.
    """
    low, high = plan.correlation_pixels
    kernel = resampling_kernel(low + stream(seed, "correlation", index).uniform() * (high - low))
    noise = sky_noise_counts(plan)
    seen, full = np.empty_like(light), np.zeros(light.shape, bool)
    for k, name in enumerate(plan.bands):
        rng = stream(seed, f"noise-{name}", index)
        residual = noise[k] * _residual(plan.background, light.shape[1:], rng)
        counts = _expose_band(light[k], plan, name, kernel, rng) + residual
        ceiling = _full_counts(plan, name)
        full[k] = counts >= ceiling
        seen[k] = np.minimum(counts, ceiling)
    return seen, full


def _expose_band(
    light: Float[np.ndarray, "y x"],
    plan: ObservingPlan,
    name: str,
    kernel: Float[np.ndarray, " k"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "y x"]:
    """Return counts with the noise of photons and readouts.

    The noise, in units of its own standard deviation, is what the kernel correlates: so each
    pixel keeps the variance that its light gives it.
    """
    camera = survey(plan.survey)
    electrons_per_count = camera.electrons_per_count(name) * plan.exposure_scale
    sky = camera.sky_electrons(name) * plan.exposure_scale
    exposures = camera.band(name).exposures * plan.exposure_scale
    readouts = exposures * camera.read_noise_electrons**2
    edge = len(kernel) // 2
    mean = np.maximum(light, 0).astype(np.float64) * electrons_per_count + sky
    wide = np.pad(mean, edge, mode="edge")
    if sky > GAUSSIAN_ELECTRONS:
        white = rng.standard_normal(wide.shape)
    else:
        charge = rng.poisson(wide) + rng.normal(0, np.sqrt(readouts), wide.shape)
        white = (charge - wide) / np.sqrt(wide + readouts)
    for axis in (0, 1):
        white = convolve1d(white, kernel, axis=axis)
    inner = np.s_[edge : edge + light.shape[0], edge : edge + light.shape[1]]
    return light + white[inner] * np.sqrt(mean + readouts) / electrons_per_count


def _full_counts(plan: ObservingPlan, name: str) -> float:
    """Return the count of a full pixel; infinite if none is ever full."""
    camera = survey(plan.survey)
    if camera.saturation_electrons is None or not plan.saturation:
        return np.inf
    full = camera.band(name).exposures * camera.saturation_electrons - camera.sky_electrons(name)
    return full / camera.electrons_per_count(name)


def resampling_kernel(correlation_pixels: float) -> Float[np.ndarray, " k"]:
    """Return the kernel that resampling lays over white noise; the sum of its squares is 1.

    Noise convolved with it in x and in y keeps its variance; neighbors a pixel apart correlate
    with ``exp(-1 / (4 s^2))``, if its standard deviation ``s`` is not much below 1.

    Args:
        correlation_pixels: Standard deviation of the Gaussian kernel; 0 for white noise.
    """
    reach = int(np.ceil(4 * correlation_pixels))
    if reach == 0:
        return np.ones(1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / correlation_pixels) ** 2)
    return kernel / np.sqrt(np.square(kernel).sum())


def _residual(
    plan: BackgroundPlan | None, shape: tuple[int, ...], rng: np.random.Generator
) -> Float[np.ndarray, "#y #x"]:
    """Return a plane of residual sky, in sky noises of a pixel."""
    level, rise_y, rise_x = rng.standard_normal(3)  # also without a plan: the noise stays the same
    if plan is None:
        return np.zeros((1, 1))
    y, x = (np.linspace(-0.5, 0.5, side) for side in shape)
    return plan.offset * level + plan.tilt * (rise_y * y[:, None] + rise_x * x[None, :])


def lupton_picture(
    counts: Planes, bands: tuple[str, ...], noise: Float[np.ndarray, " band"], plan: PicturePlan
) -> Picture:
    """Return a color picture; where a band holds no data it is black.

    References:
        Lupton et al. 2004, PASP 116, 133, as in ``astropy.visualization.make_lupton_rgb``.
    """
    unit = plan.scales[1] * noise[bands.index(plan.bands[1])]
    black = plan.black * unit
    red, green, blue = (
        np.nan_to_num(scale * counts[bands.index(name)].astype(np.float64), nan=black)
        for name, scale in zip(plan.bands, plan.scales, strict=True)
    )
    with np.errstate(invalid="ignore"):  # astropy divides by what is black before it drops it
        return make_lupton_rgb(
            red,
            green,
            blue,
            minimum=black,
            stretch=plan.stretch * unit,
            Q=plan.softening,  # pyright: ignore[reportArgumentType]  # an int only by its default
        )
