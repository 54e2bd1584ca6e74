"""Cutouts: small images of the sky, every one with its name and origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from jaxtyping import Bool, Float32, Float64

from skysieve.core.errors import InputError
from skysieve.core.survey import PixelKind


@dataclass(frozen=True, eq=False, kw_only=True)
class Cutouts:
    """Cutouts of one size and one set of bands; each aligned field has one entry per cutout.

    Args:
        ids: Names, all different.
        pixels: Flux (linear, any unit) or display values; NaN where there is no data. Read-only.
        bands: Names of the bands, in the order of the second axis.
        kind: Whether pixels are linear flux or a display stretch.
        pixel_scale_arcsec: Size of a pixel; None if nobody said.
        sources: The file each cutout came from, relative to the folder that was read.
        rows: Its row in that file, from 0.
        flags: What was done to it or assumed of it, such as ``padded``; sorted.
        ra_deg: Right ascension (ICRS); NaN if unknown.
        dec_deg: Declination (ICRS); NaN if unknown.

    Raises:
        InputError: The fields do not have the same length, an id repeats, or the bands do not
            match the pixels.
    """

    ids: tuple[str, ...]
    pixels: Float32[np.ndarray, "n band y x"]
    bands: tuple[str, ...]
    kind: PixelKind = "flux"
    pixel_scale_arcsec: float | None = None
    sources: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    flags: tuple[tuple[str, ...], ...] = ()
    ra_deg: Float64[np.ndarray, " n"] = field(default_factory=lambda: np.empty(0))
    dec_deg: Float64[np.ndarray, " n"] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        n = len(self.ids)
        fill = {
            "sources": ("",) * n,
            "rows": tuple(range(n)),
            "flags": ((),) * n,
            "ra_deg": np.full(n, np.nan),
            "dec_deg": np.full(n, np.nan),
        }
        for name, default in fill.items():
            if not len(getattr(self, name)):
                object.__setattr__(self, name, default)
        self._check(n)
        for name in ("pixels", "ra_deg", "dec_deg"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def _check(self, n: int) -> None:
        if self.pixels.ndim != 4:
            raise InputError(
                f"Cutouts have pixels of shape {self.pixels.shape}", "Give (n, band, y, x)"
            )
        if self.pixels.dtype != np.float32:
            raise InputError(f"Cutouts have {self.pixels.dtype} pixels", "Give float32")
        for name in ("pixels", "sources", "rows", "flags", "ra_deg", "dec_deg"):
            if len(getattr(self, name)) != n:
                raise InputError(
                    f"There are {n} ids but {len(getattr(self, name))} {name}",
                    "Give one per cutout",
                )
        if len(set(self.ids)) != n:
            raise InputError("An id repeats among the cutouts", "Give each cutout its own id")
        if len(self.bands) != self.pixels.shape[1]:
            raise InputError(
                f"{len(self.bands)} bands are named ({', '.join(self.bands)}) but the pixels "
                f"have {self.pixels.shape[1]}",
                "Name one band per plane",
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> Self:
        """Return some of the cutouts, in the order asked for."""
        index: list[int] = np.arange(len(self))[rows].tolist()
        return type(self)(
            ids=tuple(self.ids[k] for k in index),
            pixels=self.pixels[rows],
            bands=self.bands,
            kind=self.kind,
            pixel_scale_arcsec=self.pixel_scale_arcsec,
            sources=tuple(self.sources[k] for k in index),
            rows=tuple(self.rows[k] for k in index),
            flags=tuple(self.flags[k] for k in index),
            ra_deg=self.ra_deg[rows],
            dec_deg=self.dec_deg[rows],
        )

    @property
    def valid(self) -> Bool[np.ndarray, "n band y x"]:
        """True where a pixel holds data."""
        return np.isfinite(self.pixels)
