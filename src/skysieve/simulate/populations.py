"""Drawing scenes: lenses, and everything that is taken for one.

A scene depends on its plan, seed, kind and index alone, never on the scenes before it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from skysieve.core.errors import RecipeError
from skysieve.core.random import stream
from skysieve.recipe.simulation import LensPlan, NonlensKind, NonlensPlan
from skysieve.simulate.galaxies import (
    colors,
    dispersion_weight,
    einstein_radius_arcsec,
    flux,
    kpc_per_arcsec,
    red_magnitude_i,
    red_radius_arcsec,
)
from skysieve.simulate.scenes import DISK, Scenes

LIGHTS, DISKS, DEFLECTORS, SOURCES, COMPANIONS = 26, 2, 3, 6, 4
"""How many rows of each table a scene has."""
BANDS = 3
HALF_FIELD_ARCSEC = 13.0

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


def draw_lens(plan: LensPlan, *, seed: int, index: int) -> Scenes:
    """Return the lens scene with this index."""
    rng = stream(seed, "lens", index)
    canvas = Canvas()
    group = rng.random() < plan.group_fraction
    z_lens, dispersion, z_source = _geometry(rng, plan, group=group)
    radius = einstein_radius_arcsec(dispersion, z_lens, z_source)
    if group:
        low, high = plan.group_radius_arcsec
        radius = float((low**-2 + rng.random() * (high**-2 - low**-2)) ** -0.5)
        dispersion = float(np.clip(dispersion, 230, 340))
    q, phi = _host(canvas, rng, z_lens, dispersion, group=group)
    _mass(canvas, rng, radius, q=q, phi=phi, group=group)
    facts = {"z_lens": z_lens, "z_source": z_source, "einstein_radius_arcsec": radius}
    facts["source_g_ab"] = _source(canvas, rng, plan, radius, z_source, group=group)
    _blue_companions(canvas.companions, rng, radius, flux_scale=float(rng.uniform(1.0, 6.0)))
    canvas.end_host()
    _surroundings(canvas, rng, z_lens, rich=group, mean_members=3.0)
    return canvas.scene("lens", facts)


def draw_nonlens(plan: NonlensPlan, *, seed: int, index: int) -> Scenes:
    """Return the scene without a lens that has this index."""
    rng = stream(seed, "nonlens", index)
    kinds = list(plan.shares)
    shares = np.array([plan.shares[kind] for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
    canvas = Canvas()
    redshift = _PAINT[kind](canvas, rng)
    canvas.end_host()
    early = kind in ("red", "companions")  # early types cluster (Dressler 1980, ApJ 236, 351)
    rich = bool(rng.random() < (0.25 if early else 0.04))
    _surroundings(canvas, rng, redshift, rich=rich, mean_members=1.5 if early else 0.4)
    return canvas.scene(kind, {"z_lens": redshift})


# ------------------------------------------------------------------------------------- lenses


def _geometry(rng: Rng, plan: LensPlan, *, group: bool) -> tuple[float, float, float]:
    """Return lens redshift, velocity dispersion and source redshift, weighted by cross-section."""
    grid = np.linspace(150, 400, 126)
    weights = dispersion_weight(grid)
    low, high = plan.galaxy_radius_arcsec
    for _ in range(1000):
        z_lens = float(np.clip(rng.gamma(6.0, 0.082), 0.12, 1.2))
        z_source = float(np.clip(rng.gamma(5.0, 0.36), 0.5, 3.5))
        dispersion = float(rng.choice(grid, p=weights / weights.sum()))
        if group:
            if z_source > z_lens + 0.3:
                return min(z_lens, 0.85), max(dispersion, 240.0), z_source
        elif low < einstein_radius_arcsec(dispersion, z_lens, z_source) < high:
            return z_lens, dispersion, z_source
    raise RecipeError(
        f"No galaxy in 1000 draws has an Einstein radius of {low:g} to {high:g} arcsec",
        "Widen lens.galaxy_radius_arcsec",
    )


def _host(
    canvas: Canvas, rng: Rng, redshift: float, dispersion: float, *, group: bool = False
) -> tuple[float, float]:
    """Add an early-type galaxy at the center; return its axis ratio and position angle."""
    magnitude = red_magnitude_i(redshift, dispersion) + rng.normal(-0.5, 0.35) - 0.3 * group
    radius = 0.7 * red_radius_arcsec(redshift, dispersion) * np.exp(rng.normal(0, 0.2))
    q, phi = float(rng.uniform(0.55, 0.98)), float(rng.uniform(0, np.pi))
    gr, ri = _red_colors(rng, redshift)
    light = flux(magnitude, gr, ri)
    sersic = float(np.clip(rng.normal(4.2, 0.9), 2.0, 6.0))
    canvas.light.append(_row(0, 0, radius, sersic, q, phi, light))
    if rng.random() < (0.5 if group else 0.15):  # an extended halo of light
        halo = light * rng.uniform(0.15, 0.6)
        canvas.light.append(_row(0, 0, radius * rng.uniform(2.5, 4), 1.2, q * 0.9, phi, halo))
    return q, phi


def _mass(canvas: Canvas, rng: Rng, radius: float, *, q: float, phi: float, group: bool) -> None:
    """Add the deflectors and the shear (Dalal 2005: group shear reaches 0.15)."""
    mass_q = float(np.clip(q + rng.normal(0, 0.1), 0.4, 0.98))
    mass_phi = phi + rng.normal(0, 0.17)
    core = float(rng.uniform(0.0, 0.12) * radius) if group else 0.0
    canvas.deflectors.append([0, 0, radius, mass_q, mass_phi, core])
    if group:
        for _ in range(int(rng.choice(3, p=[0.5, 0.35, 0.15]))):
            distance, angle = radius * rng.uniform(0.3, 1.4), rng.uniform(0, 2 * np.pi)
            x, y = distance * np.cos(angle), distance * np.sin(angle)
            canvas.deflectors.append(
                [x, y, rng.uniform(0.3, 1.0), rng.uniform(0.6, 0.95), rng.uniform(0, np.pi), 0]
            )
            brightest = canvas.light[0]
            share = 10 ** (-0.4 * rng.uniform(0.3, 2.5))
            canvas.light.append(
                _row(
                    x,
                    y,
                    brightest[2] * rng.uniform(0.4, 0.9),
                    4.0,
                    rng.uniform(0.6, 0.95),
                    rng.uniform(0, np.pi),
                    brightest[6:] * share,
                )
            )
    strength = float(min(abs(rng.normal(0, 0.08 if group else 0.05)), 0.2))
    angle = rng.uniform(0, 2 * np.pi)
    canvas.shear = strength * np.array([np.cos(angle), np.sin(angle)])


def _source(
    canvas: Canvas, rng: Rng, plan: LensPlan, radius: float, redshift: float, *, group: bool
) -> float:
    """Add a star-forming source with clumps; return its unlensed magnitude in g."""
    bright, faint = plan.source_g_ab
    slope = plan.source_count_slope * np.log(10)
    edge = np.exp(slope * (faint - bright)) - 1
    magnitude = bright + np.log1p(rng.random() * edge) / slope
    track = "disk" if rng.random() < 0.15 else "blue"
    gr, ri = colors(track, redshift)
    gr, ri = gr + rng.normal(0, 0.12), ri + rng.normal(0, 0.1)
    light = flux(magnitude - gr - ri, gr, ri)
    # Close to the caustic's size a source is multiply imaged; larger offsets give single arcs.
    offset = radius * np.sqrt(rng.random()) * (0.5 if group else 0.45)
    angle = rng.uniform(0, 2 * np.pi)
    x, y = offset * np.cos(angle), offset * np.sin(angle)
    size = float(np.clip(np.exp(rng.normal(np.log(0.28), 0.4)), 0.08, 0.9))
    q, phi = float(rng.uniform(0.35, 0.95)), float(rng.uniform(0, np.pi))
    clumps = int(rng.integers(0, SOURCES))
    in_clumps = rng.uniform(0.1, 0.5) if clumps else 0.0
    sersic = float(rng.uniform(0.7, 1.8))
    canvas.source.append(_row(x, y, size, sersic, q, phi, light * (1 - in_clumps)))
    for _ in range(clumps):
        dx, dy = rng.normal(0, 0.8 * size, 2)
        tint = np.exp(rng.normal(0, 0.15, BANDS))
        clump = light * in_clumps / clumps * tint
        canvas.source.append(_row(x + dx, y + dy, size * rng.uniform(0.1, 0.35), 0.7, 1, 0, clump))
    return float(magnitude)


# -------------------------------------------------------------------------------- non-lenses


def _paint_spiral(canvas: Canvas, rng: Rng) -> float:
    """A disk with arms about a redder bulge; small and distant ones look like rings."""
    redshift = _nonlens_redshift(rng)
    disk, bulge, radius = _disk_light(rng, redshift)
    q, phi = float(rng.uniform(0.35, 1.0)), float(rng.uniform(0, np.pi))
    arms = float(rng.choice([1, 2, 2, 2, 3, 4]))
    shape = [0, 0, radius, 1, q, phi, arms, rng.uniform(1.5, 6), rng.uniform(0, 2 * np.pi),
             rng.uniform(0.5, 0.98), 0, 1, 0, 0, 0]  # fmt: skip
    if rng.random() < 0.35:
        shape[10:15] = _ring(rng, faint=True)
    canvas.disks.append(np.concatenate([shape, disk]))
    _bulge(canvas, rng, radius, q, phi, bulge)
    _clumps(canvas, rng, radius, q, phi, disk)
    return redshift


def _paint_ring(canvas: Canvas, rng: Rng) -> float:
    """A ring galaxy: collisional, resonance or polar, often broken and lopsided."""
    redshift = _nonlens_redshift(rng)
    disk, bulge, radius = _disk_light(rng, redshift)
    q, phi = float(rng.uniform(0.45, 1.0)), float(rng.uniform(0, np.pi))
    shape = [0, 0, radius, 1, q, phi, 2, 3, 0, 0, *_ring(rng, faint=False)]
    canvas.disks.append(np.concatenate([shape, disk]))
    _bulge(canvas, rng, radius, q, phi, bulge * rng.uniform(0.8, 2.5))
    if rng.random() < 0.3:  # the intruder of a collision
        angle, distance = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.5, 5)
        canvas.light.append(
            _row(
                distance * np.cos(angle),
                distance * np.sin(angle),
                0.4 * radius,
                2,
                rng.uniform(0.5, 1),
                rng.uniform(0, np.pi),
                bulge * rng.uniform(0.2, 1),
            )
        )
    _clumps(canvas, rng, radius, q, phi, disk)
    return redshift


def _paint_companions(canvas: Canvas, rng: Rng) -> float:
    """A red galaxy with blue galaxies at the distance where arcs would be, not about it."""
    redshift, dispersion = _red_redshift(rng), float(rng.uniform(190, 330))
    _host(canvas, rng, redshift, dispersion)
    canvas.end_host()
    radius = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0))))
    _blue_companions(canvas.light, rng, radius, flux_scale=float(np.exp(rng.uniform(0.0, 3.0))))
    if rng.random() < 0.3:
        _blue_companions(canvas.light, rng, radius * 1.5, flux_scale=float(rng.uniform(0.5, 4)))
    return redshift


def _paint_pair(canvas: Canvas, rng: Rng) -> float:
    """Two or three galaxies in one another's light, with or without tidal tails."""
    redshift = _nonlens_redshift(rng)
    disk, bulge, radius = _disk_light(rng, redshift)
    for k in range(int(rng.integers(2, 4))):
        distance = 0.0 if k == 0 else float(rng.uniform(0.7, 3.5))
        angle = rng.uniform(0, 2 * np.pi)
        light = (bulge * 3 if rng.random() < 0.7 else disk) * np.exp(rng.normal(-0.4 * k, 0.4))
        canvas.light.append(
            _row(
                distance * np.cos(angle),
                distance * np.sin(angle),
                radius * rng.uniform(0.4, 1.2),
                rng.choice([1.0, 1.0, 4.0]),
                rng.uniform(0.25, 1),
                rng.uniform(0, np.pi),
                light,
            )
        )
    if rng.random() < 0.5:  # a tail: half a broken, lopsided ring far outside
        shape = [0, 0, radius, 1, rng.uniform(0.4, 1), rng.uniform(0, np.pi), 1,
                 rng.uniform(1, 3), rng.uniform(0, 6), 0.9, rng.uniform(2, 4.5),
                 rng.uniform(0.25, 0.6), rng.uniform(0.5, 3), rng.uniform(0, 6), 1.0]  # fmt: skip
        canvas.disks.append(np.concatenate([shape, disk * rng.uniform(0.2, 0.6)]))
    return redshift


def _paint_edge_on(canvas: Canvas, rng: Rng) -> float:
    """A thin disk, alone or beside a red galaxy."""
    redshift = _nonlens_redshift(rng)
    disk, bulge, radius = _disk_light(rng, redshift)
    x, y = (0.0, 0.0)
    if rng.random() < 0.5:
        _host(canvas, rng, _red_redshift(rng), float(rng.uniform(170, 300)))
        x, y = rng.normal(0, 2.5, 2)
    phi = rng.uniform(0, np.pi)
    canvas.light.append(_row(x, y, radius * 1.7, 1, rng.uniform(0.1, 0.25), phi, disk))
    canvas.light.append(_row(x, y, radius * 0.3, 2, 0.7, phi, bulge))
    return redshift


def _paint_star(canvas: Canvas, rng: Rng) -> float:
    """A star, or several, with faint galaxies in its glow."""
    for k in range(int(rng.integers(1, 4))):
        x, y = (0.0, 0.0) if k == 0 else rng.normal(0, 2.5, 2)
        canvas.light.append(_star(rng, x, y, rng.uniform(17.0, 22.0)))
    canvas.end_host()
    _blue_companions(
        canvas.light, rng, float(rng.uniform(1, 5)), flux_scale=float(rng.uniform(1, 8))
    )
    return 0.3


def _paint_red(canvas: Canvas, rng: Rng) -> float:
    """A plain early-type galaxy, sometimes a double one, and nothing else."""
    redshift, dispersion = _red_redshift(rng), float(rng.uniform(150, 340))
    _host(canvas, rng, redshift, dispersion, group=bool(rng.random() < 0.3))
    return redshift


def _paint_field(canvas: Canvas, rng: Rng) -> float:
    """A small blue or irregular galaxy at the center."""
    redshift = float(rng.uniform(0.1, 1.5))
    gr, ri = colors("disk" if rng.random() < 0.5 else "blue", redshift)
    light = flux(rng.uniform(19.0, 22.0), gr + rng.normal(0, 0.15), ri + rng.normal(0, 0.12))
    radius = float(np.exp(rng.normal(np.log(0.5), 0.3)))
    q, phi = float(rng.uniform(0.3, 1)), float(rng.uniform(0, np.pi))
    canvas.light.append(_row(0, 0, radius, rng.uniform(0.6, 2.5), q, phi, light))
    _clumps(canvas, rng, radius, q, phi, light)
    return redshift


_PAINT = {
    "spiral": _paint_spiral,
    "ring": _paint_ring,
    "companions": _paint_companions,
    "pair": _paint_pair,
    "edge-on": _paint_edge_on,
    "star": _paint_star,
    "red": _paint_red,
    "field": _paint_field,
}
if set(_PAINT) != set(NonlensKind.__args__):  # the plan and the painters must name the same kinds
    raise TypeError("NonlensKind and _PAINT differ")


# --------------------------------------------------------------------------------- ingredients


def _surroundings(
    canvas: Canvas, rng: Rng, redshift: float, *, rich: bool, mean_members: float
) -> None:
    """Add what is in any field: group members of the same red, field galaxies, stars."""
    members = int(rng.poisson(6.0 if rich else mean_members))
    for _ in range(members):
        distance = rng.gamma(2.0, 4.0)
        angle = rng.uniform(0, 2 * np.pi)
        dispersion = float(rng.uniform(90, 225))
        gr, ri = _red_colors(rng, redshift)
        light = flux(red_magnitude_i(redshift, dispersion) + rng.normal(0, 0.4), gr, ri)
        radius = np.clip(red_radius_arcsec(max(redshift, 0.1), dispersion), 0.15, 3)
        canvas.light.append(
            _row(
                distance * np.cos(angle),
                distance * np.sin(angle),
                radius,
                rng.uniform(2, 5),
                rng.uniform(0.4, 1),
                rng.uniform(0, np.pi),
                light,
            )
        )
    for _ in range(int(rng.poisson(7.0))):
        x, y = rng.uniform(-HALF_FIELD_ARCSEC, HALF_FIELD_ARCSEC, 2)
        canvas.light.append(_field_galaxy(rng, x, y))
    for _ in range(int(rng.poisson(0.5))):
        x, y = rng.uniform(-HALF_FIELD_ARCSEC, HALF_FIELD_ARCSEC, 2)
        canvas.light.append(_star(rng, x, y, 24 - rng.exponential(2.2)))


def _blue_companions(rows: list[Row], rng: Rng, radius: float, *, flux_scale: float) -> None:
    """Add one to four blue galaxies about a radius, at any angle to it."""
    for _ in range(int(rng.integers(1, COMPANIONS + 1))):
        distance = radius * np.exp(rng.normal(0, 0.2))
        angle = rng.uniform(0, 2 * np.pi)
        redshift = float(rng.uniform(0.3, 2.5))
        gr, ri = colors("disk" if rng.random() < 0.2 else "blue", redshift)
        gr, ri = gr + rng.normal(0, 0.15), ri + rng.normal(0, 0.12)
        magnitude = 25 + np.log(1 - rng.random() * 0.97) / (0.3 * np.log(10)) * 0.6
        light = flux_scale * flux(magnitude - gr - ri, gr, ri)
        size = float(np.clip(np.exp(rng.normal(np.log(0.35), 0.4)), 0.1, 1.2))
        rows.append(
            _row(
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
    """Return a galaxy of the field with number counts of slope 0.3 per magnitude to i = 25.5."""
    magnitude = 25.5 + np.log10(max(rng.random(), 1e-3)) / 0.33
    redshift = float(rng.gamma(3.0, 0.3) + 0.05)
    track = rng.choice(["blue", "blue", "disk", "red"])
    gr, ri = colors(track, min(redshift, 3.0))
    light = flux(magnitude, gr + rng.normal(0, 0.12), ri + rng.normal(0, 0.1))
    size = float(np.exp(rng.normal(np.log(0.35) + 0.12 * (24 - magnitude), 0.35)))
    return _row(x, y, np.clip(size, 0.08, 4), rng.choice([0.8, 1.0, 1.5, 4.0]),
                rng.uniform(0.25, 1), rng.uniform(0, np.pi), light)  # fmt: skip


def _star(rng: Rng, x: float, y: float, magnitude: float) -> Row:
    """Return a star on the stellar locus (Covey et al. 2007, AJ 134, 2398), as a point."""
    gi = rng.uniform(0.2, 2.8)
    gr = min(0.72 * gi + 0.02, 1.42)
    return _row(x, y, 0.0, 0.5, 1, 0, flux(magnitude, gr, gi - gr))


def _nonlens_redshift(rng: Rng) -> float:
    """Return a redshift: what is as bright as a lens but less luminous is nearer."""
    return float(np.clip(rng.gamma(4.0, 0.105), 0.06, 1.0))


def _red_redshift(rng: Rng) -> float:
    return float(np.clip(rng.gamma(6.0, 0.075), 0.1, 0.9))


def _red_colors(rng: Rng, redshift: float) -> tuple[float, float]:
    gr, ri = colors("red", redshift)
    return gr + rng.normal(0, 0.07), ri + rng.normal(0, 0.05)


def _disk_light(rng: Rng, redshift: float) -> tuple[Row, Row, float]:
    """Return the fluxes of disk and bulge, and the disk's scale length in arcsec."""
    total = red_magnitude_i(redshift, 200) + rng.uniform(-1.5, 0.9)
    share = rng.beta(2.2, 2.4)
    mix = rng.beta(1.0, 3.5)
    blue, disk = np.array(colors("blue", redshift)), np.array(colors("disk", redshift))
    gr, ri = mix * blue + (1 - mix) * disk + rng.normal(0, 0.08, 2)
    bulge_gr, bulge_ri = _red_colors(rng, redshift)
    kpc = np.exp(rng.normal(np.log(2.8), 0.4))
    radius = kpc / kpc_per_arcsec(redshift)
    return (
        flux(total, gr, ri) * (1 - share),
        flux(total, bulge_gr, bulge_ri) * share,
        float(np.clip(radius, 0.2, 3.0)),
    )


def _ring(rng: Rng, *, faint: bool) -> list[float]:
    """Return ring radius and width (in scale lengths), strength, phase and lopsidedness."""
    strength = rng.uniform(0.3, 1.5) if faint else rng.uniform(1.5, 10.0)
    return [rng.uniform(1.4, 3.2), rng.uniform(0.15, 0.5), strength,
            rng.uniform(0, 2 * np.pi), rng.beta(1, 1.5)]  # fmt: skip


def _bulge(canvas: Canvas, rng: Rng, radius: float, q: float, phi: float, light: Row) -> None:
    size = radius * rng.uniform(0.1, 0.45)
    canvas.light.append(_row(0, 0, size, rng.uniform(1.5, 4), 0.5 + 0.5 * q, phi, light))


def _clumps(canvas: Canvas, rng: Rng, radius: float, q: float, phi: float, disk: Row) -> None:
    """Add star-forming knots to a disk, few bright ones among many faint ones."""
    for _ in range(int(rng.integers(0, 9))):
        distance, angle = radius * rng.uniform(0.6, 2.8), rng.uniform(0, 2 * np.pi)
        along, across = distance * np.cos(angle), q * distance * np.sin(angle)
        x = along * np.cos(phi) - across * np.sin(phi)
        y = along * np.sin(phi) + across * np.cos(phi)
        share = np.exp(rng.uniform(np.log(0.005), np.log(0.12)))
        light = disk * share * np.array([1.3, 1.0, 0.85])
        canvas.light.append(_row(x, y, radius * rng.uniform(0.06, 0.25), 0.7, 1, 0, light))


def _row(x: float, y: float, radius: float, sersic: float, q: float, phi: float, light: Row) -> Row:
    return np.array([x, y, radius, sersic, q, phi, *light], np.float64)


def _table(
    rows: list[Row] | list[list[float]], count: int, columns: int
) -> Float[np.ndarray, "1 row column"]:
    table = np.zeros((1, count, columns))
    for k, row in enumerate(rows[:count]):
        table[0, k] = row
    return table
