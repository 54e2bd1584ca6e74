"""Surveys as values: what a camera does to the sky."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from skysieve.core.errors import MissingError

PixelKind = Literal["flux", "display"]
"""``flux``: linear in the light received. ``display``: stretched for the eye, as in a PNG."""

BANDS_BLUE_TO_RED = ("u", "g", "VIS", "r", "i", "z", "y", "Y", "J", "H", "K", "Ks")
"""The band names skysieve knows, by wavelength. HSC and LSST write y; VISTA, DES and Euclid Y."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """One band of a survey.

    Args:
        name: Its name, as in ``BANDS_BLUE_TO_RED``.
        psf_fwhm_arcsec: Median seeing.
        sky_noise_ab: AB magnitude whose flux equals the standard deviation of the sky noise
            in one pixel of the stacked image.
    """

    name: str
    psf_fwhm_arcsec: float
    sky_noise_ab: float


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A survey camera and its depth.

    Args:
        name: Short name in lower case.
        pixel_scale_arcsec: Size of a pixel.
        bands: From blue to red.
        zero_point_ab: AB magnitude of one count in its coadded images.
        source: Where the numbers come from.
    """

    name: str
    pixel_scale_arcsec: float
    bands: tuple[Band, ...]
    zero_point_ab: float
    source: str


def _depth(five_sigma_ab: float, psf_fwhm_arcsec: float, pixel_scale_arcsec: float) -> float:
    """Return the sky noise of a pixel, as a magnitude, from a 5 sigma point-source depth.

    For background-limited noise the optimal point-source aperture holds
    ``4 pi (FWHM / 2.355)^2`` of sky (King 1983, PASP 95, 163).
    """
    pixels = 4 * math.pi * (psf_fwhm_arcsec / 2.355 / pixel_scale_arcsec) ** 2
    return five_sigma_ab + 2.5 * math.log10(5 * math.sqrt(pixels))


def _survey(
    name: str,
    pixel_scale_arcsec: float,
    zero_point_ab: float,
    bands: dict[str, tuple[float, float]],
    source: str,
) -> Survey:
    """Return a survey from the seeing and 5 sigma depth of each band."""
    return Survey(
        name=name,
        pixel_scale_arcsec=pixel_scale_arcsec,
        zero_point_ab=zero_point_ab,
        bands=tuple(
            Band(
                name=band,
                psf_fwhm_arcsec=fwhm,
                sky_noise_ab=_depth(depth, fwhm, pixel_scale_arcsec),
            )
            for band, (fwhm, depth) in bands.items()
        ),
        source=source,
    )


SURVEYS = {
    survey.name: survey
    for survey in (
        Survey(
            name="cfhtls",
            pixel_scale_arcsec=0.187,
            zero_point_ab=30.0,
            bands=(
                Band(name="g", psf_fwhm_arcsec=0.82, sky_noise_ab=31.2),
                Band(name="r", psf_fwhm_arcsec=0.72, sky_noise_ab=30.5),
                Band(name="i", psf_fwhm_arcsec=0.68, sky_noise_ab=30.2),
            ),
            source="Seeing: Erben et al. 2013, MNRAS 433, 2545. Noise: read off the sky in Space "
            "Warps color pictures, whose stretch is known; resampling has smoothed it",
        ),
        _survey(
            "des",
            0.263,
            30.0,
            {"g": (1.11, 25.4), "r": (0.95, 25.1), "i": (0.88, 24.5)},
            "Abbott et al. 2021, ApJS 255, 20 (DES DR2): median PSF FWHM; depth +0.7 for point sources",
        ),
        _survey(
            "hsc",
            0.168,
            27.0,
            {"g": (0.79, 26.5), "r": (0.75, 26.5), "i": (0.61, 26.2)},
            "Aihara et al. 2022, PASJ 74, 247 (HSC PDR3): Wide layer",
        ),
        _survey(
            "ps1",
            0.25,
            25.0,
            {"g": (1.31, 23.3), "r": (1.19, 23.2), "i": (1.11, 23.1)},
            "Chambers et al. 2016, arXiv:1612.05560 (3 pi stack)",
        ),
    )
}


def survey(name: str) -> Survey:
    """Return a survey by name.

    Raises:
        MissingError: No survey has that name.
    """
    try:
        return SURVEYS[name.lower()]
    except KeyError:
        known = ", ".join(sorted(SURVEYS))
        raise MissingError(f"No survey is called {name!r}", f"Known are {known}") from None
