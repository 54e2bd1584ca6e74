"""Small sets of labeled images in the layouts that there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skysieve.core.inputs import InputSpec
from skysieve.train.labeled import LabeledImages


def picture(number: int, *, bands: int = 3, side: int = 16) -> np.ndarray:
    """An image that no other number has."""
    return np.random.default_rng(number).random((bands, side, side), np.float32)


def write(folder: Path, numbers, *, bands: int = 3, side: int = 16) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        np.save(folder / f"{number}.npy", picture(number, bands=bands, side=side))


def lens_set(root: Path, *, train=(6, 30), test=(2, 6)) -> Path:
    """The layout of the lens sets: a folder for each split and class, ids that repeat."""
    write(root / "test_lenses", range(1, 1 + test[0]))
    write(root / "test_nonlenses", range(101, 101 + test[1]))
    write(root / "train_lenses", range(201, 201 + train[0]))
    write(root / "train_nonlenses", range(301, 301 + train[1]))
    return root


def substructure_set(root: Path, *, train=20, val=4) -> Path:
    """The layout of the substructure sets; files come in another order than the classes' names."""
    for k, name in enumerate(("vort", "sphere", "no")):
        write(root / "train" / name, range(100 * k, 100 * k + train), bands=1)
        write(root / "val" / name, range(1000 + 100 * k, 1000 + 100 * k + val), bands=1)
    return root


def made(labels, *, groups=None, named=None, ids=None, classes=("nonlens", "lens")):
    """Labeled images without files."""
    n = len(labels)
    return LabeledImages(
        ids=tuple(ids or (f"id-{k}" for k in range(n))),
        classes=classes,
        labels=np.asarray(labels, np.int64),
        pixels=np.zeros((n, 1, 8, 8), np.float32),
        named=tuple(named or [""] * n),
        groups=np.asarray(range(n) if groups is None else groups, np.int64),
        columns={},
        spec=InputSpec(
            bands=("1",),
            kind="flux",
            pixel_scale_arcsec=0.2,
            pixel_scale_range_arcsec=(0.1, 0.4),
            min_side=8,
            max_side=8,
            side_step=1,
        ),
        sha256="a" * 64,
    )
