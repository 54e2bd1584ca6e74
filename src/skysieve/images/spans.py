"""Reading consecutive rows of a listing, fitted to what a finder wants."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64, Num

from skysieve.core.inputs import InputSpec
from skysieve.core.scores import Status
from skysieve.core.survey import PixelKind
from skysieve.images.fitting import fit_stack
from skysieve.images.open import ids_of, read_source
from skysieve.images.opening import about, base
from skysieve.images.sources import (
    Failure,
    Group,
    ImageError,
    Listing,
    Reading,
    Row,
    Source,
    Stack,
)

_PENDING_BYTES = 16 * 1024**2
"""Alike cutouts of several files are fitted together once they take this much memory."""

Alike = tuple[tuple[str, ...], PixelKind, float | None, tuple[int, ...], str]


def read_span(listing: Listing, start: int, stop: int, spec: InputSpec) -> Reading:
    """Read some consecutive rows and fit them to what a finder wants.

    A bad file never raises: its rows have a status and a message instead of pixels.

    Args:
        listing: What there is.
        start: The first row, from 0.
        stop: One past the last row; no more than there are.
        spec: What the finder wants.
    """
    stop = min(stop, listing.n_rows)
    span = _Span(mask_value=listing.options.mask_value, spec=spec)
    for source, at, rows in sources_in(listing, start, stop):
        told = 0
        for piece in read_source(source, rows, listing.options):
            place = _Place(source=source, at=at + piece.rows.start - rows.start)
            if isinstance(piece, Failure):
                span.fail(place, piece, piece.error)
            else:
                span.take(place, piece)
            told += len(piece.rows)
        if told < len(rows):
            lost = range(rows.start + told, rows.stop)
            error = ImageError(Status.CHANGED, "It holds fewer rows than before", "Start a new run")
            place = _Place(source=source, at=at + told)
            span.fail(place, Failure(rows=lost, error=error), error)
    return span.finish()


def sources_in(listing: Listing, start: int, stop: int) -> Iterator[tuple[Source, int, range]]:
    """Yield the sources of a span, where their rows begin in it, and which rows are wanted."""
    for k in range(int(np.searchsorted(listing.ends, start, side="right")), len(listing.sources)):
        source = listing.sources[k]
        first = int(listing.ends[k]) - source.rows
        if first >= stop:
            return
        rows = range(max(start - first, 0), min(stop - first, source.rows))
        yield source, first + rows.start - start, rows


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a piece belongs: its source, and its first position among the rows of the span."""

    source: Source
    at: int


@dataclass(kw_only=True)
class _Span:
    """The rows and pixels of a span while they are gathered."""

    mask_value: float | None
    spec: InputSpec
    rows: dict[int, Row] = field(default_factory=dict[int, Row])
    pending: dict[Alike, list[tuple[_Place, Stack]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    fitted: dict[int, list[Group]] = field(default_factory=lambda: defaultdict(list))

    def fail(self, place: _Place, piece: Failure | Stack, error: ImageError) -> None:
        """Give each row of a piece the reason why it has no pixels."""
        reason = about(base(place.source.name), error)
        for k, name in enumerate(ids_of(place.source, piece)):
            ra, dec = (math.nan, math.nan) if isinstance(piece, Failure) else _place_of(piece, k)
            self.rows[place.at + k] = Row(
                id=name,
                source=place.source.name,
                row=piece.rows[k],
                ra_deg=ra,
                dec_deg=dec,
                status=reason.status,
                message=str(reason),
            )

    def take(self, place: _Place, stack: Stack) -> None:
        """Keep what was read until there is enough that is alike to be fitted together."""
        alike = (
            stack.bands,
            stack.kind,
            stack.pixel_scale_arcsec,
            stack.pixels.shape[1:],
            stack.pixels.dtype.str,
        )
        waiting = self.pending[alike]
        waiting.append((place, stack))
        if len(waiting) * stack.pixels.nbytes >= _PENDING_BYTES:
            self.fit(alike)

    def fit(self, alike: Alike) -> None:
        """Fit what waits and is alike."""
        waiting = self.pending.pop(alike)
        bands, kind, pixel_scale_arcsec, _, _ = alike
        try:
            fitted = fit_stack(
                _joined([stack.pixels for _, stack in waiting]),
                bands,
                kind,
                pixel_scale_arcsec,
                self.spec,
                mask_value=self.mask_value,
            )
        except ImageError as error:
            for place, stack in waiting:
                self.fail(place, stack, error)
            return
        index: list[int] = []
        for place, stack in waiting:
            for k, name in enumerate(ids_of(place.source, stack)):
                done = len(index)
                ra, dec = _place_of(stack, k)
                self.rows[place.at + k] = Row(
                    id=name,
                    source=place.source.name,
                    row=stack.rows[k],
                    ra_deg=ra,
                    dec_deg=dec,
                    status=fitted.status[done],
                    message=fitted.messages[done],
                    flags=fitted.flags[done],
                )
                index.append(place.at + k)
        self._keep(np.array(index), fitted.pixels, fitted.status)

    def _keep(
        self,
        index: Int64[np.ndarray, " n"],
        pixels: Float32[np.ndarray, "n band y x"],
        status: tuple[Status, ...],
    ) -> None:
        good = np.array([each is Status.OK for each in status])
        if not good.all():
            index, pixels = index[good], pixels[good]
        if len(index):
            self.fitted[pixels.shape[-1]].append(Group(index=index, pixels=pixels))

    def finish(self) -> Reading:
        """Fit what still waits, and put everything in order."""
        for alike in list(self.pending):
            self.fit(alike)
        return Reading(
            rows=tuple(self.rows[k] for k in range(len(self.rows))),
            groups=tuple(_in_order(self.fitted[side]) for side in sorted(self.fitted)),
        )


def _in_order(groups: list[Group]) -> Group:
    index = np.concatenate([group.index for group in groups])
    pixels = _joined([group.pixels for group in groups])
    if (np.diff(index) > 0).all():
        return Group(index=index, pixels=pixels)
    order = np.argsort(index)
    return Group(index=index[order], pixels=pixels[order])


def _joined(parts: list[Num[np.ndarray, "..."]]) -> Num[np.ndarray, "n band y x"]:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _place_of(stack: Stack, k: int) -> tuple[float, float]:
    if not len(stack.ra_deg):
        return math.nan, math.nan
    return float(stack.ra_deg[k]), float(stack.dec_deg[k])
