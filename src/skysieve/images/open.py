"""Reading what a listing holds: one door to all readers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import InputError
from skysieve.core.scores import Status
from skysieve.images import archives, arrays, fits, raster, shards
from skysieve.images.opening import about, base, check_unchanged
from skysieve.images.scanning import scan
from skysieve.images.sources import (
    Failure,
    ImageError,
    Listing,
    Piece,
    ReadOptions,
    Source,
    Stack,
)

_NO_OPTIONS = ReadOptions()


def read_source(source: Source, rows: range, options: ReadOptions) -> list[Piece]:
    """Read some rows of a source; what cannot be read comes as failures.

    Args:
        source: What to read.
        rows: Which of its rows.
        options: What the user said about the images.
    """
    try:
        check_unchanged(source.paths, source.size_bytes)
        return [_told(piece, options) for piece in _load(source, rows, options)]
    except MemoryError:
        raise
    except ImageError as error:
        return [Failure(rows=rows, error=about(base(source.paths[0]), error))]
    except Exception as error:  # noqa: BLE001  # one bad file must not end a run
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200].rstrip(".")
        damaged = ImageError(Status.UNREADABLE, f"It cannot be read ({reason})", "Copy it again")
        return [Failure(rows=rows, error=about(base(source.paths[0]), damaged))]


def read(inputs: Sequence[str | Path] | str | Path, options: ReadOptions = _NO_OPTIONS) -> Cutouts:
    """Read images that share one size and one set of bands, as they are.

    Color pictures have the bands ``red, green, blue``; planes that nobody named ``1, 2, ...``;
    a finder fits either to its own bands and says so.

    Args:
        inputs: Files, folders or glob patterns.
        options: What you say about the images.

    Raises:
        InputError: A file cannot be read, or one differs from the others.
        MissingError: An input is not there, or there is no image at all.
    """
    listing = scan(inputs, options)
    stacks: list[tuple[Source, Stack]] = []
    for source in listing.sources:
        for piece in read_source(source, range(source.rows), options):
            if isinstance(piece, Failure):
                raise InputError(f"{source.name}: {piece.error.what}", piece.error.fix)
            _check_alike(stacks[0] if stacks else (source, piece), (source, piece))
            stacks.append((source, piece))
    first = stacks[0][1]
    pixels = np.concatenate([stack.pixels for _, stack in stacks]).astype(np.float32, copy=False)
    ra, dec = ([_place(s, axis) for _, s in stacks] for axis in ("ra_deg", "dec_deg"))
    return Cutouts(
        ids=tuple(name for source, stack in stacks for name in ids_of(source, stack)),
        pixels=pixels,
        bands=first.bands,
        kind=first.kind,
        pixel_scale_arcsec=first.pixel_scale_arcsec,
        sources=tuple(source.name for source, stack in stacks for _ in stack.rows),
        rows=tuple(row for _, stack in stacks for row in stack.rows),
        ra_deg=np.concatenate(ra),
        dec_deg=np.concatenate(dec),
    )


def ids_of(source: Source, piece: Piece) -> list[str]:
    """Return the names of a piece's rows: their own, else the source's with ``#row``."""
    if piece.ids:
        return list(piece.ids)
    return [source.id if source.rows == 1 else f"{source.id}#{row}" for row in piece.rows]


def describe_bands(listing: Listing) -> str:
    """Say in words which bands there are, such as ``VIS (16), 3 unnamed planes (25)``."""
    counts: dict[str, int] = defaultdict(int)
    for source in listing.sources:
        if source.bands is not None:
            words = ", ".join(source.bands)
        elif source.planes:
            words = f"{source.planes} unnamed plane{'s'[: source.planes != 1]}"
        else:
            words = "not readable" if source.planes == 0 else "not known before reading"
        counts[words] += source.rows
    return "; ".join(f"{words} ({count:,})" for words, count in counts.items())


def known_bands(listing: Listing) -> dict[tuple[str, ...] | None, int]:
    """Return how many rows have each set of bands; None where no name is known yet."""
    counts: dict[tuple[str, ...] | None, int] = defaultdict(int)
    for source in listing.sources:
        counts[source.bands] += source.rows
    return dict(counts)


def could_have(listing: Listing, bands: Sequence[str]) -> bool:
    """Say whether any source may turn out to have these bands.

    A source whose bands are unknown may, unless it is known to have another number of planes.
    Files that could not be opened say nothing, unless there is nothing else.
    """
    wanted = set(bands)
    opened = [source for source in listing.sources if source.planes != 0]
    for source in opened:
        if source.bands is not None:
            if wanted <= set(source.bands):
                return True
        elif source.planes in (None, len(bands)):
            return True
    return not opened


def _load(source: Source, rows: range, options: ReadOptions) -> list[Piece]:
    match source.reader:
        case "fits":
            return fits.load(source, rows, options)
        case "raster":
            return raster.load(source, rows, options)
        case "parquet":
            return shards.load(source, rows, options)
        case "array":
            reader = archives if source.paths[0].lower().endswith(".npz") else arrays
            return reader.load(source, rows, options)


def _told(piece: Piece, options: ReadOptions) -> Piece:
    """Put what the user said in place of what the file says."""
    if isinstance(piece, Failure) or (options.kind is None and options.pixel_scale_arcsec is None):
        return piece
    return replace(
        piece,
        kind=options.kind or piece.kind,
        pixel_scale_arcsec=options.pixel_scale_arcsec or piece.pixel_scale_arcsec,
    )


def _check_alike(first: tuple[Source, Stack], other: tuple[Source, Stack]) -> None:
    """Refuse a stack that cannot stand beside the first."""
    a, b = first[1], other[1]
    scales = (a.pixel_scale_arcsec or 0.0, b.pixel_scale_arcsec or 0.0)
    told = {
        "bands": (a.bands, b.bands),
        "kind": (a.kind, b.kind),
        "size": (a.pixels.shape[2:], b.pixels.shape[2:]),
        "pixel scale": (1, 1) if math.isclose(*scales, rel_tol=1e-2) else scales,
    }
    for name, (mine, yours) in told.items():
        if mine != yours:
            raise InputError(
                f"{other[0].name} has {name} {yours}, but {first[0].name} has {mine}",
                "Read them apart, or use skysieve find, which takes them as they come",
            )


def _place(stack: Stack, axis: str) -> np.ndarray:
    degrees = getattr(stack, axis)
    return degrees if len(degrees) else np.full(len(stack.rows), np.nan)
