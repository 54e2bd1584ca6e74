"""Plans of what spoils images; a kind that is None does not occur."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field

from skysieve.core.errors import RecipeError
from skysieve.recipe.simulation import Plan


def _ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] <= limits[1]:
        raise RecipeError(f"The range {limits} runs backwards", "Give the smaller number first")
    return limits


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Rate = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class CosmicRayPlan(Plan):
    """Charged particles that leave a straight track of charge in one exposure of one band.

    A muon from zenith distance ``t`` (intensity as cos^2) crosses silicon of a thickness ``d`` and
    leaves a track of ``d tan(t)``, with 80 electrons per micron of its path, Moyal distributed.
    A slow electron wanders: a worm.

    Args:
        per_cm2_minute: Particles through the detector. 5 on the ground (DES science verification,
            Anom-R2); about 60 in orbit (Miles et al. 2021, ApJ 918, 86).
        surviving: Share that outlier rejection leaves in the stack.
        pixel_micron: Size of a pixel of the detector.
        thickness_micron: Of the silicon: 15 (ACS) to 250 (DECam).
        worms: Share of slow electrons.
        diffusion_pixels: Standard deviation of the charge around its track.
    """

    per_cm2_minute: Rate = 5.0
    surviving: Share = 0.005
    pixel_micron: float = Field(default=15.0, gt=0)
    thickness_micron: float = Field(default=100.0, gt=0)
    worms: Share = 0.2
    diffusion_pixels: float = Field(default=0.4, gt=0)


class TrailPlan(Plan):
    """Satellites and asteroids: streaks in one band, or a dot at another place in each band.

    Args:
        rate: Mean number in an image.
        satellites: Share that crosses the whole field in one band.
        glints: Share that is a short, bright, blunt streak in one band.
        brightness: Peak in sky noises of a pixel, drawn evenly in its logarithm; a glint has ten
            times as much. The rest are asteroids.
        width_arcsec: FWHM across; satellites are out of focus, so wider than the seeing.
        glint_arcsec: Length of a glint.
        motion_arcsec: How far an asteroid moves from one band to the next.
    """

    rate: Rate = 0.02
    satellites: Share = 0.5
    glints: Share = 0.25
    brightness: Range = (2.0, 30.0)
    width_arcsec: Range = (0.7, 2.0)
    glint_arcsec: Range = (1.5, 6.0)
    motion_arcsec: Range = (0.3, 3.0)


class BleedPlan(Plan):
    """A bright star at the edge or outside: halo, spikes, and charge that runs along a column.

    Args:
        rate: Mean number in an image.
        brightness: Peak of the star in sky noises of a pixel, drawn evenly in its logarithm.
        length: Of the bleeding over the side of the image.
        width_pixels: Of the bleeding.
        level: Height of the bleeding over the peak of the star.
        spikes: Light in each of four diffraction spikes over the peak of the star.
        outside: How far from the center the star may be, in sides of the image.
    """

    rate: Rate = 0.01
    brightness: Range = (3e3, 1e5)
    length: Range = (0.2, 1.5)
    width_pixels: tuple[int, int] = (1, 4)
    level: Range = (0.02, 0.2)
    spikes: Range = (1e-4, 1e-3)
    outside: Range = (0.35, 0.7)


class ChipGapPlan(Plan):
    """A strip without data in all bands: the gap between two detectors.

    Args:
        rate: Mean number in an image.
        width_arcsec: 12 and 53 for HSC; dithering leaves less in a stack.
        tilt_deg: Largest angle to the pixel grid.
    """

    rate: Rate = 0.01
    width_arcsec: Range = (2.0, 15.0)
    tilt_deg: float = Field(default=1.0, ge=0)


class GhostPlan(Plan):
    """Reflections of a bright star out of focus: a wide pale disk with the pupil's hole in it.

    Args:
        rate: Mean number in an image.
        radius_arcsec: Outer radius; it differs a little between the bands.
        hole: Radius of the hole over that of the disk; the pupil's obscuration.
        brightness: In sky noises of a pixel, drawn evenly in its logarithm, for each band.
        edge: Brightening towards the rim: 0 a flat disk, 1 a rim twice as bright as the middle.
        outside: How far from the center it may be, in radii.
    """

    rate: Rate = 0.01
    radius_arcsec: Range = (4.0, 20.0)
    hole: Range = (0.15, 0.5)
    brightness: Range = (0.5, 8.0)
    edge: Range = (0.0, 0.6)
    outside: Range = (0.2, 1.3)


class BadPixelPlan(Plan):
    """Pixels that count too much or nothing, in one band each.

    Args:
        hot: Share of pixels that are hot; outlier rejection leaves few in a stack.
        dead: Share that is dead, at a value far below the sky.
        columns: Mean number of bad columns in an image.
        brightness: Of hot pixels and columns in sky noises of a pixel, drawn evenly in its
            logarithm.
        depth: How far below the sky dead pixels are, in sky noises.
    """

    hot: Share = 1e-6
    dead: Share = 1e-6
    columns: Rate = 0.005
    brightness: Range = (10.0, 1000.0)
    depth: Range = (5.0, 30.0)


class MissingBandPlan(Plan):
    """A band that was not observed here.

    Args:
        rate: Share of images.
        zeros: Share of these that hold 0 instead of NaN.
    """

    rate: Share = 0.01
    zeros: Share = 0.3


class HolePlan(Plan):
    """Blocks without data (NaN): masked stars, edges of tiles.

    Args:
        rate: Mean number in an image.
        side: Range of their sides over that of the image.
        one_band: Share that is in one band only.
    """

    rate: Rate = 0.02
    side: Range = (0.03, 0.25)
    one_band: Share = 0.5


class ArtifactPlan(Plan):
    """All that spoils images, with the rates of a stack of a ground-based survey.

    Args:
        cosmic_rays: None for none, as with all others.
        trails: Satellites and asteroids.
        bleeds: Saturated stars.
        chip_gaps: Strips without data.
        ghosts: Reflections.
        bad_pixels: Hot and dead pixels and columns.
        missing_band: A band without data.
        holes: Blocks without data.
        visible: What an artifact adds to a pixel counts, and is in the mask, from this many sky
            noises on; less is not added.
    """

    cosmic_rays: CosmicRayPlan | None = CosmicRayPlan()
    trails: TrailPlan | None = TrailPlan()
    bleeds: BleedPlan | None = BleedPlan()
    chip_gaps: ChipGapPlan | None = ChipGapPlan()
    ghosts: GhostPlan | None = GhostPlan()
    bad_pixels: BadPixelPlan | None = BadPixelPlan()
    missing_band: MissingBandPlan | None = MissingBandPlan()
    holes: HolePlan | None = HolePlan()
    visible: float = Field(default=0.1, gt=0)

    @classmethod
    def none(cls) -> Self:
        """Return a plan in which nothing occurs; to choose some, ``model_copy(update=...)``."""
        return cls(
            cosmic_rays=None,
            trails=None,
            bleeds=None,
            chip_gaps=None,
            ghosts=None,
            bad_pixels=None,
            missing_band=None,
            holes=None,
        )
