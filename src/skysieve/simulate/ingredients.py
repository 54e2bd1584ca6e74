"""What simulated scenes are made of: the tables of one scene, galaxies, stars and what surrounds them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from skysieve.simulate.galaxies import colors, flux, red_magnitude_i, red_radius_arcsec
from skysieve.simulate.scenes import DISK, Scenes

LIGHTS, DISKS, DEFLECTORS, SOURCES, COMPANIONS = 44, 2, 3, 6, 4
"""How many rows of each table a scene has."""
BANDS = 3
HALF_FIELD_ARCSEC = 15.0

Rng = np.random.Generator
Row = Float[np.ndarray, " _"]


class Canvas:
    """The tables of one scene while it is being drawn; rows beyond the last are dropped."""

    def __init__(self) -> None:
        self.light: list[Row] = []
        self.disks: list[Row] = []
        self.deflectors: list[list[float]] = []
        self.source: list[Row] = []
        self.companions: list[Row] = []
        self.shear = np.zeros(2)
        self.hosts: int | None = None

    def end_host(self) -> None:
        """Count the light so far as the object in the middle, unless it was counted before."""
        if self.hosts is None:
            self.hosts = len(self.light)

    def scene(self, kind: str, facts: dict[str, float]) -> Scenes:
        """Return the scene, each table padded with zeros to its fixed number of rows."""
        return Scenes(
            light=_table(self.light, LIGHTS, 6 + BANDS),
            disks=_table(self.disks, DISKS, len(DISK) + BANDS),
            deflectors=_table(self.deflectors, DEFLECTORS, 6),
            shear=self.shear[None],
            source=_table(self.source, SOURCES, 6 + BANDS),
            companions=_table(self.companions, COMPANIONS, 6 + BANDS),
            kind=(kind,),
            facts=(facts,),
            hosts=(LIGHTS if self.hosts is None else min(self.hosts, LIGHTS),),
        )


def add_host(
    canvas: Canvas, rng: Rng, redshift: float, dispersion: float, *, group: bool = False
) -> tuple[float, float]:
    """Add an early-type galaxy at the center; return its axis ratio and position angle."""
    magnitude = red_magnitude_i(redshift, dispersion) + rng.normal(-0.5, 0.35) - 0.3 * group
    radius = 0.52 * red_radius_arcsec(redshift, dispersion) * np.exp(rng.normal(0, 0.2))
    q, phi = float(rng.uniform(0.55, 0.98)), float(rng.uniform(0, np.pi))
    gr, ri = red_colors(rng, redshift)
    light = flux(magnitude, gr, ri)
    sersic = float(np.clip(rng.normal(4.2, 0.9), 2.0, 6.0))
    canvas.light.append(component(0, 0, radius, sersic, q, phi, light))
    if rng.random() < (0.5 if group else 0.15):  # an extended halo of light
        halo = light * rng.uniform(0.15, 0.6)
        canvas.light.append(component(0, 0, radius * rng.uniform(2.5, 4), 1.2, q * 0.9, phi, halo))
    return q, phi


def add_surroundings(
    rows: list[Row], rng: Rng, redshift: float, *, rich: bool, mean_members: float
) -> None:
    """Add what is in any field: group members of the same red, field galaxies, stars."""
    members = int(rng.poisson(6.0 if rich else mean_members))
    for _ in range(members):
        distance = rng.gamma(2.0, 4.0)
        angle = rng.uniform(0, 2 * np.pi)
        dispersion = float(rng.uniform(90, 225))
        gr, ri = red_colors(rng, redshift)
        light = flux(red_magnitude_i(redshift, dispersion) + rng.normal(0, 0.4), gr, ri)
        radius = 0.6 * np.clip(red_radius_arcsec(max(redshift, 0.1), dispersion), 0.15, 3)
        rows.append(
            component(
                distance * np.cos(angle),
                distance * np.sin(angle),
                radius,
                rng.uniform(2, 5),
                rng.uniform(0.4, 1),
                rng.uniform(0, np.pi),
                light,
            )
        )
    for _ in range(int(rng.poisson(22.0))):
        x, y = rng.uniform(-HALF_FIELD_ARCSEC, HALF_FIELD_ARCSEC, 2)
        rows.append(_field_galaxy(rng, x, y))
    for _ in range(int(rng.poisson(0.5))):
        x, y = rng.uniform(-HALF_FIELD_ARCSEC, HALF_FIELD_ARCSEC, 2)
        rows.append(star(rng, x, y, 24 - rng.exponential(2.2)))


def add_blue_companions(rows: list[Row], rng: Rng, radius: float, *, flux_scale: float) -> None:
    """Add one to four blue galaxies about a radius, at any angle to it."""
    for _ in range(int(rng.integers(1, COMPANIONS + 1))):
        distance = radius * np.exp(rng.normal(0, 0.2))
        angle = rng.uniform(0, 2 * np.pi)
        redshift = float(rng.uniform(0.3, 2.5))
        gr, ri = colors("disk" if rng.random() < 0.2 else "blue", redshift)
        gr, ri = gr + rng.normal(0, 0.15), ri + rng.normal(0, 0.12)
        magnitude = 25 + np.log(1 - rng.random() * 0.97) / (0.3 * np.log(10)) * 0.6
        light = flux_scale * flux(magnitude - gr - ri, gr, ri)
        size = float(np.clip(np.exp(rng.normal(np.log(0.24), 0.4)), 0.07, 0.9))
        rows.append(
            component(
                distance * np.cos(angle),
                distance * np.sin(angle),
                size,
                rng.uniform(0.6, 2),
                rng.uniform(0.25, 1),
                rng.uniform(0, np.pi),
                light,
            )
        )


def _field_galaxy(rng: Rng, x: float, y: float) -> Row:
    """Return a galaxy of the field with number counts of slope 0.33 per magnitude to i = 26."""
    magnitude = 26.0 + np.log10(max(rng.random(), 1e-3)) / 0.33
    redshift = float(rng.gamma(3.0, 0.3) + 0.05)
    track = rng.choice(["blue", "blue", "disk", "red"])
    gr, ri = colors(track, min(redshift, 3.0))
    light = flux(magnitude, gr + rng.normal(0, 0.12), ri + rng.normal(0, 0.1))
    size = float(np.exp(rng.normal(np.log(0.24) + 0.12 * (24 - magnitude), 0.35)))
    return component(x, y, np.clip(size, 0.08, 4), rng.choice([0.8, 1.0, 1.5, 4.0]),
                rng.uniform(0.25, 1), rng.uniform(0, np.pi), light)  # fmt: skip


def star(rng: Rng, x: float, y: float, magnitude: float) -> Row:
    """Return a star on the stellar locus (Covey et al. 2007, AJ 134, 2398), as a point."""
    gi = rng.uniform(0.2, 2.8)
    gr = min(0.72 * gi + 0.02, 1.42)
    return component(x, y, 0.0, 0.5, 1, 0, flux(magnitude, gr, gi - gr))


def red_colors(rng: Rng, redshift: float) -> tuple[float, float]:
    """Return g - r and r - i of an early-type galaxy, with their scatter."""
    gr, ri = colors("red", redshift)
    return gr + rng.normal(0, 0.07), ri + rng.normal(0, 0.05)


def component(
    x: float, y: float, radius: float, sersic: float, q: float, phi: float, light: Row
) -> Row:
    """Return a Sersic component: place, effective radius in arcsec, index, axis ratio, angle, fluxes."""
    return np.array([x, y, radius, sersic, q, phi, *light], np.float64)


def _table(
    rows: list[Row] | list[list[float]], count: int, columns: int
) -> Float[np.ndarray, "1 row column"]:
    table = np.zeros((1, count, columns))
    for k, row in enumerate(rows[:count]):
        table[0, k] = row
    return table
