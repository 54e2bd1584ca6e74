"""What sources look like before they are lensed: disks with bulges, arms and clumps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skysieve.simulate.galaxies import colors, flux, kpc_per_arcsec
from skysieve.simulate.lens_population import draw_source_axis_ratio, draw_source_radius_kpc
from skysieve.simulate.scenes import DISK
from skysieve.simulate.systems import SERSICS, Row, light_row

Place = tuple[float, float]

BLUER = np.array([1.15, 1.0, 0.9])
"""Light of a clump in g, r and i over that of its disk."""


class Source(NamedTuple):
    """A galaxy in a source plane.

    Args:
        sersics: Its Sersic components.
        disks: Its disk, if it has arms.
        radius_arcsec: Its effective radius.
        light: Its flux in each band.
    """

    sersics: list[Row]
    disks: list[Row]
    radius_arcsec: float
    light: Row


def draw_source(rng: np.random.Generator, i_ab: float, redshift: float, place: Place) -> Source:
    """Return a galaxy of this unlensed magnitude at a place in the source plane.

    Sizes and shapes are as published (``lens_population``). The bulge is redder than the disk and
    clumps are bluer, so that color runs through the galaxy. How many have bulges, arms and clumps
    are rounded readings: six in ten star-forming galaxies at redshift 0.5 to 3 have clumps of a
    twelfth of the light or more (Guo et al. 2015, ApJ 800, 39), grand designs are rare beyond a
    redshift of 2 (Elmegreen & Elmegreen 2014, ApJ 781, 11).
    """
    light, track = _light(rng, i_ab, redshift)
    kpc = draw_source_radius_kpc(rng, i_ab, redshift)
    radius = float(np.clip(kpc / kpc_per_arcsec(redshift), 0.03, 1.5))
    shape = (draw_source_axis_ratio(rng), float(rng.uniform(0, np.pi)))
    bulge, disk = _split(rng, light, redshift, track)
    in_clumps = float(rng.uniform(0.1, 0.45)) if rng.random() < 0.6 else 0.0
    sersics: list[Row] = []
    disks: list[Row] = []
    clumpy = disk * in_clumps * BLUER  # what the disk loses, so that the whole keeps its color
    smooth = disk - clumpy
    if rng.random() < np.clip(0.7 - 0.3 * redshift, 0.05, 0.6):
        disks.append(_armed(rng, place, radius, shape, smooth))
    else:
        sersic = float(np.clip(np.exp(rng.normal(np.log(1.2), 0.35)), 0.5, 3.0))
        sersics.append(light_row(place, radius, sersic, shape, smooth))
    if bulge.any():
        size = radius * float(rng.uniform(0.15, 0.4))
        round_ = (0.5 + 0.5 * shape[0], shape[1])
        sersics.append(light_row(place, size, float(rng.uniform(1.5, 3.0)), round_, bulge))
    if in_clumps:
        sersics += _clumps(rng, place, radius, shape, clumpy)
    return Source(sersics, disks, radius, light)


def _light(rng: np.random.Generator, i_ab: float, redshift: float) -> tuple[Row, str]:
    """Return the flux in each band, and the track of its colors."""
    track = "disk" if rng.random() < 0.2 else "blue"
    gr, ri = colors(track, redshift)
    return flux(i_ab, gr + rng.normal(0, 0.12), ri + rng.normal(0, 0.1)), track


def _split(rng: np.random.Generator, light: Row, redshift: float, track: str) -> tuple[Row, Row]:
    """Return the light of bulge and disk: together that of the galaxy, in each band."""
    share = float(rng.beta(1.5, 5.0)) if rng.random() < (0.8 if track == "disk" else 0.4) else 0.0
    red, mine = np.array(colors("red", redshift)), np.array(colors(track, redshift))
    gr, ri = np.maximum(red - mine, 0) * 0.7
    # In i the bulge has its share, in r and g less of it.
    bulge = light * share * 10 ** (-0.4 * np.array([gr + ri, ri, 0.0]))
    return bulge, light - bulge


def _armed(rng: np.random.Generator, place: Place, radius: float, shape: Place, light: Row) -> Row:
    """Return a disk with arms; its scale length is its effective radius over 1.678."""
    arms = {
        "x": place[0], "y": place[1], "radius": radius / 1.678, "sersic": 1.0,
        "q": max(shape[0], 0.3), "phi": shape[1], "arms": float(rng.choice([2, 2, 2, 3, 4])),
        "winding": rng.uniform(2, 6), "arm_phase": rng.uniform(0, 2 * np.pi),
        "arm_strength": rng.uniform(0.5, 0.95), "ring_width": 1.0,
    }  # fmt: skip
    return np.array([*(arms.get(name, 0.0) for name in DISK), *light])


def _clumps(
    rng: np.random.Generator, place: Place, radius: float, shape: Place, light: Row
) -> list[Row]:
    """Return star-forming clumps in the plane of a disk, of unequal light."""
    count = int(rng.integers(2, SERSICS - 1))
    shares = rng.dirichlet(np.full(count, 1.5))
    rows = []
    for share in shares:
        distance = radius * float(np.sqrt(-2 * np.log(1 - 0.95 * rng.random()))) * 0.9
        angle = rng.uniform(0, 2 * np.pi)
        along, across = distance * np.cos(angle), shape[0] * distance * np.sin(angle)
        cos, sin = np.cos(shape[1]), np.sin(shape[1])
        there = (place[0] + along * cos - across * sin, place[1] + along * sin + across * cos)
        size = float(np.clip(radius * rng.uniform(0.06, 0.22), 0.02, 0.2))
        rows.append(light_row(there, size, 1.0, (1.0, 0.0), light * share))
    return rows
