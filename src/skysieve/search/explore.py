"""Looking at every row of a data set once, to tell what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, UInt8

from skysieve.core.random import stream
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.ahead import ahead
from skysieve.finder.runtime import cpu_threads
from skysieve.images.browsing import Browsed, browse
from skysieve.images.sources import COLOR, Failure, Listing, Stack
from skysieve.measure.cues import CueTable, measure_cues
from skysieve.measure.exploration import Exploration
from skysieve.measure.grain import PATCH, SIDE, shrink
from skysieve.measure.pictures import color_picture
from skysieve.measure.sheets import fit_picture
from skysieve.measure.tally import Layout, Look, Tally
from skysieve.measure.twins import digest_pixels

SPAN_ROWS = 256
"""Rows that get their random keys together; a change of it changes which rows are sampled."""
_BLOCK_BYTES = (
    4 * 1024**2
)  # of pixels that are measured at once; measuring takes some ten times that


@dataclass(frozen=True, kw_only=True)
class Names:
    """How rows get their class and split.

    Args:
        by_id: The class of an id, as a labels file says; None if the folders say it.
        by_folder: The class of each source that lies in a folder which names one.
        splits: The split of each source that lies in a folder which names one.
    """

    by_id: Mapping[str, str] | None
    by_folder: Mapping[str, str]
    splits: Mapping[str, str]

    def class_of(self, row_id: str, source: str) -> str:
        """Return the class of a row; empty text if it is not known."""
        if self.by_id is not None:
            return self.by_id.get(row_id, "")
        return self.by_folder.get(source, "")

    def split_of(self, source: str) -> str:
        """Return the split of a row; empty text if none is named."""
        return self.splits.get(source, "")


def look_at(
    listing: Listing, names: Names, tally: Tally, *, seed: int = 0, watch: Watch = ignore
) -> int:
    """Let every row of a listing pass a tally, in constant memory.

    Args:
        listing: What there is.
        names: How rows get their class and split.
        tally: Counts and keeps.
        seed: Decides which rows are sampled.
        watch: Called as rows go by.

    Returns:
        How many labels of a file name a row.
    """
    total = listing.n_rows

    def read(index: int) -> list[Look | Browsed]:
        start = index * SPAN_ROWS
        stop = min(start + SPAN_ROWS, total)
        keys = stream(seed, "explored rows", index).random(stop - start)
        found: list[Look | Browsed] = []
        for browsed in browse(listing, start, stop):
            mine = keys[browsed.rows.start - start : browsed.rows.stop - start]
            if isinstance(browsed.piece, Failure):
                found.append(browsed)
            else:
                found += _looks(browsed, browsed.piece, mine, names, tally)
        return found

    done = 0
    named: set[str] = set()
    spans = range(-(-total // SPAN_ROWS))
    for looked in ahead(read, spans, threads=cpu_threads(), waiting=1):
        for each in looked:
            if isinstance(each, Look):
                tally.add(each)
            else:
                _count_failures(each, names, tally)
            done += len(each.rows)
            if names.by_id is not None:
                named.update(each_id for each_id in each.ids if each_id in names.by_id)
        watch(Progress("looking", done, total))
    return len(named)


def picture_twins(exploration: Exploration, listing: Listing) -> Exploration:
    """Read again the twins that are shown, and draw them."""
    pictures: dict[int, UInt8[np.ndarray, "_ _ 3"]] = {}
    ids: dict[int, str] = {}
    for row in sorted({row for each in exploration.twins.shown for row in each.rows}):
        for browsed in browse(listing, row, row + 1):
            ids[row] = browsed.ids[0]
            if isinstance(browsed.piece, Stack):
                pictures[row] = _draw(browsed.piece, 0)
    return replace(exploration, pictures=pictures, ids=ids)


def _count_failures(browsed: Browsed, names: Names, tally: Tally) -> None:
    if not isinstance(browsed.piece, Failure):
        return
    error = browsed.piece.error
    for row_id in browsed.ids:
        tally.fail(
            names.class_of(row_id, browsed.source.name),
            row_id,
            names.split_of(browsed.source.name),
            error.status.value,
            str(error),
        )


def _looks(
    browsed: Browsed, stack: Stack, keys: Float64[np.ndarray, " n"], names: Names, tally: Tally
) -> Iterator[Look]:
    """Look at the rows of a stack, a block at a time."""
    step = max(1, _BLOCK_BYTES // max(stack.pixels[0].nbytes, 1))
    for start in range(0, len(stack.pixels), step):
        part = slice(start, start + step)
        ids = browsed.ids[part]
        classes = tuple(names.class_of(each, browsed.source.name) for each in ids)
        limits = [tally.limits(name) for name in classes]
        own = keys[part]
        measured = [k for k, limit in enumerate(limits) if own[k] < limit[0]]
        shown = [k for k, limit in enumerate(limits) if own[k] < limit[1]]
        pixels = np.asarray(stack.pixels[part], np.float32)
        finite = np.isfinite(pixels)
        yield Look(
            rows=browsed.rows[part],
            ids=ids,
            classes=classes,
            splits=(names.split_of(browsed.source.name),) * len(ids),
            keys=own,
            layout=Layout(
                bands=stack.bands,
                dtype=browsed.dtype,
                kind=stack.kind,
                pixel_scale_arcsec=stack.pixel_scale_arcsec,
            ),
            size=(pixels.shape[2], pixels.shape[3]),
            lowest=float(np.fmin.reduce(pixels, axis=None)),
            highest=float(np.fmax.reduce(pixels, axis=None)),
            no_data=tuple((~finite).sum(axis=(1, 2, 3)).tolist()),
            constant=_constant(pixels),
            digests=digest_pixels(pixels),
            measured=tuple(measured),
            cues=_cues(pixels, measured, stack.bands),
            thumbs=_thumbs(pixels, measured),
            pictures={k: _draw(stack, start + k) for k in shown},
        )


def _cues(
    pixels: Float32[np.ndarray, "n band y x"], rows: Sequence[int], bands: tuple[str, ...]
) -> CueTable:
    if not rows:
        return CueTable(cues=(), values=np.empty((0, 0)))
    return measure_cues(pixels[list(rows)], bands)


def _thumbs(
    pixels: Float32[np.ndarray, "n band y x"], rows: Sequence[int]
) -> Float16[np.ndarray, "m pixel"]:
    if not rows:
        return np.empty((0, SIDE**2 + PATCH**2), np.float16)
    return shrink(pixels[list(rows)])


def _constant(pixels: Float32[np.ndarray, "n band y x"]) -> Bool[np.ndarray, " n"]:
    low, high = np.fmin.reduce(pixels, axis=(2, 3)), np.fmax.reduce(pixels, axis=(2, 3))
    return ~(high > low).all(axis=1)


def _draw(stack: Stack, k: int) -> UInt8[np.ndarray, "y x 3"]:
    """Return a color picture; of a color picture's planes the first is red."""
    pixels, bands = np.asarray(stack.pixels[k], np.float32), stack.bands
    if bands == COLOR:
        pixels, bands = pixels[::-1], bands[::-1]
    return fit_picture(color_picture(pixels, stack.kind, bands))
