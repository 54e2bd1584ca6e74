"""Labeled images: pixels as `find` reads them, each with its class, split and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from skysieve.core.errors import MismatchError
from skysieve.core.inputs import InputSpec
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.recipe.classifier import DataPlan, Task
from skysieve.train.grouping import group_rows
from skysieve.train.naming import Labeling, labelings_of, order_classes
from skysieve.train.pixels import Kept, keep_pixels, kept_in, key_of


@dataclass(frozen=True, eq=False, kw_only=True)
class LabeledImages:
    """Images that a classifier learns from or is tested on, and what is known of each.

    Args:
        ids: Names, all different.
        classes: In the order of the logits.
        labels: The place of each row's class in ``classes``.
        pixels: Raw, as ``find`` reads them; NaN where there is no data. Read-only, on the disk.
        named: What folders or a column say of each row: ``train``, ``validation``, ``test`` or "".
        groups: Rows of one number show one object, host or tile, or have identical pixels.
        columns: Further columns of the labels, a text per row.
        spec: What a finder of these images wants, so that it reads the very same pixels.
        sha256: Of ids, classes, pixels and ``spec``, whatever the order of the rows.
        notes: What was left out and what is odd, in words.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    labels: Int64[np.ndarray, " n"]
    pixels: Float32[np.ndarray, "n band side side"]
    named: tuple[str, ...]
    groups: Int64[np.ndarray, " n"]
    columns: Mapping[str, tuple[str, ...]]
    spec: InputSpec
    sha256: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.labels), len(self.pixels), len(self.named)}
        lengths |= {len(self.groups), *(len(texts) for texts in self.columns.values())}
        if len(lengths) != 1:
            raise MismatchError(f"Labeled images have columns of {sorted(lengths)} rows")

    def __len__(self) -> int:
        return len(self.ids)


def read_labeled(  # noqa: PLR0913  three places to read from and write to, and what rows mean
    data: Sequence[Path | str],
    plan: DataPlan,
    folder: Path,
    *,
    classes: tuple[str, ...] | None = None,
    task: Task = "lens",
    labels: Path | None = None,
    positive: str | None = None,
    watch: Watch = ignore,
) -> LabeledImages:
    """Read labeled images once and keep their pixels in a folder, whole or not at all.

    Classes come from ``labels`` if it is given, else from the table of a simulated set, from
    ``labels.csv`` or ``labels.parquet`` at the top of a data folder, or from the names of folders.
    Reading the same again takes what the folder holds.

    Args:
        data: Folders, globs or files.
        plan: Side, bands and pixel scale of images that do not say it, and what groups them.
        folder: Where ``pixels.npy`` and ``pixels.parquet`` are written.
        classes: In the order of the logits; None takes the task's order.
        task: What is told apart.
        labels: A table with the columns ``id`` and ``label``.
        positive: The class that is looked for; it must be one of them.
        watch: Told how many rows were read.

    Raises:
        MissingError: There is no such input, no image, or no labels file.
        InputError: A table or too many images cannot be used, a class is empty, or there is one.
        MismatchError: Images have different shapes, a class is unknown, no label names an image, or
            the folder holds other pixels.
    """
    labelings = labelings_of(data, task, labels, watch)
    if all(each.by_id is None for each in labelings):  # else only reading tells who has a label
        order_classes(_said(labelings), classes, task, positive)
    key = key_of(labelings, plan, (task, classes))
    kept = kept_in(folder, key)
    if kept is None:
        kept = keep_pixels(
            labelings,
            plan,
            folder,
            key=key,
            order=lambda found: order_classes(found, classes, task, positive),
            watch=watch,
        )
    for k, note in enumerate(kept.notes):
        watch(Progress("noticed", k + 1, len(kept.notes), note))
    return _labeled(kept, plan)


def _said(labelings: Sequence[Labeling]) -> set[str]:
    return set().union(*(each.classes for each in labelings))


def _labeled(kept: Kept, plan: DataPlan) -> LabeledImages:
    numbers = {name: k for k, name in enumerate(kept.classes)}
    return LabeledImages(
        ids=kept.ids,
        classes=kept.classes,
        labels=np.array([numbers[name] for name in kept.class_of], np.int64),
        pixels=kept.pixels,
        named=kept.named,
        groups=group_rows(kept.columns, kept.parts, kept.digests, kept.own_ids, plan.group),
        columns=kept.columns,
        spec=kept.spec,
        sha256=kept.sha256,
        notes=kept.notes,
    )
