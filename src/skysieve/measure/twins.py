"""Twins: cutouts that are in a data set more than once, perhaps turned, mirrored or encoded anew.

A twin on the other side of a split is a test row that was trained on; one in another class is a
wrong label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt64

from skysieve.measure.grain import SIDE, Thumbs

ALIKE = 0.5
"""The correlation of their grain from which two cutouts are near-identical.

The two most alike among 167 different CFHTLS pictures reach 0.24, and no two of 2,465 SDSS galaxies
0.4; half of the CFHTLS copies with as much noise again reach 0.67, those compressed as JPEG at
quality 60 reach 0.76.
"""
MOST_COMPARED = 10_000
MOST_PAIRS = 1_000
_BLOCK = 1_024


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
