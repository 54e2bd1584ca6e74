"""Twins: cutouts that are in a data set more than once, perhaps turned, mirrored or encoded anew.

A twin on the other side of a split is a test row that was trained on; one in another class is a
wrong label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt64
from PIL import Image

SIDE = 16
"""Pixels a side of the small pictures that are compared."""
ALIKE = 0.95
"""The correlation from which two small pictures are near-identical: the noise must agree too.

Of 167 CFHTLS pictures 165 reach it after JPEG compression at quality 80, and nine in ten after a
shift by a pixel; the two most alike among them reach 0.93.
"""
MOST_COMPARED = 10_000
MOST_PAIRS = 1_000
SAMPLED = 8_192
"""Pixels that tell a plane's sky and noise."""
_BLOCK = 1_024

SMOOTHEST = 1e-4
"""What is uneven in a perfectly round picture is rounding."""


def _rings() -> Int64[np.ndarray, " pixel"]:
    """Return which pixels lie at exactly the same distance from the center."""
    y, x = np.mgrid[:SIDE, :SIDE] * 2 - (SIDE - 1)
    return np.unique(x**2 + y**2, return_inverse=True)[1].ravel().astype(np.int64)


RINGS = _rings()

Thumbs = Float32[np.ndarray, "n pixel"]


@dataclass(frozen=True, kw_only=True)
class NearPair:
    """Two rows that look the same.

    Args:
        first: The position of one of them.
        second: That of the other, which is larger.
        correlation: Of their small pictures, in the orientation in which they agree best.
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
    """Return small gray pictures with mean 0 and length 1; zeros where nothing is to be seen.

    The light is compressed first, so that faint neighbors and the grain of the noise count as
    much as a bright center; then what is round about the center is taken out. Two galaxies of one
    profile are not near-identical.
    """
    return np.stack([_shrunk(each) for each in pixels])


def _shrunk(pixels: Float32[np.ndarray, "band y x"]) -> Float32[np.ndarray, " pixel"]:
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
    small = Image.fromarray(light).resize((SIDE, SIDE), Image.Resampling.BOX)
    flat = np.asarray(small, np.float64).ravel()
    profile = np.bincount(RINGS, flat) / np.bincount(RINGS)
    uneven = flat - profile[RINGS]
    length = np.sqrt((uneven**2).sum())
    seen = length > SMOOTHEST * np.sqrt((flat**2).sum())
    return (uneven / length if seen else np.zeros_like(uneven)).astype(np.float32)


def identical(digests: UInt64[np.ndarray, " n"]) -> list[Int64[np.ndarray, " k"]]:
    """Return the positions of rows that share a digest, set by set, in the order of the rows."""
    order = np.argsort(digests, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(digests[order])) + 1)
    return sorted((each for each in sets if len(each) > 1), key=lambda each: int(each[0]))


def near_pairs(thumbs: Thumbs) -> tuple[tuple[NearPair, ...], int]:
    """Return the pairs of near-identical rows, the most alike first, and how many there are.

    Each pair is compared in the eight orientations of a square. At most ``MOST_PAIRS`` are kept.
    """
    turned = _orientations(thumbs)
    pairs: list[NearPair] = []
    count = 0
    for start in range(0, len(thumbs), _BLOCK):
        block = thumbs[start : start + _BLOCK]
        best = np.full((len(block), len(thumbs) - start), -1.0, np.float32)
        for view in turned:
            np.maximum(best, block @ view[start:].T, out=best)
        first, second = np.nonzero(np.triu(best, 1) >= ALIKE)
        count += len(first)
        pairs += [
            NearPair(first=start + int(i), second=start + int(j), correlation=float(best[i, j]))
            for i, j in zip(first, second, strict=True)
        ]
        pairs = sorted(pairs, key=lambda p: (-p.correlation, p.first, p.second))[:MOST_PAIRS]
    return tuple(pairs), count


def _orientations(thumbs: Thumbs) -> Sequence[Thumbs]:
    square = thumbs.reshape(-1, SIDE, SIDE)
    views = [np.rot90(each, k, (1, 2)) for each in (square, square[:, :, ::-1]) for k in range(4)]
    return [np.ascontiguousarray(view).reshape(len(thumbs), -1) for view in views]
