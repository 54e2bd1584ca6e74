"""How many halos of groups there are, by their velocity dispersion."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from skysieve.simulate.galaxies import COSMOLOGY
from skysieve.simulate.lens_population import H, Numbers

MATTER, BARYONS, SPECTRAL_INDEX, SIGMA_8 = 0.3, 0.05, 0.965, 0.81
"""Planck Collaboration 2020, A&A 641, A6, rounded, but for the matter of the project's cosmology."""
CRITICAL = 2.775e11 * H**2
"""Critical density today, in solar masses per cubic Mpc."""
COLLAPSE = 1.686


def halo_density(dispersion_km_s: Numbers, redshift: Numbers) -> Numbers:
    """Return halos per comoving cubic Mpc and km/s of the velocity dispersion of their matter.

    References:
        Evrard et al. 2008, ApJ 672, 122: 1082.9 km/s (h(z) M200 / 1e15 solar masses)^0.3361.
    """
    speed, slope = 1082.9, 0.3361
    hubble = H * COSMOLOGY.efunc(np.asarray(redshift))
    finite = np.minimum(np.asarray(dispersion_km_s), 3000.0)  # heavier ones there are none
    mass = 1e15 / hubble * (finite / speed) ** (1 / slope)
    return mass_function(mass, redshift) / (slope * np.asarray(dispersion_km_s))


def mass_function(mass: Numbers, redshift: Numbers) -> Numbers:
    """Return halos per comoving cubic Mpc and natural logarithm of their mass in solar masses.

    References:
        Sheth & Tormen 1999, MNRAS 308, 119, eq. 10.
    """
    norm, a, p = 0.3222, 0.707, 0.3
    log_mass, log_sigma, steepness = _fluctuations()
    sigma = np.exp(np.interp(np.log(mass), log_mass, log_sigma))
    slope = np.interp(np.log(mass), log_mass, steepness)
    nu2 = a * (COLLAPSE / (sigma * growth(redshift))) ** 2
    peaks = norm * np.sqrt(2 * nu2 / np.pi) * (1 + nu2**-p) * np.exp(-nu2 / 2)
    return MATTER * CRITICAL / mass * peaks * -slope


def growth(redshift: Numbers) -> Numbers:
    """Return how far fluctuations have grown, over today.

    References:
        Carroll, Press & Turner 1992, ARA&A 30, 499, eq. 29.
    """
    z = np.asarray(redshift)

    def factor(z: Numbers) -> Numbers:
        expansion = MATTER * (1 + z) ** 3 + 1 - MATTER
        matter, vacuum = MATTER * (1 + z) ** 3 / expansion, (1 - MATTER) / expansion
        below = matter ** (4 / 7) - vacuum + (1 + matter / 2) * (1 + vacuum / 70)
        return 2.5 * matter / below / (1 + z)

    return factor(z) / factor(np.zeros(()))


@lru_cache(maxsize=1)
def _fluctuations() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log mass, the log of the fluctuations at that mass today, and their slope."""
    k = np.geomspace(1e-4, 1e2, 4000)  # per Mpc
    power = k**SPECTRAL_INDEX * transfer(k) ** 2

    def sigma(radius: float) -> float:
        x = k * radius
        window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
        return float(np.sqrt(np.trapezoid(power * window**2 * k**3, np.log(k))))

    log_mass = np.linspace(np.log(1e10), np.log(1e16), 200)
    radii = (3 * np.exp(log_mass) / (4 * np.pi * MATTER * CRITICAL)) ** (1 / 3)
    log_sigma = np.log([SIGMA_8 * sigma(r) / sigma(8 / H) for r in radii])
    return log_mass, log_sigma, np.gradient(log_sigma, log_mass)


def transfer(k: Numbers) -> Numbers:
    """Return the transfer function of matter without wiggles, for wave numbers per Mpc.

    References:
        Eisenstein & Hu 1998, ApJ 496, 605, eqs. 26 and 28 to 31.
    """
    matter, baryons, theta = MATTER * H**2, BARYONS * H**2, 2.7255 / 2.7
    share = BARYONS / MATTER
    sound = 44.5 * np.log(9.83 / matter) / np.sqrt(1 + 10 * baryons**0.75)
    alpha = 1 - 0.328 * np.log(431 * matter) * share + 0.38 * np.log(22.3 * matter) * share**2
    shape = MATTER * H * (alpha + (1 - alpha) / (1 + (0.43 * k * sound) ** 4))
    q = k / H * theta**2 / shape
    low = np.log(2 * np.e + 1.8 * q)
    return low / (low + (14.2 + 731 / (1 + 62.5 * q)) * q**2)
