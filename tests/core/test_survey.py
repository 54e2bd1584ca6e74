"""Surveys: the constants, by themselves and against what others publish."""

from __future__ import annotations

import math

import pytest

from skysieve.core.errors import MissingError
from skysieve.core.survey import SURVEYS, survey

EVERY_BAND = [(camera.name, band.name) for camera in SURVEYS.values() for band in camera.bands]

SHIPPED = {
    ("cfhtls", "g"): (0.82, 31.2),
    ("cfhtls", "r"): (0.72, 30.5),
    ("cfhtls", "i"): (0.68, 30.2),
    ("des", "g"): (1.11, 29.154878137947627),
    ("des", "r"): (0.95, 28.685879704203106),
    ("des", "i"): (0.88, 28.00277737135641),
    ("hsc", "g"): (0.79, 30.372254586116824),
    ("hsc", "r"): (0.75, 30.31584001636997),
    ("hsc", "i"): (0.61, 29.79151144541764),
    ("ps1", "g"): (1.31, 27.289788279664698),
    ("ps1", "r"): (1.19, 27.085477444006614),
    ("ps1", "i"): (1.11, 26.90991748749193),
}
"""The shipped finder was trained with these to the last bit."""


@pytest.mark.parametrize(("name", "band"), SHIPPED)
def test_the_numbers_of_the_shipped_finder_stay(name, band):
    value = survey(name).band(band)
    assert (value.psf_fwhm_arcsec, value.sky_noise_ab) == SHIPPED[name, band]


def test_the_promised_surveys_are_there():
    bands = {name: tuple(band.name for band in camera.bands) for name, camera in SURVEYS.items()}
    assert bands == {
        "cfhtls": ("u", "g", "r", "i", "z"),
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


def sky_ab_arcsec2(name: str, band: str) -> float:
    """Return the brightness of the sky that explains the noise."""
    camera = survey(name)
    value = camera.band(band)
    rate = camera.sky_electrons(band) / value.total_exposure_s / camera.pixel_scale_arcsec**2
    return value.electron_zero_point_ab - 2.5 * math.log10(rate)


@pytest.mark.parametrize(
    ("name", "band"),
    [(n, b) for n, b in EVERY_BAND if n in ("des", "lsst", "euclid-vis")],
)
def test_the_sky_that_explains_the_depth_is_the_sky_that_others_publish(name, band):
    configurations = pytest.importorskip("lenstronomy.SimulationAPI.ObservationConfig")
    import importlib

    module = {"des": "DES", "lsst": "LSST", "euclid-vis": "Euclid"}[name]
    telescope = getattr(importlib.import_module(f"{configurations.__name__}.{module}"), module)
    told = telescope(band=band).kwargs_single_band()
    value = survey(name).band(band)
    assert value.electron_zero_point_ab == pytest.approx(told["magnitude_zero_point"], abs=0.01)
    assert value.psf_fwhm_arcsec == pytest.approx(told["seeing"], abs=0.02)
    assert sky_ab_arcsec2(name, band) == pytest.approx(told["sky_brightness"], abs=1.1)


def test_an_unknown_survey_or_band_names_what_is_near():
    with pytest.raises(MissingError, match="Did you mean 'cfhtls'"):
        survey("cfhlts")
    with pytest.raises(MissingError, match="It has Y, J, H"):
        survey("euclid-nisp").band("K")
