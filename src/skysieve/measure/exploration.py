"""What a data set holds, as a value; the page and the JSON are two ways to show it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from skysieve.measure.cues import CueTable
from skysieve.measure.sheets import Picture
from skysieve.measure.shortcuts import FEWEST, ShortcutCheck
from skysieve.measure.tally import Layout, LayoutCount, Shown

UNLABELED = "no label"
"""What cutouts of no known class are called."""


@dataclass(frozen=True, kw_only=True)
class ExploreSettings:
    """What decides an exploration beside the data.

    Args:
        data: What was explored, as the user named it.
        rows: The most rows of each class that are measured.
        seed: Decides which, and the intervals.
        labels: Where the classes come from, in words; empty if there are none.
        n_labels: Labels in all; None if they are not from a file.
        n_orphans: Labels that name no row.
        ignored: How many files of each ending were no images.
    """

    data: str
    rows: int
    seed: int = 0
    labels: str = ""
    n_labels: int | None = None
    n_orphans: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """The rows of one class.

    Args:
        name: The class.
        rows: All rows.
        readable: Those that could be read.
        measured: Those in the sample.
        splits: Rows of each split; empty if none is named.
    """

    name: str
    rows: int
    readable: int
    measured: int
    splits: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class PixelRow:
    """The statistics of one band's pixels in one class.

    Args:
        name: The class.
        band: The band.
        n: Cutouts they are of.
        median: Of each statistic, over the cutouts.
        low: The 5th percentile of each, over the cutouts.
        high: The 95th.
    """

    name: str
    band: str
    n: int
    median: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class TwinSet:
    """Rows that are the same cutout.

    Args:
        rows: Their numbers in the data set; of a large set the first few.
        size: How many they are.
        classes: Their classes.
        splits: Their splits.
        correlation: 1 if every pixel is the same, else that of their grain.
        paired: Whether they show one scene by design, as a lens and its control do.
    """

    rows: tuple[int, ...]
    size: int
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    correlation: float
    paired: bool = False

    @property
    def crosses(self) -> bool:
        """Whether it lies across classes or splits, where it does harm."""
        return self.mislabeled or len(self.splits) > 1

    @property
    def mislabeled(self) -> bool:
        """Whether it lies across classes though it is not meant to."""
        return len(self.classes) > 1 and not self.paired


@dataclass(frozen=True, kw_only=True)
class TwinCount:
    """Cutouts that are there more than once.

    Args:
        n_hashed: Rows whose pixels were compared exactly.
        n_identical: Rows that repeat an earlier one, pixel by pixel.
        n_compared: Rows that were compared by their looks, a random sample if there are more.
        n_near: Pairs that look the same though their pixels differ.
        n_across_classes: Sets and pairs, of those, whose classes differ though they are not paired.
        n_across_splits: Sets and pairs whose splits differ.
        n_paired: Pairs of one scene in two classes, such as a lens and its control.
        alternate: Whether there are twins across classes, and all twins are pairs of two classes.
        shown: The first of them, those that cross first.
    """

    n_hashed: int
    n_identical: int
    n_compared: int
    n_near: int
    n_across_classes: int
    n_across_splits: int
    n_paired: int
    alternate: bool
    shown: tuple[TwinSet, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Exploration:
    """What a data set holds.

    Args:
        settings: What decided it beside the data.
        classes: The rows of each class; those without a label come last.
        status: Rows of each status.
        examples: The first few ``(id, message)`` of each status but ``ok``.
        layouts: How cutouts are kept, the most frequent way first.
        pixels: Statistics of pixels by class and band.
        check: The shortcut check; None if there are not two classes with enough rows.
        table: The cues of the sample, row by row.
        table_classes: The class of each row of it.
        twins: What is there more than once.
        sheets: The cutouts on each class's contact sheet.
        pictures: Pictures of the rows of the twins that are shown, by row.
        ids: Their names, by row.
    """

    settings: ExploreSettings
    classes: tuple[ClassCount, ...]
    status: Mapping[str, int]
    examples: Mapping[str, Sequence[tuple[str, str]]]
    layouts: tuple[tuple[Layout, LayoutCount], ...]
    pixels: tuple[PixelRow, ...]
    check: ShortcutCheck | None
    table: CueTable
    table_classes: tuple[str, ...]
    twins: TwinCount
    sheets: Mapping[str, Sequence[Shown]]
    pictures: Mapping[int, Picture] = field(default_factory=dict[int, Picture])
    ids: Mapping[int, str] = field(default_factory=dict[int, str])

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return sum(self.status.values())

    @property
    def n_readable(self) -> int:
        """Rows that could be read."""
        return self.status.get("ok", 0)

    @property
    def why_no_check(self) -> str:
        """Why there is no shortcut check; empty if there is one."""
        if self.check is not None:
            return ""
        if not self.settings.labels:
            return "nothing says which class a cutout is of; give --labels FILE, or class folders"
        return f"fewer than two classes have {FEWEST} readable cutouts"

    def as_json(self) -> dict[str, Any]:
        """Return the numbers, with null for what is not finite."""
        check = self.check
        return _plain(
            {
                "data": self.settings.data,
                "settings": asdict(self.settings),
                "rows": self.n_rows,
                "readable": self.n_readable,
                "status": dict(self.status),
                "classes": {each.name: asdict(each) for each in self.classes},
                "layouts": [_layout_json(layout, count) for layout, count in self.layouts],
                "pixels": [asdict(row) for row in self.pixels],
                "check": None
                if check is None
                else {
                    **asdict(check),
                    "cues": {each.key: asdict(each) for each in check.cues},
                    "probes": {each.family: asdict(each) for each in check.probes},
                },
                "why_no_check": self.why_no_check,
                "twins": {
                    **asdict(self.twins),
                    "shown": [
                        {**asdict(each), "ids": [self.ids.get(row, "") for row in each.rows]}
                        for each in self.twins.shown
                    ],
                },
            }
        )


def _layout_json(layout: Layout, count: LayoutCount) -> dict[str, Any]:
    return {
        **asdict(layout),
        "by_class": {name or UNLABELED: n for name, n in count.by_class.items()},
        "sizes": {f"{width} x {height}": n for (height, width), n in count.sizes.most_common()},
        "lowest": count.lowest,
        "highest": count.highest,
        "with_no_data": count.n_holes,
        "constant": count.n_constant,
        "share_no_data": count.no_data / count.pixels if count.pixels else None,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in cast("Sequence[Any]", value)]
    return value
