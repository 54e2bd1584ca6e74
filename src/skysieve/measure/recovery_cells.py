# pyright: standard
"""Completeness in bins of one axis, and in cells of Einstein radius and signal to noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.spatial import ConvexHull
from scipy.stats import chi2

from skysieve.measure.selection import BASE, Selection
from skysieve.measure.trials import Bin, Trials, share_of

BINS, CELLS = 8, 6
LEAST_IN_BIN = 20
"""Fewer lenses make no bin."""


def _edges(values: Float64[np.ndarray, " n"], most: int) -> Float64[np.ndarray, " edge"]:
    """Return edges between which about as many values lie, at least so many that it tells."""
    count = int(np.clip(len(values) // LEAST_IN_BIN, 1, most))
    return np.unique(np.quantile(values, np.linspace(0, 1, count + 1)))


def _which(values: Float64[np.ndarray, " n"], edges: Float64[np.ndarray, " edge"]):
    inner = np.searchsorted(edges, values, side="right") - 1
    return np.clip(inner, 0, max(len(edges) - 2, 0))


def count_bins(
    trials: Trials,
    name: str,
    found: Bool[np.ndarray, " n"],
    fitted: Float64[np.ndarray, " n"] | None,
) -> list[Bin]:
    """Return the bins of an axis, with about as many lenses in each.

    Args:
        trials: The lenses.
        name: Of the axis.
        found: Which of them were found.
        fitted: The surface's completeness of each; None if there is no surface.
    """
    values = np.asarray(trials.of(name), np.float64)
    edges = _edges(values, BINS)
    which = _which(values, edges)
    bins: list[Bin] = []
    for k in np.unique(which):
        rows = np.flatnonzero(which == k)
        image, weights = trials.image[rows], trials.weights[rows]
        if not weights.any():
            continue
        bins.append(
            Bin(
                low=float(edges[k]),
                high=float(edges[min(k + 1, len(edges) - 1)]),
                share=share_of(found[rows], image, np.ones(len(rows))),
                population=share_of(found[rows], image, weights),
                surface=None if fitted is None else float(fitted[rows].mean()),
            )
        )
    return bins


def _grid(trials: Trials) -> tuple[Any, Any, Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    most = int(np.clip(np.sqrt(len(trials) / LEAST_IN_BIN), 1, CELLS))
    radius, snr = trials.einstein_radius_arcsec, trials.arc_snr
    across, up = _edges(radius, most), _edges(snr, most)
    return across, up, _which(radius, across), _which(snr, up)


def count_cells(
    trials: Trials, found: Bool[np.ndarray, " n"], selection: Selection | None
) -> list[dict[str, float | int]]:
    """Return a row for each cell of Einstein radius and signal to noise that holds a lens."""
    across, up, i, j = _grid(trials)
    cells: list[dict[str, float | int]] = []
    for a, b in sorted(set(zip(i.tolist(), j.tolist(), strict=True))):
        rows = np.flatnonzero((i == a) & (j == b))
        told = share_of(found[rows], trials.image[rows], np.ones(len(rows)))
        middle = [float(np.median(np.asarray(trials.of(name))[rows])) for name in
                  ("einstein_radius_arcsec", "arc_snr", "psf_fwhm_arcsec", "source_ab", "color")]  # fmt: skip
        surface = [np.nan] * 3
        if selection is not None:
            where: Any = {"psf_fwhm_arcsec": middle[2], "extrapolate": True}
            ask = (selection, selection.low, selection.high)
            surface = [float(one(middle[0], middle[1], **where)) for one in ask]
        cells.append(
            {
                "einstein_radius_from": float(across[a]),
                "einstein_radius_to": float(across[min(a + 1, len(across) - 1)]),
                "arc_snr_from": float(up[b]),
                "arc_snr_to": float(up[min(b + 1, len(up) - 1)]),
                "n_lenses": told.n,
                "n_found": told.n_found,
                "completeness": told.value,
                "completeness_low": told.low,
                "completeness_high": told.high,
                "einstein_radius_median": middle[0],
                "arc_snr_median": middle[1],
                "psf_fwhm_median": middle[2],
                "source_magnitude_median": middle[3],
                "color_median": middle[4],
                "surface": surface[0],
                "surface_low": surface[1],
                "surface_high": surface[2],
            }
        )
    return cells


def chance_of_cells(
    trials: Trials, found: Bool[np.ndarray, " n"], fitted: Float64[np.ndarray, " n"]
) -> float | None:
    """Return the chance of cells as far from the surface as these, were the surface true.

    The sum over cells of (found - expected) squared over its variance, against chi squared of as
    many degrees of freedom as there are cells beyond the coefficients (Hosmer & Lemeshow 1980,
    Commun. Stat. A 9, 1043). It is not known where several lenses share an image.
    """
    if len(np.unique(trials.image)) < len(trials):
        return None
    _, _, i, j = _grid(trials)
    value, n = 0.0, 0
    for a, b in set(zip(i.tolist(), j.tolist(), strict=True)):
        rows = np.flatnonzero((i == a) & (j == b))
        p = fitted[rows]
        variance = float((p * (1 - p)).sum())
        if variance < 1:  # too few for a normal law
            continue
        value += float(found[rows].sum() - p.sum()) ** 2 / variance
        n += 1
    free = n - len(BASE) - 3
    return None if free < 1 else float(chi2.sf(value, free))


def corners_of(points: Float64[np.ndarray, "n xy"]) -> tuple[tuple[float, float], ...]:
    """Return the corners of the smallest convex shape around points, against the clock."""
    return tuple((float(x), float(y)) for x, y in points[ConvexHull(points).vertices])
