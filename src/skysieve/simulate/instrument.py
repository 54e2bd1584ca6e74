"""What a camera and a picture maker do to noise-free images: seeing, noise, artifacts, stretch."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, UInt8

from skysieve.core.random import stream
from skysieve.core.survey import Survey
from skysieve.recipe.simulation import CameraPlan

KERNEL_SIDE = 33
"""Pixels a side of a PSF stamp; holds 99 % of the light at the seeing of the surveys."""
COUNTS_ZERO_POINT_AB = 30.0
HUMVI_SCALES = {"g": 1.7, "r": 0.6, "i": 0.4}
HUMVI_Q, HUMVI_ALPHA = 1.7, 0.09
"""The stretch of the CFHTLS pictures of Space Warps: HumVI -s 0.4,0.6,1.7 -p 1.7,0.09."""

Images = Float32[np.ndarray, "n band y x"]


def draw_psf(
    plan: CameraPlan, survey: Survey, *, seed: int, index: int
) -> Float[np.ndarray, "band k k"]:
    """Return a PSF stamp for each band, at a seeing drawn about the survey's median.

    References:
        Moffat 1969, A&A 3, 455.
    """
    rng = stream(seed, "psf", index)
    beta = rng.uniform(*plan.moffat_beta)
    shared = rng.normal(0, plan.seeing_spread)
    q, phi = rng.uniform(0.9, 1.0), rng.uniform(0, np.pi)
    fwhm = {band.name: plan.seeing_factor * band.psf_fwhm_arcsec for band in survey.bands}
    return np.stack(
        [
            moffat(
                fwhm[band] * np.exp(shared + rng.normal(0, plan.seeing_spread / 2))
                / survey.pixel_scale_arcsec,
                beta, q=q, phi=phi,
            )
            for band in plan.bands
        ]
    )  # fmt: skip


def moffat(
    fwhm_pixels: float, beta: float, *, q: float = 1.0, phi: float = 0.0, side: int = KERNEL_SIDE
) -> Float[np.ndarray, "k k"]:
    """Return a Moffat profile that sums to 1, averaged over each pixel."""
    fine = 3
    line = (np.arange(side * fine) - (side * fine - 1) / 2) / fine
    y, x = np.meshgrid(line, line, indexing="ij")
    u = x * np.cos(phi) + y * np.sin(phi)
    v = (y * np.cos(phi) - x * np.sin(phi)) / q
    core = fwhm_pixels / (2 * np.sqrt(2 ** (1 / beta) - 1))
    profile = (1 + (u**2 + v**2) / core**2) ** -beta
    profile = profile.reshape(side, fine, side, fine).sum((1, 3))
    return profile / profile.sum()


def sky_noise(survey: Survey, bands: tuple[str, ...]) -> Float[np.ndarray, " band"]:
    """Return the standard deviation of the sky in a pixel, in counts at zero point 30."""
    depth = {band.name: band.sky_noise_ab for band in survey.bands}
    return np.array([10 ** (-0.4 * (depth[band] - COUNTS_ZERO_POINT_AB)) for band in bands])


def arc_signal_to_noise(
    ordinary: Images, lensed: Images, noise: Float[np.ndarray, " band"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the signal to noise of lensed light against the sky, and its share left by the lens.

    The first is the matched-filter signal to noise in the best band, with noise from the sky
    alone; the second is the same with every pixel weighted down by the ordinary light in it, as
    the eye is blinded by a bright lens, over the first.
    """
    sigma = noise[None, :, None, None]
    best = np.square(lensed / sigma).sum((2, 3))
    blinded = np.square(lensed / (sigma + 0.1 * np.abs(ordinary))).sum((2, 3))
    return np.sqrt(best.max(1)), np.sqrt(blinded.max(1) / np.maximum(best.max(1), 1e-12))


def add_noise(
    image: Images,
    noise: Float[np.ndarray, "n band"],
    *,
    gain: Float[np.ndarray, " n"],
    correlation: Float[np.ndarray, " n"],
    rng: np.random.Generator,
) -> Images:
    """Return images with the noise of sky and photons.

    Args:
        image: Noise-free counts above the sky.
        noise: Standard deviation of the sky in a pixel of the result.
        gain: Photons per count, deciding the Poisson noise of bright light.
        correlation: Standard deviation in pixels, 0 to 1.2, of the kernel that resampling a
            mosaic laid over the noise.
        rng: Source of randomness.
    """
    white = rng.standard_normal(image.shape, np.float32)
    line = np.arange(-2, 3)
    kernel = np.exp(-0.5 * (line / np.maximum(correlation, 1e-3)[:, None]) ** 2)
    kernel /= np.sqrt(np.square(kernel).sum(1, keepdims=True))  # keeps the variance
    for axis in (2, 3):
        shifted = (np.roll(white, int(k), axis) for k in line)
        weights = (kernel[:, j, None, None, None].astype(np.float32) for j in range(len(line)))
        white = sum(w * moved for w, moved in zip(weights, shifted, strict=True))
    photons = np.maximum(image, 0) / gain[:, None, None, None].astype(np.float32)
    sigma = np.sqrt(np.square(noise)[:, :, None, None].astype(np.float32) + photons)
    return image + white * sigma


def humvi_picture(
    image: Images,
    *,
    scales: Float[np.ndarray, "n band"],
    q: Float[np.ndarray, " n"],
    alpha: Float[np.ndarray, " n"],
) -> UInt8[np.ndarray, "n band y x"]:
    """Return display pictures as HumVI makes them, planes in the order of the bands.

    References:
        Lupton et al. 2004, PASP 116, 133, with the sum of the scaled bands as intensity and
        values clipped to white, as in Marshall et al. 2016, MNRAS 455, 1171 (Space Warps).
    """
    weights = (scales / scales.mean(1, keepdims=True)).astype(np.float32)
    scaled = image * weights[:, :, None, None]
    intensity = scaled.sum(1, keepdims=True)
    intensity = np.where(np.abs(intensity) < 1e-6, 1e-6, intensity)
    q = q[:, None, None, None].astype(np.float32)
    alpha = alpha[:, None, None, None].astype(np.float32)
    stretched = scaled * np.arcsinh(alpha * q * intensity) / (q * intensity)
    return (np.clip(stretched, 0, 1) * 255).astype(np.uint8)
