"""The labels that lie with a data set: which file says them, and how classes are written."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from skysieve.measure.labels import LabelTable
from skysieve.measure.tables import parquet_columns

GROUP_COLUMNS = ("group", "host", "object", "tile", "scene")
"""Columns that name what several images show; the first there is decides what belongs together."""

SCENES, LABELS, IMAGES = "scenes.parquet", ("labels.csv", "labels.parquet"), "images"

_PLURALS = {
    "lenses": "lens",
    **dict.fromkeys(("nonlenses", "nolens", "nolenses", "notlens", "notlenses", "non"), "nonlens"),
    "ellipticals": "elliptical",
    "spirals": "spiral",
    "mergers": "merger",
    "artifacts": "artifact",
}
KNOWN_CLASSES = frozenset(_PLURALS.values())
"""Classes whose plurals and spellings are known."""


def own_table(folder: str | Path) -> Path | None:
    """Return the table with the columns id and label that belongs to a folder of images.

    That is ``scenes.parquet`` beside ``images/``, as ``skysieve simulate`` makes it, where the
    folder is the set or its ``images``; else ``labels.csv`` or ``labels.parquet`` in the folder. A
    table without these columns is something else.
    """
    folder = Path(folder)
    for top in (folder, folder.parent) if folder.name == IMAGES else (folder,):
        scenes = top / SCENES
        if scenes.is_file() and (top / IMAGES).is_dir() and _labels(scenes):
            return scenes
    return next((folder / name for name in LABELS if _labels(folder / name)), None)


def own_labels(data: Sequence[str | Path]) -> Path | None:
    """Return the table of a single folder; those of several folders are not put together."""
    return own_table(data[0]) if len(data) == 1 else None


def group_column(table: LabelTable) -> str | None:
    """Return the column whose rows of one value show one thing; None if there is none."""
    return next((name for name in GROUP_COLUMNS if name in table.columns), None)


def bare_class(text: str) -> str:
    """Return the name of a class without case, separators and plural, such as ``nonlens``."""
    bare = re.sub(r"[\s_-]+", "", text.lower())
    return _PLURALS.get(bare, bare)


def _labels(path: Path) -> bool:
    """Say whether a file is there and has the columns of labels."""
    if not path.is_file():
        return False
    if path.suffix == ".parquet":
        return {"id", "label"} <= set(parquet_columns(path))
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file), list[str]())
    return {"id", "label"} <= {name.strip() for name in header}
