"""Plans of how a camera sees a scene: seeing, noise, background, delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skysieve.core.errors import RecipeError
from skysieve.core.survey import survey
from skysieve.recipe.simulation import Plan

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _SeeingPlan(Plan):
    """What all smooth point spread functions have.

    Args:
        fwhm_scale: Their median FWHM over that of the survey.
        fwhm_spread: Scatter of the natural logarithm of the FWHM between images; between the
            bands of one image it is half of that.
        min_axis_ratio: The axis ratio is drawn between this and 1.
    """

    fwhm_scale: Positive = 1.0
    fwhm_spread: float = Field(default=0.12, ge=0)
    min_axis_ratio: float = Field(default=0.9, gt=0, le=1)


class GaussianPsfPlan(_SeeingPlan):
    """A Gaussian point spread function: no wings.

    Args:
        kind: Always ``gaussian``.
    """

    kind: Literal["gaussian"] = "gaussian"


class MoffatPsfPlan(_SeeingPlan):
    """A Moffat point spread function, as the atmosphere makes it (Moffat 1969, A&A 3, 455).

    Args:
        kind: Always ``moffat``.
        beta: Range of the slope of the wings.
    """

    kind: Literal["moffat"] = "moffat"
    beta: tuple[float, float] = (2.5, 4.5)


class StampPsfPlan(Plan):
    """A point spread function that was measured.

    Args:
        kind: Always ``stamp``.
        files: For each band an image of a point at the survey's pixel scale: FITS or ``.npy``,
            with an odd number of pixels a side. It is scaled to a sum of 1.
    """

    kind: Literal["stamp"] = "stamp"
    files: dict[str, Path]


PsfPlan = Annotated[GaussianPsfPlan | MoffatPsfPlan | StampPsfPlan, Field(discriminator="kind")]


class BackgroundPlan(Plan):
    """What sky subtraction left behind, in standard deviations of the sky noise of a pixel.

    Args:
        offset: Scatter of the level.
        tilt: Scatter of the difference between opposite edges, in x and in y.
    """

    offset: float = Field(default=0.2, ge=0)
    tilt: float = Field(default=0.3, ge=0)


class FluxPlan(Plan):
    """Linear counts, sky subtracted.

    Args:
        kind: Always ``flux``.
    """

    kind: Literal["flux"] = "flux"


class PicturePlan(Plan):
    """A color picture for the eye (Lupton et al. 2004, PASP 116, 133).

    Args:
        kind: Always ``display``.
        bands: Shown as red, green and blue.
        scales: Factors of these three before they are mixed.
        stretch: Brightness, in sky noises of the green band, up to which it is linear.
        softening: Lupton's Q: how strongly what is brighter is compressed.
        black: Brightness that is black, in sky noises of the green band.
    """

    kind: Literal["display"] = "display"
    bands: tuple[str, str, str] = ("i", "r", "g")
    scales: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)
    stretch: Positive = 10.0
    softening: Positive = 8.0
    black: float = -1.0


DeliveryPlan = Annotated[FluxPlan | PicturePlan, Field(discriminator="kind")]


class ObservingPlan(Plan):
    """How one image is taken.

    Args:
        survey: Its name in ``core.survey``; gives pixel scale, seeing, noise and exposures.
        bands: Which of its bands, in the order of the planes.
        psf: The point spread function.
        exposure_scale: Exposure time over the survey's; the noise falls with its root.
        correlation_pixels: Range of the standard deviation of the kernel that resampling laid over
            the noise; 0 is white noise.
        background: The residual of sky subtraction; None for none.
        saturation: Full pixels stop counting, where the survey's full well is known.
        delivery: Linear counts or a color picture.
    """

    survey: str = "cfhtls"
    bands: tuple[str, ...] = Field(default=("g", "r", "i"), min_length=1)
    psf: PsfPlan = MoffatPsfPlan()
    exposure_scale: Positive = 1.0
    correlation_pixels: tuple[float, float] = (0.0, 0.6)
    background: BackgroundPlan | None = BackgroundPlan()
    saturation: bool = True
    delivery: DeliveryPlan = FluxPlan()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        camera = survey(self.survey)
        for name in self.bands:
            camera.band(name)
        if len(set(self.bands)) < len(self.bands):
            raise RecipeError(f"bands {self.bands} repeats one", "Name each band once")
        low, high = self.correlation_pixels
        if not 0 <= low <= high <= MAX_CORRELATION_PIXELS:
            raise RecipeError(
                f"correlation_pixels is {low} to {high}",
                f"Choose a range, the smaller first, within 0 to {MAX_CORRELATION_PIXELS}",
            )
        shown = self.delivery.bands if isinstance(self.delivery, PicturePlan) else ()
        if dark := [name for name in shown if name not in self.bands]:
            raise RecipeError(f"A picture of {dark} is asked for", "Name these in bands too")
        stamps = self.psf.files if isinstance(self.psf, StampPsfPlan) else self.bands
        if bare := [name for name in self.bands if name not in stamps]:
            raise RecipeError(f"psf.files has no stamp for {bare}", "Add a file for each band")
        return self


MAX_CORRELATION_PIXELS = 3.0
"""Beyond this a kernel would be wider than what resampling does."""
