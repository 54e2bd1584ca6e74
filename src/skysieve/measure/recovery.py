"""The share of lenses that a finder finds, against what makes them hard: its selection function.

Thresholds, shares and surface come from the same trials. Intervals of bins are Wilson's; those of
the surface come from resamples of whole images, each with a threshold of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from skysieve.core.random import stream
from skysieve.measure.intervals import LEVEL
from skysieve.measure.recovery_cells import chance_of_cells, corners_of, count_bins, count_cells
from skysieve.measure.selection import BASE, Selection, Surface
from skysieve.measure.surface import NAMES_AFTER, NAMES_BEFORE, fit_surface
from skysieve.measure.trials import (
    AXES,
    LOGARITHMIC,
    Bin,
    Share,
    Trials,
    choose_threshold,
    share_of,
)

RESAMPLES = 300
LEAST_OF_EACH = 20
"""Fewer lenses found, or missed, make no surface."""
EXTENDED = (*BASE, "source_ab", "color")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is told with the numbers: whose lenses, which finder, which seed.

    Args:
        finder: Name and version.
        finder_sha256: Of its card.
        images: What the lenses were painted into, or the scenario.
        data_sha256: Of the plan that made them.
        seed: Of lenses and resamples.
        population: What the weights make of the lenses, in words.
        made: Images that were made.
        unscored: Those that could not be painted or scored, by reason.
    """

    finder: str
    finder_sha256: str
    images: str
    data_sha256: str
    seed: int
    population: str
    made: int
    unscored: Mapping[str, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Recovery:
    """What a finder finds of known lenses.

    Args:
        asked: Whose lenses, which finder, which seed.
        trials: The lenses and what they scored.
        threshold: A lens is found at a probability of at least this.
        fpr: The rate that it was made for; None if it was given.
        false_positives: Images without lenses at or above it, as a share; None if there are none.
        overall: What is found of all that were drawn.
        population: The same with the weights.
        bins: By axis.
        cells: By Einstein radius and signal to noise, rows of ``completeness.ecsv``.
        selection: The fitted surface; None if too few were found or missed.
        why_not: Why there is none; empty if there is.
        misfit: The chance of cells as far from the surface as these, were it true; None without.
        resamples: Of the bootstrap.
    """

    asked: Asked
    trials: Trials
    threshold: float
    fpr: float | None
    false_positives: Share | None
    overall: Share
    population: Share
    bins: Mapping[str, Sequence[Bin]]
    cells: Sequence[Mapping[str, float | int]]
    selection: Selection | None
    why_not: str
    misfit: float | None
    resamples: int

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        false = self.false_positives
        return {
            **vars(self.asked),
            "threshold": self.threshold,
            "fpr": self.fpr,
            "false_positives": None if false is None else vars(false),
            "n_lenses": len(self.trials),
            "n_images": len(np.unique(self.trials.image)),
            "psf_fwhm_arcsec": float(np.median(self.trials.psf_fwhm_arcsec)),
            "overall": vars(self.overall),
            "of_population": vars(self.population),
            "bins": {name: [one.as_json() for one in bins] for name, bins in self.bins.items()},
            "cells": [{k: _known(v) for k, v in cell.items()} for cell in self.cells],
            "surface": _surface_json(self.selection and self.selection.surface),
            "extended_surface": _surface_json(self.selection and self.selection.extended),
            "why_no_surface": self.why_not,
            "misfit_p": self.misfit,
            "level": LEVEL,
            "resamples": self.resamples,
        }


def measure_recovery(
    trials: Trials,
    asked: Asked,
    *,
    fpr: float | None = None,
    threshold: float | None = None,
    resamples: int = RESAMPLES,
) -> Recovery:
    """Measure what is found of known lenses, at a threshold or a false positive rate.

    Args:
        trials: The lenses and what they scored.
        asked: To be told with the numbers.
        fpr: Share of images without lenses above the threshold; not if that is given.
        threshold: The least probability of what is found.
        resamples: Of the images, for the intervals of the surface.

    Raises:
        InputError: The rate is less than one of the images without lenses.
    """
    cut = choose_threshold(trials.negative_p, fpr or 0.0) if threshold is None else threshold
    fpr = fpr if threshold is None else None
    found = trials.found(cut)
    why_not = _why_no_surface(found)
    selection = None if why_not else _select(trials, asked, cut, fpr, resamples)
    fitted = None if selection is None else selection.surface.value(_terms(trials, BASE))
    ones = np.ones(len(trials))
    bins: dict[str, list[Bin]] = {}
    for name in AXES:
        if np.isfinite(trials.of(name)).all():
            bins[name] = count_bins(trials, name, found, fitted)
    cells = count_cells(trials, found, selection)
    flagged = trials.negative_p >= cut
    return Recovery(
        asked=asked,
        trials=trials,
        threshold=cut,
        fpr=fpr,
        false_positives=(
            share_of(flagged, trials.negative_image, np.ones(len(flagged)))
            if len(flagged)
            else None
        ),
        overall=share_of(found, trials.image, ones),
        population=share_of(found, trials.image, trials.weights),
        bins=bins,
        cells=cells,
        selection=selection,
        why_not=why_not,
        misfit=None if fitted is None else chance_of_cells(trials, found, fitted),
        resamples=resamples,
    )


def _why_no_surface(found: Bool[np.ndarray, " n"]) -> str:
    least = min(int(found.sum()), int((~found).sum()))
    if least >= LEAST_OF_EACH:
        return ""
    return (
        f"{int(found.sum()):,} of {len(found):,} lenses were found: a surface needs at least "
        f"{LEAST_OF_EACH} found and {LEAST_OF_EACH} missed; ask of easier or harder lenses, or more"
    )


def _select(
    trials: Trials, asked: Asked, cut: float, fpr: float | None, resamples: int
) -> Selection:
    known = np.isfinite(trials.source_ab).all() and np.isfinite(trials.color).all()
    return Selection(
        finder=asked.finder,
        finder_sha256=asked.finder_sha256,
        threshold=cut,
        fpr=fpr,
        n_negatives=len(trials.negative_p),
        n_trials=len(trials),
        images=asked.images,
        seed=asked.seed,
        psf_fwhm_arcsec=float(np.median(trials.psf_fwhm_arcsec)),
        hull=corners_of(_terms(trials, BASE)),
        surface=_fit(trials, BASE, cut, fpr, asked.seed, resamples),
        extended=_fit(trials, EXTENDED, cut, fpr, asked.seed, resamples) if known else None,
    )


def _terms(trials: Trials, names: Sequence[str]) -> Float64[np.ndarray, "n term"]:
    columns = [trials.of(name) for name in names]
    logs = [name in LOGARITHMIC for name in names]
    return np.stack([np.log(c) if log else c for c, log in zip(columns, logs, strict=True)], axis=1)


def _fit(
    trials: Trials, names: tuple[str, ...], cut: float, fpr: float | None, seed: int, resamples: int
) -> Surface:
    """Fit a surface to all trials, and to resamples of whole images with thresholds of their own."""
    terms = _terms(trials, names)
    centers = terms.mean(axis=0)
    centered = terms - centers
    best = fit_surface(centered, trials.found(cut).astype(float), np.ones(len(trials)))
    images, numbers = np.unique(
        np.concatenate([trials.image, trials.negative_image]), return_inverse=True
    )
    lens, negative = numbers[: len(trials)], numbers[len(trials) :]
    rng = stream(seed, "recover-resample")
    drawn: list[tuple[float, ...]] = []
    for _ in range(resamples):
        counts = np.bincount(rng.integers(0, len(images), len(images)), minlength=len(images))
        own = cut if fpr is None else choose_threshold(trials.negative_p, fpr, counts[negative])
        rows = np.flatnonzero(counts[lens])
        again = fit_surface(
            centered[rows],
            (trials.p[rows] >= own).astype(float),
            counts[lens][rows].astype(float),
            best,
        )
        drawn.append(tuple(float(f"{value:.6g}") for value in again))
    return Surface(
        terms=names,
        centers=tuple(centers.tolist()),
        low=tuple(terms.min(axis=0).tolist()),
        high=tuple(terms.max(axis=0).tolist()),
        coefficients=tuple(best.tolist()),
        resampled=tuple(drawn),
    )


def _known(value: float | int) -> float | int | None:
    return value if np.isfinite(value) else None


def _surface_json(surface: Surface | None) -> dict[str, Any] | None:
    if surface is None:
        return None
    names = (*NAMES_BEFORE, *surface.terms, *NAMES_AFTER)
    draws = np.array(surface.resampled)
    tail = (1 - LEVEL) / 2
    lows, highs = np.quantile(draws, (tail, 1 - tail), axis=0)
    told = {
        name: {"value": value, "low": float(low), "high": float(high), "method": "bootstrap"}
        for name, value, low, high in zip(names, surface.coefficients, lows, highs, strict=True)
    }
    return {"coefficients": told, "centers": dict(zip(surface.terms, surface.centers, strict=True))}
