"""The plan of ``compound``: kinds of lenses told apart, with weights that make them a sky."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from skysieve.core.survey import PixelKind
from skysieve.recipe.frames import Frame, NoisePlan, Positive, Splits, camera_frame, check_gri
from skysieve.recipe.simulation import CameraPlan, Plan, Range

CompoundKind = Literal[
    "galaxy-galaxy", "double-ring", "quad-quasar", "double-quasar", "group", "lens-pair"
]
"""What lenses and what is lensed: one galaxy by another; two galaxies at different redshifts; a
quasar seen four times or twice; a galaxy by a group; two galaxies by a lens each, side by side."""

KINDS: tuple[CompoundKind, ...] = (
    "galaxy-galaxy", "double-ring", "quad-quasar", "double-quasar", "group", "lens-pair",
)  # fmt: skip
COUNTED_I_AB = (20.5, 25.5)
"""Magnitudes for which the number counts of sources are published."""


class PopulationPlan(Plan):
    """Which lenses are drawn: more evenly than the sky holds them, each with its weight.

    Args:
        galaxy_radius_arcsec: Einstein radii of galaxies, drawn evenly in their logarithm.
        group_radius_arcsec: Einstein radii of groups, drawn in the same way.
        pair_separation_arcsec: Distances of the two lenses of a pair, drawn in the same way.
        source_i_ab: Unlensed magnitudes of galaxies behind a lens, drawn evenly.
        quasar_i_ab: Unlensed magnitudes of quasars, drawn evenly.
        faintest_image_i_ab: Magnitude that the third image of a quad and the second of a double
            must reach.
        min_separation_arcsec: Least largest distance of a quasar's images.
        min_arc_snr: Least signal to noise of the lensed light of each source.
        min_contrast: Least share of it that is left beside the lens' light.
    """

    galaxy_radius_arcsec: Positive = (0.7, 2.8)
    group_radius_arcsec: Positive = (2.2, 5.5)
    pair_separation_arcsec: Positive = (2.5, 6.0)
    source_i_ab: Range = (21.0, 25.0)
    quasar_i_ab: Range = (19.0, 23.5)
    faintest_image_i_ab: float = 22.8
    min_separation_arcsec: float = Field(default=1.0, ge=0)
    min_arc_snr: float = Field(default=40.0, ge=0)
    min_contrast: float = Field(default=0.35, ge=0, le=1)

    @model_validator(mode="after")
    def _sources_are_counted(self) -> Self:
        low, high = self.source_i_ab
        if low < COUNTED_I_AB[0] or high > COUNTED_I_AB[1]:
            raise ValueError(
                f"source_i_ab is {low:g} to {high:g}; galaxies are counted from "
                f"{COUNTED_I_AB[0]} to {COUNTED_I_AB[1]}"
            )
        return self


class Compound(Plan):
    """Lenses of several kinds, and no others: what a finder of one kind may miss.

    Args:
        splits: How many images each part has.
        kinds: What the images show, over and over.
        population: Which lenses of each kind.
        camera: Survey, bands and field.
        noise: Depth and noise.
        mask_sigma: Signal to noise in a pixel, of all bands together, above which it belongs to
            the mask of an arc or a lens.
        pixels: Linear flux, or the color pictures of Space Warps.
    """

    about: ClassVar[str] = "double rings, lensed quasars, groups and lens pairs, with weights"
    name: Literal["compound"] = "compound"
    version: Literal[1] = 1
    splits: Splits = Field(default={"train": 20_000, "val": 2_500, "test": 2_500})
    kinds: tuple[CompoundKind, ...] = Field(default=KINDS, min_length=1)
    population: PopulationPlan = PopulationPlan()
    camera: CameraPlan = CameraPlan(side=96)
    noise: NoisePlan = NoisePlan()
    mask_sigma: float = Field(default=2.0, gt=0)
    pixels: PixelKind = "flux"

    @model_validator(mode="after")
    def _the_bands_are_there(self) -> Self:
        check_gri(self.camera)
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        return KINDS

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The grids of pixels."""
        return (camera_frame(self.camera, self.pixels),)
