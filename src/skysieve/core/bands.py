"""What is known of a camera in one band, and the noise that published depths mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from skysieve.core.errors import MissingError

Exposing = tuple[float, int, float]
"""Duration of one exposure in s, number of exposures, AB magnitude of one electron per second."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """One band of a survey.

    Args:
        name: Its name, as in ``BANDS_BLUE_TO_RED``, or that of a filter of Hubble.
        psf_fwhm_arcsec: Median seeing.
        sky_noise_ab: AB magnitude whose flux equals the standard deviation of the sky noise
            in one pixel of the stacked image.
        exposure_s: Duration of one exposure.
        exposures: How many are stacked at a typical place.
        electron_zero_point_ab: AB magnitude that gives one electron per second.
        sky_ab_arcsec2: Brightness of the sky that is published for it, per square arcsec.
    """

    name: str
    psf_fwhm_arcsec: float
    sky_noise_ab: float
    exposure_s: float
    exposures: int
    electron_zero_point_ab: float
    sky_ab_arcsec2: float

    @property
    def total_exposure_s(self) -> float:
        """Duration of all exposures together."""
        return self.exposure_s * self.exposures


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A survey camera and its depth.

    Args:
        name: Short name in lower case.
        pixel_scale_arcsec: Size of a pixel of its stacked images.
        bands: From blue to red.
        zero_point_ab: AB magnitude of one count in its stacked images.
        read_noise_electrons: Of one readout of one pixel.
        gain_electrons: Electrons per unit of the converter (ADU); None where no one number holds.
        saturation_electrons: Charge at which a pixel is full; None where no one number holds.
        source: Where the numbers come from.
    """

    name: str
    pixel_scale_arcsec: float
    bands: tuple[Band, ...]
    zero_point_ab: float
    read_noise_electrons: float
    gain_electrons: float | None
    saturation_electrons: float | None
    source: str

    def band(self, name: str) -> Band:
        """Return one of its bands.

        Raises:
            MissingError: It has no band of that name.
        """
        for band in self.bands:
            if band.name == name:
                return band
        known = ", ".join(band.name for band in self.bands)
        raise MissingError(f"Survey {self.name} has no band {name!r}", f"It has {known}")

    def electrons_per_count(self, name: str) -> float:
        """Return how many electrons of all exposures together one count of a band stands for."""
        band = self.band(name)
        fainter = self.zero_point_ab - band.electron_zero_point_ab
        return band.total_exposure_s * 10 ** (-0.4 * fainter)

    def sky_noise_counts(self, name: str) -> float:
        """Return the standard deviation of the sky of a pixel, in counts of the stacked image."""
        return 10 ** (0.4 * (self.zero_point_ab - self.band(name).sky_noise_ab))

    def sky_electrons(self, name: str) -> float:
        """Return the sky that a pixel collects in all exposures, deduced from its noise.

        Noise is what surveys publish and what an image shows; so the sky is what the square of
        the noise leaves after the readouts. Never negative.
        """
        noise = self.sky_noise_counts(name) * self.electrons_per_count(name)
        return max(noise**2 - self.band(name).exposures * self.read_noise_electrons**2, 0.0)


def noise_of_depth(
    five_sigma_ab: float, psf_fwhm_arcsec: float, pixel_scale_arcsec: float
) -> float:
    """Return the sky noise of a pixel, as a magnitude, from a 5 sigma point-source depth.

    For background-limited noise the optimal point-source aperture holds
    ``4 pi (FWHM / 2.355)^2`` of sky (King 1983, PASP 95, 163).
    """
    pixels = 4 * math.pi * (psf_fwhm_arcsec / 2.355 / pixel_scale_arcsec) ** 2
    return five_sigma_ab + 2.5 * math.log10(5 * math.sqrt(pixels))


def noise_of_aperture(
    limit_ab: float, sigmas: float, radius_arcsec: float, scale_arcsec: float
) -> float:
    """Return the sky noise of a pixel, as a magnitude, from the depth in a circle."""
    pixels = math.pi * (radius_arcsec / scale_arcsec) ** 2
    return limit_ab + 2.5 * math.log10(sigmas * math.sqrt(pixels))


def noise_of_sky(
    sky_ab_arcsec2: float, band: Exposing, read_noise_electrons: float, scale_arcsec: float
) -> float:
    """Return the sky noise of a pixel, as a magnitude, from sky brightness and readouts."""
    exposure_s, exposures, zero_point = band
    total = exposure_s * exposures
    sky = total * scale_arcsec**2 * 10 ** (0.4 * (zero_point - sky_ab_arcsec2))
    noise = math.sqrt(sky + exposures * read_noise_electrons**2) / total
    return zero_point - 2.5 * math.log10(noise)


def bands_of_noise(
    rows: dict[str, tuple[float, float, Exposing]], sky_ab_arcsec2: Sequence[float]
) -> tuple[Band, ...]:
    """Return bands from their seeing, the noise of their sky, how they are exposed, and the sky."""
    return tuple(
        Band(
            name=name,
            psf_fwhm_arcsec=fwhm,
            sky_noise_ab=noise,
            exposure_s=exposing[0],
            exposures=exposing[1],
            electron_zero_point_ab=exposing[2],
            sky_ab_arcsec2=sky,
        )
        for (name, (fwhm, noise, exposing)), sky in zip(rows.items(), sky_ab_arcsec2, strict=True)
    )


def bands_of_depth(
    scale_arcsec: float,
    rows: dict[str, tuple[float, float, Exposing]],
    sky_ab_arcsec2: Sequence[float],
) -> tuple[Band, ...]:
    """Return bands from their seeing, 5 sigma point-source depth, how they are exposed, and the sky."""
    return bands_of_noise(
        {
            name: (fwhm, noise_of_depth(depth, fwhm, scale_arcsec), exposing)
            for name, (fwhm, depth, exposing) in rows.items()
        },
        sky_ab_arcsec2,
    )


def bands_of_sky(
    scale_arcsec: float,
    read_noise_electrons: float,
    rows: dict[str, tuple[float, float, Exposing]],
) -> tuple[Band, ...]:
    """Return bands from their seeing, the brightness of their sky, and how they are exposed."""
    return bands_of_noise(
        {
            name: (fwhm, noise_of_sky(sky, exposing, read_noise_electrons, scale_arcsec), exposing)
            for name, (fwhm, sky, exposing) in rows.items()
        },
        [sky for _, sky, _ in rows.values()],
    )
