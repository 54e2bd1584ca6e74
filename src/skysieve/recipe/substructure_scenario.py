"""The plan of the scenario ``substructure``: the three classes of DeepLense, in splits."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from pydantic import Field

from skysieve.recipe.frames import Frame, Positive, Splits
from skysieve.recipe.simulation import Plan
from skysieve.recipe.substructure import (
    SUBSTRUCTURE_MODELS,
    MainLensPlan,
    SourcePlan,
    SubhaloPlan,
    SubstructureCameraPlan,
    SubstructureKind,
    SubstructureModel,
    SubstructurePlan,
    VortexPlan,
)

SUBSTRUCTURE_CLASSES: tuple[SubstructureKind, ...] = get_args(SubstructureKind)


class SubstructureScenario(Plan):
    """Lenses with a smooth halo, with subhalos or with vortices, as the sets of DeepLense.

    Image k of a split is of class k modulo 3. What decides how hard they are to tell apart:
    ``depth`` and ``source.magnitude_ab`` (signal to noise), ``subhalos.mass_fraction``,
    ``vortices.mass_fraction`` and ``vortices.log10_axion_mass_ev`` (their length).

    Args:
        splits: How many images each part has, of all classes together.
        model: The camera, as in DeepLenseSim: I has 150 pixels, II is Euclid, III is HST.
        lens: The smooth lens of all classes.
        source: The source of all classes.
        subhalos: What ``sphere`` has.
        vortices: What ``vort`` has.
        depth: Signal over noise against the camera's own, drawn in its logarithm.
        paired: Three images in a row, one of each class, have the very same lens, source and
            exposure; else only their distributions are the same.
        scaled: Scale each image to 0..1 by its least and greatest pixel, as the source data is;
            else it is in electrons per second above the sky.
        compiled: Compile the deflection: several times as fast after a minute, the same to
            rounding.
    """

    about: ClassVar[str] = "lenses with smooth halo, subhalos or vortices, as the DeepLense sets"
    name: Literal["substructure"] = "substructure"
    version: Literal[1] = 1
    splits: Splits = Field(default={"train": 30_000, "val": 7_500})
    model: SubstructureModel = "I"
    lens: MainLensPlan = MainLensPlan()
    source: SourcePlan = SourcePlan()
    subhalos: SubhaloPlan = SubhaloPlan()
    vortices: VortexPlan = VortexPlan()
    depth: Positive = (1.0, 1.0)
    paired: bool = True
    scaled: bool = True
    compiled: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        return SUBSTRUCTURE_CLASSES

    @property
    def camera(self) -> SubstructureCameraPlan:
        """The camera of the model."""
        return SUBSTRUCTURE_MODELS[self.model].camera

    @property
    def population(self) -> SubstructurePlan:
        """Lenses and camera, without splits."""
        return SubstructurePlan(
            camera=self.camera,
            lens=self.lens,
            source=self.source,
            subhalos=self.subhalos,
            vortices=self.vortices,
            depth=self.depth,
            paired=self.paired,
            scaled=self.scaled,
        )

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The grid of pixels."""
        camera = self.camera
        return (
            Frame(
                bands=(camera.band,),
                side=camera.side,
                pixel_scale_arcsec=camera.pixel_scale_arcsec,
                zero_point_ab=None if self.scaled else camera.zero_point_ab,
            ),
        )
