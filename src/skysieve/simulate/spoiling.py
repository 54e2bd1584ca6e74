"""Putting artifacts into pixels, with a mask of what they touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

import numpy as np
from jaxtyping import Float, Float32, UInt16
from scipy.special import ndtr

from skysieve.core.artifacts import Artifact
from skysieve.core.errors import MismatchError
from skysieve.recipe.artifacts import ArtifactPlan
from skysieve.simulate.artifacts import draw_artifacts
from skysieve.simulate.blemishes import Bleed, Blemish, Ghost, Overwritten, Shot, Streak, Track

Planes = Float32[np.ndarray, "band y x"]
Mask = UInt16[np.ndarray, "band y x"]
Plane = Float[np.ndarray, "y x"]

HALO_SLOPE = 1.5
"""Slope of a star's halo as a Moffat profile: far out it falls with the cube of the distance."""


def spoil(
    image: Planes, plan: ArtifactPlan, shot: Shot, *, seed: int, index: int
) -> tuple[Planes, Mask]:
    """Return an image with artifacts, and the mask of ``apply_artifacts``.

    They are decided by plan, shot, seed and index alone, not by what the image shows.
    """
    blemishes = draw_artifacts(plan, shot, seed=seed, index=index)
    return apply_artifacts(image, blemishes, shot, visible=plan.visible)


def apply_artifacts(
    image: Planes, blemishes: Sequence[Blemish], shot: Shot, *, visible: float = 0.1
) -> tuple[Planes, Mask]:
    """Return an image with artifacts, and the bits of ``Artifact`` that touch each pixel.

    The pixels outside the mask are those of the image. What two artifacts touch has both bits; the
    later one decides the value.

    Args:
        image: Linear counts.
        blemishes: What spoils it, in the order in which it happens.
        shot: What is known of the image.
        visible: Least light in sky noises that an artifact adds to a pixel.

    Raises:
        MismatchError: The shot is of another shape.
    """
    expected = (len(shot.noise), shot.height, shot.width)
    if image.shape != expected:
        raise MismatchError(
            f"The image is {image.shape}, the shot {expected}", "Describe the shot with Shot.of"
        )
    spoiled, mask = image.copy(), np.zeros(image.shape, np.uint16)
    for blemish in blemishes:
        if isinstance(blemish, Overwritten):
            for band in blemish.bands:
                value = blemish.value * shot.noise[band]
                spoiled[band].reshape(-1)[blemish.pixels] = value
                mask[band].reshape(-1)[blemish.pixels] |= np.uint16(blemish.artifact)
            continue
        artifact = artifact_of(blemish)
        for band, light in _light(blemish, shot):
            touched = np.abs(light) > visible * shot.noise[band]
            spoiled[band] += np.where(touched, light, 0).astype(np.float32)
            mask[band] |= touched * np.uint16(artifact)
    return spoiled, mask


def artifact_of(blemish: Blemish) -> Artifact:
    """Return the bit of a blemish."""
    match blemish:
        case Track():
            return Artifact.COSMIC_RAY
        case Streak():
            return Artifact.TRAIL
        case Bleed():
            return Artifact.BLEED
        case Ghost():
            return Artifact.GHOST
        case Overwritten(artifact=artifact):
            return artifact
        case _:
            assert_never(blemish)


def _light(blemish: Track | Streak | Bleed | Ghost, shot: Shot) -> Iterator[tuple[int, Plane]]:
    """Give the bands that a blemish touches, and the counts that it adds there."""
    match blemish:
        case Track(band=band):
            yield band, _track(blemish, shot) / shot.electrons_per_count[band]
        case Streak(band=band):
            yield band, _streak(blemish, shot) * shot.noise[band]
        case Bleed():
            for band, noise in enumerate(shot.noise):
                yield band, _bleed(blemish, shot, band) * noise
        case Ghost():
            for band, noise in enumerate(shot.noise):
                yield band, _ghost(blemish, shot, band) * noise
        case _:
            assert_never(blemish)


def _track(track: Track, shot: Shot) -> Plane:
    """Return the electrons of a cosmic ray: each point's charge, shared among pixels."""
    across_x = _shares(track.x, track.diffusion_pixels, shot.width)
    across_y = _shares(track.y, track.diffusion_pixels, shot.height)
    return (across_y * track.electrons[:, None]).T @ across_x


def _shares(
    places: Float[np.ndarray, " point"], sigma: float, side: int
) -> Float[np.ndarray, "point side"]:
    """Return the share of a Gaussian at each place that falls on each pixel."""
    edges = np.arange(side + 1) - 0.5
    return np.diff(ndtr((edges - places[:, None]) / sigma), axis=1)


def _streak(streak: Streak, shot: Shot) -> Plane:
    x, y = _grid(shot)
    (x0, y0), (x1, y1) = streak.start, streak.stop
    along_x, along_y = x1 - x0, y1 - y0
    length2 = max(along_x**2 + along_y**2, 1e-12)
    share = np.clip(((x - x0) * along_x + (y - y0) * along_y) / length2, 0, 1)
    away = np.hypot(x - x0 - share * along_x, y - y0 - share * along_y)
    beyond = np.maximum(away - streak.core_pixels, 0)
    return streak.brightness * np.exp(-0.5 * (beyond / streak.softness_pixels) ** 2)


def _bleed(bleed: Bleed, shot: Shot, band: int) -> Plane:
    x, y = _grid(shot)
    dx, dy = x - bleed.x, y - bleed.y
    peak = bleed.peak[band]
    star = peak * (1 + (dx**2 + dy**2) / bleed.halo_pixels**2) ** -HALO_SLOPE
    for turn in (0, np.pi / 2):
        angle = bleed.spike_angle + turn
        along = np.abs(dx * np.cos(angle) + dy * np.sin(angle))
        across = dy * np.cos(angle) - dx * np.sin(angle)
        star = star + peak * bleed.spike * np.exp(-0.5 * across**2 - along / (0.3 * shot.width))
    full = peak * bleed.level
    column = np.abs(dx) <= bleed.width / 2
    return np.where(column & (np.abs(dy) <= bleed.length[band]), full, np.minimum(star, full))


def _ghost(ghost: Ghost, shot: Shot, band: int) -> Plane:
    x, y = _grid(shot)
    radius = ghost.radius[band]
    away = np.hypot(x - ghost.x, y - ghost.y)
    hole = np.hypot(x - ghost.x - ghost.shift[0] * radius, y - ghost.y - ghost.shift[1] * radius)
    disk = np.clip(radius - away + 0.5, 0, 1) * np.clip(hole - ghost.hole * radius + 0.5, 0, 1)
    return ghost.brightness[band] * disk * (1 + ghost.edge * (away / radius) ** 2)


def _grid(shot: Shot) -> tuple[Plane, Plane]:
    y, x = np.mgrid[: shot.height, : shot.width].astype(np.float64)
    return x, y
