"""The nouns of reading: what was found, what was read of it, and what was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int, Int64, Num
from pydantic import BaseModel, ConfigDict

from skysieve.core.errors import InputError
from skysieve.core.scores import Status
from skysieve.core.survey import PixelKind

MAX_PLANE_PIXELS = 16_000_000
"""A larger plane is a mosaic, not a cutout, and may be a trap for memory."""

MAX_UNPACKED_BYTES = 512 * 1024**2
"""The most that one compressed file may unpack to."""

MAX_BANDS = 12
"""A longer first axis counts objects, not bands."""

COLOR = ("red", "green", "blue")
"""The band names of a color picture, before it is known which filters they stand for."""

ReaderName = Literal["fits", "raster", "array", "parquet"]


def unnamed(count: int) -> tuple[str, ...]:
    """Return the names of planes that nobody named: ``1``, ``2`` and so on."""
    return tuple(str(k + 1) for k in range(count))


def are_unnamed(bands: tuple[str, ...]) -> bool:
    """Say whether these are the names of planes that nobody named."""
    return bands == unnamed(len(bands))


class ReadOptions(BaseModel):
    """What the user says about images that do not say it themselves.

    Args:
        bands: Names of unnamed planes, in their order (for a color picture: red, green, blue);
            also names that mark the files of one band each.
        pixel_scale_arcsec: Size of a pixel; overrides what files say.
        kind: Linear flux or display values; overrides what the file type suggests.
        mask_value: Pixels of exactly this value hold no data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: tuple[str, ...] | None = None
    pixel_scale_arcsec: float | None = None
    kind: PixelKind | None = None
    mask_value: float | None = None


class Source(BaseModel):
    """One or more files that are read together and hold one or more cutouts.

    Args:
        name: Where it lies below the folder that was read; unique. Several files of one object
            are named by a pattern, such as ``ID/ID_{g,r,i}.fits``.
        reader: The reader that opens it.
        paths: Absolute paths; one per band for FITS files of one band each, blue to red.
        bands: Band names if they are known before reading.
        rows: Cutouts in it; 1 if it could not be opened, for the row that says why.
        size_bytes: Size of all its files.
        id: Name of its cutout; of several cutouts, what stands before ``#row``.
        label: The folder that names its class, such as ``train_lenses``, if there is one.
        planes: Planes of each cutout, if that is known before reading; 0 if it could not be opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    reader: ReaderName
    paths: tuple[str, ...]
    bands: tuple[str, ...] | None = None
    rows: int = 1
    size_bytes: int
    id: str
    label: str | None = None
    planes: int | None = None


class Listing(BaseModel):
    """Everything that a run reads, in the order of its rows.

    Args:
        sources: What was found.
        ignored: How many files were no images, by ending; also links and special files.
        options: What the user said about the images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[Source, ...]
    ignored: dict[str, int]
    options: ReadOptions = ReadOptions()

    @property
    def n_rows(self) -> int:
        """The number of cutouts, unreadable ones included."""
        return int(self.ends[-1]) if self.sources else 0

    @cached_property
    def ends(self) -> Int64[np.ndarray, " source"]:
        """The global row number after the last of each source."""
        return np.cumsum([source.rows for source in self.sources], dtype=np.int64)


class ImageError(InputError):
    """An image cannot be used; carries the status that its row gets.

    Args:
        status: Why, in one word.
        what: What is wrong.
        fix: What the user can do.
    """

    def __init__(self, status: Status, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.status = status

    def __reduce__(self) -> tuple[type[ImageError], tuple[Status, str, str]]:
        """Keep the status across a process boundary."""
        return type(self), (self.status, self.what, self.fix)


def _no_positions() -> Float64[np.ndarray, " n"]:
    return np.empty(0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Stack:
    """Cutouts of one source that share size and bands, as they lie in the file.

    Args:
        rows: Their rows in the source.
        pixels: uint8 or float32.
        bands: Band names; ``COLOR`` for a color picture, ``unnamed(n)`` if nobody named them.
        kind: Linear flux or display values.
        pixel_scale_arcsec: Size of a pixel; None if unknown.
        ra_deg: ICRS, one per cutout; empty if unknown for all.
        dec_deg: ICRS, one per cutout; empty if unknown for all.
        ids: Their names; empty if they are named after the source.
    """

    rows: range
    pixels: Num[np.ndarray, "n band y x"]
    bands: tuple[str, ...]
    kind: PixelKind
    pixel_scale_arcsec: float | None = None
    ra_deg: Float64[np.ndarray, " place"] = field(default_factory=_no_positions)
    dec_deg: Float64[np.ndarray, " place"] = field(default_factory=_no_positions)
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Rows of a source that could not be read, and why.

    Args:
        rows: Their rows in the source.
        error: The reason.
        ids: Their names; empty if they are named after the source.
    """

    rows: range
    error: ImageError
    ids: tuple[str, ...] = ()


Piece = Stack | Failure
"""What reading some rows of a source gives; every row is in exactly one piece."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the headers of a source promise.

    Args:
        rows: How many cutouts.
        planes: Planes of each cutout; None if they differ or are known only after reading.
        bands: Their names; None if nobody named them.
    """

    rows: int = 1
    planes: int | None = None
    bands: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One input row: a cutout, or the reason why there is none.

    Args:
        id: Its name.
        source: The name of its source.
        row: Its row in the source, from 0.
        ra_deg: Right ascension of its center (ICRS); NaN if unknown.
        dec_deg: Declination of its center (ICRS); NaN if unknown.
        status: ``ok``, or why it cannot be scored.
        message: What is wrong and what to do; empty if nothing is.
        flags: What was assumed of it or done to it, sorted.
    """

    id: str
    source: str
    row: int
    ra_deg: float
    dec_deg: float
    status: Status
    message: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Cutouts of one side, fitted to what the finder wants.

    Args:
        index: Their positions among the rows of the reading.
        pixels: In the finder's band order; NaN where there is no data.
    """

    index: Int[np.ndarray, " n"]
    pixels: Float32[np.ndarray, "n band y x"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """Some consecutive rows of a listing.

    Args:
        rows: One per input row, in order.
        groups: The pixels of those whose status is ``ok``.
    """

    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
