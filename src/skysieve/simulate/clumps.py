"""Lenses with subhalos or vortices as numbers: what is drawn, before any pixel.

Masses are told as areas: ``m / (pi Sigma_crit D_l^2)`` in square arcsec is the square of the
Einstein radius that a point of mass m would have, and the mean convergence inside a circle of
radius R is the mass inside over R squared.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from astropy import constants, units
from jaxtyping import Float
from scipy.special import ellipk

from skysieve.core.random import stream
from skysieve.recipe.substructure import (
    FlatBackgroundPlan,
    SubhaloPlan,
    SubstructureKind,
    SubstructurePlan,
    TruncatedNfwPlan,
)
from skysieve.simulate.galaxies import COSMOLOGY, kpc_per_arcsec

SYSTEM = ("x", "y", "einstein_radius", "q", "phi", "gamma1", "gamma2", "source_x", "source_y",
          "source_radius", "source_sersic", "source_q", "source_phi", "source_flux",
          "exposure_s", "depth")  # fmt: skip
"""Columns of a lens with its source; the flux is in electrons per second."""

HALO = ("x", "y", "mass", "scale", "tau")
"""Columns of a subhalo: mass in square arcsec, scale radius, truncation over scale radius."""

STRING = ("x", "y", "mass", "length", "phi", "core")
"""Columns of a vortex: its middle, its mass in square arcsec and how it lies."""

NORMALIZED_MSUN = (1e6, 1e9)
"""The range of masses that a plan's ``mass_fraction`` of subhalos counts."""
HOST_CORE_KPC = 50.0
"""Inside this the tides leave the number of subhalos about even in three dimensions."""
HOST_RADIUS_KPC = 250.0

Clumps = Float[np.ndarray, "clump column"]


def draw_system(
    plan: SubstructurePlan, *, kind: SubstructureKind, seed: int, index: int
) -> Float[np.ndarray, "16"]:
    """Return the lens and source of an image, the same for all classes if they are paired."""
    name = "substructure lens" if plan.paired else f"substructure lens {kind}"
    rng = stream(seed, name, index)
    lens, source = plan.lens, plan.source
    x, y = _in_disk(rng, lens.offset_arcsec, 1)[0]
    shear, axis = rng.uniform(*lens.shear), rng.uniform(0, np.pi)
    beside = _in_disk(rng, source.offset_arcsec, 1)[0]
    magnitude = rng.uniform(*source.magnitude_ab)
    return np.array(
        [
            x,
            y,
            rng.uniform(*lens.einstein_radius_arcsec),
            rng.uniform(*lens.axis_ratio),
            rng.uniform(0, np.pi),
            shear * np.cos(2 * axis),
            shear * np.sin(2 * axis),
            x + beside[0],
            y + beside[1],
            rng.uniform(*source.radius_arcsec),
            rng.uniform(*source.sersic),
            rng.uniform(*source.axis_ratio),
            rng.uniform(0, np.pi),
            10 ** (-0.4 * (magnitude - plan.camera.zero_point_ab)),
            _exposure_s(plan, rng),
            np.exp(rng.uniform(*np.log(plan.depth))),
        ]
    )


def draw_subhalos(
    plan: SubstructurePlan, system: Float[np.ndarray, "16"], *, seed: int, index: int
) -> Clumps:
    """Return subhalos about a lens, with the columns of ``HALO``.

    They lie evenly in the projected disk, as tides leave them in the middle of a host, and along
    the line of sight as in a cored isothermal host. A point mass has neither scale nor tau.

    References:
        Xu et al. 2015, MNRAS 447, 3189 (an even projected density near the Einstein radius);
        Duffy et al. 2008, MNRAS 390, L64, table 1 (concentrations, full sample, 200 times
        critical); Cyr-Racine et al. 2016, PRD 94, 043505 (tidal radius in an isothermal host),
        in the form of Gilman et al. 2020, MNRAS 491, 6077. Both relations take the mass at
        infall; here they take the mass that is left, which makes scales about a fifth smaller.
    """
    rng = stream(seed, "substructure sphere", index)
    halos, lens = plan.subhalos, plan.lens
    area = einstein_area_arcsec2(1.0, lens.redshift, lens.source_redshift)
    count = rng.poisson(expected_subhalos(plan, float(system[2])))
    mass = _power_law(rng.random(count), halos)
    place = _in_disk(rng, halos.reach_einstein_radii * system[2], count)
    depth = rng.random(count)
    table = np.zeros((count, len(HALO)))
    table[:, :2] = place + system[:2]
    table[:, 2] = mass * area
    if isinstance(halos.profile, TruncatedNfwPlan):
        per_arcsec = kpc_per_arcsec(lens.redshift)
        core = np.hypot(np.hypot(*place.T) * per_arcsec, HOST_CORE_KPC)
        sight = core * np.tan(depth * np.arctan(HOST_RADIUS_KPC / core))
        distance = np.sqrt(sight**2 + core**2 - HOST_CORE_KPC**2)
        scatter = 10 ** rng.normal(0, halos.profile.concentration_scatter_dex, count)
        scale = scale_radius_kpc(mass, lens.redshift) / scatter
        cut = 1.4 * (mass / 1e7) ** (1 / 3) * (np.maximum(distance, 1.0) / 50) ** (2 / 3)
        table[:, 3] = scale / per_arcsec
        table[:, 4] = cut / scale
    return table


def draw_vortices(
    plan: SubstructurePlan, system: Float[np.ndarray, "16"], *, seed: int, index: int
) -> tuple[Clumps, float]:
    """Return vortices, with the columns of ``STRING``, and log10 of the particle's mass in eV.

    References:
        Alexander et al. 2020, ApJ 893, 15 (vortices of a superfluid halo as substructure; a row of
        points on a line in DeepLenseSim, here a string of even density); Hui et al. 2017, PRD 95,
        043541: the de Broglie wavelength, at the velocity dispersion of this lens.
    """
    rng = stream(seed, "substructure vort", index)
    vortices, lens = plan.vortices, plan.lens
    log10_mass = rng.uniform(*vortices.log10_axion_mass_ev)
    sigma = dispersion_km_s(float(system[2]), lens.redshift, lens.source_redshift)
    length = wavelength_kpc(10**log10_mass, sigma) / kpc_per_arcsec(lens.redshift)
    table = np.zeros((vortices.count, len(STRING)))
    reach = vortices.offset_einstein_radii * system[2]
    table[:, :2] = _in_disk(rng, reach, vortices.count) + system[:2]
    table[:, 2] = vortices.mass_fraction * system[2] ** 2 / vortices.count
    table[:, 3] = length
    table[:, 4] = rng.uniform(0, np.pi, vortices.count)
    table[:, 5] = vortices.core_arcsec
    return table, float(log10_mass)


def expected_subhalos(plan: SubstructurePlan, einstein_radius_arcsec: float) -> float:
    """Return the mean number of subhalos about a lens.

    At the Einstein radius of an isothermal lens the convergence is 1/2; ``mass_fraction`` of it
    is in subhalos of the normalized range, and the mass function says how many that are.
    """
    halos, lens = plan.subhalos, plan.lens
    area = einstein_area_arcsec2(1.0, lens.redshift, lens.source_redshift)
    reach = halos.reach_einstein_radii * einstein_radius_arcsec
    normalized = 0.5 * halos.mass_fraction * reach**2 / area
    share = _moment(halos.slope, 0, halos.mass_msun) / _moment(halos.slope, 1, NORMALIZED_MSUN)
    return normalized * share


@lru_cache(maxsize=64)
def einstein_area_arcsec2(mass_msun: float, lens: float, source: float) -> float:
    """Return the square of the Einstein radius of a point mass, in square arcsec.

    References:
        Schneider, Ehlers & Falco 1992, Gravitational Lenses, section 2.1: 4 G M D_ls / (c^2 D_l
        D_s), with distances by angular diameter.
    """
    d_lens = COSMOLOGY.angular_diameter_distance(lens)
    d_source = COSMOLOGY.angular_diameter_distance(source)
    between = d_source * _behind(lens, source)
    mass = mass_msun * units.Unit("Msun")
    ratio = 4 * constants.G * mass / constants.c**2 * between / (d_lens * d_source)  # pyright: ignore[reportAttributeAccessIssue]  astropy makes its constants at run time
    return float(ratio.to_value("")) * float(np.degrees(1) * 3600) ** 2


@lru_cache(maxsize=1024)
def dispersion_km_s(einstein_radius_arcsec: float, lens: float, source: float) -> float:
    """Return the velocity dispersion of the isothermal sphere with this Einstein radius."""
    radians = np.radians(einstein_radius_arcsec / 3600)
    return float(299_792.458 * np.sqrt(radians / (4 * np.pi * _behind(lens, source))))


def wavelength_kpc(axion_mass_ev: float, velocity_km_s: float) -> float:
    """Return the de Broglie wavelength of a particle (Hui et al. 2017, PRD 95, 043541)."""
    return 2 * np.pi * 1.92 * (1e-22 / axion_mass_ev) * (10 / velocity_km_s)


def scale_radius_kpc(
    mass_msun: Float[np.ndarray, " m"], redshift: float
) -> Float[np.ndarray, " m"]:
    """Return the scale radius of an NFW halo (Duffy et al. 2008, MNRAS 390, L64, table 1)."""
    critical = COSMOLOGY.critical_density(redshift).to_value("Msun / kpc3")
    radius = (3 * mass_msun / (4 * np.pi * 200 * critical)) ** (1 / 3)
    pivot = 2e12 / COSMOLOGY.h
    return radius / (5.71 * (mass_msun / pivot) ** -0.084 * (1 + redshift) ** -0.47)


def reduced_radius(
    einstein_radius: Float[np.ndarray, " n"],
    q: Float[np.ndarray, " n"],
    inside: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Return the Einstein radius of the smooth lens that leaves room for the mass of clumps.

    The smooth lens and the clumps then hold, inside the circle of the original Einstein radius,
    the mass that the original smooth lens held there.

    Args:
        einstein_radius: Of the lens without clumps.
        q: Its axis ratio.
        inside: Mass of the clumps inside that circle, in square arcsec.
    """
    return einstein_radius - inside / (einstein_radius * mass_in_circle(q))


def mass_in_circle(q: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the mass of an isothermal ellipsoid in a circle, over that of the sphere.

    The convergence ``b / (2 sqrt(q x^2 + y^2 / q))`` (Kormann et al. 1994, A&A 284, 285), summed
    over a circle, is an elliptic integral.
    """
    return 2 * np.sqrt(q) * ellipk(1 - q**2) / np.pi


@lru_cache(maxsize=64)
def _behind(lens: float, source: float) -> float:
    """Return D_ls / D_s in a flat universe."""
    near, far = COSMOLOGY.comoving_distance([lens, source]).value
    return float(1 - near / far)


def _exposure_s(plan: SubstructurePlan, rng: np.random.Generator) -> float:
    background = plan.camera.background
    if isinstance(background, FlatBackgroundPlan):
        return float(10 ** rng.uniform(*background.log10_exposure_s))
    return background.exposure_s * background.exposures


def _in_disk(rng: np.random.Generator, radius: float, count: int) -> Float[np.ndarray, "count 2"]:
    r = radius * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)


def _power_law(u: Float[np.ndarray, " m"], plan: SubhaloPlan) -> Float[np.ndarray, " m"]:
    power = plan.slope + 1
    low, high = (mass**power for mass in plan.mass_msun)
    return (low + (high - low) * u) ** (1 / power)


def _moment(slope: float, order: int, mass_msun: tuple[float, float]) -> float:
    power = slope + order + 1
    low, high = mass_msun
    return np.log(high / low) if abs(power) < 1e-9 else (high**power - low**power) / power
