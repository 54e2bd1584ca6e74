"""FITS: one band per file, several extensions, cubes, and cubes with a row per object."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
from jaxtyping import Float32, Num

from skysieve.core.scores import Status
from skysieve.core.survey import PixelKind
from skysieve.images.cards import BITPIX, Hdu, read_hdus
from skysieve.images.layouts import Layout, layout_of
from skysieve.images.opening import ReadableBytes, about, base, open_regular, size_of
from skysieve.images.position import center_of, pixel_scale_of
from skysieve.images.sources import (
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


def inspect(path: str, bands: tuple[str, ...] | None, options: ReadOptions) -> Contents:
    """Return what the headers of a FITS file promise.

    Args:
        path: The file.
        bands: The bands that its name states, if it does.
        options: What the user said.

    Raises:
        ImageError: It cannot be read.
    """
    with opened_fits(path) as (file, size):
        layout = layout_of(list(read_hdus(file, size)), bands, options)
        return Contents(rows=layout.n_rows, planes=layout.planes, bands=layout.bands)


def load(source: Source, rows: range, options: ReadOptions) -> list[Piece]:
    """Read some cutouts of a source; a fault of one row is told of that row.

    Raises:
        ImageError: The source cannot be read at all.
    """
    several = len(source.paths) > 1
    parts: list[list[Piece]] = []
    for k, path in enumerate(source.paths):
        named = (source.bands[k],) if several and source.bands else source.bands
        try:
            parts.append(_load_file(path, named, rows, options))
        except ImageError as error:
            raise about(base(path), error) from None
    if not several:
        return parts[0]
    if len({len(pieces) for pieces in parts}) != 1:
        raise ImageError(
            Status.BAD_SHAPE,
            f"{source.name} are files that differ in how many objects they hold",
            "Write the same objects in each band's file, in the same order",
        )
    return [_joined(source, pieces) for pieces in zip(*parts, strict=True)]


@contextmanager
def opened_fits(path: str) -> Iterator[tuple[ReadableBytes, int | None]]:
    """Open a FITS file, unpacking it on the fly if it is gzipped."""
    with open_regular(path) as file:
        if not path.lower().endswith(".gz"):
            yield file, size_of(file)
            return
        try:
            yield gzip.GzipFile(fileobj=file), None
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            status = Status.TRUNCATED if isinstance(error, EOFError) else Status.UNREADABLE
            raise ImageError(status, "It is no whole gzip file", _AGAIN) from None


def _load_file(
    path: str, named: tuple[str, ...] | None, rows: range, options: ReadOptions
) -> list[Piece]:
    with opened_fits(path) as (file, size):
        layout = layout_of(list(read_hdus(file, size)), named, options)
        if layout.form == "rows":
            return [_safely(path, file, size, layout, rows)]
        pieces: list[Piece] = []
        for row in rows:
            one = layout.hdus if layout.form == "object" else layout.hdus[row : row + 1]
            part = Layout(form="object", hdus=one, bands=layout.bands)
            pieces.append(_safely(path, file, size, part, range(row, row + 1)))
        return pieces


def _safely(path: str, file: ReadableBytes, size: int | None, layout: Layout, rows: range) -> Piece:
    try:
        return _stack(file, size, layout, rows)
    except ImageError as error:
        return Failure(rows=rows, error=about(base(path), error))


def _stack(file: ReadableBytes, size: int | None, layout: Layout, rows: range) -> Stack:
    first = layout.hdus[0]
    _check_sizes([hdu.shape[-2:] for hdu in layout.hdus], layout.bands)
    whole = layout.form == "object"
    planes = [_pixels(file, size, hdu, None if whole else rows) for hdu in layout.hdus]
    # An object's planes are its bands; a row cube's planes are rows of one band each (or several).
    joined = [p.reshape(1 if whole else len(rows), -1, *first.shape[-2:]) for p in planes]
    pixels = np.concatenate(joined, axis=1) if len(joined) > 1 else joined[0]
    place = center_of(first) if whole else (math.nan, math.nan)
    return Stack(
        rows=rows,
        pixels=pixels,
        bands=layout.bands or unnamed(pixels.shape[1]),
        kind=_kind(pixels),
        pixel_scale_arcsec=pixel_scale_of(first),
        ra_deg=np.full(len(rows), place[0]),
        dec_deg=np.full(len(rows), place[1]),
    )


def _kind(pixels: np.ndarray) -> PixelKind:
    return "display" if pixels.dtype == np.uint8 else "flux"


def _check_sizes(sizes: Sequence[tuple[int, ...]], bands: tuple[str, ...] | None) -> None:
    if len(set(sizes)) == 1:
        return
    names = bands if bands and len(bands) == len(sizes) else unnamed(len(sizes))
    told = ", ".join(f"{b} {s[1]} x {s[0]}" for b, s in zip(names, sizes, strict=True))
    raise ImageError(
        Status.BAD_SHAPE, f"Its bands differ in size ({told} px)", "Put them on one pixel grid"
    )


def _pixels(
    file: ReadableBytes, size: int | None, hdu: Hdu, rows: range | None
) -> Num[np.ndarray, "..."]:
    """Return an extension's pixels, or some rows of it: uint8 as it is, all else float32."""
    if hdu.compressed:
        data = _decompressed(file, size, hdu)
        return data if rows is None else data[rows.start : rows.stop]
    each = np.dtype(BITPIX[hdu.bitpix]).itemsize * math.prod(hdu.shape[1:])
    start, stop = (rows.start, rows.stop) if rows is not None else (0, hdu.shape[0])
    n_bytes = each * (stop - start)
    if size is None and hdu.offset + hdu.n_bytes > MAX_UNPACKED_BYTES:
        raise ImageError(Status.BAD_SHAPE, "It unpacks to more than 512 MB", "Unpack it (gunzip)")
    if n_bytes > MAX_UNPACKED_BYTES * 4:
        raise ImageError(Status.BAD_SHAPE, f"It wants {n_bytes:,} bytes at once", "Split it")
    end = hdu.offset + each * stop
    if size is not None and end > size:
        raise ImageError(
            Status.TRUNCATED, f"It ends at byte {size:,}; its data go on to {end:,}", _AGAIN
        )
    file.seek(hdu.offset + each * start)
    raw = file.read(n_bytes)
    if len(raw) < n_bytes:
        raise ImageError(Status.TRUNCATED, "It ends before its data do", _AGAIN)
    if rows is None:
        _check_sum(hdu, raw)
    shape = (stop - start, *hdu.shape[1:])
    return _scaled(np.frombuffer(raw, BITPIX[hdu.bitpix]).reshape(shape), hdu)


def _scaled(data: np.ndarray, hdu: Hdu) -> Num[np.ndarray, "..."]:
    """Apply BSCALE, BZERO and BLANK."""
    scale, zero, blank = (hdu.cards.get(key) for key in ("BSCALE", "BZERO", "BLANK"))
    plain = scale in (None, 1) and zero in (None, 0)
    if plain and (blank is None or hdu.bitpix < 0):
        return data.astype(np.uint8) if hdu.bitpix == 8 else _single(data)
    with np.errstate(over="ignore", invalid="ignore"):
        value = data * np.float64(1 if scale is None else scale) + np.float64(zero or 0)
    if hdu.bitpix > 0 and blank is not None:
        value[data == blank] = np.nan
    return _single(value)


def _single(data: np.ndarray) -> Float32[np.ndarray, "..."]:
    with np.errstate(over="ignore", invalid="ignore"):
        return data.astype(np.float32)


def _check_sum(hdu: Hdu, raw: bytes) -> None:
    """Refuse data that do not add up to DATASUM (ones' complement sum of 32-bit words)."""
    told = str(hdu.cards.get("DATASUM", "")).strip()
    if not told.isdigit():
        return
    total = int(np.frombuffer(raw + bytes(-len(raw) % 4), ">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    if int(told) not in (0, total):
        raise ImageError(
            Status.UNREADABLE,
            "It does not hold the data its DATASUM was computed from",
            "Copy it again; if the data were changed on purpose, delete DATASUM from the header",
        )


def _decompressed(file: ReadableBytes, size: int | None, hdu: Hdu) -> Num[np.ndarray, "..."]:
    """Unpack a tile-compressed image with astropy, once its claimed size is known to be small."""
    from astropy.io import fits  # slow to import, and only compressed files need it

    claimed = abs(hdu.bitpix) // 8 * math.prod(hdu.shape)
    if max(claimed, size or 0) > MAX_UNPACKED_BYTES:
        raise ImageError(Status.BAD_SHAPE, "It unpacks to more than 512 MB", "Split it")
    if size is not None and hdu.offset + hdu.n_bytes > size:
        raise ImageError(Status.TRUNCATED, "It ends before its data do", _AGAIN)
    file.seek(0)
    raw = file.read(hdu.offset + hdu.n_bytes + 2880)
    with fits.open(io.BytesIO(raw)) as opened:
        data = np.asarray(cast("fits.CompImageHDU", opened[hdu.index]).data)
    data = data.reshape(hdu.shape)
    return data if data.dtype == np.uint8 else _single(data)


def _joined(source: Source, pieces: Sequence[Piece]) -> Piece:
    """Make one stack of the stacks of several files, one band each."""
    for piece in pieces:
        if isinstance(piece, Failure):
            return piece
    stacks = cast("Sequence[Stack]", pieces)
    counts = {len(stack.rows) for stack in stacks}
    extra = [k for k, stack in enumerate(stacks) if stack.pixels.shape[1] != 1]
    try:
        if extra or len(counts) != 1:
            raise ImageError(
                Status.BANDS,
                f"{base(source.paths[extra[0] if extra else 0])} holds more than the one band "
                "in its name",
                "Write one band per file, or take the band out of the name",
            )
        _check_sizes([stack.pixels.shape[-2:] for stack in stacks], source.bands)
    except ImageError as error:
        return Failure(rows=stacks[0].rows, error=error)
    placed = next((s for s in stacks if np.isfinite(s.ra_deg).any()), stacks[0])
    scale = next((s.pixel_scale_arcsec for s in stacks if s.pixel_scale_arcsec), None)
    pixels = np.concatenate([stack.pixels for stack in stacks], axis=1)
    return Stack(
        rows=stacks[0].rows,
        pixels=pixels,
        bands=source.bands or (),
        kind=_kind(pixels),
        pixel_scale_arcsec=scale,
        ra_deg=placed.ra_deg,
        dec_deg=placed.dec_deg,
    )
