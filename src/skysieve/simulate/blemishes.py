"""Blemishes: what spoils an image, as numbers without pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int64

from skysieve.core.artifacts import Artifact
from skysieve.core.survey import survey
from skysieve.recipe.camera import ObservingPlan


@dataclass(frozen=True, eq=False, kw_only=True)
class Shot:
    """What artifacts must know of an image.

    Args:
        height: Pixels in y.
        width: Pixels in x.
        pixel_scale_arcsec: Size of a pixel.
        noise: Standard deviation of the sky of a pixel for each band, in counts.
        electrons_per_count: For each band.
        exposure_s: Duration of all exposures of each band.
    """

    height: int
    width: int
    pixel_scale_arcsec: float
    noise: Float[np.ndarray, " band"]
    electrons_per_count: Float[np.ndarray, " band"]
    exposure_s: Float[np.ndarray, " band"]

    @classmethod
    def of(cls, plan: ObservingPlan, height: int, width: int) -> Self:
        """Return what a plan means for an image."""
        camera, scale = survey(plan.survey), plan.exposure_scale
        bands = [camera.band(name) for name in plan.bands]
        noise = np.array([camera.sky_noise_counts(band.name) for band in bands])
        return cls(
            height=height,
            width=width,
            pixel_scale_arcsec=camera.pixel_scale_arcsec,
            noise=noise / np.sqrt(scale),
            electrons_per_count=np.array(
                [camera.electrons_per_count(band.name) * scale for band in bands]
            ),
            exposure_s=np.array([band.total_exposure_s * scale for band in bands]),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Track:
    """A cosmic ray: charge along a line.

    Args:
        band: Plane that it is in.
        x: Where it passes, in pixels.
        y: The same in y.
        electrons: Charge at each of these points.
        diffusion_pixels: Standard deviation of the charge around them.
    """

    band: int
    x: Float[np.ndarray, " point"]
    y: Float[np.ndarray, " point"]
    electrons: Float[np.ndarray, " point"]
    diffusion_pixels: float


@dataclass(frozen=True, kw_only=True)
class Streak:
    """A trail in one band, or a dot: a flat core with soft sides around a line.

    Args:
        band: Plane that it is in.
        start: One end, (x, y) in pixels.
        stop: The other end.
        core_pixels: Half width of the flat core.
        softness_pixels: Standard deviation of its sides.
        brightness: In sky noises.
    """

    band: int
    start: tuple[float, float]
    stop: tuple[float, float]
    core_pixels: float
    softness_pixels: float
    brightness: float


@dataclass(frozen=True, kw_only=True)
class Bleed:
    """A saturated star.

    Args:
        x: Of the star, in pixels; may be outside.
        y: The same in y.
        peak: In sky noises, for each band.
        halo_pixels: Scale of the halo.
        width: Of the bleeding, in pixels.
        length: Of the bleeding, to each side, for each band; 0 where the band does not bleed.
        level: Of the bleeding over the peak.
        spike: Light of the diffraction spikes over the peak.
        spike_angle: Of the cross that they form, in rad.
    """

    x: float
    y: float
    peak: tuple[float, ...]
    halo_pixels: float
    width: int
    length: tuple[float, ...]
    level: float
    spike: float
    spike_angle: float


@dataclass(frozen=True, kw_only=True)
class Ghost:
    """An image of the pupil, out of focus.

    Args:
        x: Of its center, in pixels.
        y: The same in y.
        radius: In pixels, for each band.
        hole: Radius of the hole over it.
        shift: Of the hole's center, (x, y) in radii.
        brightness: In sky noises, for each band.
        edge: How much brighter the rim is.
    """

    x: float
    y: float
    radius: tuple[float, ...]
    hole: float
    shift: tuple[float, float]
    brightness: tuple[float, ...]
    edge: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Overwritten:
    """Pixels whose value is another, or none.

    Args:
        artifact: What they are.
        bands: Planes that they are in.
        pixels: Their flat indices in a plane.
        value: In sky noises; NaN for no data.
    """

    artifact: Artifact
    bands: tuple[int, ...]
    pixels: Int64[np.ndarray, " pixel"]
    value: float


Blemish = Track | Streak | Bleed | Ghost | Overwritten
