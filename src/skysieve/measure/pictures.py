"""Color pictures of cutouts, for people.

References:
    Lupton et al. 2004, PASP 116, 133 (the asinh stretch that keeps color; softening as in its
        section 2, with brightness in units of the noise).
    Dey et al. 2019, AJ 157, 168 (the DESI Legacy Surveys, whose viewer's weights of the bands
        make an early-type galaxy warm and a star-forming arc blue).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, UInt8

from skysieve.core.errors import InputError
from skysieve.core.survey import BANDS_BLUE_TO_RED, PixelKind

Planes = Float64[np.ndarray, "plane y x"]

NO_DATA = (58, 58, 66)
"""The color of a pixel that holds no data in some band shown."""

SOFTENING = 8.0
"""Lupton's Q: how fast the stretch turns from linear to logarithmic."""
LINEAR_SIGMA = 5.0
"""The brightness, in noise standard deviations, up to which the stretch is about linear."""
BLACK_SIGMA = -1.0
"""The brightness shown black: below the sky, so that the noise shows how deep the image is."""

WEIGHTS = {"u": 9.0, "g": 6.0, "VIS": 3.4, "r": 3.4, "i": 2.8, "z": 2.2, "y": 2.0, "Y": 2.0}
"""How much a band's flux counts, at one zero point; redder bands as the reddest here."""
FAINTEST = 1e-9
"""In noise standard deviations; what is fainter is black, and nothing is divided by zero."""
UNIT_RATIO = 4.0
"""Bands whose weighted noise differs by more than this are not in one unit, and are brought near."""


def color_picture(
    pixels: Float[np.ndarray, "band y x"], kind: PixelKind, bands: Sequence[str]
) -> UInt8[np.ndarray, "y x 3"]:
    """Return a cutout as a color picture: its reddest band red, its bluest blue.

    Args:
        pixels: Flux in any unit, or display values in [0, 1] or [0, 255]; NaN where no data is.
        kind: A display picture is shown as it is; flux is stretched by the noise of each band.
        bands: Names of the planes. One or two bands give gray.

    Raises:
        InputError: The names do not match the planes.
    """
    if pixels.ndim != 3 or len(bands) != len(pixels) or not len(bands):
        raise InputError(
            f"{len(bands)} bands are named but the pixels have shape {pixels.shape}",
            "Give pixels (band, y, x) and a name for each band",
        )
    shown = _red_green_blue(bands)
    planes = pixels[shown].astype(np.float64)
    holes = ~np.isfinite(planes).all(axis=0)
    if kind == "display":
        levels = _displayed(planes)
    else:
        levels = _stretched(planes, [bands[k] for k in shown])
    if len(levels) < 3:
        levels = np.repeat(levels.mean(axis=0, keepdims=True), 3, axis=0)
    picture = np.round(255 * np.clip(levels, 0, 1)).astype(np.uint8).transpose(1, 2, 0).copy()
    picture[holes] = NO_DATA
    return picture


def _red_green_blue(bands: Sequence[str]) -> list[int]:
    """Return which planes to show, reddest first: three of them, or all if there are fewer."""
    known = all(name in BANDS_BLUE_TO_RED for name in bands)
    order = list(range(len(bands)))
    if known:  # unknown names are taken as they come, from blue to red
        order.sort(key=lambda k: BANDS_BLUE_TO_RED.index(bands[k]))
    if len(order) < 3:
        return order[::-1]
    return [order[-1], order[(len(order) - 1) // 2], order[0]]


def _displayed(planes: Planes) -> Planes:
    filled = np.nan_to_num(planes, nan=0.0, posinf=0.0, neginf=0.0)
    return filled if filled.max(initial=0.0) <= 1 else filled / 255


def _stretched(planes: Planes, bands: Sequence[str]) -> Planes:
    """Return planes whose range to show is [0, 1], stretched together so that a pixel keeps its color."""
    signal = _in_noise(planes, bands) - BLACK_SIGMA
    mean = np.maximum(signal.mean(axis=0), FAINTEST)
    # Lupton eq. 2, scaled so that a tenth of the range is reached at a tenth of LINEAR_SIGMA.
    scale = 0.1 / np.arcsinh(0.1 * SOFTENING)
    # Too bright a band is cut, not the pixel dimmed: a dark core would look like a ring.
    levels = signal * (scale * np.arcsinh(SOFTENING * mean / LINEAR_SIGMA) / mean)
    return np.where(mean > FAINTEST, levels, 0.0)


def _in_noise(planes: Planes, bands: Sequence[str]) -> Planes:
    """Return weighted bands above their sky, in units of the noise they have in common."""
    above, noises = zip(*(_above_sky(plane) for plane in planes), strict=True)
    known = all(band in BANDS_BLUE_TO_RED for band in bands)
    weights = [
        WEIGHTS.get(band, 2.0) if known else 1 / noise
        for band, noise in zip(bands, noises, strict=True)
    ]
    noise = np.multiply(weights, noises)
    ratio = noise / np.median(noise)
    units = noise / np.clip(ratio, 1 / UNIT_RATIO, UNIT_RATIO)
    return np.stack(above) * (np.asarray(weights) / units)[:, None, None]


def _above_sky(plane: Float64[np.ndarray, "y x"]) -> tuple[Float64[np.ndarray, "y x"], float]:
    """Return a band above its sky, 0 where no data is, and the noise of the sky."""
    finite = plane[np.isfinite(plane)]
    if not finite.size:
        return np.zeros_like(plane), 1.0
    sky = np.median(finite)
    noise = 1.4826 * float(np.median(np.abs(finite - sky)))
    # A simulation without noise has no such scale; a thousandth of its peak serves.
    noise = max(noise, 1e-3 * float(finite.max() - sky), float(np.finfo(np.float64).tiny))
    return np.where(np.isfinite(plane), plane - sky, 0.0), noise
