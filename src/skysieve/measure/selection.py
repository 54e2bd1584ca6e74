"""A selection function: the share of lenses that a finder finds, to be asked by other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from statistics import NormalDist
from typing import Literal, Self

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skysieve.core.errors import InputError, MissingError
from skysieve.measure.intervals import LEVEL
from skysieve.measure.surface import evaluate_surface

SELECTION = "selection.json"
BASE = ("einstein_radius_psf", "arc_snr")
"""The terms that every selection function has."""

_ROWS, _TINY = 4096, 1e-9

Values = Float64[np.ndarray, "..."]


class Surface(BaseModel):
    """A fitted surface with its resamples.

    Args:
        terms: What it depends on; the logarithms of the first two, which only rise.
        centers: What is taken off each term.
        low: The least value of each term among the trials, as it enters.
        high: The largest.
        coefficients: Offset, a slope for each term, logit and slope of the ceiling.
        resampled: The same of each resample of the images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: tuple[str, ...] = Field(min_length=2)
    centers: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    coefficients: tuple[float, ...]
    resampled: tuple[tuple[float, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        n = len(self.terms)
        rows = (self.coefficients, *self.resampled)
        if any(len(row) != n for row in (self.centers, self.low, self.high)) or any(
            len(row) != n + 3 for row in rows
        ):
            raise ValueError("numbers are missing or too many")
        return self

    def value(self, terms: Float64[np.ndarray, "n term"]) -> Float64[np.ndarray, " n"]:
        """Return the completeness where the terms are these."""
        return evaluate_surface(np.array(self.coefficients), terms - np.array(self.centers))

    def end(self, terms: Float64[np.ndarray, "n term"], z: float) -> Float64[np.ndarray, " n"]:
        """Return the completeness as many standard errors off, point by point.

        On the logit, where resamples scatter evenly to both sides: percentiles of the completeness
        itself hold the truth less often than they say (docs/recover.md).
        """
        centered = terms - np.array(self.centers)
        found = np.empty(len(terms))
        for start in range(0, len(terms), _ROWS):  # a map of a survey is no small table
            rows = slice(start, start + _ROWS)
            scatter = np.std(
                [_logit(evaluate_surface(one, centered[rows])) for one in self._draws],
                axis=0,
                ddof=min(1, len(self._draws) - 1),
            )
            found[rows] = _sigmoid(_logit(self.value(terms[rows])) + z * scatter)
        return found

    @cached_property
    def _draws(self) -> Float64[np.ndarray, "resample coefficient"]:
        return np.array(self.resampled)


class Selection(BaseModel):
    """The completeness of a finder at a threshold, against Einstein radius and signal to noise.

        selection = skysieve.read_selection("recovered/selection.json")
        completeness = selection(theta_e_arcsec, snr)
        low, high = selection.low(theta_e_arcsec, snr), selection.high(theta_e_arcsec, snr)

    It is NaN beyond the trials that it was fitted to (``inside`` is False there).

    Args:
        schema_version: Of this file.
        finder: Name and version.
        finder_sha256: Of its card.
        threshold: A lens is found at a probability of at least this.
        fpr: The false positive rate that the threshold was made for; None if it was given.
        n_negatives: Untouched images that the threshold was made with, or checked on.
        n_trials: Lenses that were put to the finder.
        images: What they were painted into, or the scenario.
        seed: Of lenses and resamples.
        psf_fwhm_arcsec: The PSF that is meant if none is given: the median of the trials.
        level: Chance that an interval holds the true value.
        hull: Corners around the trials, (ln radius over PSF, ln signal to noise), in order.
        surface: Of radius and signal to noise alone.
        extended: Also of the source's magnitude and color; None if they are not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    finder: str
    finder_sha256: str
    threshold: float
    fpr: float | None
    n_negatives: int
    n_trials: int
    images: str
    seed: int
    psf_fwhm_arcsec: float = Field(gt=0)
    level: float = LEVEL
    hull: tuple[tuple[float, float], ...] = Field(min_length=3)
    surface: Surface
    extended: Surface | None = None

    def __call__(
        self,
        theta_e_arcsec: ArrayLike,
        snr: ArrayLike,
        *,
        psf_fwhm_arcsec: ArrayLike | None = None,
        source: tuple[ArrayLike, ArrayLike] | None = None,
        extrapolate: bool = False,
    ) -> Values:
        """Return the completeness, in [0, 1]; the arguments are broadcast against each other.

        Args:
            theta_e_arcsec: Einstein radius, above 0.
            snr: Matched-filter signal to noise of the arcs in the best band, above 0.
            psf_fwhm_arcsec: FWHM of the PSF; without it the median of the trials.
            source: Unlensed magnitude of the source and color of the arcs (g - i), both AB.
            extrapolate: Also beyond the trials, where it is a guess; else NaN there.

        Raises:
            InputError: Source and color were not part of the fit, or the shapes do not fit.
        """
        return self._ask("value", theta_e_arcsec, snr, psf_fwhm_arcsec, source, extrapolate)

    def low(
        self,
        theta_e_arcsec: ArrayLike,
        snr: ArrayLike,
        *,
        psf_fwhm_arcsec: ArrayLike | None = None,
        source: tuple[ArrayLike, ArrayLike] | None = None,
        extrapolate: bool = False,
    ) -> Values:
        """Return the lower end of the interval of the completeness; see ``__call__``."""
        return self._ask("low", theta_e_arcsec, snr, psf_fwhm_arcsec, source, extrapolate)

    def high(
        self,
        theta_e_arcsec: ArrayLike,
        snr: ArrayLike,
        *,
        psf_fwhm_arcsec: ArrayLike | None = None,
        source: tuple[ArrayLike, ArrayLike] | None = None,
        extrapolate: bool = False,
    ) -> Values:
        """Return the upper end of the interval of the completeness; see ``__call__``."""
        return self._ask("high", theta_e_arcsec, snr, psf_fwhm_arcsec, source, extrapolate)

    def inside(
        self,
        theta_e_arcsec: ArrayLike,
        snr: ArrayLike,
        *,
        psf_fwhm_arcsec: ArrayLike | None = None,
        source: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Bool[np.ndarray, "..."]:
        """Return whether there were trials about these places, so that nothing is extrapolated."""
        surface, terms, shape = self._terms(theta_e_arcsec, snr, psf_fwhm_arcsec, source)
        return np.asarray(self._inside(surface, terms)).reshape(shape)

    def _ask(
        self,
        what: Literal["value", "low", "high"],
        theta_e_arcsec: ArrayLike,
        snr: ArrayLike,
        psf_fwhm_arcsec: ArrayLike | None,
        source: tuple[ArrayLike, ArrayLike] | None,
        extrapolate: bool,
    ) -> Values:
        surface, terms, shape = self._terms(theta_e_arcsec, snr, psf_fwhm_arcsec, source)
        told = np.full(len(terms), np.nan)
        rows = np.isfinite(terms).all(axis=1)
        if not extrapolate:
            rows &= self._inside(surface, terms)
        tail = (1 - self.level) / 2
        if what == "value":
            told[rows] = surface.value(terms[rows])
        else:
            z = NormalDist().inv_cdf(tail if what == "low" else 1 - tail)
            told[rows] = surface.end(terms[rows], z)
        return told.reshape(shape)

    def _terms(
        self,
        theta_e_arcsec: ArrayLike,
        snr: ArrayLike,
        psf_fwhm_arcsec: ArrayLike | None,
        source: tuple[ArrayLike, ArrayLike] | None,
    ) -> tuple[Surface, Float64[np.ndarray, "n term"], tuple[int, ...]]:
        surface = self.surface if source is None else self.extended
        if surface is None:
            raise InputError(
                "This selection function knows nothing of the source's magnitude and color",
                "Ask without source=",
            )
        fwhm = self.psf_fwhm_arcsec if psf_fwhm_arcsec is None else psf_fwhm_arcsec
        given: Sequence[ArrayLike] = (theta_e_arcsec, fwhm, snr, *(source or ()))
        try:
            values = np.broadcast_arrays(*(np.asarray(one, np.float64) for one in given))
        except ValueError as error:
            raise InputError(
                "Einstein radii and signal to noise do not fit together",
                "Give numbers, or arrays whose shapes broadcast",
            ) from error
        radius, width, noise, *more = (one.ravel() for one in values)
        with np.errstate(divide="ignore", invalid="ignore"):  # no lens has such numbers: NaN
            terms = np.stack([np.log(radius / width), np.log(noise), *more], axis=1)
        return surface, terms, values[0].shape

    def _inside(
        self, surface: Surface, terms: Float64[np.ndarray, "n term"]
    ) -> Bool[np.ndarray, " n"]:
        corners = np.array(self.hull)
        edges = np.roll(corners, -1, axis=0) - corners
        held = np.isfinite(terms).all(axis=1)
        with np.errstate(invalid="ignore"):
            for corner, edge in zip(corners, edges, strict=True):
                to = terms[:, :2] - corner
                held &= edge[0] * to[:, 1] - edge[1] * to[:, 0] >= -1e-9
            for k in range(2, len(surface.terms)):
                held &= (terms[:, k] >= surface.low[k]) & (terms[:, k] <= surface.high[k])
        return np.asarray(held)


def _logit(p: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    held = np.clip(p, _TINY, 1 - _TINY)
    return np.asarray(np.log(held / (1 - held)))


def _sigmoid(x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def read_selection(path: str | Path) -> Selection:
    """Return the selection function that ``skysieve recover`` wrote.

    Args:
        path: ``selection.json``, or the folder it lies in.

    Raises:
        MissingError: There is no such file.
        InputError: It is no selection function.
    """
    file = Path(path)
    file = file / SELECTION if file.is_dir() else file
    try:
        return Selection.model_validate(json.loads(file.read_bytes()))
    except FileNotFoundError:
        raise MissingError(f"There is no {file}", "Make it with skysieve recover") from None
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(
            f"{file} is no selection function", "Give the selection.json of skysieve recover"
        ) from error
