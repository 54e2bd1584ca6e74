"""Which pixels belong to which object: masks for finders that draw each object by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32

from skysieve.simulate.casting import Planes, Seen
from skysieve.simulate.scenes import LIGHT, Scenes

SEEING_ARCSEC = 0.1
"""Width that the smallest objects have when neighbors are told apart."""

Mask = Float32[np.ndarray, "1 y x"]


def instance_masks(
    parts: tuple[Planes, Planes, Planes],
    seen: Seen,
    *,
    threshold: Float[np.ndarray, " band"],
    pixel_scale_arcsec: float,
) -> tuple[Mask, Mask, Mask]:
    """Return masks of the lensed light and of the host as 0 and 1, and the numbers of neighbors.

    A pixel belongs to a neighbor where the light of all of them together is brighter than the
    threshold, and then to the one that is the brightest there. The numbers count from 1, in
    the order of the scene; masks of different kinds may overlap.

    Args:
        parts: Noise-free lensed light, host and neighbors, in counts.
        seen: The scene.
        threshold: In counts, for each band; to be brighter in one is enough.
        pixel_scale_arcsec: Size of a pixel.
    """
    lensed, host, around = (
        np.any(part > threshold[:, None, None], axis=0, keepdims=True) for part in parts
    )
    companions = seen.kind == "control" and bool(seen.facts["companions"])
    rows = neighbor_rows(seen.tables, companions=companions)
    numbers = _brightest(rows, around.shape[1:], pixel_scale_arcsec) if len(rows) else 0
    return lensed.astype(np.float32), host.astype(np.float32), _numbered(around, numbers)


def neighbor_rows(tables: Scenes, *, companions: bool) -> Float[np.ndarray, "row column"]:
    """Return the components of one scene's neighbors, with companions if it shows them."""
    rows = [tables.light[0, tables.hosts[0] :]]
    if companions:
        rows.append(tables.companions[0])
    table = np.concatenate(rows)
    return table[table[:, len(LIGHT)] > 0]


def _numbered(around: Bool[np.ndarray, "1 y x"], numbers: np.ndarray | int) -> Mask:
    return np.where(around, numbers, 0).astype(np.float32)


def _brightest(
    rows: Float[np.ndarray, "row column"], shape: Sequence[int], pixel_scale_arcsec: float
) -> Float32[np.ndarray, "y x"]:
    """Return the number of the component that is brightest in each pixel, from 1 on."""
    y, x = (
        (np.arange(side) - (side - 1) / 2) * pixel_scale_arcsec for side in (shape[0], shape[1])
    )
    best, owner = np.full(tuple(shape), -np.inf), np.zeros(tuple(shape), np.float32)
    for number, row in enumerate(rows, start=1):
        x0, y0, radius, sersic, q, phi = row[: len(LIGHT)]
        n = sersic if radius > 0 else 0.5
        wide, narrow = np.hypot(radius, SEEING_ARCSEC), np.hypot(radius * q, SEEING_ARCSEC)
        u = (x[None, :] - x0) * np.cos(phi) + (y[:, None] - y0) * np.sin(phi)
        v = (y[:, None] - y0) * np.cos(phi) - (x[None, :] - x0) * np.sin(phi)
        steep = 2 * n - 1 / 3
        away = np.sqrt((u / wide) ** 2 + (v / narrow) ** 2)
        brightness = np.log(row[len(LIGHT)] / (wide * narrow)) - steep * (away ** (1 / n) - 1)
        closer = brightness > best
        best[closer], owner[closer] = brightness[closer], number
    return owner
