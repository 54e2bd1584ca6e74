"""What galaxies look like from the ground: magnitudes, colors and sizes by redshift.

The tables are rounded readings of published color tracks; they decide how plausible a scene is,
not a measurement. Magnitudes are AB.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from astropy.cosmology import FlatLambdaCDM
from jaxtyping import Float

COSMOLOGY: Any = FlatLambdaCDM(H0=70, Om0=0.3)  # pyright: ignore[reportCallIssue]  astropy types its cosmologies by descriptors

_Z = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 3.5])

# Passive evolution of a luminous red galaxy (Eisenstein et al. 2001, AJ 122, 2267, table 1).
_RED_GR = np.array([.77, .95, 1.2, 1.45, 1.62, 1.70, 1.72, 1.75, 1.8, 1.9, 2.0, 2.0, 1.8, 1.6, 1.5, 1.5, 1.8])  # fmt: skip
_RED_RI = np.array([.38, .41, .45, .52, .63, .78, .95, 1.08, 1.18, 1.25, 1.3, 1.3, 1.2, 1.0, .9, .8, .8])  # fmt: skip
_RED_I = np.array([12., 15.6, 17.1, 18.05, 18.75, 19.35, 19.9, 20.35, 20.75, 21.1, 21.45, 22.1, 23., 24., 25., 25., 26.])  # fmt: skip

# Sbc and Im templates (Coleman, Wu & Weedman 1980, ApJS 43, 393; Fukugita et al. 1995, PASP 107, 945).
_DISK_GR = np.array([.55, .7, .85, 1.0, 1.05, 1.0, .95, .9, .85, .75, .65, .55, .4, .35, .4, .6, 1.2])  # fmt: skip
_DISK_RI = np.array([.32, .33, .35, .42, .5, .62, .7, .72, .72, .72, .7, .6, .45, .3, .25, .2, .2])  # fmt: skip
_BLUE_GR = np.array([.2, .3, .42, .5, .48, .42, .4, .4, .38, .33, .28, .22, .15, .12, .18, .4, 1.0])  # fmt: skip
_BLUE_RI = np.array([.05, .1, .12, .18, .25, .3, .3, .28, .27, .28, .28, .25, .18, .1, .06, .05, .1])  # fmt: skip
_TRACKS = {
    "red": (_RED_GR, _RED_RI),
    "disk": (_DISK_GR, _DISK_RI),
    "blue": (_BLUE_GR, _BLUE_RI),
}
REFERENCE_DISPERSION_KM_S = 250.0


def colors(track: str, redshift: float) -> tuple[float, float]:
    """Return g - r and r - i of a track (``red``, ``disk`` or ``blue``) at a redshift."""
    gr, ri = _TRACKS[track]
    return float(np.interp(redshift, _Z, gr)), float(np.interp(redshift, _Z, ri))


def red_magnitude_i(redshift: float, dispersion_km_s: float) -> float:
    """Return the apparent i of an early-type galaxy with this velocity dispersion.

    References:
        Faber & Jackson 1976, ApJ 204, 668: luminosity as the fourth power of the dispersion.
    """
    faber_jackson = -10 * np.log10(dispersion_km_s / REFERENCE_DISPERSION_KM_S)
    return float(np.interp(redshift, _Z, _RED_I) + faber_jackson)


def red_radius_arcsec(redshift: float, dispersion_km_s: float) -> float:
    """Return the effective radius of an early-type galaxy (Hyde & Bernardi 2009, MNRAS 394, 1978).

    The size grows as about the dispersion to 1.6 at fixed redshift; 4.5 kpc at 250 km/s.
    """
    kpc = 4.5 * (dispersion_km_s / REFERENCE_DISPERSION_KM_S) ** 1.6
    return kpc / kpc_per_arcsec(redshift)


def kpc_per_arcsec(redshift: float) -> float:
    """Return the proper length that an arcsec spans at a redshift."""
    z, kpc = _scale_table()
    return float(np.interp(redshift, z, kpc))


def einstein_radius_arcsec(dispersion_km_s: float, lens: float, source: float) -> float:
    """Return the Einstein radius of an isothermal sphere; 0 if the source is not behind the lens.

    References:
        Kochanek, Schneider & Wambsganss 2006 (Saas-Fee 33), eq. B.17: 4 pi (sigma/c)^2 D_ls/D_s.
    """
    if source <= lens:
        return 0.0
    z, comoving = _distance_table()
    d_lens, d_source = np.interp([lens, source], z, comoving)
    radians = 4 * np.pi * (dispersion_km_s / 299_792.458) ** 2 * (1 - d_lens / d_source)
    return float(np.degrees(radians) * 3600)


def flux(magnitude: float, gr: float, ri: float) -> Float[np.ndarray, "3"]:
    """Return the counts in g, r, i at zero point 30 of an object with this i and colors."""
    mags = np.array([magnitude + ri + gr, magnitude + ri, magnitude])
    return 10 ** (-0.4 * (mags - 30.0))


def dispersion_weight(dispersion_km_s: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Return the number density per dispersion times the lensing cross-section, unnormalized.

    References:
        Choi, Park & Vogeley 2007, ApJ 658, 884, eq. 4: sigma* 161 km/s, alpha 2.32, beta 2.67;
        the cross-section of an isothermal sphere goes as the fourth power.
    """
    s = dispersion_km_s / 161.0
    return s ** (2.32 - 1) * np.exp(-(s**2.67)) * s**4


@lru_cache(maxsize=1)
def _distance_table() -> tuple[np.ndarray, np.ndarray]:
    z = np.linspace(0.001, 6.0, 2000)
    return z, COSMOLOGY.comoving_distance(z).value


@lru_cache(maxsize=1)
def _scale_table() -> tuple[np.ndarray, np.ndarray]:
    z, comoving = _distance_table()
    return z, comoving / (1 + z) * 1000 * np.pi / 180 / 3600
