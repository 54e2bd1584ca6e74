"""Plans of what is simulated: who is in the scenes, and with which camera they are seen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NonlensKind = Literal[
    "spiral", "ring", "clumpy", "companions", "pair", "edge-on", "star", "red", "field"
]
"""What a scene without a lens shows, by what fools people (Marshall et al. 2016, MNRAS 455, 1171)."""


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] <= pair[1]:
        raise ValueError(f"{pair[0]:g} to {pair[1]:g} is no range: give the smaller number first")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
"""Least and greatest value."""


class Plan(BaseModel):
    """A frozen part of a recipe; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LensPlan(Plan):
    """Which lenses are drawn.

    Args:
        group_fraction: Share of lenses on the scale of groups, by the number of scenes.
        group_radius_arcsec: Range of the Einstein radius of groups; drawn with slope -3.
        galaxy_radius_arcsec: Range of the Einstein radius of galaxies that is kept.
        source_g_ab: Range of the unlensed magnitude of the source in g.
        source_count_slope: Slope of log10 of the number counts per magnitude.
        min_arc_snr: Least signal to noise of the lensed light, summed over its footprint.
        min_contrast: Least share of the arc's signal to noise that is left beside the lens' light.
    """

    group_fraction: float = Field(default=0.3, ge=0, le=1)
    group_radius_arcsec: Range = (2.0, 8.0)
    galaxy_radius_arcsec: Range = (0.75, 3.0)
    source_g_ab: Range = (21.5, 26.0)
    source_count_slope: float = 0.3
    min_arc_snr: float = Field(default=40.0, ge=0)
    min_contrast: float = Field(default=0.35, ge=0, le=1)


class NonlensPlan(Plan):
    """Which scenes without a lens are drawn, besides the controls that share a lens' host."""

    shares: dict[NonlensKind, float] = {
        "spiral": 0.34,
        "ring": 0.15,
        "companions": 0.2,
        "pair": 0.16,
        "edge-on": 0.03,
        "star": 0.02,
        "red": 0.06,
        "field": 0.04,
    }


class CameraPlan(Plan):
    """The camera that the corpus is made for; training varies depth and stretch around it.

    Args:
        survey: Its name in ``core.survey``.
        bands: Bands from the survey, in the order of the planes.
        side: Pixels a side.
        seeing_factor: PSF FWHM over the survey's median.
        seeing_spread: Scatter of the natural logarithm of the PSF FWHM between cutouts.
        moffat_beta: Range of the slope of the PSF's wings (Moffat 1969).
    """

    survey: str = "cfhtls"
    bands: tuple[str, ...] = ("g", "r", "i")
    side: int = Field(default=128, ge=16, le=1024)
    seeing_spread: float = 0.12
    seeing_factor: float = Field(default=1.0, gt=0)
    moffat_beta: Range = (2.5, 4.5)


class SimulationPlan(Plan):
    """A corpus of scenes.

    Args:
        lenses: Lens scenes drawn; those too faint to see are left out.
        nonlenses: Scenes of other kinds.
        seed: Decides every scene.
    """

    lenses: int = 24_000
    nonlenses: int = 24_000
    seed: int = 1
    lens: LensPlan = LensPlan()
    nonlens: NonlensPlan = NonlensPlan()
    camera: CameraPlan = CameraPlan()
