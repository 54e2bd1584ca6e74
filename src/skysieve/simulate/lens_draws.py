"""Drawing lenses and sources from flat proposals, with weights that make them the sky's.

A draw is a value and a factor: the density of such values in the sky over that of the proposal.
The product of all factors of a system is its weight: the mean weight of many draws is how many
systems of the kind a square degree holds, and weighted draws follow the population.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skysieve.simulate.lens_population import (
    Numbers,
    dispersion,
    galaxy_counts,
    quasar_density,
    source_redshift,
    source_share,
    volume,
)

LENS_REDSHIFTS = (0.05, 1.5)
SOURCE_REDSHIFTS = (0.3, 5.0)
QUASAR_REDSHIFTS = (0.7, 4.5)
CELLS = 96
"""Cells in redshift, each with its own probability."""

Rng = np.random.Generator
Density = Callable[[Numbers, Numbers], Numbers]
"""From velocity dispersion and redshift to deflectors per comoving cubic Mpc and km/s."""


class Drawn(NamedTuple):
    """A number and its factor."""

    value: float
    factor: float


class Behind(NamedTuple):
    """A source.

    Args:
        i_ab: Unlensed magnitude.
        redshift: Its redshift.
        factor: Sources per square arcsec of the source plane over the proposal's density.
    """

    i_ab: float
    redshift: float
    factor: float


class Deflector(NamedTuple):
    """A lens for a given Einstein radius and source.

    Args:
        redshift: Its redshift.
        dispersion_km_s: Its velocity dispersion.
        factor: Lenses per square degree and natural logarithm of the Einstein radius, over the
            proposal's density.
    """

    redshift: float
    dispersion_km_s: float
    factor: float


def log_uniform(rng: Rng, low: float, high: float) -> Drawn:
    """Return a number drawn evenly in its logarithm; the factor is the width of the range in it."""
    width = math.log(high / low)
    return Drawn(low * math.exp(rng.random() * width), width)


def disc(rng: Rng, radius_arcsec: float) -> tuple[float, float, float]:
    """Return a place drawn evenly in a disc about the origin, and the disc's area."""
    distance, angle = radius_arcsec * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
    return distance * math.cos(angle), distance * math.sin(angle), math.pi * radius_arcsec**2


def draw_galaxy_behind(rng: Rng, i_ab: tuple[float, float]) -> Behind:
    """Return a galaxy drawn evenly in magnitude, and in redshift as galaxies of that magnitude."""
    low, high = i_ab
    magnitude = float(rng.uniform(low, high))
    first, last = (float(source_share(np.array(z), magnitude)) for z in SOURCE_REDSHIFTS)
    redshift = source_redshift(first + rng.random() * (last - first), magnitude)
    factor = float(galaxy_counts(magnitude)) * (high - low) * (last - first)
    return Behind(magnitude, float(redshift), factor)


def draw_quasar_behind(rng: Rng, i_ab: tuple[float, float]) -> Behind:
    """Return a quasar drawn evenly in magnitude, and in redshift as quasars of that magnitude."""
    low, high = i_ab
    magnitude = float(rng.uniform(low, high))
    redshift, factor = cells(rng, lambda z: quasar_density(magnitude, z), *QUASAR_REDSHIFTS)
    return Behind(magnitude, redshift, factor * (high - low))


def draw_deflector(rng: Rng, radius_arcsec: float, source: float, density: Density) -> Deflector:
    """Return a lens in front of a source, drawn in redshift as there are such lenses.

    A range without lenses gives the factor 0.

    Args:
        rng: Source of randomness.
        radius_arcsec: Einstein radius of an isothermal sphere of the lens' dispersion.
        source: Redshift of the source.
        density: Of deflectors.
    """
    nearest, farthest = LENS_REDSHIFTS[0], min(LENS_REDSHIFTS[1], source - 0.1)

    def lenses(z: Numbers) -> Numbers:
        sigma = dispersion(np.array(radius_arcsec), z, np.array(source))
        # d sigma / d ln(radius) is half of sigma.
        return density(sigma, z) * sigma / 2 * volume(z)

    redshift, factor = cells(rng, lenses, nearest, farthest)
    sigma = dispersion(np.array(radius_arcsec), np.array(redshift), np.array(source))
    return Deflector(redshift, float(sigma), factor)


def cells(rng: Rng, density: Callable[[Numbers], Numbers], low: float, high: float) -> Drawn:
    """Return a number drawn from a density in steps; the factor makes it the density itself.

    Args:
        rng: Source of randomness.
        density: At any numbers of the range.
        low: Its beginning.
        high: Its end.
    """
    width = (high - low) / CELLS
    heights = np.asarray(density(low + width * (np.arange(CELLS) + 0.5)))
    total = float(heights.sum())
    if not total > 0:
        return Drawn(low, 0.0)
    cell = int(np.searchsorted(np.cumsum(heights), rng.random() * total, side="right"))
    cell = min(cell, CELLS - 1)
    value = low + width * (cell + rng.random())
    return Drawn(value, float(density(np.array(value))) / (heights[cell] / total / width))
