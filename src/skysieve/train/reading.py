"""Reading labeled rows just as `find` reads them, a span at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.inputs import InputKind, InputSpec
from skysieve.core.scores import Status
from skysieve.core.watch import Progress, Watch
from skysieve.finder.ahead import ahead
from skysieve.images.browsing import Browsed, browse
from skysieve.images.sources import COLOR, Listing, Reading, Row, Stack, are_unnamed
from skysieve.images.spans import read_span
from skysieve.recipe.classifier import DataPlan
from skysieve.train.naming import Labeling

DEFAULT_PIXEL_SCALE_ARCSEC = 0.2
"""Of images whose pixel size nobody gave; a finder of them takes any size as it is."""

ANY_SCALE_ARCSEC = (1e-4, 1e4)
"""The sizes that such a finder takes."""

SCALE_TOLERANCE = 1.25
"""A finder takes pixels so many times larger or smaller than those it knows as they are."""

MOST_UNUSABLE = 0.05
"""The share of labeled images that may be unusable; more is a fault of the whole set."""

_SPAN_ROWS = 256
_SPAN_BYTES = 64 * 1024**2  # of pixels; a few spans are in memory at once
_THREADS, _WAITING = 2, 2
_TELLING_FLAGS = {"cropped", "padded", "resampled"}


class Image(NamedTuple):
    """What is known of a labeled image besides its pixels.

    Args:
        id: Its name in its data set.
        part: The number of its data set.
        class_name: Its class.
        named: Its split as folders or a column name it; or nothing.
        digest: Of its pixels.
    """

    id: str
    part: int
    class_name: str
    named: str
    digest: str


@dataclass(kw_only=True)
class Tally:
    """What was left out while reading.

    Args:
        used: Images that were read and have a class.
        unlabeled: Images without a class.
        orphans: Labels of tables that name no image.
        unusable: Labeled images that cannot be used.
        example: The first of these and why.
        kind: What the finder must take, if not what the first image is.
    """

    used: int = 0
    unlabeled: int = 0
    orphans: int = 0
    unusable: int = 0
    example: str = ""
    kind: InputKind | None = None
    _seen: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])

    def name(self, part: int, row_id: str) -> None:
        """Note that an image has a label."""
        self._seen.add((part, row_id))

    def check(self, labelings: Sequence[Labeling]) -> None:
        """Count labels without an image, and refuse what cannot be learned from.

        Raises:
            MismatchError: No label names an image.
            InputError: Too many images cannot be used.
        """
        for part, each in enumerate(labelings):
            self.orphans += sum((part, name) not in self._seen for name in each.by_id or ())
        first = labelings[0]
        if not self.used and not self.unusable:
            name = next(iter(first.by_id or ("nothing",)))
            raise MismatchError(
                f"None of the labels of {first.origin} names an image (a label is for {name!r}, "
                f"the first image is {first.listing.sources[0].id!r})",
                "Give the labels the ids of the images, which skysieve list shows",
            )
        if self.unusable > MOST_UNUSABLE * (self.used + self.unusable):
            raise InputError(
                f"{self.unusable:,} of {self.used + self.unusable:,} labeled images cannot be used, "
                f"such as {self.example}",
                "Mend or remove them; a few would be left out",
            )

    def notes(self) -> Iterator[str]:
        """Say in words what was left out."""
        if self.unusable:
            yield f"{self.unusable:,} images cannot be used, such as {self.example}"
        if self.unlabeled:
            yield f"{self.unlabeled:,} images have no label and were left out"
        if self.orphans:
            yield f"{self.orphans:,} labels name no image"


def input_of(labelings: Sequence[Labeling], plan: DataPlan) -> InputSpec:
    """Say what a finder of these images will want, from the first that can be read.

    Raises:
        InputError: No image can be read, or the first is not square and no side is set.
        MismatchError: The plan names other bands than there are.
    """
    source, first = _first_stack(labelings)
    height, width = first.pixels.shape[2:]
    if plan.side is None and height != width:
        raise InputError(
            f"{source} is {width} x {height} px and not square",
            f"Crop or pad all images: --set data.side={max(height, width)}",
        )
    scale = first.pixel_scale_arcsec or plan.pixel_scale_arcsec
    around = ANY_SCALE_ARCSEC
    if scale is not None:
        around = (scale / SCALE_TOLERANCE, scale * SCALE_TOLERANCE)
    side = plan.side or height
    if side < InputSpec.model_fields["min_side"].metadata[0].ge:
        raise InputError(f"{source} is {width} x {height} px", "Give larger images")
    return InputSpec(
        bands=_bands(source, first.bands, labelings, plan),
        kind=first.kind,
        pixel_scale_arcsec=scale or DEFAULT_PIXEL_SCALE_ARCSEC,
        pixel_scale_range_arcsec=around,
        min_side=side,
        max_side=side,
        side_step=1,
    )


def read_images(
    labelings: Sequence[Labeling], spec: InputSpec, plan: DataPlan, tally: Tally, watch: Watch
) -> Iterator[tuple[Image, Float32[np.ndarray, "band side side"]]]:
    """Read every labeled image, in the order of the listings.

    Raises:
        MismatchError: One has another shape than the first, and no side is set.
    """
    total = sum(each.listing.n_rows for each in labelings)
    each_bytes = 4 * len(spec.bands) * spec.max_side**2
    step = max(1, min(_SPAN_ROWS, _SPAN_BYTES // each_bytes))
    spans = [
        (part, start)
        for part, each in enumerate(labelings)
        for start in range(0, each.listing.n_rows, step)
    ]

    def read(span: tuple[int, int]) -> tuple[Reading, bool]:
        listing, start = labelings[span[0]].listing, span[1]
        stop = min(start + step, listing.n_rows)
        reading = read_span(listing, start, stop, spec)
        mixed = any(row.status is Status.KIND for row in reading.rows)
        if mixed:  # flux among pictures: a finder of both takes either
            either = spec.model_copy(update={"kind": "either"})
            reading = read_span(listing, start, stop, either)
        return reading, mixed

    done = 0
    readings = ahead(read, spans, threads=_THREADS, waiting=_WAITING)
    for (part, start), (reading, mixed) in zip(spans, readings, strict=True):
        tally.kind = "either" if mixed else tally.kind
        for k, row in enumerate(reading.rows):
            _refuse_other_shape(labelings, (part, start + k), row, plan)
        yield from labeled_rows(labelings[part], part, reading, tally)
        done += len(reading.rows)
        watch(Progress("reading images", done, total))


def labeled_rows(
    labeling: Labeling, part: int, reading: Reading, tally: Tally
) -> Iterator[tuple[Image, Float32[np.ndarray, "band side side"]]]:
    """Give the rows of a span that have a class and pixels; count the others."""
    where = {
        int(k): (group.pixels, at) for group in reading.groups for at, k in enumerate(group.index)
    }
    for k, row in enumerate(reading.rows):
        class_name = labeling.class_of(row.id, row.source)
        if not class_name:
            tally.unlabeled += 1
            continue
        tally.name(part, row.id)
        if k not in where:
            tally.unusable += 1
            tally.example = tally.example or f"{row.source}: {row.message}".rstrip(".")
            continue
        pixels, at = where[k]
        tally.used += 1
        named = labeling.split_of(row.id, row.source)
        yield Image(row.id, part, class_name, named, _digest(pixels[at])), pixels[at]


def _digest(pixels: Float32[np.ndarray, "band side side"]) -> str:
    whole = np.ascontiguousarray(pixels) + np.float32(0)  # -0 and 0 are the same brightness
    return hashlib.blake2b(whole.tobytes(), digest_size=16).hexdigest()


def _first_stack(labelings: Sequence[Labeling]) -> tuple[str, Stack]:
    reason = "no image"
    for labeling in labelings:
        for row in range(labeling.listing.n_rows):
            for browsed in browse(labeling.listing, row, row + 1):
                if isinstance(browsed.piece, Stack):
                    return browsed.source.name, browsed.piece
                reason = f"{browsed.source.name}: {browsed.piece.error.what}"
            if row >= _SPAN_ROWS:
                break
    raise InputError(f"None of the first images can be read ({reason})", "Look at the files")


def _bands(
    source: str, have: tuple[str, ...], labelings: Sequence[Labeling], plan: DataPlan
) -> tuple[str, ...]:
    """Return the names of the network's planes: those of files, else the plan's, else what is there."""
    nameless = have == COLOR or are_unnamed(have)
    if nameless:  # a color picture or array can stand for the bands that other files name
        known = (s.bands for each in labelings for s in each.listing.sources if s.bands)
        bands = next((b for b in known if len(b) == len(have) and not are_unnamed(b)), None)
        if bands is None and plan.bands is None:
            return have
        bands = bands or plan.bands or have
        if len(bands) != len(have):
            raise MismatchError(
                f"{source} has {len(have)} planes, but data.bands names {len(bands)}",
                "Name one band per plane",
            )
        return bands
    if plan.bands is None:
        return have
    if missing := [band for band in plan.bands if band not in have]:
        raise MismatchError(
            f"{source} has the bands {', '.join(have)}, but data.bands asks for {missing[0]}",
            "Leave data.bands out, or name bands that there are",
        )
    return plan.bands


def _refuse_other_shape(
    labelings: Sequence[Labeling], place: tuple[int, int], row: Row, plan: DataPlan
) -> None:
    """Refuse an image that is not like the first, naming both and what they are."""
    other_bands = row.status is Status.BANDS
    other_size = row.status is Status.BAD_SHAPE or bool(_TELLING_FLAGS & set(row.flags))
    if not (other_bands or (other_size and plan.side is None)):
        return
    mine = _stack_at(labelings[place[0]].listing, place[1])
    if mine is None:
        return  # it cannot be read at all, which is counted
    first_name, first = _first_stack(labelings)
    mine_name, stack = mine
    fix = "Train on images of the same bands"
    if not other_bands:
        fix = f"Crop or pad all images: --set data.side={min(first.pixels.shape[2:])}"
    raise MismatchError(f"{mine_name} is {_told(stack)}, but {first_name} is {_told(first)}", fix)


def _stack_at(listing: Listing, row: int) -> tuple[str, Stack] | None:
    found: list[Browsed] = list(browse(listing, row, row + 1))
    piece = found[0].piece if found else None
    return (found[0].source.name, piece) if isinstance(piece, Stack) else None


def _told(stack: Stack) -> str:
    scale = stack.pixel_scale_arcsec
    size = f" of {scale:.3g} arcsec" if scale else ""
    return f"{stack.pixels.shape[1:]} ({', '.join(stack.bands)}){size}"
