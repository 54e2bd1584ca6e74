"""What light and mass do at points, as small kernels that torch compiles for blocks of fixed size.

A block is ``ROWS`` tiles of ``TILE`` by ``TILE`` points. Every tile is computed from its own row of
numbers alone, and the last block is filled up, so that the bits of a tile depend on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

TILE = 8
"""Pixels a side of a tile."""
POINTS = TILE * TILE
ROWS = 4096
"""Tiles in a block: they fit into the cache of a core, and one call costs little beside them."""

Tiles = Float32[np.ndarray, "tile point"]
Numbers = Float32[np.ndarray, "tile number"]

SERSIC = ("x", "y", "xx", "xy", "yy", "floor", "half", "b", "height")
"""``height * exp(-b * r2 ** half)`` with ``r2 = max(xx x² + xy x y + yy y², floor)``; x and y are added
to the points."""
DISK = ("x", "y", "along", "across", "up", "soft", "arms", "winding", "arm_phase", "arm_strength",
        "ring_radius", "ring_width", "ring_strength", "ring_phase", "ring_lopsided", "height")  # fmt: skip
"""As ``scenes.DISK``, turned by ``along`` and ``across`` (cosine and sine over the scale length)."""
SIE = (
    "x",
    "y",
    "cos",
    "sin",
    "q",
    "strength",
    "flat",
    "core",
    "keep",
    "gamma1",
    "gamma2",
    "x0",
    "y0",
)
"""An ellipsoid at (x0, y0); ``strength`` is the Einstein radius times sqrt(q) over ``flat``, the square
root of 1 - q²; ``keep`` 1 gives ``position - shear - deflection``, 0 gives ``-deflection``."""


def sersic(p: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return a Sersic profile of each row at its points."""
    x0, y0, xx, xy, yy, floor, half, b, height = (p[:, k, None] for k in range(len(SERSIC)))
    u, v = x0 + x, y0 + y
    r2 = torch.maximum(xx * u * u + xy * u * v + yy * v * v, floor)
    return height * torch.exp(-b * torch.exp(half * torch.log(r2)))


def disk(p: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return an exponential disk with arms and a ring of each row at its points.

    The arms multiply the disk by ``1 + a cos(m (theta - theta0 - w ln r))``, sharpened; the ring
    is a Gaussian in radius, modulated around so that it may be a broken or one-sided ring.
    """
    c = {name: p[:, k, None] for k, name in enumerate(DISK)}
    dx, dy = c["x"] + x, c["y"] + y
    u = dx * c["along"] + dy * c["across"]
    v = (dy * c["along"] - dx * c["across"]) * c["up"]
    r = torch.sqrt(u * u + v * v + c["soft"])
    theta = torch.atan2(v, u)
    wave = torch.cos(c["arms"] * (theta - c["arm_phase"] - c["winding"] / 2 * torch.log(r)))
    arms = 1 + c["arm_strength"] * (((1 + wave) / 2) ** 2 * 2.7 - 1)
    around = 1 + c["ring_lopsided"] * torch.cos(theta - c["ring_phase"])
    bump = torch.exp(-0.5 * ((r - c["ring_radius"]) / c["ring_width"]) ** 2 - c["ring_radius"])
    return c["height"] * (torch.exp(-r) * arms.clamp_min(0) + c["ring_strength"] * around * bump)


def trace(p: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each row's points are seen in the source plane, or minus their deflection.

    References:
        Kormann, Schneider & Bartelmann 1994, A&A 284, 285, eq. 27; with a core as in Keeton 2001,
        arXiv:astro-ph/0102341, eq. 34.
    """
    c = {name: p[:, k, None] for k, name in enumerate(SIE)}
    px, py = c["x"] + x, c["y"] + y
    dx, dy = px - c["x0"], py - c["y0"]
    u, v = dx * c["cos"] + dy * c["sin"], dy * c["cos"] - dx * c["sin"]
    q2 = c["q"] * c["q"]
    psi = torch.sqrt(q2 * (c["core"] * c["core"] + u * u) + v * v).clamp_min(1e-12)
    ax = c["strength"] * torch.atan(c["flat"] * u / (psi + c["core"]))
    z = c["flat"] * v / (psi + q2 * c["core"])
    ay = c["strength"] * 0.5 * (torch.log1p(z) - torch.log1p(-z))
    keep, gamma1, gamma2 = c["keep"], c["gamma1"], c["gamma2"]
    return (
        keep * (px - gamma1 * px - gamma2 * py) - (ax * c["cos"] - ay * c["sin"]),
        keep * (py - gamma2 * px + gamma1 * py) - (ax * c["sin"] + ay * c["cos"]),
    )


def evaluate(
    kernel: Callable[..., Any], numbers: Numbers, *points: Tiles, compiled: bool
) -> Tiles | tuple[Tiles, ...]:
    """Return what a kernel gives for each row of numbers at the points of its tile.

    Args:
        kernel: One of this module.
        numbers: A row for each tile, in the kernel's order.
        points: x and y of each tile's points; without them, pixels counted from the tile's corner.
        compiled: Use ``torch.compile``; the same numbers to rounding, several times as fast.
    """
    run = _compiled(kernel) if compiled else kernel
    count = len(numbers)
    outs: list[np.ndarray] = []
    for start in range(0, count, ROWS):
        rows = [_filled(table[start : start + ROWS]) for table in (numbers, *points)]
        with torch.no_grad():
            given = run(*rows) if points else run(*rows, *_corner_points())
        blocks = given if isinstance(given, tuple) else (given,)
        if not outs:
            outs = [np.empty((count, POINTS), np.float32) for _ in blocks]
        for out, block in zip(outs, blocks, strict=True):
            out[start : start + ROWS] = block.numpy()[: count - start]
    if not outs:
        outs = [np.empty((0, POINTS), np.float32)] * (2 if kernel is trace else 1)
    return outs[0] if len(outs) == 1 else tuple(outs)


def _filled(rows: np.ndarray) -> Tensor:
    """Return a whole block; rows that are missing repeat the first."""
    if len(rows) < ROWS:
        rows = np.concatenate([rows, np.broadcast_to(rows[:1], (ROWS - len(rows), rows.shape[1]))])
    return torch.from_numpy(np.ascontiguousarray(rows, np.float32))


@lru_cache(maxsize=1)
def _corner_points() -> tuple[Tensor, Tensor]:
    line = torch.arange(TILE, dtype=torch.float32)
    return line.repeat(TILE)[None], line.repeat_interleave(TILE)[None]


@lru_cache
def _compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(kernel, dynamic=False)
