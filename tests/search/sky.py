"""Small skies for the tests of searching."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def cutouts(n: int, *, side: int = 32, seed: int = 0) -> np.ndarray:
    """Return uint8 cutouts (n, 3, side, side) whose colors and textures differ."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(n, 3, side // 8, side // 8)).repeat(8, axis=2).repeat(8, axis=3)
    fine = rng.normal(size=(n, 3, side, side))
    amount = rng.uniform(0, 2, size=(n, 3, 1, 1))
    return np.clip(100 + 25 * (amount * coarse + fine), 0, 255).astype(np.uint8)


def write_sky(folder: Path, *, n: int, files: int = 3, single: bool = True) -> Path:
    """Write stacks of two sizes, and one file that ends too early.

    Args:
        folder: Made here.
        n: Rows in each stack.
        files: Stacks.
        single: Whether to add the broken FITS file.
    """
    folder.mkdir(parents=True)
    for k in range(files):
        np.save(folder / f"stack-{k}.npy", cutouts(n, side=64 if k == 1 else 32, seed=k))
    if single:
        header = "SIMPLE  =                    T".ljust(
            80
        ) + "BITPIX  =                  -32".ljust(80)
        (folder / "torn.fits").write_bytes(header.encode())
    return folder
