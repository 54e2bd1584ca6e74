"""Twins: cutouts that are in a data set more than once, perhaps turned, mirrored or encoded anew.

A twin on the other side of a split is a test row that was trained on; one in another class is a
wrong label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]  it has no types
from jaxtyping import Float, Float16, Float32, Float64, Int64, UInt64
from PIL import Image

SIDE = 24
"""Pixels a side of the small picture of the whole frame."""
PATCH = 33
"""Pixels a side of the piece about the brightest place; odd, so that it has a middle."""
ALIKE = 0.6
"""The correlation of their grain from which two cutouts are near-identical.

The two most alike among 167 different CFHTLS pictures reach 0.48; half of the copies with as much
noise again reach 0.73, those compressed as JPEG at quality 60 reach 0.80.
"""
MOST_COMPARED = 10_000
MOST_PAIRS = 1_000
SAMPLED = 8_192
"""Pixels that tell a plane's sky and noise."""
_BLOCK = 1_024
_PIECE_FROM = 64
"""Side of a frame whose piece is taken pixel by pixel; of one of twice the side, by two and two."""
_NEAR_CENTER = 10.0
"""Pixels from the center at which a place must be e^1/2 as bright as there to be the brightest."""

SMOOTHEST = 1e-4
"""Relative to all light: what is left of a smooth picture below it is rounding."""
_STRONGEST = 2.5
"""In local standard deviations: no single pixel decides."""

_ndimage: Any = scipy.ndimage  # it says nothing of its types


def _smoothing(side: int) -> Float64[np.ndarray, "k k"]:
    """Return the kernel that replaces a pixel by a parabola fitted about it."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(side**2, 6)
    return np.linalg.pinv(terms)[0].reshape(side, side)


PARABOLA = _smoothing(5)

Gray = Float32[np.ndarray, "y x"]
Thumbs = Float16[np.ndarray, "n pixel"]


@dataclass(frozen=True, kw_only=True)
class NearPair:
    """Two rows that look the same.

    Args:
        first: The position of one of them.
        second: That of the other, which is larger.
        correlation: Of their grain, in the orientation in which it agrees best.
    """

    first: int
    second: int
    correlation: float


def digest_pixels(pixels: Float32[np.ndarray, "n band y x"]) -> UInt64[np.ndarray, " n"]:
    """Return 64 bits of a hash of each cutout's shape and pixels."""
    shape = str(pixels.shape[1:]).encode()
    found = [hashlib.blake2b(each.tobytes(), digest_size=8, key=shape).digest() for each in pixels]
    return np.frombuffer(b"".join(found), np.uint64).copy()


def shrink(pixels: Float32[np.ndarray, "n band y x"]) -> Thumbs:
    """Return the grain of each cutout: of the whole frame, and of a piece about its brightest place.

    The light is compressed first, so that faint neighbors and noise count as much as a bright
    center. Then everything smooth is taken out: two galaxies of one shape are not near-identical,
    but no noise is there twice. The first picture stays when a copy is enlarged, the second
    when it is cropped. Either is zero where nothing is to be seen.
    """
    small: list[Float16[np.ndarray, " pixel"]] = []
    for each in pixels:
        light = _compressed(each)
        both = (_grain(_whole(light)), _grain(_piece(light)))
        small.append(np.concatenate([grain.ravel() for grain in both]).astype(np.float16))
    return np.stack(small)


def _compressed(pixels: Float32[np.ndarray, "band y x"]) -> Gray:
    """Return the light of all bands in units of their noise, compressed; without data it is sky."""
    light = np.zeros(pixels.shape[1:], np.float32)
    for plane in pixels:
        finite = plane[np.isfinite(plane)]
        if not finite.size:
            continue
        finite = finite[:: -(-finite.size // SAMPLED)]
        sky = np.median(finite)
        noise = 1.4826 * np.median(np.abs(finite - sky)) or finite.std()
        if noise > 0:
            light += np.arcsinh(np.nan_to_num((plane - sky) / noise, nan=0.0))
    return light


def _whole(light: Gray) -> Float64[np.ndarray, "small small"]:
    """Return the frame made small."""
    small = Image.fromarray(light).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def _piece(light: Gray) -> Float64[np.ndarray, "piece piece"]:
    """Return the piece about the brightest place near the center, in pixels of the image."""
    power = round(np.log2(min(light.shape) / _PIECE_FROM))
    factor = 2 ** max(power, 0)
    tall, wide = (length // factor * factor for length in light.shape)
    top, left = (light.shape[0] - tall) // 2, (light.shape[1] - wide) // 2
    cut = light[top : top + tall, left : left + wide].astype(np.float64)
    coarse = cut.reshape(tall // factor, factor, wide // factor, factor).mean(axis=(1, 3))
    rows, columns = (int(length) for length in coarse.shape)
    y, x = np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2
    nearness = np.exp(-(y[:, None] ** 2 + x**2) / (2 * _NEAR_CENTER**2))
    smooth = _ndimage.gaussian_filter(coarse, 1.5, mode="nearest")
    # A place that is brightest about itself stays so when the frame is cropped, wherever its center.
    summits = smooth >= _ndimage.maximum_filter(smooth, 5, mode="nearest")
    height = np.where(summits, smooth * nearness, -np.inf)
    row, column = np.unravel_index(int(height.argmax()), height.shape)
    return np.pad(coarse, PATCH // 2, mode="edge")[row : row + PATCH, column : column + PATCH]


def _grain(picture: Float64[np.ndarray, "y x"]) -> Float64[np.ndarray, "y x"]:
    """Return what is not smooth in a picture, nowhere much stronger than elsewhere, with length 1."""
    rough = picture - _ndimage.convolve(picture, PARABOLA, mode="mirror")
    if np.sqrt((rough**2).mean()) <= SMOOTHEST * np.sqrt((picture**2).mean()):
        return np.zeros_like(picture)
    # A bright center is steep, and steep in one way for all galaxies: it must not count for more
    # than the sky. Where there is less than usual, it is left so: a smooth core has no grain.
    strength = np.sqrt(_ndimage.uniform_filter(rough**2, 7, mode="mirror").clip(0))
    strength = np.maximum(strength, np.quantile(strength, 0.75))
    even = np.divide(rough, strength, out=np.zeros_like(rough), where=strength > 0)
    even = even.clip(-_STRONGEST, _STRONGEST)
    return even / np.sqrt((even**2).sum())


def identical(digests: UInt64[np.ndarray, " n"]) -> list[Int64[np.ndarray, " k"]]:
    """Return the positions of rows that share a digest, set by set, in the order of the rows."""
    order = np.argsort(digests, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(digests[order])) + 1)
    return sorted((each for each in sets if len(each) > 1), key=lambda each: int(each[0]))


def near_pairs(thumbs: Thumbs) -> tuple[tuple[NearPair, ...], int]:
    """Return the pairs of near-identical rows, the most alike first, and how many there are.

    Each pair is compared in the eight orientations of a square. At most ``MOST_PAIRS`` are kept.

    Args:
        thumbs: What ``shrink`` gives.
    """
    parts = [part.astype(np.float32) for part in np.split(thumbs, [SIDE**2], axis=1)]
    turned = [(part, _orientations(part)) for part in parts]
    pairs: list[NearPair] = []
    count = 0
    for start in range(0, len(thumbs), _BLOCK):
        best = np.full((min(_BLOCK, len(thumbs) - start), len(thumbs) - start), -1.0, np.float32)
        for part, views in turned:
            for view in views:
                np.maximum(best, part[start : start + _BLOCK] @ view[start:].T, out=best)
        first, second = np.nonzero(np.triu(best, 1) >= ALIKE)
        count += len(first)
        pairs += [
            NearPair(first=start + int(i), second=start + int(j), correlation=float(best[i, j]))
            for i, j in zip(first, second, strict=True)
        ]
        pairs = sorted(pairs, key=lambda p: (-p.correlation, p.first, p.second))[:MOST_PAIRS]
    return tuple(pairs), count


def _orientations(flat: Float[np.ndarray, "n pixel"]) -> Sequence[Float[np.ndarray, "n pixel"]]:
    side = round(np.sqrt(flat.shape[1]))
    square = flat.reshape(-1, side, side)
    views = [np.rot90(each, k, (1, 2)) for each in (square, square[:, :, ::-1]) for k in range(4)]
    return [np.ascontiguousarray(view).reshape(len(flat), -1) for view in views]
