"""Drawing what spoils an image, by kind and by index; ``spoiling`` puts it into pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from skysieve.core.artifacts import Artifact
from skysieve.core.random import stream
from skysieve.recipe.artifacts import (
    ArtifactPlan,
    BadPixelPlan,
    BleedPlan,
    ChipGapPlan,
    CosmicRayPlan,
    GhostPlan,
    HolePlan,
    MissingBandPlan,
    TrailPlan,
)
from skysieve.simulate.blemishes import (
    Bleed,
    Blemish,
    Ghost,
    Overwritten,
    Shot,
    Streak,
    Track,
)

_Part = TypeVar("_Part")
_Draw = Callable[[_Part, Shot, np.random.Generator], Iterator[Blemish]]

ELECTRONS_PER_MICRON = 80.0
"""Most probable charge of a fast muon in silicon (Groom 2002, Exp. Astron. 14, 45)."""
FLUCTUATION = 7.0
"""Scale of the Moyal distribution around it, in electrons per micron."""
STEEPEST_TRACK = 6.0
"""Longest track over the thickness: beyond, a muon would have to graze the detector."""


def draw_artifacts(plan: ArtifactPlan, shot: Shot, *, seed: int, index: int) -> tuple[Blemish, ...]:
    """Return what spoils the image with this index, in the order in which it happens.

    Each kind has a stream of its own: leaving one out does not change the others.
    """

    def each(part: _Part | None, draw: _Draw[_Part], name: str) -> Iterator[Blemish]:
        if part is not None:
            yield from draw(part, shot, stream(seed, f"artifact-{name}", index))

    return (
        *each(plan.ghosts, _ghosts, "ghost"),
        *each(plan.bleeds, _bleeds, "bleed"),
        *each(plan.trails, _trails, "trail"),
        *each(plan.cosmic_rays, _cosmic_rays, "cosmic-ray"),
        *each(plan.bad_pixels, _bad_pixels, "bad-pixel"),
        *each(plan.missing_band, _missing_band, "missing-band"),
        *each(plan.holes, _holes, "hole"),
        *each(plan.chip_gaps, _chip_gaps, "chip-gap"),
    )


def _cosmic_rays(plan: CosmicRayPlan, shot: Shot, rng: np.random.Generator) -> Iterator[Track]:
    area_cm2 = shot.height * shot.width * (plan.pixel_micron * 1e-4) ** 2
    for band, seconds in enumerate(shot.exposure_s):
        hits = plan.per_cm2_minute * area_cm2 * seconds / 60 * plan.surviving
        for _ in range(rng.poisson(hits)):
            draw = _worm if rng.random() < plan.worms else _muon
            yield draw(plan, shot, rng, band)


def _muon(plan: CosmicRayPlan, shot: Shot, rng: np.random.Generator, band: int) -> Track:
    # An intensity of cos^2 through a level detector makes the density of the cosine a cube.
    cosine = max(rng.random() ** 0.25, 1 / np.hypot(1, STEEPEST_TRACK))
    path = plan.thickness_micron / cosine
    length = path * np.sqrt(1 - cosine**2) / plan.pixel_micron
    along = np.linspace(0, length, max(int(np.ceil(2 * length)), 2))
    angle = rng.uniform(0, 2 * np.pi)
    # One fluctuation for the whole track: those of Landau do not average out along it.
    per_micron = ELECTRONS_PER_MICRON - FLUCTUATION * np.log(rng.normal() ** 2)
    lumps = rng.gamma(3.0, 1.0, len(along))
    return Track(
        band=band,
        x=rng.uniform(0, shot.width) + along * np.cos(angle),
        y=rng.uniform(0, shot.height) + along * np.sin(angle),
        electrons=max(per_micron, 0.0) * path * lumps / lumps.sum(),
        diffusion_pixels=plan.diffusion_pixels,
    )


def _worm(plan: CosmicRayPlan, shot: Shot, rng: np.random.Generator, band: int) -> Track:
    # A slow electron is scattered all the way and ionizes the more, the slower it gets.
    points = int(rng.integers(6, 50))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.45, points))
    step = 0.5
    charge = ELECTRONS_PER_MICRON * plan.pixel_micron * step * np.linspace(1, 3, points)
    return Track(
        band=band,
        x=rng.uniform(0, shot.width) + np.cumsum(step * np.cos(heading)),
        y=rng.uniform(0, shot.height) + np.cumsum(step * np.sin(heading)),
        electrons=charge * rng.gamma(4.0, 0.25, points),
        diffusion_pixels=plan.diffusion_pixels,
    )


def _trails(plan: TrailPlan, shot: Shot, rng: np.random.Generator) -> Iterator[Streak]:
    for _ in range(rng.poisson(plan.rate)):
        kind, angle = rng.random(), rng.uniform(0, 2 * np.pi)
        x, y = rng.uniform(0, shot.width), rng.uniform(0, shot.height)
        width = rng.uniform(*plan.width_arcsec) / shot.pixel_scale_arcsec
        brightness = _log_uniform(rng, plan.brightness)
        band = int(rng.integers(len(shot.noise)))
        if kind < plan.satellites:
            yield _streak(band, (x, y), angle, 2 * (shot.width + shot.height), width, brightness)
        elif kind < plan.satellites + plan.glints:
            length = rng.uniform(*plan.glint_arcsec) / shot.pixel_scale_arcsec
            yield _streak(band, (x, y), angle, length, width, 10 * brightness)
        else:
            moved = rng.uniform(*plan.motion_arcsec) / shot.pixel_scale_arcsec
            seeing = plan.width_arcsec[0] / shot.pixel_scale_arcsec
            for step, which in enumerate(rng.permutation(len(shot.noise))):
                place = (x + step * moved * np.cos(angle), y + step * moved * np.sin(angle))
                yield _streak(int(which), place, angle, 0.1 * moved, seeing, brightness)


def _streak(
    band: int,
    center: tuple[float, float],
    angle: float,
    length: float,
    width: float,
    brightness: float,
) -> Streak:
    """Return a streak of a full width at half maximum, in pixels."""
    half = (length / 2 * float(np.cos(angle)), length / 2 * float(np.sin(angle)))
    softness = 0.2 * width
    return Streak(
        band=band,
        start=(center[0] - half[0], center[1] - half[1]),
        stop=(center[0] + half[0], center[1] + half[1]),
        core_pixels=width / 2 - 1.1774 * softness,
        softness_pixels=softness,
        brightness=brightness,
    )


def _bleeds(plan: BleedPlan, shot: Shot, rng: np.random.Generator) -> Iterator[Bleed]:
    bands = len(shot.noise)
    for _ in range(rng.poisson(plan.rate)):
        x, y = _around(rng, shot, np.array((shot.width, shot.height)), plan.outside)
        peak = _log_uniform(rng, plan.brightness) * np.exp(rng.normal(0, 0.15, bands))
        length = rng.uniform(*plan.length) * shot.height / 2 * rng.uniform(0.4, 1.0, bands)
        bleeding = rng.random(bands) < 0.7
        bleeding[rng.integers(bands)] = True
        yield Bleed(
            x=x,
            y=y,
            peak=tuple(peak.tolist()),
            halo_pixels=float(rng.uniform(1.0, 2.0)),
            width=int(rng.integers(plan.width_pixels[0], plan.width_pixels[1] + 1)),
            length=tuple(np.where(bleeding, length, 0.0).tolist()),
            level=float(rng.uniform(*plan.level)),
            spike=_log_uniform(rng, plan.spikes),
            spike_angle=float(rng.uniform(-0.1, 0.1)),
        )


def _ghosts(plan: GhostPlan, shot: Shot, rng: np.random.Generator) -> Iterator[Ghost]:
    bands = len(shot.noise)
    for _ in range(rng.poisson(plan.rate)):
        radius = rng.uniform(*plan.radius_arcsec) / shot.pixel_scale_arcsec
        x, y = _around(rng, shot, np.array((radius, radius)), plan.outside)
        hole = rng.uniform(*plan.hole)
        away, where = rng.uniform(0, 0.6) * (1 - hole), rng.uniform(0, 2 * np.pi)
        yield Ghost(
            x=x,
            y=y,
            radius=tuple((radius * np.exp(rng.normal(0, 0.04, bands))).tolist()),
            hole=float(hole),
            shift=(float(away * np.cos(where)), float(away * np.sin(where))),
            brightness=tuple(_log_uniform(rng, plan.brightness) for _ in range(bands)),
            edge=float(rng.uniform(*plan.edge)),
        )


def _bad_pixels(plan: BadPixelPlan, shot: Shot, rng: np.random.Generator) -> Iterator[Overwritten]:
    pixels = shot.height * shot.width
    for band in range(len(shot.noise)):
        for place in rng.integers(0, pixels, rng.poisson(plan.hot * pixels)):
            yield _at(Artifact.HOT_PIXEL, (band,), place, _log_uniform(rng, plan.brightness))
        for place in rng.integers(0, pixels, rng.poisson(plan.dead * pixels)):
            yield _at(Artifact.DEAD_PIXEL, (band,), place, -float(rng.uniform(*plan.depth)))
    for _ in range(rng.poisson(plan.columns)):
        end = int(rng.integers(1, shot.height + 1))
        column = np.arange(end) * shot.width + rng.integers(shot.width)
        band = int(rng.integers(len(shot.noise)))
        yield _at(Artifact.HOT_PIXEL, (band,), column, _log_uniform(rng, plan.brightness))


def _holes(plan: HolePlan, shot: Shot, rng: np.random.Generator) -> Iterator[Overwritten]:
    for _ in range(rng.poisson(plan.rate)):
        y, x = rng.integers(shot.height), rng.integers(shot.width)
        tall, wide = (rng.uniform(*plan.side, 2) * (shot.height, shot.width)).round().astype(int)
        block = np.zeros((shot.height, shot.width), bool)
        block[y : y + max(tall, 1), x : x + max(wide, 1)] = True
        bands = tuple(range(len(shot.noise)))
        if rng.random() < plan.one_band:
            bands = (int(rng.integers(len(bands))),)
        yield _at(Artifact.HOLE, bands, np.flatnonzero(block), np.nan)


def _chip_gaps(plan: ChipGapPlan, shot: Shot, rng: np.random.Generator) -> Iterator[Overwritten]:
    for _ in range(rng.poisson(plan.rate)):
        width = rng.uniform(*plan.width_arcsec) / shot.pixel_scale_arcsec
        tilt = np.radians(rng.uniform(-plan.tilt_deg, plan.tilt_deg)) + rng.integers(2) * np.pi / 2
        x0, y0 = rng.uniform(0, shot.width), rng.uniform(0, shot.height)
        y, x = np.mgrid[: shot.height, : shot.width]
        across = (x - x0) * np.cos(tilt) + (y - y0) * np.sin(tilt)
        strip = np.flatnonzero(np.abs(across) <= max(width, 1) / 2)
        yield _at(Artifact.CHIP_GAP, tuple(range(len(shot.noise))), strip, np.nan)


def _missing_band(
    plan: MissingBandPlan, shot: Shot, rng: np.random.Generator
) -> Iterator[Overwritten]:
    if rng.random() < plan.rate:
        value = 0.0 if rng.random() < plan.zeros else np.nan
        band = int(rng.integers(len(shot.noise)))
        yield _at(Artifact.MISSING_BAND, (band,), np.arange(shot.height * shot.width), value)


def _at(
    artifact: Artifact, bands: tuple[int, ...], places: np.ndarray | np.integer, value: float
) -> Overwritten:
    pixels = np.atleast_1d(places).astype(np.int64)
    return Overwritten(artifact=artifact, bands=bands, pixels=pixels, value=value)


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _around(
    rng: np.random.Generator, shot: Shot, reach: np.ndarray, limits: tuple[float, float]
) -> tuple[float, float]:
    """Return a point in any direction from the center, at a share of the reach in x and y."""
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(*limits)
    x, y = np.array((shot.width, shot.height)) / 2 + away * reach * (np.cos(angle), np.sin(angle))
    return float(x), float(y)
