"""Drawing what is taken for a lens.

A scene depends on its plan, seed and index alone, never on the scenes before it.
"""

from __future__ import annotations

import numpy as np

from skysieve.core.random import stream
from skysieve.recipe.simulation import NonlensKind, NonlensPlan
from skysieve.simulate.galaxies import colors, flux, kpc_per_arcsec, red_magnitude_i
from skysieve.simulate.ingredients import (
    Canvas,
    Rng,
    Row,
    add_blue_companions,
    add_host,
    add_surroundings,
    component,
    red_colors,
    star,
)
from skysieve.simulate.scenes import Scenes


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
    add_surroundings(canvas.light, rng, redshift, rich=rich, mean_members=1.5 if early else 0.4)
    return canvas.scene(kind, {"z_lens": redshift})


def _paint_spiral(canvas: Canvas, rng: Rng) -> float:
    """A disk with arms about a redder bulge; small and distant ones look like rings."""
    redshift = _nonlens_redshift(rng)
    disk, bulge, radius = _disk_light(rng, redshift)
    q, phi = float(rng.uniform(0.35, 1.0)), float(rng.uniform(0, np.pi))
    arms = float(rng.choice([1, 2, 2, 2, 3, 4]))
    shape = [0, 0, radius, 1, q, phi, arms, rng.uniform(1.5, 5), rng.uniform(0, 2 * np.pi),
             rng.uniform(0.75, 1.0), 0, 1, 0, 0, 0]  # fmt: skip
    if rng.random() < 0.5:
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
            component(
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


def _paint_clumpy(canvas: Canvas, rng: Rng) -> float:
    """A lopsided disk whose light is in blue knots, about a small redder middle.

    References:
        Elmegreen et al. 2005, ApJ 631, 85 (clumpy disks); Guo et al. 2015, ApJ 800, 39, section 4
        (knots hold up to about half of the light).
    """
    redshift = _nonlens_redshift(rng)
    middle, bulge_color = np.array(colors("disk", redshift)), red_colors(rng, redshift)
    older = rng.uniform(-0.4, 0.6)  # of the disk: bluer than a disk's track, or redder
    end = np.array(colors("blue", redshift)) if older < 0 else np.array(bulge_color)
    color = middle + abs(older) * (end - middle) + rng.normal(0, 0.08, 2)
    light = flux(red_magnitude_i(redshift, 200) + rng.uniform(-1.2, 1.0), *color)
    scale = np.exp(rng.normal(np.log(3.6), 0.35)) / kpc_per_arcsec(redshift)
    radius = float(np.clip(scale, 0.25, 2.0))
    q, phi = float(rng.uniform(0.4, 1.0)), float(rng.uniform(0, np.pi))
    in_bulge = rng.beta(1.4, 4.5)
    in_knots = (1 - in_bulge) * rng.uniform(0.15, 0.6)
    side, narrow = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 4.0)
    away = radius * rng.uniform(0, 0.4)
    canvas.light.append(
        component(
            away * np.cos(side), away * np.sin(side), 1.68 * radius, rng.uniform(0.5, 1.2), q, phi,
            light * (1 - in_bulge - in_knots),
        )
    )  # fmt: skip
    bulge = flux(red_magnitude_i(redshift, 200), *bulge_color)
    _bulge(canvas, rng, radius, q, phi, bulge * (light[2] / bulge[2]) * in_bulge)
    shares = np.exp(rng.normal(0, 0.8, int(rng.integers(3, 13))))
    for share in shares / shares.sum() * in_knots:
        distance, angle = radius * rng.uniform(0.7, 2.4), side + rng.normal(0, narrow)
        knot = light * share * np.array([1.25, 1.0, 0.85])
        size = radius * rng.uniform(0.06, 0.3)
        x, y = distance * np.cos(angle), q * distance * np.sin(angle)
        turned = x * np.cos(phi) - y * np.sin(phi), x * np.sin(phi) + y * np.cos(phi)
        canvas.light.append(component(*turned, size, 0.7, 1, 0, knot))
    return redshift


def _paint_companions(canvas: Canvas, rng: Rng) -> float:
    """A red galaxy with blue galaxies at the distance where arcs would be, not about it."""
    redshift, dispersion = _red_redshift(rng), float(rng.uniform(190, 330))
    add_host(canvas, rng, redshift, dispersion)
    canvas.end_host()
    radius = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0))))
    add_blue_companions(canvas.light, rng, radius, flux_scale=float(np.exp(rng.uniform(0.0, 2.2))))
    if rng.random() < 0.3:
        add_blue_companions(canvas.light, rng, radius * 1.5, flux_scale=float(rng.uniform(0.5, 4)))
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
            component(
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
        add_host(canvas, rng, _red_redshift(rng), float(rng.uniform(170, 300)))
        x, y = rng.normal(0, 2.5, 2)
    phi = rng.uniform(0, np.pi)
    canvas.light.append(component(x, y, radius * 1.7, 1, rng.uniform(0.1, 0.25), phi, disk))
    canvas.light.append(component(x, y, radius * 0.3, 2, 0.7, phi, bulge))
    return redshift


def _paint_star(canvas: Canvas, rng: Rng) -> float:
    """A star, or several, with faint galaxies in its glow."""
    for k in range(int(rng.integers(1, 4))):
        x, y = (0.0, 0.0) if k == 0 else rng.normal(0, 2.5, 2)
        canvas.light.append(star(rng, x, y, rng.uniform(17.0, 22.0)))
    canvas.end_host()
    add_blue_companions(
        canvas.light, rng, float(rng.uniform(1, 5)), flux_scale=float(rng.uniform(1, 8))
    )
    return 0.3


def _paint_red(canvas: Canvas, rng: Rng) -> float:
    """A plain early-type galaxy, sometimes a double one, and nothing else."""
    redshift, dispersion = _red_redshift(rng), float(rng.uniform(150, 340))
    add_host(canvas, rng, redshift, dispersion, group=bool(rng.random() < 0.3))
    return redshift


def _paint_field(canvas: Canvas, rng: Rng) -> float:
    """A small blue or irregular galaxy at the center."""
    redshift = float(rng.uniform(0.1, 1.5))
    gr, ri = colors("disk" if rng.random() < 0.5 else "blue", redshift)
    light = flux(rng.uniform(19.0, 22.0), gr + rng.normal(0, 0.15), ri + rng.normal(0, 0.12))
    radius = float(np.exp(rng.normal(np.log(0.5), 0.3)))
    q, phi = float(rng.uniform(0.3, 1)), float(rng.uniform(0, np.pi))
    canvas.light.append(component(0, 0, radius, rng.uniform(0.6, 2.5), q, phi, light))
    _clumps(canvas, rng, radius, q, phi, light)
    return redshift


_PAINT = {
    "spiral": _paint_spiral,
    "ring": _paint_ring,
    "clumpy": _paint_clumpy,
    "companions": _paint_companions,
    "pair": _paint_pair,
    "edge-on": _paint_edge_on,
    "star": _paint_star,
    "red": _paint_red,
    "field": _paint_field,
}
if set(_PAINT) != set(NonlensKind.__args__):  # the plan and the painters must name the same kinds
    raise TypeError("NonlensKind and _PAINT differ")


# ------------------------------------------------------------------------ disks and redshifts


def _nonlens_redshift(rng: Rng) -> float:
    """Return a redshift: what is as bright as a lens but less luminous is nearer."""
    return float(np.clip(rng.gamma(4.0, 0.13), 0.18, 1.0))


def _red_redshift(rng: Rng) -> float:
    return float(np.clip(rng.gamma(6.0, 0.075), 0.1, 0.9))


def _disk_light(rng: Rng, redshift: float) -> tuple[Row, Row, float]:
    """Return the fluxes of disk and bulge, and the disk's scale length in arcsec."""
    total = red_magnitude_i(redshift, 200) + rng.uniform(-1.5, 0.9)
    share = rng.beta(2.2, 2.4)
    mix = rng.beta(1.0, 3.5)
    blue, disk = np.array(colors("blue", redshift)), np.array(colors("disk", redshift))
    gr, ri = mix * blue + (1 - mix) * disk + rng.normal(0, 0.08, 2)
    bulge_gr, bulge_ri = red_colors(rng, redshift)
    kpc = np.exp(rng.normal(np.log(3.8), 0.35))
    radius = kpc / kpc_per_arcsec(redshift)
    return (
        flux(total, gr, ri) * (1 - share),
        flux(total, bulge_gr, bulge_ri) * share,
        float(np.clip(radius, 0.2, 3.0)),
    )


def _ring(rng: Rng, *, faint: bool) -> list[float]:
    """Return ring radius and width (in scale lengths), strength, phase and lopsidedness."""
    strength = rng.uniform(0.5, 3.0) if faint else rng.uniform(3.0, 14.0)
    return [rng.uniform(1.6, 3.2), rng.uniform(0.12, 0.35), strength,
            rng.uniform(0, 2 * np.pi), rng.beta(1, 1.5)]  # fmt: skip


def _bulge(canvas: Canvas, rng: Rng, radius: float, q: float, phi: float, light: Row) -> None:
    size = radius * rng.uniform(0.1, 0.45)
    canvas.light.append(component(0, 0, size, rng.uniform(1.5, 4), 0.5 + 0.5 * q, phi, light))


def _clumps(canvas: Canvas, rng: Rng, radius: float, q: float, phi: float, disk: Row) -> None:
    """Add star-forming knots to a disk, few bright ones among many faint ones."""
    for _ in range(int(rng.integers(0, 9))):
        distance, angle = radius * rng.uniform(0.6, 2.8), rng.uniform(0, 2 * np.pi)
        along, across = distance * np.cos(angle), q * distance * np.sin(angle)
        x = along * np.cos(phi) - across * np.sin(phi)
        y = along * np.sin(phi) + across * np.cos(phi)
        share = np.exp(rng.uniform(np.log(0.005), np.log(0.12)))
        light = disk * share * np.array([1.3, 1.0, 0.85])
        canvas.light.append(component(x, y, radius * rng.uniform(0.06, 0.25), 0.7, 1, 0, light))
