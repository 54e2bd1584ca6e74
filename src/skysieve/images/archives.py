"""NumPy archives: npz files, whose members are unpacked under a cap and never unpickled."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.lib import format as npy

from skysieve.core.scores import Status
from skysieve.images.arrays import Header, Shape, header_of, named, shape_of, stacked
from skysieve.images.names import band_of, is_companion
from skysieve.images.opening import open_regular
from skysieve.images.sources import (
    MAX_UNPACKED_BYTES,
    Contents,
    ImageError,
    Piece,
    ReadOptions,
    Source,
    Stack,
    unnamed,
)

MAX_MEMBERS = 1_000
"""The most arrays of an npz file."""

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    struct.error,
)
_AGAIN = "Copy or download it again"
_IMAGE_NAMES = ("image", "images", "img", "cutout", "cutouts", "pixels", "stamps", "flux", "data")
_BAND_NAMES = ("filters", "bands", "filter", "band")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A member that holds images.

    Args:
        name: Its name without ``.npy``.
        info: Where it lies.
        header: What its header says.
        shape: How it is a stack of cutouts.
    """

    name: str
    info: zipfile.ZipInfo
    header: Header
    shape: Shape


def inspect(path: str, bands: tuple[str, ...] | None, options: ReadOptions) -> Contents:
    """Return what the headers of an npz file promise.

    Args:
        path: The file.
        bands: Bands that its name states; an archive is never one of several files of an object.
        options: What the user said.

    Raises:
        ImageError: It cannot be read.
    """
    del bands
    with _opened(path) as archive:
        parts, names = _parts(archive)
    if _are_bands(parts):
        names = tuple(band_of(part.name) or "" for part in parts)
        return Contents(rows=parts[0].shape.rows, planes=len(parts), bands=names)
    planes = {part.shape.planes for part in parts}
    only = planes.pop() if len(planes) == 1 else None
    return Contents(
        rows=sum(part.shape.rows for part in parts),
        planes=only,
        bands=named(names, only, options) if only else None,
    )


def load(source: Source, rows: range, options: ReadOptions) -> list[Piece]:
    """Read some cutouts of an npz file.

    Raises:
        ImageError: The file cannot be read.
    """
    with _opened(source.paths[0]) as archive:
        parts, names = _parts(archive)
        if _are_bands(parts):
            return [_sliced(_as_bands(archive, parts), rows, 0)]
        stacks: list[Piece] = []
        start = 0
        for part in parts:
            mine = range(max(rows.start, start), min(rows.stop, start + part.shape.rows))
            if mine:
                bands = named(names, part.shape.planes, options) or unnamed(part.shape.planes)
                stacks.append(_sliced(_unpacked(archive, part, bands), mine, start))
            start += part.shape.rows
    return stacks


@contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except _DAMAGE as error:
            what = f"It is a damaged npz file ({str(error).rstrip('.')})"
            raise ImageError(Status.UNREADABLE, what, _AGAIN) from None


def _parts(archive: zipfile.ZipFile) -> tuple[list[Part], tuple[str, ...] | None]:
    """Return the members that are images, and band names if a member lists them.

    Members called like an image are the images; if there are none, all are that are not called
    like a companion (a mask, a variance, a PSF).
    """
    if len(archive.infolist()) > MAX_MEMBERS:
        count = len(archive.infolist())
        raise ImageError(Status.BAD_SHAPE, f"It has {count:,} members", "Save one stack")
    infos = {PurePosixPath(info.filename).stem: info for info in archive.infolist()}
    wanted = [name for name in infos if name.lower() in _IMAGE_NAMES]
    if not wanted:
        wanted = [n for n in infos if not is_companion(n) and n.lower() not in _BAND_NAMES]
    if not wanted:
        raise ImageError(Status.BAD_SHAPE, "It holds no image", "Save a member called images")
    by_band = len(wanted) > 1 and None not in [band_of(name) for name in wanted]
    parts = [part for name in wanted if (part := _part(archive, name, infos[name], by_band))]
    if not parts:
        raise ImageError(Status.BAD_SHAPE, "It holds no image", "Save a member called images")
    if sum(part.header.n_bytes for part in parts) > MAX_UNPACKED_BYTES:
        raise ImageError(Status.BAD_SHAPE, "It unpacks to more than 512 MB", "Save npy files")
    listed = next((infos[name] for name in _BAND_NAMES if name in infos), None)
    return parts, _listed_bands(archive, listed) if listed else None


def _part(
    archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo, one_band: bool
) -> Part | None:
    """Read the header of a member; None if it has fewer axes than an image, such as labels."""
    with archive.open(info) as member:
        header = header_of(member)
    if len(header.shape) < 2:
        return None
    if header.offset + header.n_bytes != info.file_size:
        raise ImageError(
            Status.TRUNCATED, f"Its array {name} has another size than it says", _AGAIN
        )
    return Part(name=name, info=info, header=header, shape=shape_of(header, one_band=one_band))


def _listed_bands(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, ...] | None:
    """Read band names from a member that lists them as text; None if it does not."""
    with archive.open(info) as member:
        try:
            npy.read_magic(member)
            shape, _, dtype = npy.read_array_header_1_0(member)
        except ValueError:
            return None
        n_bytes = math.prod(shape) * dtype.itemsize
        if dtype.kind != "U" or len(shape) != 1 or n_bytes > 10_000:
            return None
        return tuple(str(name) for name in np.frombuffer(member.read(n_bytes), dtype))


def _are_bands(parts: list[Part]) -> bool:
    """Say whether each member is one band of the same objects."""
    bands = [band_of(part.name) for part in parts]
    alike = len({(part.header.shape, part.shape.planes) for part in parts}) == 1
    return (
        alike and parts[0].shape.planes == 1 and None not in bands and len(set(bands)) == len(bands)
    )


def _as_bands(archive: zipfile.ZipFile, parts: list[Part]) -> Stack:
    names = tuple(band_of(part.name) or "" for part in parts)
    stacks = [_unpacked(archive, part, (name,)) for part, name in zip(parts, names, strict=True)]
    pixels = np.concatenate([stack.pixels for stack in stacks], axis=1)
    return replace(stacks[0], pixels=pixels, bands=names)


def _unpacked(archive: zipfile.ZipFile, part: Part, bands: tuple[str, ...]) -> Stack:
    """Unpack a member whole; exactly as many bytes as its header told are taken."""
    header = part.header
    with archive.open(part.info) as member:
        raw = member.read(header.offset + header.n_bytes)[header.offset :]
    if len(raw) != header.n_bytes:
        raise ImageError(Status.TRUNCATED, f"Its array {part.name} is cut", _AGAIN)
    order = "F" if header.fortran else "C"
    data = np.frombuffer(raw, header.dtype).reshape(header.shape, order=order)
    if not part.shape.row_axis:
        data = data[None]
    return stacked(data, range(part.shape.rows), part.shape, bands)


def _sliced(stack: Stack, rows: range, start: int) -> Stack:
    """Keep the given rows of a stack whose first row is ``start``."""
    return replace(stack, rows=rows, pixels=stack.pixels[rows.start - start : rows.stop - start])
