"""From what was counted and kept of a data set to what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from skysieve.measure.cues import STATISTICS, join_cues
from skysieve.measure.exploration import (
    UNLABELED,
    ClassCount,
    Exploration,
    ExploreSettings,
    PixelRow,
    TwinCount,
    TwinSet,
)
from skysieve.measure.shortcuts import check_shortcuts
from skysieve.measure.tally import Kept, Tally
from skysieve.measure.twins import MOST_COMPARED, identical, near_pairs

LISTED = 12
"""Sets of twins that the page shows."""


def compose_exploration(
    tally: Tally,
    settings: ExploreSettings,
    groups: Mapping[str, str] | None = None,
    scenes: Mapping[str, str] | None = None,
) -> Exploration:
    """Measure what was counted and kept of a data set.

    Args:
        tally: After all rows went by.
        settings: What decided it.
        groups: The group of an id, such as its sky field; a row without one is its own.
        scenes: The scene that an id shows; twins of one scene in two classes are meant.
    """
    sample = tally.sample()
    table = join_cues([kept.cues for kept in sample])
    kept_groups = None
    if groups is not None:
        kept_groups = [groups.get(kept.id) or f"#{kept.row}" for kept in sample]
    status: dict[str, int] = {}
    for counts in tally.status.values():
        for name, n in counts.items():
            status[name] = status.get(name, 0) + n
    layouts = sorted(tally.layouts.items(), key=lambda item: -sum(item[1].by_class.values()))
    return Exploration(
        settings=settings,
        classes=tuple(_count(tally, name, sample) for name in tally.classes),
        status=dict(sorted(status.items(), key=lambda item: (item[0] != "ok", -item[1]))),
        examples={name: tuple(found) for name, found in tally.examples.items()},
        layouts=tuple(layouts),
        pixels=_pixel_rows(sample),
        check=check_shortcuts(
            table,
            [kept.name or None for kept in sample],
            groups=kept_groups,
            seed=settings.seed,
        ),
        table=table,
        table_classes=tuple(kept.name or UNLABELED for kept in sample),
        twins=_twins(tally, sample, scenes or {}),
        sheets={name or UNLABELED: tally.shown(name) for name in tally.classes},
    )


def _count(tally: Tally, name: str, sample: Sequence[Kept]) -> ClassCount:
    return ClassCount(
        name=name or UNLABELED,
        rows=sum(tally.status[name].values()),
        readable=tally.status[name]["ok"],
        measured=sum(kept.name == name for kept in sample),
        splits={split: n for split, n in sorted(tally.splits[name].items()) if split},
    )


def _pixel_rows(sample: Sequence[Kept]) -> tuple[PixelRow, ...]:
    rows: list[PixelRow] = []
    names = sorted({kept.name for kept in sample}, key=lambda name: (not name, name))
    for name in names:
        table = join_cues([kept.cues for kept in sample if kept.name == name])
        columns = {
            cue.key: table.values[:, k]
            for k, cue in enumerate(table.cues)
            if cue.family == "pixels"
        }
        bands = dict.fromkeys(key.rpartition("_")[0] for key in columns)
        for band in bands:
            held = {s: columns[f"{band}_{s}"] for s in STATISTICS}
            finite = {s: values[np.isfinite(values)] for s, values in held.items()}
            n = len(finite["p50"])
            if not n:
                continue
            low, median, high = (
                {s: float(np.quantile(values, q)) for s, values in finite.items()}
                for q in (0.05, 0.5, 0.95)
            )
            rows.append(
                PixelRow(name=name or UNLABELED, band=band, n=n, median=median, low=low, high=high)
            )
    return tuple(rows)


def _twins(tally: Tally, sample: Sequence[Kept], scenes: Mapping[str, str]) -> TwinCount:
    rows, digests, named, names = tally.digests()
    sets = [
        TwinSet(
            rows=tuple(int(row) for row in rows[each[:4]]),
            size=len(each),
            classes=_distinct(names, named[each], 0),
            splits=_distinct(names, named[each], 1),
            correlation=1.0,
        )
        for each in identical(digests)
    ]
    seen = [kept for kept in sample if kept.thumb.any()][:MOST_COMPARED]
    pairs, n_near = near_pairs(np.stack([kept.thumb for kept in seen])) if seen else ((), 0)
    same = dict(zip(rows.tolist(), digests.tolist(), strict=True))
    near: list[TwinSet] = []
    for pair in pairs:
        a, b = seen[pair.first], seen[pair.second]
        if same.get(a.row, a.row) == same.get(b.row, b.row):
            n_near -= 1  # it is among the identical ones already
            continue
        near.append(
            TwinSet(
                rows=(a.row, b.row),
                size=2,
                classes=tuple(sorted({a.name, b.name} - {""})),
                splits=tuple(sorted({a.split, b.split} - {""})),
                correlation=pair.correlation,
                paired=a.name != b.name and a.id in scenes and scenes[a.id] == scenes.get(b.id),
            )
        )
    found = [*sets, *near]
    return TwinCount(
        n_hashed=tally.n_digests,
        n_identical=sum(each.size - 1 for each in sets),
        n_compared=len(seen),
        n_near=n_near,
        n_across_classes=sum(each.mislabeled for each in found),
        n_across_splits=sum(len(each.splits) > 1 for each in found),
        n_paired=sum(each.paired for each in found),
        alternate=bool(found) and all(each.size == len(each.classes) == 2 for each in found),
        shown=tuple(sorted(found, key=lambda each: (not each.crosses, -each.correlation))[:LISTED]),
    )


def _distinct(names: Sequence[tuple[str, str]], numbers: np.ndarray, part: int) -> tuple[str, ...]:
    return tuple(sorted({names[int(k)][part] for k in np.unique(numbers)} - {""}))
