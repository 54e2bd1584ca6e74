"""The plan of ``euclid``: lenses and other objects as VIS and NISP see them."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from skysieve.core.survey import survey
from skysieve.recipe.artifacts import ArtifactPlan, BadPixelPlan, CosmicRayPlan
from skysieve.recipe.camera import GaussianPsfPlan, MoffatPsfPlan, ObservingPlan
from skysieve.recipe.frames import Frame, Splits
from skysieve.recipe.lens_scenarios import MOSTLY_PAIRS, Cycle, LensScenes
from skysieve.recipe.simulation import LensPlan

BINNED = 3
"""Pixels of VIS along a pixel of NISP."""
WITHOUT_PIXEL = 0.905
"""Width of an image of a star before a pixel averages it, over that after: in VIS as in NISP."""

_ORBIT = CosmicRayPlan(
    per_cm2_minute=60.0, surviving=1e-3, pixel_micron=12.0, thickness_micron=40.0
)
VIS_ARTIFACTS = ArtifactPlan(
    cosmic_rays=_ORBIT,
    missing_band=None,  # VIS has but one
)
NISP_ARTIFACTS = ArtifactPlan(
    cosmic_rays=_ORBIT.model_copy(update={"pixel_micron": 18.0, "thickness_micron": 8.0}),
    bleeds=None,  # the pixels of NISP are read each by itself: charge does not run along columns
    bad_pixels=BadPixelPlan(hot=3e-5, dead=3e-5, columns=0.0),
)


class EuclidScenario(LensScenes):
    """Lenses off the center among neighbors, as Euclid's wide survey sees them, with instances.

    The lenses are drawn as for other surveys: ``lens.source_g_ab`` is the magnitude of sources in g,
    ``lens.min_arc_snr`` and ``lens.min_contrast`` are meant in VIS.

    Args:
        cycle: What the images show, over and over: a lens, a control of the lens before it, or
            an object of another kind.
        side: Pixels a side of VIS; NISP has a third of it, to the next even number below.
        offset_arcsec: The object in the middle lies within this of it, in x and in y.
        vis: How VIS looks.
        nisp: How NISP looks.
        vis_artifacts: What spoils images of VIS; None for nothing.
        nisp_artifacts: The same of NISP.
        mask_sigmas: A pixel belongs to an instance where that alone is brighter than so many
            standard deviations of the sky, in any band of its camera.
    """

    about: ClassVar[str] = "lenses off the center as of Euclid, VIS and Y, J, H, with instances"
    name: Literal["euclid"] = "euclid"
    version: Literal[1] = 1
    splits: Splits = Field(default={"train": 20_000, "val": 2_500, "test": 2_500})
    lens: LensPlan = LensPlan(
        group_fraction=0.15, group_radius_arcsec=(2.0, 3.4), galaxy_radius_arcsec=(0.5, 3.0)
    )
    cycle: Cycle = MOSTLY_PAIRS
    side: int = Field(default=200, ge=62, le=500)
    offset_arcsec: float = Field(default=3.0, ge=0)
    vis: ObservingPlan = ObservingPlan(
        survey="euclid-vis",
        bands=("VIS",),
        psf=MoffatPsfPlan(fwhm_scale=WITHOUT_PIXEL, fwhm_spread=0.02, beta=(2.5, 3.5)),
        correlation_pixels=(0.0, 0.4),
    )
    nisp: ObservingPlan = ObservingPlan(
        survey="euclid-nisp",
        bands=("Y", "J", "H"),
        psf=GaussianPsfPlan(fwhm_scale=WITHOUT_PIXEL, fwhm_spread=0.02),
        correlation_pixels=(0.2, 0.5),
    )
    vis_artifacts: ArtifactPlan | None = VIS_ARTIFACTS
    nisp_artifacts: ArtifactPlan | None = NISP_ARTIFACTS
    mask_sigmas: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _it_is_euclid(self) -> Self:
        for plan, name in ((self.vis, "euclid-vis"), (self.nisp, "euclid-nisp")):
            if plan.survey != name or plan.delivery.kind != "flux" or plan.psf.kind == "stamp":
                raise ValueError(f"the scenario sees with {name}, as flux, with a smooth PSF")
        if self.side % 2:
            raise ValueError("side must be even, so that the middle of both cameras is the same")
        return self

    @property
    def reach_arcsec(self) -> float:
        """How far from the lens arcs may lie to be in the field wherever the lens is."""
        return self.side / 2 * survey("euclid-vis").pixel_scale_arcsec - self.offset_arcsec - 0.5

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The grids of pixels."""
        small = self.side // BINNED
        return tuple(
            Frame(
                name=name,
                bands=plan.bands,
                side=side,
                pixel_scale_arcsec=survey(plan.survey).pixel_scale_arcsec,
                zero_point_ab=30.0,
            )
            for name, plan, side in (
                ("vis", self.vis, self.side),
                ("nisp", self.nisp, small - small % 2),
            )
        )
