"""Plans of lenses among other objects: ``lens-gri``, ``deeplense-lens`` and ``survey``."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from skysieve.core.survey import PixelKind
from skysieve.recipe.artifacts import ArtifactPlan
from skysieve.recipe.frames import Frame, NoisePlan, Positive, Splits, camera_frame, check_gri
from skysieve.recipe.simulation import CameraPlan, LensPlan, NonlensPlan, Plan

LENS_CLASSES = ("nonlens", "lens")

ORDINARY = NonlensPlan(
    shares={
        "red": 0.34,
        "spiral": 0.24,
        "field": 0.2,
        "pair": 0.06,
        "edge-on": 0.05,
        "star": 0.05,
        "companions": 0.05,
        "ring": 0.01,
    }
)
"""What a magnitude-limited selection of extended objects holds, roughly."""

LOOK_ALIKE = NonlensPlan(
    shares={
        "companions": 0.24,
        "red": 0.2,
        "spiral": 0.18,
        "pair": 0.14,
        "ring": 0.12,
        "edge-on": 0.08,
        "star": 0.02,
        "field": 0.02,
    }
)
"""What fools people, with enough red galaxies among it that color alone tells little."""


Cycle = tuple[Literal["lens", "control", "other"], ...]
MOSTLY_PAIRS: Cycle = ("lens", "control", "lens", "other", "lens", "control")
"""As many lenses as others, and most others the control of a lens."""


class LensScenes(Plan):
    """What all scenarios of lenses among other objects have in common.

    Args:
        splits: How many images each part has.
        lens: Which lenses; ``source_g_ab``, ``galaxy_radius_arcsec``, ``min_arc_snr`` and
            ``min_contrast`` decide how hard they are to find.
        nonlens: Which other objects.
        companion_fraction: Share of the controls that show galaxies with the light and color of
            the arcs instead of them; the others show the host without anything.
        match_range: How far another object is dimmed or brightened to be as bright as a lens with
            its arcs, so that brightness tells nothing; (1, 1) leaves it as it is.
        compiled: Compile the renderer: several times as fast after a minute, the same to rounding.
    """

    splits: Splits
    lens: LensPlan = LensPlan(group_fraction=0.2, group_radius_arcsec=(2.0, 3.4))
    nonlens: NonlensPlan = LOOK_ALIKE
    companion_fraction: float = Field(default=0.7, ge=0, le=1)
    match_range: Positive = (0.05, 6.0)
    compiled: bool = True

    @model_validator(mode="after")
    def _some_kind_is_drawn(self) -> Self:
        shares = self.nonlens.shares.values()
        if min(shares, default=0) < 0 or not sum(shares) > 0:
            raise ValueError("nonlens.shares must be 0 or more, and not all 0")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        return LENS_CLASSES


class LensScenario(LensScenes):
    """What the scenarios of lenses in g, r, i from the ground have in common.

    Args:
        camera: Survey, bands and field.
        noise: Depth and noise.
        artifacts: What spoils images, lenses as often as others; None for nothing.
    """

    camera: CameraPlan = CameraPlan(side=64, seeing_factor=0.78)
    noise: NoisePlan = NoisePlan()
    artifacts: ArtifactPlan | None = ArtifactPlan()

    @model_validator(mode="after")
    def _the_bands_are_there(self) -> Self:
        check_gri(self.camera)
        return self


RESAMPLED = NoisePlan(correlation_pixels=(0.3, 0.65), background=(0.5, 1.4))
"""The grain and level of the sky in the color pictures of Space Warps: pixels a step apart differ
0.85 times as much as those two steps apart, where white noise has 1."""


class LensGri(LensScenario):
    """Lenses, their controls and other objects in g, r, i as of CFHTLS.

    Args:
        cycle: What the images show, over and over: a lens, a control of the lens before it, or
            an object of another kind.
        pixels: Linear flux, or the color pictures of Space Warps.
    """

    about: ClassVar[str] = "lenses, controls and look-alikes in g, r, i as of CFHTLS"
    name: Literal["lens-gri"] = "lens-gri"
    version: Literal[1] = 1
    splits: Splits = Field(default={"train": 40_000, "val": 5_000, "test": 5_000})
    noise: NoisePlan = RESAMPLED
    cycle: Cycle = MOSTLY_PAIRS
    pixels: PixelKind = "flux"

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The grids of pixels."""
        return (camera_frame(self.camera, self.pixels),)


class DeeplenseLens(LensScenario):
    """A stand-in for the lens-finding set of DeepLense: three bands in 0..1, few lenses.

    The set's generator is not published; sizes, counts and number range are those of its
    description, the rest is ours.

    Args:
        scaling: One range for all bands, which keeps the color, or one for each.
    """

    about: ClassVar[str] = "stand-in for the DeepLense lens-finding set, three bands in 0..1"
    name: Literal["deeplense-lens"] = "deeplense-lens"
    version: Literal[1, 2] = 1
    splits: Splits = Field(
        default={
            "train_lenses": 1_730,
            "train_nonlenses": 28_675,
            "test_lenses": 195,
            "test_nonlenses": 19_455,
        }
    )
    lens: LensPlan = LensPlan(
        group_fraction=0.2, group_radius_arcsec=(2.0, 3.0), galaxy_radius_arcsec=(0.75, 3.0)
    )
    camera: CameraPlan = CameraPlan(survey="hsc", side=64)
    scaling: Literal["joint", "band"] = "joint"

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The grids of pixels."""
        return (camera_frame(self.camera, "flux", counts=False),)


def deeplense_lens_2() -> DeeplenseLens:
    """Return version 2 of the stand-in: brighter arcs over less noise, all controls with companions.

    It is the yardstick of the recipes of classifiers (docs/results.md); version 1 is harder.
    """
    return DeeplenseLens(
        version=2,
        lens=LensPlan(
            group_fraction=0.2,
            group_radius_arcsec=(2.0, 3.0),
            galaxy_radius_arcsec=(1.1, 3.0),
            source_g_ab=(19.0, 22.5),
            min_arc_snr=200,
            min_contrast=0.55,
        ),
        nonlens=NonlensPlan(shares={**LOOK_ALIKE.shares, "red": 0.03, "companions": 0.42}),
        companion_fraction=1.0,
        noise=NoisePlan(depth=(1.5, 3.0)),
    )


class SurveyScenario(LensScenario):
    """A sky as it is: one lens in a thousand, everything else as it comes.

    Args:
        lens_rate: Share of lenses; each run of one over it images has one, at a random place.
        pixels: Linear flux, or the color pictures of Space Warps.
    """

    about: ClassVar[str] = "one lens in a thousand ordinary objects, for figures of rare objects"
    name: Literal["survey"] = "survey"
    version: Literal[1] = 1
    splits: Splits = Field(default={"survey": 100_100})
    nonlens: NonlensPlan = ORDINARY
    noise: NoisePlan = RESAMPLED
    match_range: Positive = (1.0, 1.0)
    lens_rate: float = Field(default=1e-3, gt=0, le=0.5)
    pixels: PixelKind = "flux"

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The grids of pixels."""
        return (camera_frame(self.camera, self.pixels),)
