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
from jaxtyping import Bool, Float, Float32, Float64

from skysieve.core.errors import InputError
from skysieve.core.survey import BANDS_BLUE_TO_RED

Family = Literal["color", "brightness", "noise", "size", "frame", "pixels"]
FAMILIES: tuple[Family, ...] = ("color", "brightness", "noise", "size", "frame")
"""What a single cue can be of; ``pixels`` are summary statistics, for the linear probe only."""

CORE, OBJECT, BORDER = 0.25, 0.75, 0.8
CLIP_SIGMA, CLIPS = 3.0, 3
SKY_PIXELS = 8192
"""Pixels of a band's border that decide the clipping; of a larger border every second, third ..."""
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
STATISTICS = ("mean", "std", *(f"p{share}" for share in PERCENTILES))
"""The summary statistics of a band's pixels; a percentile is the value of the nearest rank."""
_RED_FIRST = ("red", "green", "blue")
_NO_NOISE = 1e-3  # of the peak: what serves as the noise of a simulation that has none

Planes = Float32[np.ndarray, "n band y x"]
Ordered = Float32[np.ndarray, "n band pixel"]
PerBand = Float64[np.ndarray, "n band"]
PerCutout = Float64[np.ndarray, " n"]


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
    radius = _radius(pixels.shape[2], pixels.shape[3])
    ordered = np.sort(pixels.reshape(*pixels.shape[:2], -1), axis=-1)
    border = radius >= min(BORDER, float(radius.max()))  # a frame of a few pixels has no corners
    level, noise, residual = _sky(pixels, border)
    above = pixels - level[:, :, None, None].astype(np.float32)
    peak = _at(ordered, 1.0) - level
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
        flux = _mean(above[:, :, mask], 2)
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
    over_noise = _mean(signal, 1)
    numbers = {
        "core": ("mean of the core over the noise", _masked(over_noise, core)),
        "object": ("mean of the object over the noise", _masked(over_noise, whole)),
        "peak": (
            "brightest pixel over the noise",
            np.fmax.reduce(over_noise.reshape(len(signal), -1), axis=1),
        ),
        "core_units": ("mean of the core, in the image's units", _masked(_mean(above, 1), core)),
        "sky_units": ("level of the sky, in the image's units", _mean(level, 1)),
    }
    return {
        # Compressed, so that a linear probe is not ruled by a few bright ones; ranks stay.
        _cue("brightness", name, meaning): np.arcsinh(values) if "noise" in meaning else values
        for name, (meaning, values) in numbers.items()
    }


def _noise(noise: PerBand, residual: Planes, bands: list[str]) -> dict[Cue, PerCutout]:
    found = {_cue("noise", "scatter", "scatter of the sky, in the image's units"): _mean(noise, 1)}
    for k in range(len(bands) - 1):
        cue = _cue(
            "noise",
            f"{bands[k]}_{bands[k + 1]}",
            f"noise of {bands[k]} over that of {bands[k + 1]}",
        )
        found[cue] = np.arctan2(noise[:, k], noise[:, k + 1])
    for lag, words in ((1, "neighboring pixels"), (2, "pixels two apart")):
        correlation = _mean(_grain(residual, lag), 1)
        found[_cue("noise", f"grain_{lag}", f"correlation of the noise of {words}")] = correlation
    if len(bands) > 1:
        shared = _mean(_correlation(residual[:, :-1], residual[:, 1:]), 1)
        found[_cue("noise", "shared", "correlation of the noise of bands")] = shared
    return found


def _size(signal: Planes, radius: Float64[np.ndarray, "y x"]) -> dict[Cue, PerCutout]:
    """Return how wide the light is, from its growth about the center of the frame."""
    light = _mean(signal, 1)
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
        _cue("size", "bright_area", "share of pixels 3 σ above the sky"): _share(bright, valid),
    }


def _frame(pixels: Planes, ordered: Ordered) -> dict[Cue, PerCutout]:
    n, band, height, width = pixels.shape
    valid = np.isfinite(ordered)
    highest = _at(ordered, 1.0)
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
        "lowest": ("lowest value", np.fmin.reduce(_at(ordered, 0.0), axis=1)),
        "highest": ("highest value", np.fmax.reduce(highest, axis=1)),
    }
    return {_cue("frame", name, meaning): values for name, (meaning, values) in numbers.items()}


def _statistics(pixels: Planes, ordered: Ordered, bands: list[str]) -> dict[Cue, PerCutout]:
    mean = _mean(pixels, 2)
    std = np.sqrt(_mean((pixels.astype(np.float64) - mean[:, :, None, None]) ** 2, 2))
    columns = [mean, std, *(_at(ordered, share / 100) for share in PERCENTILES)]
    return {
        Cue(key=f"{band}_{name}", family="pixels", meaning=f"{name} of {band}"): column[:, k]
        for name, column in zip(STATISTICS, columns, strict=True)
        for k, band in enumerate(bands)
    }


def _cue(family: Family, name: str, meaning: str) -> Cue:
    return Cue(key=f"{family}_{name}", family=family, meaning=meaning)


def _radius(height: int, width: int) -> Float64[np.ndarray, "y x"]:
    """Return the distance of each pixel from the center, in half-sides of the frame."""
    y, x = np.ogrid[:height, :width]
    return np.hypot((y - (height - 1) / 2) / (height / 2), (x - (width - 1) / 2) / (width / 2))


def _sky(pixels: Planes, border: Bool[np.ndarray, "y x"]) -> tuple[PerBand, PerBand, Planes]:
    """Return level and noise of the sky, and the border in units of them, NaN elsewhere.

    The noise is the standard deviation of what is left after clipping: a median of deviations
    would jump by whole steps in 8-bit pictures. Clipping at 3 σ makes it 1.5 % too small.
    """
    every = pixels[:, :, border].astype(np.float64)
    kept = every[:, :, :: -(-every.shape[2] // SKY_PIXELS)]
    level = spread = np.zeros((*kept.shape[:2], 1))
    for _ in range(CLIPS):
        level = _middle(kept)[:, :, None]
        away = np.abs(kept - level)
        spread = 1.4826 * _middle(away)[:, :, None]
        spread = np.where(spread > 0, spread, np.sqrt(_mean(away**2, 2))[:, :, None])
        kept = np.where(away <= CLIP_SIGMA * spread, kept, np.nan)
    kept = np.where(np.abs(every - level) <= CLIP_SIGMA * spread, every, np.nan)
    level = _mean(kept, 2)
    kept -= level[:, :, None]
    noise = np.sqrt(_mean(kept**2, 2))
    residual = np.full(pixels.shape, np.nan, np.float32)
    residual[:, :, border] = kept / np.where(noise > 0, noise, np.nan)[:, :, None]
    return level, noise, residual


def _grain(residual: Planes, lag: int) -> PerBand:
    """Return the correlation of sky pixels ``lag`` apart, along rows and columns."""
    along = _correlation(residual[..., :-lag], residual[..., lag:])
    across = _correlation(residual[..., :-lag, :], residual[..., lag:, :])
    return (along + across) / 2


def _correlation(a: Planes, b: Planes) -> PerBand:
    """Return the mean product of two planes of mean 0 and scatter 1; NaN if one is flat."""
    product = a * b
    both = np.isfinite(product)
    n = np.maximum(both.sum(axis=(2, 3)), 1)
    total = np.where(both, product, 0).sum(axis=(2, 3), dtype=np.float64)
    return np.where(both.any(axis=(2, 3)), total / n, np.nan)


def _middle(values: Float[np.ndarray, "n band pixel"]) -> PerBand:
    return _at(np.sort(values, axis=-1), 0.5)


def _at(ordered: Float[np.ndarray, "n band pixel"], share: float) -> PerBand:
    """Return the value at a rank among those that are no NaN; ``nanquantile`` takes ten times longer."""
    n = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    rank = np.rint(share * np.maximum(n - 1, 0)).astype(np.int64)
    return np.take_along_axis(ordered, rank, axis=-1)[..., 0].astype(np.float64)


def _masked(light: Float[np.ndarray, "n y x"], mask: Bool[np.ndarray, "y x"]) -> PerCutout:
    return _mean(light[:, None, mask], 2)[:, 0]


def _share(part: Bool[np.ndarray, "n pixel"], whole: Bool[np.ndarray, "n pixel"]) -> PerCutout:
    count = whole.sum(axis=1)
    return part.sum(axis=1) / np.where(count > 0, count, np.nan)


def _mean(values: Float[np.ndarray, "..."], kept: int) -> Float64[np.ndarray, "..."]:
    """Return the mean of what is no NaN over axis ``kept`` and those after; NaN if nothing is.

    For four axes and ``kept`` 1 the mean runs over the bands alone, so that a map stays a map.
    """
    axes = (1,) if kept == 1 and values.ndim in (2, 4) else tuple(range(kept, values.ndim))
    held = np.isfinite(values)
    count = held.sum(axis=axes)
    total = np.where(held, values, 0).sum(axis=axes, dtype=np.float64)
    return total / np.where(count > 0, count, np.nan)
