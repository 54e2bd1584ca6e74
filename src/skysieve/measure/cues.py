"""Cues: cheap numbers of a cutout, none of which should tell a lens from what is none.

Each is robust (the sky is clipped) and may be NaN where the cutout does not hold it. Radii are in
half-sides of the frame: the *core* is the disk within 0.25, the *surroundings* the ring from 0.25
to 0.75, the *object* both together, and the *border* all beyond 0.8, where the sky is measured.

References:
    Geirhos et al. 2020, Nature Machine Intelligence 2, 665 (shortcuts that networks learn).
    Conselice 2003, ApJS 147, 1, eq. 3 (concentration as a ratio of light radii).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from skysieve.core.errors import InputError
from skysieve.core.survey import BANDS_BLUE_TO_RED
from skysieve.measure.statistics import (
    CLIP_SIGMA,
    PerBand,
    PerCutout,
    Planes,
    at_rank,
    correlation,
    frame_radius,
    grain,
    mean_of,
    mean_within,
    measure_sky,
    share_of,
)

Family = Literal["color", "brightness", "noise", "size", "frame", "pixels"]
FAMILIES: tuple[Family, ...] = ("color", "brightness", "noise", "size", "frame")
"""What a single cue can be of; ``pixels`` are summary statistics, for the linear probe only."""

CORE, OBJECT, BORDER = 0.25, 0.75, 0.8
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
STATISTICS = ("mean", "std", *(f"p{share}" for share in PERCENTILES))
"""The summary statistics of a band's pixels; a percentile is the value of the nearest rank."""
_RED_FIRST = ("red", "green", "blue")
_NO_NOISE = 1e-3  # of the peak: what serves as the noise of a simulation that has none

Ordered = Float32[np.ndarray, "n band pixel"]


@dataclass(frozen=True, kw_only=True)
class Cue:
    """One number of a cutout.

    Args:
        key: Its name in tables, such as ``color_core_g_r``.
        family: What it is of.
        meaning: What it is, in a few words.
    """

    key: str
    family: Family
    meaning: str


@dataclass(frozen=True, eq=False, kw_only=True)
class CueTable:
    """The cues of cutouts.

    Args:
        cues: What the columns are; all different.
        values: One row per cutout; NaN where a cutout does not hold a cue.

    Raises:
        InputError: There is not one column per cue.
    """

    cues: tuple[Cue, ...]
    values: Float64[np.ndarray, "n cue"]

    def __post_init__(self) -> None:
        if self.values.shape[1:] != (len(self.cues),):
            raise InputError(f"{len(self.cues)} cues have values of shape {self.values.shape}")

    def __len__(self) -> int:
        return len(self.values)


def join_cues(tables: Sequence[CueTable]) -> CueTable:
    """Put the rows of tables below each other; a cue that a table lacks is NaN in its rows."""
    cues = tuple(dict.fromkeys(cue for table in tables for cue in table.cues))
    column = {cue: k for k, cue in enumerate(cues)}
    values = np.full((sum(map(len, tables)), len(cues)), np.nan)
    start = 0
    for table in tables:
        values[start : start + len(table), [column[cue] for cue in table.cues]] = table.values
        start += len(table)
    return CueTable(cues=cues, values=values)


def measure_cues(pixels: Float32[np.ndarray, "n band y x"], bands: tuple[str, ...]) -> CueTable:
    """Return the cues of cutouts of one size and one set of bands.

    Args:
        pixels: Flux in any unit, or display values; NaN where there is no data.
        bands: Names of the planes; those that skysieve does not know are taken from blue to red.

    Raises:
        InputError: The names do not match the planes.
    """
    if len(bands) != pixels.shape[1]:
        raise InputError(f"{len(bands)} bands are named but there are {pixels.shape[1]} planes")
    order = blue_to_red(bands)
    names = [bands[k] for k in order]
    found = _measure(pixels[:, order], names)
    values = np.stack(list(found.values()), axis=1)
    return CueTable(cues=tuple(found), values=np.where(np.isfinite(values), values, np.nan))


def blue_to_red(bands: Sequence[str]) -> list[int]:
    """Return the planes from blue to red; names nobody knows stay as they come."""
    order = list(range(len(bands)))
    if tuple(bands) == _RED_FIRST:
        return order[::-1]
    if all(name in BANDS_BLUE_TO_RED for name in bands):
        order.sort(key=lambda k: BANDS_BLUE_TO_RED.index(bands[k]))
    return order


def _measure(pixels: Planes, bands: list[str]) -> dict[Cue, PerCutout]:
    radius = frame_radius(pixels.shape[2], pixels.shape[3])
    ordered = np.sort(pixels.reshape(*pixels.shape[:2], -1), axis=-1)
    border = radius >= min(BORDER, float(radius.max()))  # a frame of a few pixels has no corners
    level, noise, residual = measure_sky(pixels, border)
    above = pixels - level[:, :, None, None].astype(np.float32)
    peak = at_rank(ordered, 1.0) - level
    unit = np.where(noise > 0, noise, np.where(peak > 0, _NO_NOISE * peak, np.nan))
    signal = above / unit[:, :, None, None].astype(np.float32)
    return {
        **_color(above, radius, bands),
        **_brightness(above, signal, level, radius),
        **_noise(noise, residual, bands),
        **_size(signal, radius),
        **_frame(pixels, ordered),
        **_statistics(pixels, ordered, bands),
    }


def _color(
    above: Planes, radius: Float64[np.ndarray, "y x"], bands: list[str]
) -> dict[Cue, PerCutout]:
    """Return the ratio of fluxes over the sky as an angle: it bears fluxes below zero."""
    pairs = [(k, k + 1) for k in range(len(bands) - 1)]
    if len(bands) > 2:
        pairs.append((0, len(bands) - 1))
    found: dict[Cue, PerCutout] = {}
    places = {"core": radius < CORE, "surroundings": (radius >= CORE) & (radius < OBJECT)}
    for place, mask in places.items():
        flux = mean_of(above[:, :, mask], 2)
        for blue, red in pairs:
            cue = Cue(
                key=f"color_{place}_{bands[blue]}_{bands[red]}",
                family="color",
                meaning=f"light in {bands[blue]} over {bands[red]}, {place}",
            )
            found[cue] = np.arctan2(flux[:, blue], flux[:, red])
    return found


def _brightness(
    above: Planes, signal: Planes, level: PerBand, radius: Float64[np.ndarray, "y x"]
) -> dict[Cue, PerCutout]:
    core, whole = radius < CORE, radius < OBJECT
    over_noise = mean_of(signal, 1)
    numbers = {
        "core": ("mean of the core over the noise", mean_within(over_noise, core)),
        "object": ("mean of the object over the noise", mean_within(over_noise, whole)),
        "peak": (
            "brightest pixel over the noise",
            np.fmax.reduce(over_noise.reshape(len(signal), -1), axis=1),
        ),
        "core_units": (
            "mean of the core, in the image's units",
            mean_within(mean_of(above, 1), core),
        ),
        "sky_units": ("level of the sky, in the image's units", mean_of(level, 1)),
    }
    return {
        # Compressed, so that a linear probe is not ruled by a few bright ones; ranks stay.
        _cue("brightness", name, meaning): np.arcsinh(values) if "noise" in meaning else values
        for name, (meaning, values) in numbers.items()
    }


def _noise(noise: PerBand, residual: Planes, bands: list[str]) -> dict[Cue, PerCutout]:
    found = {
        _cue("noise", "scatter", "scatter of the sky, in the image's units"): mean_of(noise, 1)
    }
    for k in range(len(bands) - 1):
        cue = _cue(
            "noise",
            f"{bands[k]}_{bands[k + 1]}",
            f"noise of {bands[k]} over that of {bands[k + 1]}",
        )
        found[cue] = np.arctan2(noise[:, k], noise[:, k + 1])
    for lag, words in ((1, "neighboring pixels"), (2, "pixels two apart")):
        grainy = mean_of(grain(residual, lag), 1)
        found[_cue("noise", f"grain_{lag}", f"correlation of the noise of {words}")] = grainy
    if len(bands) > 1:
        shared = mean_of(correlation(residual[:, :-1], residual[:, 1:]), 1)
        found[_cue("noise", "shared", "correlation of the noise of bands")] = shared
    return found


def _size(signal: Planes, radius: Float64[np.ndarray, "y x"]) -> dict[Cue, PerCutout]:
    """Return how wide the light is, from its growth about the center of the frame."""
    light = mean_of(signal, 1)
    inside = np.flatnonzero(radius.ravel() < max(OBJECT, 1.01 * float(radius.min())))
    inside = inside[np.argsort(radius.ravel()[inside], kind="stable")]
    flat = light.reshape(len(light), -1)
    growth = np.cumsum(np.nan_to_num(flat[:, inside]), axis=1)
    total = growth[:, -1]

    def holding(share: float) -> PerCutout:
        first = (growth >= share * total[:, None]).argmax(axis=1)
        found = np.maximum(radius.ravel()[inside[first]], 0.5 / max(radius.shape))
        return np.where(total > 0, found, np.nan)

    valid = np.isfinite(flat)
    bright = (flat > CLIP_SIGMA / np.sqrt(signal.shape[1])) & valid
    return {
        _cue("size", "half_light", "radius of half the light"): holding(0.5),
        _cue("size", "concentration", "radius of 80 % over that of 20 % of the light"): np.log(
            holding(0.8) / holding(0.2)
        ),
        _cue("size", "bright_area", "share of pixels 3 σ above the sky"): share_of(bright, valid),
    }


def _frame(pixels: Planes, ordered: Ordered) -> dict[Cue, PerCutout]:
    n, band, height, width = pixels.shape
    valid = np.isfinite(ordered)
    highest = at_rank(ordered, 1.0)
    steps = (np.diff(ordered, axis=-1) > 0).sum(axis=(1, 2)) + band
    held = np.maximum(valid.sum(axis=(1, 2)), 1)
    numbers = {
        "pixels": ("size of the frame in pixels", np.full(n, float(height * width))),
        "bands": ("number of bands", np.full(n, float(band))),
        "no_data": ("share of pixels without data", 1 - valid.mean(axis=(1, 2))),
        "at_highest": (
            "share of pixels at the highest value of their band",
            (ordered == highest[:, :, None]).sum(axis=(1, 2)) / held,
        ),
        "distinct": ("distinct values for each pixel", steps / held),
        "lowest": ("lowest value", np.fmin.reduce(at_rank(ordered, 0.0), axis=1)),
        "highest": ("highest value", np.fmax.reduce(highest, axis=1)),
    }
    return {_cue("frame", name, meaning): values for name, (meaning, values) in numbers.items()}


def _statistics(pixels: Planes, ordered: Ordered, bands: list[str]) -> dict[Cue, PerCutout]:
    mean = mean_of(pixels, 2)
    std = np.sqrt(mean_of((pixels.astype(np.float64) - mean[:, :, None, None]) ** 2, 2))
    columns = [mean, std, *(at_rank(ordered, share / 100) for share in PERCENTILES)]
    return {
        Cue(key=f"{band}_{name}", family="pixels", meaning=f"{name} of {band}"): column[:, k]
        for name, column in zip(STATISTICS, columns, strict=True)
        for k, band in enumerate(bands)
    }


def _cue(family: Family, name: str, meaning: str) -> Cue:
    return Cue(key=f"{family}_{name}", family=family, meaning=meaning)
