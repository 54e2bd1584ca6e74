"""Light in bands that a scene was not drawn in, from the spectra of galaxies and stars.

A scene is drawn in g, r and i. What it sends through other bands is that of the spectrum which has
its colors: of a galaxy one between three templates, of a star that of a black body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from skysieve.simulate.scenes import DISK, LIGHT, Scenes

PASSBANDS_NM = {
    "g": (400.0, 550.0),
    "r": (550.0, 695.0),
    "i": (695.0, 845.0),
    "VIS": (530.0, 920.0),
    "Y": (949.6, 1212.3),
    "J": (1167.6, 1567.0),
    "H": (1521.5, 2021.4),
}
"""Bands as boxes: Schirmer et al. 2022, A&A 662, A92 (Y, J, H); Cropper et al. 2025, A&A 697, A2
(VIS); the rest to 5 nm."""

DRAWN = ("g", "r", "i")
FINE = 60
"""Points of a band, evenly in the logarithm of the wavelength."""
TYPES, REDSHIFTS = (
    np.linspace(0, 2, 41),
    np.concatenate([np.arange(0, 2, 0.05), np.arange(2, 3.6, 0.1)]),
)
PASSIVE_UP_TO = 1.2
"""Redshift up to which a galaxy may have the spectrum of an elliptical."""
TEMPERATURES_K = np.geomspace(2300, 12000, 120)

# Coleman, Wu & Weedman 1980, ApJS 43, 393, beyond 1400 and 10,000 Angstrom as extended by
# Bolzonella, Miralles & Pello 2000, A&A 363, 476; at points that keep the colors of wide bands.
_WAVELENGTH_NM = np.array([
    100, 110, 120, 130, 140, 150, 170, 190, 210, 230, 250, 280, 310, 330, 350, 366, 378, 386, 398,
    406, 418, 430, 450, 470, 486, 502, 518, 542, 570, 606, 630, 658, 702, 718, 746, 790, 830, 880,
    940, 1000, 1057.5, 1122.5, 1202.5, 1302.5, 1397.5, 1452.5, 1507.5, 1605, 1675, 1755, 1855, 1945,
    2065, 2205])  # fmt: skip
_TEMPLATES = np.array([
    # An elliptical galaxy; flux for each wavelength, in any unit.
    [58, 64, 47, 47, 40, 34, 32, 34, 43, 40, 36, 106, 203, 310, 343, 411, 362, 322, 551, 733, 696,
     764, 1036, 1124, 1167, 1116, 1043, 1205, 1258, 1325, 1220, 1287, 1246, 1128, 1268, 1091, 1163,
     1161, 1049, 1100, 1018, 924, 835, 744, 631, 622, 609, 578, 570, 502, 409, 349, 298, 251],
    # Sbc: a spiral.
    [665, 770, 540, 610, 500, 500, 411, 390, 366, 349, 347, 348, 382, 449, 558, 599, 682, 764, 813,
     924, 938, 896, 1017, 994, 980, 977, 917, 941, 928, 879, 866, 852, 831, 826, 816, 801, 789, 776,
     763, 751, 700, 628, 563, 495, 426, 414, 404, 374, 363, 319, 266, 225, 192, 158],
    # Im: an irregular galaxy that forms stars.
    [3300, 3950, 2700, 2900, 2190, 2310, 2121, 1908, 1643, 1417, 1232, 1029, 914, 877, 876, 811, 930,
     1094, 1021, 1086, 1071, 950, 992, 941, 960, 1250, 805, 760, 716, 684, 655, 626, 587, 575, 555,
     528, 506, 484, 460, 444, 391, 342, 292, 251, 221, 207, 198, 176, 164, 142, 120, 104, 87, 70],
], np.float64)  # fmt: skip


def to_bands(scenes: Scenes, bands: Sequence[str]) -> Scenes:
    """Return scenes with the light that they send through other bands.

    The light in i stays; the redshift of host and source is that of the scene, those of neighbors
    and companions are whatever fits their colors best.

    Args:
        scenes: Drawn in g, r and i.
        bands: Names of ``PASSBANDS_NM``.
    """
    lens = np.array([facts["z_lens"] for facts in scenes.facts])
    source = np.array([facts.get("z_source", np.nan) for facts in scenes.facts])
    hosts = np.arange(scenes.light.shape[1]) < np.array(scenes.hosts)[:, None]
    return replace(
        scenes,
        light=_table(scenes.light, len(LIGHT), np.where(hosts, lens[:, None], np.nan), bands),
        disks=_table(scenes.disks, len(DISK), lens[:, None], bands),
        source=_table(scenes.source, len(LIGHT), source[:, None], bands),
        companions=_table(scenes.companions, len(LIGHT), np.full((1, 1), np.nan), bands),
    )


def _table(
    table: Float[np.ndarray, "n row column"],
    first: int,
    redshift: Float[np.ndarray, "#n #row"],
    bands: Sequence[str],
) -> Float[np.ndarray, "n row columns"]:
    """Return a table whose columns from the first flux on are those of other bands."""
    fluxes, at = table[..., first:], np.broadcast_to(redshift, table.shape[:2])
    result = np.zeros((*table.shape[:2], len(bands)))
    for place in zip(*np.nonzero(fluxes[..., -1] > 0), strict=True):
        colors = -2.5 * np.log10(np.maximum(fluxes[place], 1e-30))
        gr, ri = -np.diff(colors)
        if table[place][LIGHT.index("radius")] <= 0:  # a star
            ratios = star_ratios(float(gr + ri), bands)
        else:
            ratios = galaxy_ratios(float(gr), float(ri), float(at[place]), bands)
        result[place] = fluxes[place][-1] * ratios
    return np.concatenate([table[..., :first], result], 2)


def galaxy_ratios(
    gr: float, ri: float, redshift: float, bands: Sequence[str]
) -> Float[np.ndarray, " band"]:
    """Return the flux density in bands over that in i, of the galaxy that has these colors.

    Args:
        gr: g - r, AB.
        ri: r - i, AB.
        redshift: NaN if it is not known; the one is taken that fits the colors best.
        bands: Names of ``PASSBANDS_NM``.
    """
    first, last = 0, len(REDSHIFTS)
    if not np.isnan(redshift):
        first = int(np.abs(REDSHIFTS - redshift).argmin())
        last = first + 1
    some = _galaxies()[:, first:last]
    g, r, i = (some[..., list(PASSBANDS_NM).index(band)] for band in DRAWN)
    away = (-2.5 * np.log10(g / r) - gr) ** 2 + (-2.5 * np.log10(r / i) - ri) ** 2
    # So far away, what is red in g, r and i is dust and young stars, not an elliptical.
    away[: len(TYPES) // 2, REDSHIFTS[first:last] >= PASSIVE_UP_TO] = np.inf
    best = np.unravel_index(int(away.argmin()), away.shape)
    return _over_i(some[best], bands)


def star_ratios(gi: float, bands: Sequence[str]) -> Float[np.ndarray, " band"]:
    """Return the flux density in bands over that in i, of a black body with this g - i, AB."""
    densities = _black_bodies()
    g, i = (densities[:, list(PASSBANDS_NM).index(band)] for band in ("g", "i"))
    return _over_i(densities[int(np.abs(-2.5 * np.log10(g / i) - gi).argmin())], bands)


def _over_i(density: Float[np.ndarray, " known"], bands: Sequence[str]) -> Float[np.ndarray, " _"]:
    named = dict(zip(PASSBANDS_NM, density / density[list(PASSBANDS_NM).index("i")], strict=True))
    return np.array([named[band] for band in bands])


def mean_density(
    wavelength_nm: Float[np.ndarray, " w"], per_wavelength: Float[np.ndarray, " w"]
) -> Float[np.ndarray, " known"]:
    """Return the mean flux for each frequency in every band, as photons are counted.

    Args:
        wavelength_nm: Ascending.
        per_wavelength: Flux for each wavelength there, in any unit; 0 outside.

    References:
        Fukugita et al. 1996, AJ 111, 1748, eq. 7: the broadband AB magnitude.
    """
    means = []
    for low, high in PASSBANDS_NM.values():
        line = np.geomspace(low, high, FINE)
        flux = np.interp(line, wavelength_nm, per_wavelength, left=0, right=0)
        # All weights are even in the logarithm of the frequency: f_nu goes as the square here.
        means.append(np.mean(flux * line**2))
    return np.array(means)


@lru_cache(maxsize=1)
def _galaxies() -> Float[np.ndarray, "type redshift known"]:
    """Return mean flux densities of galaxies between the templates, at all redshifts."""
    pure = np.array(
        [[mean_density(_WAVELENGTH_NM * (1 + z), each) for z in REDSHIFTS] for each in _TEMPLATES]
    )
    pure /= pure[..., [list(PASSBANDS_NM).index("i")]]
    low = np.minimum(TYPES.astype(int), len(pure) - 2)
    share = (TYPES - low)[:, None, None]
    return np.maximum((1 - share) * pure[low] + share * pure[low + 1], 1e-6)


@lru_cache(maxsize=1)
def _black_bodies() -> Float[np.ndarray, "temperature known"]:
    """Return mean flux densities of black bodies (Planck's law)."""
    line = np.geomspace(350, 2300, 500)
    exponent = 1.4388e7 / (line * TEMPERATURES_K[:, None])
    return np.array([mean_density(line, each) for each in line**-5.0 / np.expm1(exponent)])
