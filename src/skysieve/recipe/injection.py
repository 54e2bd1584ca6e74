"""Plans of arcs that are painted into images of the real sky."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skysieve.core.errors import MissingError, RecipeError
from skysieve.core.survey import survey
from skysieve.recipe.frames import Positive
from skysieve.recipe.simulation import LensPlan, Plan, Range

PAINTABLE = ("g", "r", "i")
"""The bands in which the colors of sources are known (``simulate.galaxies``)."""
PerBand = dict[str, float]
Given = Annotated[float, Field(gt=0)]


class StarsPsf(Plan):
    """The seeing is measured on the stars in each image; where there is none, the survey's counts.

    Args:
        kind: Always ``stars``.
    """

    kind: Literal["stars"] = "stars"


class SurveyPsf(Plan):
    """The median seeing of the survey.

    Args:
        kind: Always ``survey``.
    """

    kind: Literal["survey"] = "survey"


class SeeingPsf(Plan):
    """A seeing that is known.

    Args:
        kind: Always ``seeing``.
        fwhm_arcsec: FWHM of the point spread function in each band.
        profile: A Moffat profile of the plan's slope, or a Gaussian one.
    """

    kind: Literal["seeing"] = "seeing"
    fwhm_arcsec: dict[str, Given]
    profile: Literal["moffat", "gaussian"] = "moffat"


class StampPsf(Plan):
    """A point spread function that was measured.

    Args:
        kind: Always ``stamp``.
        files: For each band the image of a star on the pixels of the images: FITS or ``.npy``,
            with an odd number of pixels a side. It is scaled to a sum of 1.
        sha256: What the files held when the plan was made.
    """

    kind: Literal["stamp"] = "stamp"
    files: dict[str, Path]
    sha256: dict[str, str] = Field(default={})


InjectedPsf = Annotated[StarsPsf | SurveyPsf | SeeingPsf | StampPsf, Field(discriminator="kind")]


class InjectionPlan(Plan):
    """Which arcs are painted into images, and as what camera they are seen.

    Args:
        bands: Bands that are painted, in the order of the planes that are written.
        survey: Gives what the images and the other settings do not say: pixel scale, zero point,
            gain, seeing; None if they say all of it.
        zero_point_ab: AB magnitude of one count, by band; None for what the headers say, else the
            survey's.
        gain_electrons: Electrons that a count stands for, by band, in all exposures together; None
            for the survey's.
        psf: The point spread function.
        moffat_beta: Slope of the wings of a Moffat profile.
        copies: Versions of each image, each with a system of its own.
        einstein_radius_arcsec: Range of the Einstein radius; drawn evenly.
        source_g_ab: Range of the unlensed magnitude of the source in g; drawn by number counts.
        source_count_slope: Slope of log10 of the number counts per magnitude.
        arc_snr: Range of the signal to noise of the lensed light in the best band, against the
            sky: it narrows the range of magnitudes, image by image.
        axis_ratio_scatter: Scatter of the mass' axis ratio about that of the host's light.
        angle_scatter_rad: Scatter of the mass' position angle about that of the host's light.
        shear: Scatter of the external shear.
        host_search_arcsec: The host is the brightest object within this distance of the middle.

    References:
        Koopmans et al. 2006, ApJ 649, 599 (abstract): the mass has the axis ratio of the light to
        0.11 (rms) and its position angle to 10 degrees.
    """

    bands: tuple[str, ...] = Field(default=PAINTABLE, min_length=1)
    survey: str | None = None
    zero_point_ab: PerBand | None = None
    gain_electrons: dict[str, Given] | None = None
    psf: InjectedPsf = StarsPsf()
    moffat_beta: float = Field(default=3.5, gt=1)
    copies: int = Field(default=1, ge=1, le=100)
    einstein_radius_arcsec: Positive = (0.8, 3.0)
    source_g_ab: Range = (22.5, 26.0)
    source_count_slope: float = LensPlan().source_count_slope
    arc_snr: Positive = (20.0, 1000.0)
    axis_ratio_scatter: float = Field(default=0.1, ge=0)
    angle_scatter_rad: float = Field(default=0.17, ge=0)
    shear: float = Field(default=0.05, ge=0, le=0.3)
    host_search_arcsec: float = Field(default=1.5, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for band in self.bands:
            if band not in PAINTABLE:
                raise MissingError(f"Arcs cannot be painted in {band!r}", _paintable(band))
        if len(set(self.bands)) < len(self.bands):
            raise RecipeError(f"Bands {', '.join(self.bands)} repeat one", "Name each band once")
        given: dict[str, dict[str, float] | None] = {
            "zero point": self.zero_point_ab,
            "gain": self.gain_electrons,
            "seeing": self.psf.fwhm_arcsec if isinstance(self.psf, SeeingPsf) else None,
        }
        for name, values in given.items():
            if values is not None and (bare := [b for b in self.bands if b not in values]):
                raise RecipeError(
                    f"There is no {name} for band {bare[0]}",
                    "Give one number for all bands, or one for each: g=...,r=...,i=...",
                )
        if isinstance(self.psf, StampPsf) and set(self.bands) - set(self.psf.files):
            bare = [band for band in self.bands if band not in self.psf.files]
            raise RecipeError(
                f"There is no stamp of the point spread function in {bare[0]}",
                f"Add --psf {bare[0]}=FILE",
            )
        self._check_survey()
        return self

    def _check_survey(self) -> None:
        """Refuse a survey that is not there, or whose numbers are wanted but missing.

        Raises:
            MissingError: There is no such survey, or it lacks a band.
            RecipeError: Nothing says the gain, or the seeing.
        """
        if self.survey is not None:
            camera = survey(self.survey)
            for band in self.bands:
                camera.band(band)
            return
        if self.gain_electrons is None:
            raise RecipeError(
                "Nobody says how many electrons a count stands for, so arcs have no photon noise",
                "Name the survey (--survey), or give --gain",
            )
        if isinstance(self.psf, SurveyPsf | StarsPsf):
            raise RecipeError(
                "Nobody says how sharp the images are",
                "Name the survey (--survey), or give --seeing or --psf",
            )


def _paintable(band: str) -> str:
    near = difflib.get_close_matches(band.lower(), PAINTABLE, n=1, cutoff=0.3)
    known = f"The colors of sources are known in {', '.join(PAINTABLE)}"
    return f"Did you mean {near[0]}? {known}" if near else known
