"""How many lenses, sources and quasars the sky holds, and what they are like, as published.

Densities are functions of arrays; what is drawn for one object takes its random stream. The cosmology
is that of ``galaxies``; h is 0.7.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Num
from scipy.special import gamma, gammainc, gammaincinv

from skysieve.simulate.galaxies import COSMOLOGY

H = 0.7
LIGHT_KM_S = 299_792.458
ARCMIN2, DEG2 = 3600.0, 3600.0**2
"""Square arcseconds in a square arcminute and in a square degree."""
LARGEST_REDSHIFT = 6.0

Numbers = Float[np.ndarray, "..."] | float

# ------------------------------------------------------------------------------------ distances


def volume(redshift: Numbers) -> Numbers:
    """Return the comoving volume per redshift and square degree, in cubic Mpc.

    References:
        Hogg 1999, astro-ph/9905116, eq. 28.
    """
    z, _, shell = _distances()
    return np.interp(redshift, z, shell)


def reach(lens: Numbers, source: Numbers) -> Numbers:
    """Return the share of the full deflection that a source sees: D_ls / D_s, 0 in front."""
    z, comoving, _ = _distances()
    near, far = np.interp(lens, z, comoving), np.interp(source, z, comoving)
    return np.maximum(1 - near / far, 0)


def distance_modulus(redshift: Numbers) -> Numbers:
    """Return apparent less absolute magnitude without K correction."""
    z, comoving, _ = _distances()
    return 5 * np.log10((1 + redshift) * np.interp(redshift, z, comoving) * 1e5)


def comoving_mpc(arcsec: float, redshift: float) -> float:
    """Return the comoving length that an angle spans at a redshift."""
    z, comoving, _ = _distances()
    return math.radians(arcsec / 3600) * float(np.interp(redshift, z, comoving))


def dispersion(radius_arcsec: Numbers, lens: Numbers, source: Numbers) -> Numbers:
    """Return the velocity dispersion, in km/s, that gives an isothermal sphere this Einstein radius.

    Infinite where the source is not behind the lens.

    References:
        Kochanek, Schneider & Wambsganss 2006 (Saas-Fee 33), eq. B.17.
    """
    with np.errstate(divide="ignore"):
        strength = np.radians(np.asarray(radius_arcsec) / 3600) / reach(lens, source)
    return LIGHT_KM_S * np.sqrt(strength / (4 * np.pi))


@lru_cache(maxsize=1)
def _distances() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z = np.linspace(1e-4, LARGEST_REDSHIFT, 3000)
    comoving = COSMOLOGY.comoving_distance(z).value
    shell = COSMOLOGY.differential_comoving_volume(z).value * np.radians(1) ** 2
    return z, comoving, shell


# ------------------------------------------------------------------------------------ deflectors


def galaxy_density(dispersion_km_s: Numbers, _redshift: Numbers | None = None) -> Numbers:
    """Return early-type galaxies per comoving cubic Mpc and km/s, at all redshifts alike.

    References:
        Choi, Park & Vogeley 2007, ApJ 658, 884, eq. 4 and table: phi* 8.0e-3 h^3, sigma* 161 km/s,
        alpha 2.32, beta 2.67; without evolution as in Collett 2015, ApJ 811, 20, section 2.1.
    """
    star, alpha, beta = 161.0, 2.32, 2.67
    s = np.minimum(np.asarray(dispersion_km_s) / star, 50.0)
    shape = s**alpha * np.exp(-(s**beta)) * beta / gamma(alpha / beta)
    return 8.0e-3 * H**3 * shape / (s * star)


def companion_density(distance_mpc: Numbers) -> Numbers:
    """Return how many comoving Mpc of mean density galaxies near another one stand for.

    Times a density it gives the early-type galaxies per square Mpc at a projected comoving
    distance from one of them.

    References:
        Zehavi et al. 2005, ApJ 621, 22: r0 9.8 Mpc/h and slope 1.94; Masjedi et al. 2006, ApJ 644,
        54, find the power law to go on to 0.01 Mpc/h; projected as in Davis & Peebles 1983.
    """
    r0, slope = 9.8 / H, 1.94
    factor = gamma(0.5) * gamma((slope - 1) / 2) / gamma(slope / 2)
    return factor * r0**slope * np.asarray(distance_mpc) ** (1 - slope)


def draw_axis_ratio(rng: np.random.Generator, dispersion_km_s: float) -> float:
    """Return the axis ratio of the mass of a galaxy, 0.2 to 1; heavier ones are rounder.

    References:
        Collett 2015, ApJ 811, 20, eq. 4 (with the sign of its code, LensPop).
    """
    scale = max(0.378 - 5.72e-4 * dispersion_km_s, 0.1)
    return 1 - _rayleigh(rng, scale, 0.8)


def _rayleigh(rng: np.random.Generator, scale: float, most: float) -> float:
    """Return a number of a Rayleigh distribution cut at ``most``, from one draw."""
    inside = 1 - math.exp(-0.5 * (most / scale) ** 2)
    return scale * math.sqrt(-2 * math.log(1 - rng.random() * inside))


def draw_slope(rng: np.random.Generator, *, group: bool = False) -> float:
    """Return the slope of the density of a deflector in space, between 1.3 and 2.6.

    References:
        Auger et al. 2010, ApJ 724, 511: 2.078 with an intrinsic scatter of 0.16; of groups, Newman,
        Ellis & Treu 2015, ApJ 814, 26: 1.64, with a scatter of 0.1 that is ours.
    """
    mean, scatter = (1.64, 0.1) if group else (2.078, 0.16)
    return float(np.clip(rng.normal(mean, scatter), 1.3, 2.6))


def draw_shear(rng: np.random.Generator) -> Float[np.ndarray, "2"]:
    """Return the external shear, gamma 1 and gamma 2: log-normal in strength, in any direction.

    References:
        Oguri & Marshall 2010, MNRAS 405, 2579, section 2.2: mean 0.05, 0.2 dex, after Holder &
        Schechter 2003, ApJ 589, 688.
    """
    strength, angle = 0.05 * 10 ** rng.normal(0, 0.2), rng.uniform(0, 2 * np.pi)
    return strength * np.array([np.cos(angle), np.sin(angle)])


def draw_multipoles(rng: np.random.Generator, phi: float) -> Float[np.ndarray, "4"]:
    """Return amplitude and angle of the multipoles of order 3 and 4 of a deflector.

    Order 3 lies anywhere; order 4 along the major axis, disky or boxy.

    References:
        Hao et al. 2006, MNRAS 370, 1339, on isophotes of 847 early types: scatter of a3/a about
        0.005 and of a4/a about 0.01, in the rounding of Gilman et al. 2024, MNRAS 530, 1474.
    """
    return np.array([rng.normal(0, 0.005), rng.uniform(0, 2 * np.pi / 3), rng.normal(0, 0.01), phi])


def early_type(rng: np.random.Generator, dispersion_km_s: float) -> tuple[float, float]:
    """Return absolute magnitude in r and effective radius in kpc of an early-type galaxy.

    The radius follows the dispersion, and the fundamental plane then gives the surface brightness.

    References:
        Hyde & Bernardi 2009, MNRAS 394, 1978, radius by dispersion, as in LensPop (Collett 2015);
        Hyde & Bernardi 2009, MNRAS 396, 1171, the plane in r: log R = 1.434 log sigma + 0.315 mu
        - 9.10, with an intrinsic scatter of 0.058 dex.
    """
    v = math.log10(dispersion_km_s)
    log_kpc = 2.46 - 2.79 * v + 0.84 * v**2 + rng.normal(0, 0.11)
    brightness = (log_kpc - 1.434 * v + 9.10 + rng.normal(0, 0.058)) / 0.315
    arcsec_at_10_pc = log_kpc + math.log10(math.degrees(1e3 / 10) * 3600)
    return brightness - 2.5 * math.log10(2 * math.pi) - 5 * arcsec_at_10_pc, 10**log_kpc


# --------------------------------------------------------------------------------------- sources


def galaxy_counts(i_ab: Numbers) -> Numbers:
    """Return galaxies per magnitude and square arcsec of the sky.

    References:
        LSST Science Collaboration 2009, arXiv:0912.0201, section 3.7.2: 46 x 10^(0.31 (i - 25))
        per square arcmin brighter than i, for 20.5 < i < 25.5.
    """
    return 46 * 10 ** (0.31 * (np.asarray(i_ab) - 25)) * 0.31 * math.log(10) / ARCMIN2


def source_redshift(share: Numbers, i_ab: Numbers) -> Numbers:
    """Return the redshift below which a share of the galaxies of a magnitude lies.

    References:
        LSST Science Collaboration 2009, arXiv:0912.0201, section 3.7.2: (z/z0)^2 exp(-z/z0) / 2 z0
        with z0 = 0.0417 i - 0.744.
    """
    return gammaincinv(3.0, share) * _mean_redshift(i_ab)


def source_share(redshift: Numbers, i_ab: Numbers) -> Numbers:
    """Return the share of the galaxies of a magnitude below a redshift."""
    return gammainc(3.0, np.asarray(redshift) / _mean_redshift(i_ab))


def _mean_redshift(i_ab: Numbers) -> Numbers:
    return 0.0417 * np.asarray(i_ab) - 0.744


def absolute_uv(i_ab: float, redshift: float) -> float:
    """Return the absolute magnitude of a galaxy whose spectrum is flat in f_nu."""
    return i_ab - float(distance_modulus(np.array(redshift))) + 2.5 * math.log10(1 + redshift)


def draw_source_radius_kpc(rng: np.random.Generator, i_ab: float, redshift: float) -> float:
    """Return the effective radius of a star-forming galaxy.

    References:
        Shibuya, Ouchi & Harikane 2015, ApJS 219, 15: 6.9 (1+z)^-1.20 (L/L0)^0.27 kpc with L0 at
        an absolute magnitude of -21, log-normal with a scatter of 0.45 to 0.75 (here 0.6).
    """
    luminosity = 10 ** (-0.4 * (absolute_uv(i_ab, redshift) + 21))
    median = 6.9 * (1 + redshift) ** -1.20 * luminosity**0.27
    return float(median * np.exp(rng.normal(0, 0.6)))


def draw_source_axis_ratio(rng: np.random.Generator) -> float:
    """Return the axis ratio of a source, 0.2 to 1 (Collett 2015, ApJ 811, 20, section 2.2)."""
    return 1 - _rayleigh(rng, 0.3, 0.8)


def quasar_density(i_ab: float, redshift: Numbers) -> Numbers:
    """Return quasars per magnitude, redshift and square arcsec of the sky.

    References:
        Oguri & Marshall 2010, MNRAS 405, 2579, eqs. 10 to 12, after Richards et al. 2006, AJ 131,
        2766; K correction of a power law of index -0.5 in frequency.
    """
    z = np.asarray(redshift)
    zeta, xi, star = 2.98, 4.05, 1.60
    rise = np.exp(zeta * z) * (1 + math.exp(xi * star))
    bend = (np.sqrt(np.exp(xi * z)) + math.sqrt(math.exp(xi * star))) ** 2
    brightest = -20.90 + 5 * math.log10(H) - 2.5 * np.log10(rise / bend)
    absolute = i_ab - distance_modulus(z) + 2.5 * 0.5 * np.log10(1 + z)
    steep, flat = np.where(z < 3, -3.31, -2.58), -1.45
    above = absolute - brightest
    phi = 5.34e-6 * H**3
    phi = phi / (10 ** (0.4 * (steep + 1) * above) + 10 ** (0.4 * (flat + 1) * above))
    return phi * volume(z) / DEG2


# -------------------------------------------------------------------------------- what weights say


def effective_size(weights: Numbers) -> float:
    """Return how many equal weights would tell as much: the square of the sum over the squares' sum.

    References:
        Kish 1965, Survey Sampling, section 8.2.
    """
    total = float(np.sum(np.square(weights)))
    return float(np.sum(weights)) ** 2 / total if total > 0 else 0.0


def rate_per_deg2(weights: Numbers, tries: Num[np.ndarray, "..."] | float) -> float:
    """Return how many lenses of a kind a square degree holds, of those that its images show.

    Args:
        weights: Of images of one kind, as stored.
        tries: How many systems were drawn until each of them, as stored.
    """
    return float(np.sum(weights) / np.sum(tries))
