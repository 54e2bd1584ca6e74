"""NumPy files: one array as npy, never unpickled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Num
from numpy.lib import format as npy

from skysieve.core.scores import Status
from skysieve.core.survey import PixelKind
from skysieve.images.opening import ReadableBytes, base, open_regular, size_of
from skysieve.images.sources import (
    MAX_BANDS,
    MAX_PLANE_PIXELS,
    MAX_UNPACKED_BYTES,
    Contents,
    Failure,
    ImageError,
    Piece,
    ReadOptions,
    Source,
    Stack,
    unnamed,
)

_AGAIN = "Copy or download it again"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How an array is a stack of cutouts.

    Args:
        rows: The number of cutouts.
        planes: Planes of each.
        band_last: Whether the bands are the last axis.
        row_axis: Whether the first axis counts cutouts.
    """

    rows: int
    planes: int
    band_last: bool = False
    row_axis: bool = False


@dataclass(frozen=True, kw_only=True)
class Header:
    """What an npy header says.

    Args:
        shape: Axes, slowest first.
        dtype: Number type.
        fortran: Whether the first axis varies fastest.
        offset: Where the numbers begin, in bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    offset: int

    @property
    def n_bytes(self) -> int:
        """Size of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def inspect(path: str, bands: tuple[str, ...] | None, options: ReadOptions) -> Contents:
    """Return what the header of an npy file promises.

    Args:
        path: The file.
        bands: Bands that its name states; an array is never one of several files of an object.
        options: What the user said.

    Raises:
        ImageError: It cannot be read.
    """
    del bands
    with open_regular(path) as file:
        shape = shape_of(header_of(file))
    return Contents(rows=shape.rows, planes=shape.planes, bands=named(None, shape.planes, options))


def load(source: Source, rows: range, options: ReadOptions) -> list[Piece]:
    """Read some cutouts of an npy file.

    Raises:
        ImageError: The file cannot be read at all.
    """
    path = source.paths[0]
    with open_regular(path) as file:
        header = header_of(file)
        shape = shape_of(header)
        bands = named(None, shape.planes, options) or unnamed(shape.planes)
        size = size_of(file) - header.offset
        if size > header.n_bytes:
            raise ImageError(
                Status.UNREADABLE,
                f"It goes on for {size - header.n_bytes:,} bytes after its array",
                "Save one array per npy file",
            )
        there = _whole_rows(header, shape, rows, size)
        pieces: list[Piece] = []
        if there:
            pieces.append(stacked(_read_rows(file, header, shape, there), there, shape, bands))
        if len(there) < len(rows):
            cut = ImageError(
                Status.TRUNCATED,
                f"{base(path)} ends after {size:,} of {header.n_bytes:,} bytes of its array",
                _AGAIN,
            )
            pieces.append(Failure(rows=range(there.stop, rows.stop), error=cut))
    return pieces


def header_of(file: ReadableBytes) -> Header:
    """Read an npy header; the file is then at the first number.

    Raises:
        ImageError: It is no npy header, or the array is not of plain numbers.
    """
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file, max_header_size=10_000)
    except Exception as error:  # noqa: BLE001  # a hostile header raises anything from ValueError to RecursionError
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ImageError(
            Status.UNREADABLE, f"It is not a NumPy file ({reason.rstrip('.')})", _AGAIN
        ) from None
    _check_numbers(dtype)
    if any(axis < 0 for axis in shape):
        raise ImageError(Status.BAD_SHAPE, f"Its shape is {shape}", "Save it again")
    return Header(shape=shape, dtype=dtype, fortran=fortran, offset=file.tell())


def _check_numbers(dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise ImageError(
            Status.UNREADABLE,
            "It holds Python objects, which could run code when they are loaded",
            "Save it as an array of numbers, such as "
            "np.save(path, np.stack(list(array)).astype('float32'))",
        )
    if dtype.kind not in "fiu":
        raise ImageError(
            Status.BAD_SHAPE, f"It holds {dtype}, not real numbers", "Save it as float32"
        )


def shape_of(header: Header, *, one_band: bool = False) -> Shape:
    """Say how an array is cutouts: (y, x), (band, y, x), (y, x, band), (n, band, y, x).

    Args:
        header: What the array says of itself.
        one_band: Whether it is known to hold one band: three axes are then (n, y, x), as they
            are where the first is longer than any list of bands.

    Raises:
        ImageError: It is none of these, or a plane is too large.
    """
    shape = header.shape
    if not 2 <= len(shape) <= 4 or 0 in shape:
        raise ImageError(
            Status.BAD_SHAPE,
            f"Its shape is {shape}",
            "Give (y, x), (band, y, x) or (n, band, y, x)",
        )
    *_, outer, height, width = (1, *shape)
    band_last = len(shape) > 2 and width <= 5 < outer
    if band_last:
        outer, height, width = width, outer, height
    if height * width > MAX_PLANE_PIXELS:
        raise ImageError(
            Status.BAD_SHAPE,
            f"It is {width:,} x {height:,} px, a mosaic and no cutout",
            "Cut it into cutouts first",
        )
    if len(shape) == 4:
        return Shape(rows=shape[0], planes=outer, band_last=band_last, row_axis=True)
    if len(shape) == 3 and (one_band or outer > MAX_BANDS):
        return Shape(rows=shape[0], planes=1, row_axis=True)
    return Shape(rows=1, planes=outer, band_last=band_last)


def named(own: tuple[str, ...] | None, planes: int, options: ReadOptions) -> tuple[str, ...] | None:
    """Return the names of planes: the file's own if they fit, else the user's, else None.

    Raises:
        ImageError: The user named another number of bands.
    """
    if own is not None and len(own) == planes:
        return own
    if options.bands is not None and len(options.bands) != planes:
        raise ImageError(
            Status.BANDS,
            f"It has {planes} plane{'s'[: planes != 1]} but {len(options.bands)} bands were named",
            "Name one band per plane",
        )
    return options.bands


def _whole_rows(header: Header, shape: Shape, rows: range, size: int) -> range:
    """Return those of the rows that lie before the end of the file."""
    if size >= header.n_bytes:
        return rows
    if header.fortran or not shape.row_axis:
        return range(rows.start, rows.start)
    there = size // (header.n_bytes // shape.rows)
    return range(rows.start, min(max(there, rows.start), rows.stop))


def _read_rows(
    file: ReadableBytes, header: Header, shape: Shape, rows: range
) -> Num[np.ndarray, "n ..."]:
    if not shape.row_axis:
        return _array(file, header, header.offset, header.shape)[None]
    if header.fortran:  # every row lies all over the file
        return _array(file, header, header.offset, header.shape)[rows.start : rows.stop]
    each = header.n_bytes // shape.rows
    return _array(file, header, header.offset + each * rows.start, (len(rows), *header.shape[1:]))


def _array(file: ReadableBytes, header: Header, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    raw = _read(file, offset, math.prod(shape) * header.dtype.itemsize)
    return np.frombuffer(raw, header.dtype).reshape(shape, order="F" if header.fortran else "C")


def _read(file: ReadableBytes, offset: int, n_bytes: int) -> bytes:
    if n_bytes > 4 * MAX_UNPACKED_BYTES:
        raise ImageError(
            Status.BAD_SHAPE,
            f"It takes {n_bytes:,} bytes to read at once",
            "Save it in C order, in several files",
        )
    file.seek(offset)
    raw = file.read(n_bytes)
    if len(raw) < n_bytes:
        raise ImageError(Status.TRUNCATED, "It ends before its array does", _AGAIN)
    return raw


def stacked(data: np.ndarray, rows: range, shape: Shape, bands: tuple[str, ...]) -> Stack:
    """Bring an array of rows to (n, band, y, x), as uint8 or float32."""
    if data.ndim == 3:  # (n, y, x)
        data = data[:, None]
    elif shape.band_last:
        data = np.moveaxis(data, -1, 1)
    kind: PixelKind = "display" if data.dtype == np.uint8 else "flux"
    if kind == "flux":
        with np.errstate(over="ignore", invalid="ignore"):
            data = data.astype(np.float32, copy=False)
    return Stack(rows=rows, pixels=data, bands=bands, kind=kind)
