"""Drawing one system of each kind of lens, with its weight.

A draw that gives no such lens (a quasar with too few images, sources in the wrong order) is None; it
counts as a try. Whatever is not a factor of the weight is drawn as the sky has it.
"""

from __future__ import annotations

import numpy as np
import torch

from skysieve.core.random import stream
from skysieve.recipe.compound import CompoundKind, PopulationPlan
from skysieve.simulate.galaxies import einstein_radius_arcsec
from skysieve.simulate.halos import halo_density
from skysieve.simulate.ingredients import add_surroundings
from skysieve.simulate.lens_draws import (
    Behind,
    Density,
    Rng,
    disc,
    draw_deflector,
    draw_galaxy_behind,
    draw_quasar_behind,
    log_uniform,
)
from skysieve.simulate.lens_light import Lens, add_lens, add_members
from skysieve.simulate.lens_population import (
    comoving_mpc,
    companion_density,
    draw_shear,
    galaxy_density,
    reach,
)
from skysieve.simulate.mass import POWER_LAW, Mass
from skysieve.simulate.point_images import traced
from skysieve.simulate.quasars import add_quasar, quad_reach
from skysieve.simulate.source_light import draw_source
from skysieve.simulate.systems import Draft, Systems

NEAR_KM_S = (50.0, 150.0)
"""Velocity dispersion of the nearer source of a double ring: about 97 km/s in the one that is
weighed (Collett & Auger 2014, MNRAS 443, 969)."""
BCG_KM_S = (230.0, 360.0)
"""Velocity dispersion of the stars of a group's central galaxy."""


def draw_system(
    kind: CompoundKind, plan: PopulationPlan, *, seed: int, index: int
) -> Systems | None:
    """Return the system of a kind with this index, or None if it is no such lens.

    Its ``facts`` hold ``weight``: lenses of the kind per square degree of the sky for one try.
    """
    rng = stream(seed, f"system {kind}", index)
    draft = Draft()
    draft.shear = draw_shear(rng)
    match kind:
        case "galaxy-galaxy":
            weight = _galaxy(draft, rng, plan)
        case "double-ring":
            weight = _double_ring(draft, rng, plan)
        case "quad-quasar" | "double-quasar":
            weight = _quasar(draft, rng, plan, quad=kind == "quad-quasar")
        case "group":
            weight = _group(draft, rng, plan)
        case "lens-pair":
            weight = _pair(draft, rng, plan)
    if not weight > 0:
        return None
    draft.facts["weight"] = float(weight)
    rich, mean = (True, 0.0) if kind == "group" else (False, 1.5)
    add_surroundings(draft.light, rng, draft.facts["z_lens"], rich=rich, mean_members=mean)
    return draft.system(kind)


# ----------------------------------------------------------------------------------- the kinds


def _galaxy(draft: Draft, rng: Rng, plan: PopulationPlan) -> float:
    """Draw a galaxy behind a galaxy."""
    radius = log_uniform(rng, *plan.galaxy_radius_arcsec)
    behind = draw_galaxy_behind(rng, plan.source_i_ab)
    lens, factor = _lens(draft, rng, radius.value, behind, galaxy_density)
    x, y, area = disc(rng, lens.radius_arcsec)
    _add_source(draft, rng, behind, (x, y))
    return radius.factor * behind.factor * factor * area


def _double_ring(draft: Draft, rng: Rng, plan: PopulationPlan) -> float:
    """Draw two galaxies at different redshifts behind a galaxy.

    Both orders of drawing them give the same system, hence the half.
    """
    radius = log_uniform(rng, *plan.galaxy_radius_arcsec)
    pair = [draw_galaxy_behind(rng, plan.source_i_ab) for _ in range(2)]
    near, far = sorted(pair, key=lambda one: one.redshift)
    if far.redshift - near.redshift < 0.1:
        return 0.0
    lens, factor = _lens(draft, rng, radius.value, near, galaxy_density)
    _set_reach(draft, lens, near, far)
    x, y, area = disc(rng, radius.value)
    _add_source(draft, rng, near, (x, y))
    sigma = log_uniform(rng, *NEAR_KM_S).value
    own = einstein_radius_arcsec(sigma, near.redshift, far.redshift)
    shape = dict.fromkeys(POWER_LAW, 0.0) | {"x": x, "y": y, "radius": own, "slope": 2.0, "q": 0.9}
    draft.near.append(np.array(list(shape.values())))
    u, v, wide = disc(rng, radius.value * draft.reach[1])
    _add_source(draft, rng, far, (u, v), plane=1)
    return 0.5 * radius.factor * near.factor * far.factor * factor * area * wide


def _quasar(draft: Draft, rng: Rng, plan: PopulationPlan, *, quad: bool) -> float:
    """Draw a quasar with its galaxy behind a galaxy, seen four times or twice."""
    radius = log_uniform(rng, *plan.galaxy_radius_arcsec)
    behind = draw_quasar_behind(rng, plan.quasar_i_ab)
    lens, factor = _lens(draft, rng, radius.value, behind, galaxy_density)
    span = quad_reach(lens, draft.shear) if quad else 1.0
    x, y, area = disc(rng, lens.radius_arcsec * span)
    _note_source(draft, behind, 0)
    if not add_quasar(draft, rng, plan, behind, (x, y), quad=quad):
        return 0.0
    return radius.factor * behind.factor * factor * area


def _group(draft: Draft, rng: Rng, plan: PopulationPlan) -> float:
    """Draw a galaxy behind a group, whose members deflect for themselves."""
    radius = log_uniform(rng, *plan.group_radius_arcsec)
    behind = draw_galaxy_behind(rng, plan.source_i_ab)
    lens, factor = _lens(draft, rng, radius.value, behind, halo_density, group=True)
    add_members(draft, rng, lens, behind.redshift)
    x, y, area = disc(rng, lens.radius_arcsec)
    u, v = _straight_behind(draft, 0, (0.0, 0.0))
    _add_source(draft, rng, behind, (x + u, y + v))
    return radius.factor * behind.factor * factor * area


def _pair(draft: Draft, rng: Rng, plan: PopulationPlan) -> float:
    """Draw two galaxies side by side at one redshift, each with a galaxy behind it."""
    radius = log_uniform(rng, *plan.galaxy_radius_arcsec)
    behind = [draw_galaxy_behind(rng, plan.source_i_ab) for _ in range(2)]
    separation, angle = log_uniform(rng, *plan.pair_separation_arcsec), rng.uniform(0, 2 * np.pi)
    half = separation.value / 2 * np.array([np.cos(angle), np.sin(angle)])
    places = [(float(-half[0]), float(-half[1])), (float(half[0]), float(half[1]))]
    lens, factor = _lens(draft, rng, radius.value, behind[0], galaxy_density, place=places[0])
    if behind[1].redshift < lens.redshift + 0.1:
        return 0.0
    other = log_uniform(rng, *plan.galaxy_radius_arcsec)
    sigma = float(_second_dispersion(other.value, lens.redshift, behind[1].redshift))
    _set_reach(draft, lens, *behind)
    for_first = other.value / draft.reach[1]
    second = Lens(places[1], lens.redshift, sigma, for_first)
    add_lens(draft, rng, second, owner=2, isothermal=True)
    draft.facts["einstein_radius_2_arcsec"] = other.value
    area = 1.0
    for plane, (one, size) in enumerate(zip(behind, (radius.value, other.value), strict=True)):
        x, y, here = disc(rng, size)
        u, v = _straight_behind(draft, plane, places[plane])
        _add_source(draft, rng, one, (x + u, y + v), plane=plane)
        area *= here
    # Galaxies per ln(radius) and per ln(distance) about the first one, in comoving Mpc.
    distance = comoving_mpc(separation.value, lens.redshift)
    near = companion_density(np.array(distance)) * 2 * np.pi * distance**2
    crowd = float(near * galaxy_density(np.array(sigma)) * sigma / 2)
    draft.facts["separation_arcsec"] = separation.value
    sources = behind[0].factor * behind[1].factor * area
    # Either of the two may come first.
    return 0.5 * radius.factor * other.factor * separation.factor * factor * crowd * sources


# ------------------------------------------------------------------------------------- what it takes


def _lens(
    draft: Draft,
    rng: Rng,
    radius: float,
    behind: Behind,
    density: Density,
    *,
    group: bool = False,
    place: tuple[float, float] = (0.0, 0.0),
) -> tuple[Lens, float]:
    """Add the lens in front of a source; return it with its factor, 0 if there is none."""
    drawn = draw_deflector(rng, radius, behind.redshift, density)
    stars = (
        float(np.clip(drawn.dispersion_km_s, BCG_KM_S[0], BCG_KM_S[1]))
        if group
        else drawn.dispersion_km_s
    )
    lens = Lens(place, drawn.redshift, min(stars, 450.0), radius)
    draft.facts |= {
        "z_lens": drawn.redshift,
        "dispersion_km_s": drawn.dispersion_km_s,
        "einstein_radius_arcsec": radius,
        "shear": float(np.hypot(draft.shear[0], draft.shear[1])),
    }
    return add_lens(draft, rng, lens, owner=1, group=group), drawn.factor


def _set_reach(draft: Draft, lens: Lens, first: Behind, second: Behind) -> None:
    """Set how strongly the second source is deflected, over the first."""
    shares = [float(reach(np.array(lens.redshift), np.array(z.redshift))) for z in (first, second)]
    draft.reach[1] = shares[1] / shares[0]
    draft.facts["einstein_radius_2_arcsec"] = float(lens.radius_arcsec * draft.reach[1])


def _second_dispersion(radius: float, lens: float, source: float) -> float:
    """Return the velocity dispersion for an Einstein radius, in km/s."""
    one = einstein_radius_arcsec(1.0, lens, source)
    return float(np.sqrt(radius / one))


def _add_source(
    draft: Draft, rng: Rng, behind: Behind, place: tuple[float, float], *, plane: int = 0
) -> None:
    """Add a galaxy to a source plane."""
    _note_source(draft, behind, plane)
    source = draw_source(rng, behind.i_ab, behind.redshift, place)
    draft.sersics[plane] += source.sersics
    draft.disks[plane] += source.disks
    draft.facts[f"source{_numbered(plane)}_radius_arcsec"] = source.radius_arcsec


def _note_source(draft: Draft, behind: Behind, plane: int) -> None:
    draft.facts[f"z_source{_numbered(plane)}"] = behind.redshift
    draft.facts[f"source{_numbered(plane)}_i_ab"] = behind.i_ab


def _numbered(plane: int) -> str:
    return "_2" if plane else ""


def _straight_behind(draft: Draft, plane: int, place: tuple[float, float]) -> tuple[float, float]:
    """Return what lies straight behind a lens for all but that lens: the middle of its caustics."""
    others = [row for row in draft.deflectors if (row[0], row[1]) != place]
    table = torch.as_tensor(np.array(others).reshape(1, -1, len(POWER_LAW)))
    mass = Mass(
        table, torch.as_tensor(draft.shear[None]), torch.as_tensor(draft.reach[None]), table[:, :0]
    )
    u, v = traced(mass, plane, np.array([place]))[0]
    return float(u), float(v)
