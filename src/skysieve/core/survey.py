"""Surveys as values: what a camera does to the sky.

A survey is one camera on one pixel grid: an instrument whose bands have pixels of their own, such
as Euclid's VIS and NISP or Hubble's ACS and WFC3, is a survey of its own.
"""

from __future__ import annotations

import difflib
from typing import Literal

from skysieve.core.bands import (
    Survey,
    bands_of_depth,
    bands_of_noise,
    bands_of_sky,
    noise_of_aperture,
)
from skysieve.core.errors import MissingError

PixelKind = Literal["flux", "display"]
"""``flux``: linear in the light received. ``display``: stretched for the eye, as in a PNG."""

BANDS_BLUE_TO_RED = ("u", "g", "VIS", "r", "i", "z", "y", "Y", "J", "H", "K", "Ks")
"""The band names skysieve knows, by wavelength, besides Hubble's filters such as F814W.

HSC and LSST write y; VISTA, DES and Euclid Y.
"""

_ACS = (507.0, 4, 25.94)
_WFC3 = (600.0, 9, 25.96)


def _des_noise(limit_ab: float) -> float:
    return noise_of_aperture(limit_ab, 10, 1.95 / 2, 0.263)


SURVEYS = {
    survey.name: survey
    for survey in (
        # The recipe of the shipped finder draws with this noise: it never changes. It is that of
        # color pictures, 0.7 mag below the published depth; ``cfhtls-wide`` has the latter.
        Survey(
            name="cfhtls",
            pixel_scale_arcsec=0.187,
            zero_point_ab=30.0,
            bands=bands_of_noise(
                {
                    "u": (0.88, 30.9, (600, 5, 25.74)),
                    "g": (0.82, 31.2, (500, 5, 27.0)),
                    "r": (0.72, 30.5, (500, 4, 26.5)),
                    "i": (0.68, 30.2, (615, 7, 26.38)),
                    "z": (0.70, 29.1, (600, 6, 25.34)),
                },
                (22.7, 22.0, 21.3, 20.3, 19.4),
            ),
            read_noise_electrons=5.0,
            gain_electrons=1.62,
            saturation_electrons=106_000,
            source="Seeing: Erben et al. 2013, MNRAS 433, 2545. Noise: read off the sky in Space "
            "Warps color pictures, whose stretch is known; resampling has smoothed it; u and z as "
            "much below the limits of Erben et al. as g, r, i. Exposures: Hudelot et al. 2012, "
            "T0007. Camera: Boulade et al. 2003, SPIE 4841, 72, and the MegaPrime web pages",
        ),
        Survey(
            name="cfhtls-wide",
            pixel_scale_arcsec=0.187,
            zero_point_ab=30.0,
            bands=bands_of_sky(
                0.187,
                5.0,
                {
                    "u": (0.88, 22.7, (600, 5, 25.74)),
                    "g": (0.82, 22.0, (500, 5, 27.0)),
                    "r": (0.72, 21.3, (500, 4, 26.5)),
                    "i": (0.68, 20.3, (615, 7, 26.38)),
                    "z": (0.70, 19.4, (600, 6, 25.34)),
                },
            ),
            read_noise_electrons=5.0,
            gain_electrons=1.62,
            saturation_electrons=106_000,
            source="As cfhtls, with the noise of the dark sky of the MegaPrime web pages: to 0.25 "
            "mag the limits of Erben et al. 2013, MNRAS 433, 2545",
        ),
        Survey(
            name="des",
            pixel_scale_arcsec=0.263,
            zero_point_ab=30.0,
            bands=bands_of_noise(
                {
                    "g": (1.11, _des_noise(24.7), (90, 9, 26.58)),
                    "r": (0.95, _des_noise(24.4), (90, 9, 26.78)),
                    "i": (0.88, _des_noise(23.8), (90, 9, 26.75)),
                    "z": (0.83, _des_noise(23.1), (90, 9, 26.48)),
                    "Y": (0.90, _des_noise(21.7), (45, 9, 25.4)),
                },
                (22.01, 21.15, 19.89, 18.72, 17.96),
            ),
            read_noise_electrons=7.0,
            gain_electrons=4.0,
            saturation_electrons=130_000,
            source="Abbott et al. 2021, ApJS 255, 20 (DES DR2): median PSF FWHM; depth at 10 sigma "
            "in 1.95 arcsec. Sky: Abbott et al. 2018, ApJS 239, 18, table 1. Camera: Flaugher et "
            "al. 2015, AJ 150, 150; zero points as in lenstronomy 1.14",
        ),
        Survey(
            name="euclid-nisp",
            pixel_scale_arcsec=0.3,
            zero_point_ab=23.9,
            bands=bands_of_sky(
                0.3,
                6.1,
                {
                    "Y": (0.48, 22.1, (87.2, 4, 25.04)),
                    "J": (0.49, 22.2, (87.2, 4, 25.26)),
                    "H": (0.50, 22.3, (87.2, 4, 25.21)),
                },
            ),
            read_noise_electrons=6.1,
            gain_electrons=1.92,
            saturation_electrons=80_000,
            source="Seeing, sky and zero points: Cuillandre et al. 2025, A&A 697, A6 (ERO), whose "
            "depth the noise meets to 0.3 mag. Exposures and read noise: Jahnke et al. 2025, "
            "arXiv:2405.13493. Gain, and charge to which the response was measured: Kubik et al. "
            "2025, arXiv:2507.11072. Counts in microjansky",
        ),
        Survey(
            name="euclid-vis",
            pixel_scale_arcsec=0.1,
            zero_point_ab=23.9,
            bands=bands_of_noise(
                {"VIS": (0.16, noise_of_aperture(25.6, 10, 0.65, 0.1), (566, 4, 25.72))}, (22.3,)
            ),
            read_noise_electrons=4.2,
            gain_electrons=3.4,
            saturation_electrons=200_000,
            source="Seeing and depth (10 sigma, aperture of 1.3 arcsec): McCracken et al. 2025, "
            "arXiv:2503.15303 (Q1). Zero point and sky: Cuillandre et al. 2025, A&A 697, A6. "
            "Camera: Cropper et al. 2025, A&A 697, A2. Counts in microjansky",
        ),
        Survey(
            name="hsc",
            pixel_scale_arcsec=0.168,
            zero_point_ab=27.0,
            bands=bands_of_depth(
                0.168,
                {
                    "g": (0.79, 26.5, (150, 4, 28.9)),
                    "r": (0.75, 26.5, (150, 4, 28.86)),
                    "i": (0.61, 26.2, (200, 6, 28.61)),
                    "z": (0.68, 25.2, (200, 6, 27.68)),
                    "y": (0.68, 24.4, (200, 6, 27.34)),
                },
                (21.4, 20.6, 19.7, 18.3, 17.9),
            ),
            read_noise_electrons=4.5,
            gain_electrons=3.0,
            saturation_electrons=150_000,
            source="Aihara et al. 2022, PASJ 74, 247 (HSC PDR3): Wide layer. Camera: the "
            "observatory's HSC parameters; sky: its page of Suprime-Cam; zero points: the "
            "throughput in speclite, as in surveycodex",
        ),
        Survey(
            name="hst-acs",
            pixel_scale_arcsec=0.05,
            zero_point_ab=25.94,
            bands=bands_of_sky(0.05, 5.0, {"F814W": (0.09, 22.0, _ACS)}),
            read_noise_electrons=5.0,
            gain_electrons=2.0,
            saturation_electrons=84_000,
            source="COSMOS: Scoville et al. 2007, ApJS 172, 38; Koekemoer et al. 2007, ApJS 172, "
            "196. Sky (22.0 per arcsec2) and camera: ACS Instrument Handbook. Counts in electrons "
            "per second",
        ),
        Survey(
            name="hst-wfc3",
            pixel_scale_arcsec=0.08,
            zero_point_ab=25.96,
            bands=bands_of_sky(0.08, 12.0, {"F160W": (0.15, 22.3, _WFC3)}),
            read_noise_electrons=12.0,
            gain_electrons=2.5,
            saturation_electrons=78_000,
            source="Two orbits, drizzled, sky 22.3 per arcsec2, as in lenstronomy 1.14. Seeing: "
            "Windhorst et al. 2011, ApJS 193, 27. Camera: WFC3 Instrument Handbook. Counts in "
            "electrons per second",
        ),
        Survey(
            name="lsst",
            pixel_scale_arcsec=0.2,
            zero_point_ab=31.4,
            bands=bands_of_depth(
                0.2,
                {
                    "u": (0.81, 26.1, (30, 56, 26.5)),
                    "g": (0.77, 27.4, (30, 80, 28.3)),
                    "r": (0.73, 27.5, (30, 184, 28.13)),
                    "i": (0.71, 26.8, (30, 184, 27.79)),
                    "z": (0.69, 26.1, (30, 160, 27.4)),
                    "y": (0.68, 24.9, (30, 160, 26.58)),
                },
                (22.99, 22.26, 21.2, 20.48, 19.6, 18.61),
            ),
            read_noise_electrons=9.0,
            gain_electrons=1.6,
            saturation_electrons=100_000,
            source="Ivezic et al. 2019, ApJ 873, 111, tables 1 and 2: the stack of ten years. Zero "
            "points as in lenstronomy 1.14. Counts in nanojansky",
        ),
        Survey(
            name="ps1",
            pixel_scale_arcsec=0.25,
            zero_point_ab=25.0,
            bands=bands_of_depth(
                0.25,
                {
                    "g": (1.31, 23.3, (43, 12, 24.56)),
                    "r": (1.19, 23.2, (40, 12, 24.75)),
                    "i": (1.11, 23.1, (45, 12, 24.61)),
                    "z": (1.07, 22.3, (30, 12, 24.24)),
                    "y": (1.02, 21.4, (30, 12, 23.32)),
                },
                (21.92, 20.83, 19.79, 19.24, 18.24),
            ),
            read_noise_electrons=8.0,
            gain_electrons=1.0,
            saturation_electrons=60_000,
            source="Chambers et al. 2016, arXiv:1612.05560 (3 pi stack); zero points: Metcalfe et "
            "al. 2013, MNRAS 435, 1825; sky: Tonry et al. 2012, ApJ 750, 99, table 4",
        ),
        Survey(
            name="sdss",
            pixel_scale_arcsec=0.396,
            zero_point_ab=22.5,
            bands=bands_of_depth(
                0.396,
                {
                    "u": (1.53, 22.15, (53.9, 1, 23.6)),
                    "g": (1.44, 23.13, (53.9, 1, 25.7)),
                    "r": (1.32, 22.7, (53.9, 1, 25.6)),
                    "i": (1.26, 22.2, (53.9, 1, 25.35)),
                    "z": (1.29, 20.71, (53.9, 1, 23.3)),
                },
                (22.01, 21.84, 20.84, 20.16, 18.96),
            ),
            read_noise_electrons=6.0,
            gain_electrons=None,
            saturation_electrons=300_000,
            source="SDSS DR13 scope: median 5 sigma depth. Sky: SDSS DR17, other information. "
            "Seeing: Ross et al. 2011, MNRAS 417, 1350. Camera: Gunn et al. 1998, AJ 116, 3040 "
            "(the gain differs from band to band); zero points from typical frame headers and "
            "the throughput in speclite, to 0.1 mag. Counts in nanomaggies",
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
        near = difflib.get_close_matches(name.lower(), SURVEYS, n=1)
        fix = f"Did you mean {near[0]!r}? Known are {known}" if near else f"Known are {known}"
        raise MissingError(f"No survey is called {name!r}", fix) from None
