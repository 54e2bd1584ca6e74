"""Drawing lenses.

A scene depends on its plan, seed and index alone, never on the scenes before it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from skysieve.core.errors import RecipeError
from skysieve.core.random import stream
from skysieve.recipe.simulation import LensPlan
from skysieve.simulate.galaxies import colors, dispersion_weight, einstein_radius_arcsec, flux
from skysieve.simulate.ingredients import (
    BANDS,
    SOURCES,
    Canvas,
    Rng,
    add_blue_companions,
    add_host,
    add_surroundings,
    component,
)
from skysieve.simulate.scenes import Scenes


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
    q, phi = add_host(canvas, rng, z_lens, dispersion, group=group)
    _mass(canvas, rng, radius, q=q, phi=phi, group=group)
    facts = {"z_lens": z_lens, "z_source": z_source, "einstein_radius_arcsec": radius}
    facts["source_g_ab"] = _source(canvas, rng, plan, radius, z_source, group=group)
    add_blue_companions(canvas.companions, rng, radius, flux_scale=float(rng.uniform(1.0, 4.0)))
    canvas.end_host()
    add_surroundings(canvas.light, rng, z_lens, rich=group, mean_members=3.0)
    return canvas.scene("lens", facts)


def draw_source(
    plan: LensPlan, radius_arcsec: float, redshift: float, rng: Rng
) -> tuple[Float[np.ndarray, "source column"], float]:
    """Return the source of a lens by itself, and its unlensed magnitude in g.

    Args:
        plan: Its magnitudes.
        radius_arcsec: Einstein radius of the lens: the source lies within half of it.
        redshift: Of the source.
        rng: Decides it.
    """
    canvas = Canvas()
    magnitude = _source(canvas, rng, plan, radius_arcsec, redshift, group=False)
    return canvas.scene("lens", {}).source[0], magnitude


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
                component(
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
    size = float(np.clip(np.exp(rng.normal(np.log(0.2), 0.4)), 0.05, 0.7))
    q, phi = float(rng.uniform(0.35, 0.95)), float(rng.uniform(0, np.pi))
    clumps = int(rng.integers(0, SOURCES))
    in_clumps = rng.uniform(0.1, 0.5) if clumps else 0.0
    sersic = float(rng.uniform(0.7, 1.8))
    canvas.source.append(component(x, y, size, sersic, q, phi, light * (1 - in_clumps)))
    for _ in range(clumps):
        dx, dy = rng.normal(0, 0.8 * size, 2)
        tint = np.exp(rng.normal(0, 0.15, BANDS))
        clump = light * in_clumps / clumps * tint
        canvas.source.append(
            component(x + dx, y + dy, size * rng.uniform(0.1, 0.35), 0.7, 1, 0, clump)
        )
    return float(magnitude)
