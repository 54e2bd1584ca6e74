"""Surveys: the constants, by themselves and against what others publish."""

from __future__ import annotations

import math

import pytest

from skysieve.core.bands import noise_of_sky
from skysieve.core.errors import MissingError
from skysieve.core.survey import SURVEYS, survey

EVERY_BAND = [(camera.name, band.name) for camera in SURVEYS.values() for band in camera.bands]

SHIPPED = {
    ("cfhtls", "g"): (0.82, 31.2),
    ("cfhtls", "r"): (0.72, 30.5),
    ("cfhtls", "i"): (0.68, 30.2),
    ("hsc", "g"): (0.79, 30.372254586116824),
    ("hsc", "r"): (0.75, 30.31584001636997),
    ("hsc", "i"): (0.61, 29.79151144541764),
    ("ps1", "g"): (1.31, 27.289788279664698),
    ("ps1", "r"): (1.19, 27.085477444006614),
    ("ps1", "i"): (1.11, 26.90991748749193),
}
"""The shipped finder was trained with those of cfhtls, scenarios draw with those of hsc."""


@pytest.mark.parametrize(("name", "band"), SHIPPED)
def test_the_numbers_of_the_shipped_finder_stay(name, band):
    value = survey(name).band(band)
    assert (value.psf_fwhm_arcsec, value.sky_noise_ab) == SHIPPED[name, band]


def test_the_promised_surveys_are_there():
    bands = {name: tuple(band.name for band in camera.bands) for name, camera in SURVEYS.items()}
    assert bands == {
        "cfhtls": ("u", "g", "r", "i", "z"),
        "cfhtls-wide": ("u", "g", "r", "i", "z"),
        "des": ("g", "r", "i", "z", "Y"),
        "euclid-nisp": ("Y", "J", "H"),
        "euclid-vis": ("VIS",),
        "hsc": ("g", "r", "i", "z", "y"),
        "hst-acs": ("F814W",),
        "hst-wfc3": ("F160W",),
        "lsst": ("u", "g", "r", "i", "z", "y"),
        "ps1": ("g", "r", "i", "z", "y"),
        "sdss": ("u", "g", "r", "i", "z"),
    }


@pytest.mark.parametrize(("name", "band"), EVERY_BAND)
def test_sky_and_readouts_together_are_the_noise(name, band):
    camera = survey(name)
    readouts = camera.band(band).exposures * camera.read_noise_electrons**2
    electrons = math.sqrt(camera.sky_electrons(band) + readouts)
    noise = electrons / camera.electrons_per_count(band)
    assert camera.sky_electrons(band) > 0
    assert noise == pytest.approx(camera.sky_noise_counts(band), rel=1e-9)


@pytest.mark.parametrize(("name", "band"), EVERY_BAND)
def test_a_star_of_the_zero_point_gives_an_electron_a_second(name, band):
    camera = survey(name)
    value = camera.band(band)
    counts = 10 ** (0.4 * (camera.zero_point_ab - value.electron_zero_point_ab))
    assert counts * camera.electrons_per_count(band) == pytest.approx(value.total_exposure_s)


PSF = None
ACS_LIGHT_AB = 0.36
"""What an aperture of 0.24 arcsec leaves out of a star (ACS Instrument Handbook)."""
DEPTHS = {
    # Erben et al. 2013: 5 sigma in a circle with a radius of 2 arcsec.
    "cfhtls-wide": (5, 4.0, {"u": 25.24, "g": 25.58, "r": 24.88, "i": 24.54, "z": 23.46}),
    "des": (10, 1.95, {"g": 24.7, "r": 24.4, "i": 23.8, "z": 23.1, "Y": 21.7}),
    # Cuillandre et al. 2025: 24.5 in all bands, from 1.2 arcsec and what that leaves out.
    "euclid-nisp": (5, 1.2, {"Y": 24.5 + 0.130, "J": 24.5 + 0.167, "H": 24.5 + 0.249}),
    "euclid-vis": (10, 1.3, {"VIS": 25.6}),
    "hsc": (5, PSF, {"g": 26.5, "r": 26.5, "i": 26.2, "z": 25.2, "y": 24.4}),
    "hst-acs": (5, 0.24, {"F814W": 27.2 + ACS_LIGHT_AB}),
    "lsst": (5, PSF, {"u": 26.1, "g": 27.4, "r": 27.5, "i": 26.8, "z": 26.1, "y": 24.9}),
    "ps1": (5, PSF, {"g": 23.3, "r": 23.2, "i": 23.1, "z": 22.3, "y": 21.4}),
    "sdss": (5, PSF, {"u": 22.15, "g": 23.13, "r": 22.7, "i": 22.2, "z": 20.71}),
}
"""Published depths: sigmas, diameter of the aperture in arcsec or the PSF's own, AB magnitudes."""
FAINT_SKY = {("lsst", "y"): 0.55, ("hsc", "y"): 0.31}
"""Where the sky glows: the published darkest sky promises more than the published depth."""
TIED = [(name, band) for name, (_, _, limits) in DEPTHS.items() for band in limits]


def depth_of(noise_ab: float, name: str, band: str) -> float:
    """Return the limit that a noise of the sky means, in the sense of the published one."""
    camera = survey(name)
    sigmas, diameter, _ = DEPTHS[name]
    if diameter is PSF:
        sigma = camera.band(band).psf_fwhm_arcsec / 2.355
        area = 4 * math.pi * sigma**2
    else:
        area = math.pi * diameter**2 / 4
    pixels = area / camera.pixel_scale_arcsec**2
    return noise_ab - 2.5 * math.log10(sigmas * math.sqrt(pixels))


def test_every_survey_is_tied_to_its_depth():
    # cfhtls is frozen as its pictures look, and two orbits of WFC3 are no survey.
    assert set(SURVEYS) - set(DEPTHS) == {"cfhtls", "hst-wfc3"}
    assert len(TIED) == sum(len(survey(name).bands) for name in DEPTHS)


@pytest.mark.parametrize(("name", "band"), TIED)
def test_the_noise_means_the_published_depth(name, band):
    noise = survey(name).band(band).sky_noise_ab
    assert depth_of(noise, name, band) == pytest.approx(DEPTHS[name][2][band], abs=0.3)


@pytest.mark.parametrize(("name", "band"), TIED)
def test_the_published_sky_and_exposures_mean_the_published_depth(name, band):
    camera = survey(name)
    value = camera.band(band)
    exposing = (value.exposure_s, value.exposures, value.electron_zero_point_ab)
    noise = noise_of_sky(
        value.sky_ab_arcsec2, exposing, camera.read_noise_electrons, camera.pixel_scale_arcsec
    )
    tolerance = FAINT_SKY.get((name, band), 0.3)
    assert depth_of(noise, name, band) == pytest.approx(DEPTHS[name][2][band], abs=tolerance)


@pytest.mark.parametrize(
    ("name", "band"),
    [(n, b) for n, b in EVERY_BAND if n in ("des", "lsst", "euclid-vis", "euclid-nisp")],
)
def test_sky_seeing_and_zero_point_are_those_that_others_use(name, band):
    configurations = pytest.importorskip("lenstronomy.SimulationAPI.ObservationConfig")
    import importlib

    module = {"des": "DES", "lsst": "LSST"}.get(name, "Euclid")
    telescope = getattr(importlib.import_module(f"{configurations.__name__}.{module}"), module)
    told = telescope(band=band).kwargs_single_band()
    value = survey(name).band(band)
    assert value.electron_zero_point_ab == pytest.approx(told["magnitude_zero_point"], abs=0.01)
    assert value.psf_fwhm_arcsec == pytest.approx(told["seeing"], abs=0.02)
    assert value.sky_ab_arcsec2 == pytest.approx(told["sky_brightness"], abs=0.05)


def test_an_unknown_survey_or_band_names_what_is_near():
    with pytest.raises(MissingError, match="Did you mean 'cfhtls'"):
        survey("cfhlts")
    with pytest.raises(MissingError, match="It has Y, J, H"):
        survey("euclid-nisp").band("K")
