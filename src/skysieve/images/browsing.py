"""Browsing a listing: rows as they lie in their files, fitted to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from skysieve.core.scores import Status
from skysieve.images.names import label_in, split_in, without_split
from skysieve.images.open import ids_of, read_source
from skysieve.images.opening import about, base
from skysieve.images.sentinels import mark_no_data
from skysieve.images.sources import Failure, ImageError, Listing, Piece, Source, Stack
from skysieve.images.spans import sources_in

MOST_FOLDERS, FEWEST_IN_FOLDER = 20, 5
"""Folders of other names are classes if there are few of them and each holds several images."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Browsed:
    """Some rows of one source: alike cutouts, or the reason why there are none.

    Args:
        source: Where they lie.
        rows: Their numbers in the listing.
        ids: Their names.
        piece: What was read; NaN stands where a pixel holds no data.
        dtype: How the file keeps a pixel: ``uint8`` or ``float32``.
    """

    source: Source
    rows: range
    ids: tuple[str, ...]
    piece: Piece
    dtype: str


def browse(listing: Listing, start: int, stop: int) -> Iterator[Browsed]:
    """Read some consecutive rows as they are; every row is in exactly one of what is given.

    Args:
        listing: What there is.
        start: The first row, from 0.
        stop: One past the last row; no more than there are.
    """
    stop = min(stop, listing.n_rows)
    for source, at, rows in sources_in(listing, start, stop):
        told = 0
        for piece in read_source(source, rows, listing.options):
            begin = start + at + piece.rows.start - rows.start
            yield _browsed(source, begin, piece, listing.options.mask_value)
            told += len(piece.rows)
        if told < len(rows):
            lost = range(rows.start + told, rows.stop)
            error = ImageError(Status.CHANGED, "It holds fewer rows than before", "Start again")
            failure = Failure(rows=lost, error=about(base(source.name), error))
            yield _browsed(source, start + at + told, failure, None)


def class_folders(listing: Listing) -> dict[str, str]:
    """Return the class of each source whose folder, or file, names one.

    Names that are known for classes count wherever they are (``train_lenses``, ``no``, ``sphere``).
    If there is none, the innermost folders are the classes, provided they are few and all hold
    several images.
    """
    named = {
        source.name: without_split(label)
        for source in listing.sources
        if (label := source.label or label_in(_nearest(source)))
    }
    if named:
        return named
    folders = {source.name: source.name.rpartition("/")[0] for source in listing.sources}
    rows: dict[str, int] = {}
    for source in listing.sources:
        rows[folders[source.name]] = rows.get(folders[source.name], 0) + source.rows
    several = 2 <= len(rows) <= MOST_FOLDERS and min(rows.values()) >= FEWEST_IN_FOLDER
    if not several or any("{" in folder or split_in([folder]) for folder in rows):
        return {}
    return {name: folder.rpartition("/")[2] or "." for name, folder in folders.items()}


def split_folders(listing: Listing) -> dict[str, str]:
    """Return the split (``train``, ``val``, ``test``) of each source whose folders name one."""
    found = {
        source.name: split_in([*source.name.split("/")[:-1], *_nearest(source)[:1]])
        for source in listing.sources
    }
    return {name: split for name, split in found.items() if split}


def _nearest(source: Source) -> list[str]:
    """Return the folder and the stem of a source, for what stands above the folder that was read."""
    *_, folder, file = ["", *source.paths[0].split("/")]
    return [folder, file.split(".")[0]]


def _browsed(source: Source, begin: int, piece: Piece, mask_value: float | None) -> Browsed:
    ids = tuple(ids_of(source, piece))
    dtype = ""
    if isinstance(piece, Stack):
        dtype = str(piece.pixels.dtype)
        pixels = piece.pixels.astype(np.float32, copy=False)
        if dtype != "uint8":
            pixels, _ = mark_no_data(pixels, mask_value)
        elif mask_value is not None:
            pixels = np.where(pixels == mask_value, np.float32("nan"), pixels)
        piece = replace(piece, pixels=pixels)
    rows = range(begin, begin + len(piece.rows))
    return Browsed(source=source, rows=rows, ids=ids, piece=piece, dtype=dtype)
