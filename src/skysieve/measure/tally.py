"""Counting a data set row by row, in memory that does not grow with it.

What is measured of single rows is kept for a random sample of each class: the rows with the
smallest of random keys that depend on the row's number alone, so that neither the order of
reading nor the number of threads changes the sample.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Bool, Float16, Float64, UInt64

from skysieve.core.survey import PixelKind
from skysieve.measure.cues import CueTable
from skysieve.measure.sheets import Picture

T = TypeVar("T")

MOST_SIZES = 1_000
MOST_DIGESTS = 1_000_000
"""Rows whose pixels are hashed to find twins; later ones are not (16 bytes a row are kept)."""
EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How cutouts are kept.

    Args:
        bands: Names of the planes.
        dtype: Of a pixel in the file.
        kind: Linear flux or display values.
        pixel_scale_arcsec: Size of a pixel; None if unknown.
    """

    bands: tuple[str, ...]
    dtype: str
    kind: PixelKind
    pixel_scale_arcsec: float | None


@dataclass(kw_only=True)
class LayoutCount:
    """How many cutouts have a layout, and between which values they lie.

    Args:
        by_class: Cutouts of each class.
        sizes: Cutouts of each height and width.
        lowest: The least value of any pixel; NaN if no pixel holds data.
        highest: The greatest.
        n_holes: Cutouts in which some pixel holds no data.
        n_constant: Cutouts of which a band is constant or without data.
        no_data: Pixels without data.
        pixels: Pixels in all.
    """

    by_class: Counter[str] = field(default_factory=Counter[str])
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter[tuple[int, int]])
    lowest: float = math.nan
    highest: float = math.nan
    n_holes: int = 0
    n_constant: int = 0
    no_data: int = 0
    pixels: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Look:
    """What was seen of some alike rows.

    Args:
        rows: Their numbers in the data set.
        ids: Their names.
        classes: The class of each; empty text where it is not known.
        splits: The split of each; empty text where none is named.
        keys: The random key of each, in [0, 1).
        layout: How they are kept.
        size: Their height and width.
        lowest: Their least value; NaN if there is none.
        highest: Their greatest value.
        no_data: Pixels without data in each.
        constant: Whether a band of it is constant or without data.
        digests: A hash of the pixels of each.
        measured: Positions of the rows that were measured.
        cues: Their cues.
        thumbs: Their grain.
        pictures: Color pictures by position.
    """

    rows: range
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    keys: Float64[np.ndarray, " n"]
    layout: Layout
    size: tuple[int, int]
    lowest: float
    highest: float
    no_data: tuple[int, ...]
    constant: Bool[np.ndarray, " n"]
    digests: UInt64[np.ndarray, " n"]
    measured: tuple[int, ...]
    cues: CueTable
    thumbs: Float16[np.ndarray, "m pixel"]
    pictures: Mapping[int, Picture]


@dataclass(frozen=True, eq=False, kw_only=True)
class Kept:
    """A measured row of the sample.

    Args:
        row: Its number in the data set.
        id: Its name.
        name: Its class; empty text if unknown.
        split: Its split; empty text if none.
        cues: Its cues, as a table of one row.
        thumb: Its grain.
    """

    row: int
    id: str
    name: str
    split: str
    cues: CueTable
    thumb: Float16[np.ndarray, " pixel"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """A cutout on a contact sheet."""

    row: int
    id: str
    picture: Picture


class Tally:
    """The counts of a data set while its rows go by.

    Args:
        rows: How many rows of each class are measured.
        pictures: How many of each class are shown.
    """

    def __init__(self, *, rows: int, pictures: int) -> None:
        self.status: dict[str, Counter[str]] = defaultdict(Counter)
        self.splits: dict[str, Counter[str]] = defaultdict(Counter)
        self.examples: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.layouts: dict[Layout, LayoutCount] = defaultdict(LayoutCount)
        self._sample = _Lowest[Kept](rows)
        self._shown = _Lowest[Shown](pictures)
        self._digests: list[tuple[range, UInt64[np.ndarray, " n"]]] = []
        self._names: dict[tuple[str, str], int] = {}
        self._named: list[np.ndarray] = []
        self.n_digests = 0

    def limits(self, name: str) -> tuple[float, float]:
        """Return the keys below which a row of a class is measured, and shown."""
        return self._sample.limit(name), self._shown.limit(name)

    def fail(self, name: str, row_id: str, split: str, status: str, message: str) -> None:
        """Count a row that could not be read."""
        self.status[name][status] += 1
        self.splits[name][split] += 1
        if len(self.examples[status]) < EXAMPLES:
            self.examples[status].append((row_id, message))

    def add(self, look: Look) -> None:
        """Count rows that could be read."""
        for name, split in zip(look.classes, look.splits, strict=True):
            self.status[name]["ok"] += 1
            self.splits[name][split] += 1
        self._count_layout(look)
        self._keep_digests(look)
        for at, k in enumerate(look.measured):
            own = CueTable(cues=look.cues.cues, values=look.cues.values[at : at + 1].copy())
            kept = Kept(
                row=look.rows[k],
                id=look.ids[k],
                name=look.classes[k],
                split=look.splits[k],
                cues=own,
                thumb=look.thumbs[at].copy(),
            )
            self._sample.add(kept.name, float(look.keys[k]), kept.row, kept)
        for k, picture in look.pictures.items():
            shown = Shown(row=look.rows[k], id=look.ids[k], picture=picture)
            self._shown.add(look.classes[k], float(look.keys[k]), shown.row, shown)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that were seen, by name; empty text, for no class, comes last."""
        return tuple(sorted(self.status, key=lambda name: (not name, name)))

    def sample(self) -> list[Kept]:
        """Return the measured rows of all classes, in the order of the data set."""
        kept = [each for name in self.classes for each in self._sample.of(name)]
        return sorted(kept, key=lambda each: each.row)

    def shown(self, name: str) -> list[Shown]:
        """Return what a class's contact sheet shows, in the order of the random keys."""
        return self._shown.of(name)

    def digests(
        self,
    ) -> tuple[np.ndarray, UInt64[np.ndarray, " n"], np.ndarray, list[tuple[str, str]]]:
        """Return rows, digests, the number of each row's class and split, and what these are."""
        if not self._digests:
            return np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int16), []
        rows = np.concatenate([np.arange(r.start, r.stop) for r, _ in self._digests])
        held = np.concatenate([found for _, found in self._digests])
        order = np.argsort(rows, kind="stable")
        named = np.concatenate(self._named)
        good = order[held[order] != 0]
        return rows[good], held[good], named[good], list(self._names)

    def _count_layout(self, look: Look) -> None:
        count = self.layouts[look.layout]
        count.by_class.update(look.classes)
        if look.size in count.sizes or len(count.sizes) < MOST_SIZES:
            count.sizes[look.size] += len(look.rows)
        count.lowest = float(np.fmin(count.lowest, look.lowest))
        count.highest = float(np.fmax(count.highest, look.highest))
        count.n_holes += sum(n > 0 for n in look.no_data)
        count.n_constant += int(look.constant.sum())
        count.no_data += sum(look.no_data)
        count.pixels += len(look.rows) * len(look.layout.bands) * math.prod(look.size)

    def _keep_digests(self, look: Look) -> None:
        if self.n_digests + len(look.rows) > MOST_DIGESTS:
            return
        pairs = zip(look.classes, look.splits, strict=True)
        numbers = [self._names.setdefault(pair, len(self._names)) for pair in pairs]
        self._named.append(np.array(numbers, np.int16))
        # All empty frames are the same: that is no twin, and is counted elsewhere.
        self._digests.append((look.rows, np.where(look.constant, np.uint64(0), look.digests)))
        self.n_digests += len(look.rows)


class _Lowest(Generic[T]):
    """For each name, the values with the lowest keys."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, list[tuple[float, int, T]]] = defaultdict(list)

    def limit(self, name: str) -> float:
        """Return the key that a value must fall below to be kept."""
        held = self._held.get(name, [])
        return -held[0][0] if self._most and len(held) >= self._most else float(bool(self._most))

    def add(self, name: str, key: float, row: int, value: T) -> None:
        """Keep a value if its key is among the lowest."""
        if not self._most:
            return
        held = self._held[name]
        if len(held) < self._most:
            heapq.heappush(held, (-key, -row, value))
        elif (-key, -row) > held[0][:2]:
            heapq.heapreplace(held, (-key, -row, value))

    def of(self, name: str) -> list[T]:
        """Return what is kept, the lowest key first."""
        return [value for *_, value in sorted(self._held.get(name, []), key=lambda h: h[:2])[::-1]]
