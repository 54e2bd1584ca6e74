"""What lenses look like and how their mass lies: one or two Sersic components, one power law each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skysieve.simulate.galaxies import (
    REFERENCE_DISPERSION_KM_S,
    colors,
    einstein_radius_arcsec,
    flux,
    kpc_per_arcsec,
    red_magnitude_i,
)
from skysieve.simulate.lens_draws import Rng, cells
from skysieve.simulate.lens_population import (
    draw_axis_ratio,
    draw_multipoles,
    draw_slope,
    early_type,
    galaxy_density,
)
from skysieve.simulate.systems import Draft, Row, light_row

TRACK_R_AB = -22.4
"""Absolute magnitude in r of the galaxy whose apparent i is in ``galaxies``: 15.6 in i at a redshift
of 0.1, 0.41 more in r, less a distance modulus of 38.3 and 0.1 of K correction."""
MEMBER_KM_S = (90.0, 230.0)


class Lens(NamedTuple):
    """A galaxy that deflects.

    Args:
        place: Its center.
        redshift: Its redshift.
        dispersion_km_s: Velocity dispersion of its stars.
        radius_arcsec: Einstein radius for the first source plane.
        q: Axis ratio of its mass.
        phi: Position angle of its mass.
    """

    place: tuple[float, float]
    redshift: float
    dispersion_km_s: float
    radius_arcsec: float
    q: float = 1.0
    phi: float = 0.0


def add_lens(
    draft: Draft,
    rng: Rng,
    lens: Lens,
    *,
    owner: int,
    group: bool = False,
    isothermal: bool = False,
) -> Lens:
    """Add the mass and the light of an early-type galaxy; return it with its shape.

    Light and mass are aligned to 10 degrees and alike in axis ratio to 0.1 (Koopmans et al. 2006,
    ApJ 649, 599: position angles agree to 10 degrees rms, axis ratios to 0.11).
    """
    q, phi = draw_axis_ratio(rng, lens.dispersion_km_s), float(rng.uniform(0, np.pi))
    slope = 2.0 if isothermal else draw_slope(rng, group=group)
    row = [*lens.place, lens.radius_arcsec, slope, q, phi, *draw_multipoles(rng, phi)]
    draft.deflectors.append(np.array(row))
    if owner == 1:
        draft.facts |= {"slope": slope, "axis_ratio": q}
    light_q = float(np.clip(q + rng.normal(0, 0.1), 0.35, 0.98))
    shape = (light_q, phi + float(rng.normal(0, 0.17)))
    draft.owned += [
        (owner, row) for row in _light(rng, lens, shape, envelope=0.85 if group else 0.3)
    ]
    return lens._replace(q=q, phi=phi)


def _light(rng: Rng, lens: Lens, shape: tuple[float, float], *, envelope: float) -> list[Row]:
    """Return the light of an early-type galaxy: a Sersic profile, or a core in an envelope.

    Luminosity and radius follow the dispersion (``lens_population.early_type``), the color and its
    passive evolution the redshift (``galaxies``). The envelopes of central galaxies are larger and
    flatter than their cores and a little bluer (Gonzalez, Zabludoff & Zaritsky 2005, ApJ 618, 195;
    Huang et al. 2013, ApJ 766, 47); the numbers are ours.
    """
    absolute, kpc = early_type(rng, lens.dispersion_km_s)
    magnitude = red_magnitude_i(lens.redshift, REFERENCE_DISPERSION_KM_S) + absolute - TRACK_R_AB
    radius = float(np.clip(kpc / kpc_per_arcsec(lens.redshift), 0.15, 4.0))
    gr, ri = np.array(colors("red", lens.redshift)) + rng.normal(0, (0.05, 0.04))
    light = flux(magnitude, gr, ri)
    sersic = float(np.clip(rng.normal(4.0, 0.9), 2.0, 6.0))
    if rng.random() >= envelope:
        return [light_row(lens.place, radius, sersic, shape, light)]
    share = float(rng.uniform(0.25, 0.6))
    outer = share * flux(magnitude, gr - rng.uniform(0, 0.1), ri)
    flat = (max(shape[0] - float(rng.uniform(0, 0.2)), 0.3), shape[1])
    return [
        light_row(
            lens.place, radius * rng.uniform(0.4, 0.7), sersic * 0.8, shape, light * (1 - share)
        ),
        light_row(lens.place, radius * rng.uniform(1.5, 2.5), rng.uniform(0.8, 1.6), flat, outer),
    ]


def add_members(draft: Draft, rng: Rng, lens: Lens, source: float) -> None:
    """Add one to four galaxies of a group that deflect, as the velocity dispersions of the field."""
    for _ in range(int(rng.integers(1, 5))):
        sigma, _ = cells(rng, galaxy_density, *MEMBER_KM_S)
        distance, angle = lens.radius_arcsec * rng.uniform(0.4, 2.2), rng.uniform(0, 2 * np.pi)
        place = (float(distance * np.cos(angle)), float(distance * np.sin(angle)))
        radius = einstein_radius_arcsec(sigma, lens.redshift, source)
        member = Lens(place, lens.redshift, sigma, radius)
        add_lens(draft, rng, member, owner=2, isothermal=True)
