"""Small labeled sets that a network can learn from in seconds: blobs with a ring or without."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDE = 32


def blob(number: int, *, kind: int, bands: int = 3, side: int = SIDE) -> np.ndarray:
    """A round galaxy in 0..1 with noise: of kind 1 with a ring, of kind 2 with two spots."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    r = np.hypot(x, y)
    light = np.exp(-r / 3)
    if kind == 1:
        light += 0.8 * np.exp(-0.5 * ((r - rng.uniform(8, 10)) / 1.5) ** 2)
    if kind == 2:
        angle = rng.uniform(0, np.pi)
        for sign in (-1, 1):
            dx, dy = x - 9 * sign * np.cos(angle), y - 9 * sign * np.sin(angle)
            light += np.exp(-(dx**2 + dy**2) / 6)
    planes = light * rng.uniform(0.7, 1, (bands, 1, 1)) + rng.normal(0, 0.05, (bands, side, side))
    planes -= planes.min()
    return (planes / planes.max()).astype(np.float32)


def write_rings(root: Path, *, train=(24, 72), test=(8, 40), side: int = SIDE) -> Path:
    """Write rings and blobs in the layout of the lens sets."""
    number = 0
    for split, counts in (("train", train), ("test", test)):
        for name, kind, count in (("lenses", 1, counts[0]), ("nonlenses", 0, counts[1])):
            folder = root / f"{split}_{name}"
            folder.mkdir(parents=True)
            for _ in range(count):
                number += 1
                np.save(folder / f"{number}.npy", blob(number, kind=kind, side=side))
    return root


def write_kinds(root: Path, *, train: int = 30, val: int = 12) -> Path:
    """Write three classes in the layout of the substructure sets."""
    number = 0
    for split, count in (("train", train), ("val", val)):
        for kind, name in enumerate(("no", "sphere", "vort")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for _ in range(count):
                number += 1
                np.save(folder / f"{number}.npy", blob(number, kind=kind, bands=1))
    return root
