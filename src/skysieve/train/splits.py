"""Which rows teach, choose, calibrate and test: drawn by group, written down, verified."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.files import sha256_of, write_text
from skysieve.core.random import seed_of
from skysieve.recipe.classifier import DataPlan
from skysieve.train.dealing import Share, deal
from skysieve.train.labeled import LabeledImages

PARTS = ("train", "validation", "calibration", "test")
LEFT_OUT = "left out"
"""What the file calls rows of no part: training rows akin to test rows, or beyond the limit."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Splits:
    """Rows of labeled images by what they are for, each ascending.

    Args:
        train: They teach.
        validation: They choose epochs and the weights of an ensemble.
        calibration: They fit probabilities and thresholds.
        test: They are looked at once, at the end.
        sha256: Of ids, labels and parts, whatever the order of the rows.
        notes: What was left out, in words.
    """

    train: Int64[np.ndarray, " a"]
    validation: Int64[np.ndarray, " b"]
    calibration: Int64[np.ndarray, " c"]
    test: Int64[np.ndarray, " d"]
    sha256: str
    notes: tuple[str, ...] = ()


def split_rows(images: LabeledImages, plan: DataPlan) -> Splits:
    """Share rows out by group, each class as evenly as groups allow; the same for any row order.

    Rows that are named ``test`` are the test rows, and rows named ``validation`` then validate. Of
    data that name validation but no test rows (``train/`` and ``val/``), these are the test rows:
    what chooses must be drawn from the training rows. Training rows of a group that test or named
    validation rows have too are left out.

    Args:
        images: What is shared out.
        plan: Shares, limit and seed.

    Raises:
        InputError: A class has too few groups to be in every part.
    """
    named = np.array(images.named)
    tested = "test" if (named == "test").any() else "validation"
    parts = np.full(len(images), "train", dtype=object)
    parts[named == tested] = "test"
    if tested == "test":
        parts[named == "validation"] = "validation"
    notes = _drop_kin(images.groups, parts)
    fresh = _rows_of(parts, "train")
    keys = _group_keys(images, plan.seed)
    if not (parts == "test").any():
        _deal(images, parts, fresh, {"test": plan.test}, keys)
    wanted = {"validation": plan.validation, "calibration": plan.calibration}
    if (parts == "validation").any():
        del wanted["validation"]
    _deal(images, parts, _rows_of(parts, "train"), wanted, keys)
    beyond = _beyond_limit(images, _rows_of(parts, "train"), plan.limit)
    parts[beyond] = LEFT_OUT
    if len(beyond):
        notes = (
            *notes,
            f"{len(beyond):,} training rows lie beyond the limit of {plan.limit} a class",
        )
    return _splits(images, parts, notes)


def settle_splits(images: LabeledImages, plan: DataPlan, path: Path) -> Splits:
    """Return the splits that a file holds, or split and write them if there is none.

    Raises:
        MismatchError: The file is of other images, or was altered.
        InputError: There are too few rows.
    """
    if path.exists():
        return read_splits(path, images)
    splits = split_rows(images, plan)
    write_splits(images, splits, path)
    return splits


def write_splits(images: LabeledImages, splits: Splits, path: Path) -> None:
    """Write the part of each row as CSV (id, label, split), and its hash beside it as JSON.

    Args:
        images: What was shared out.
        splits: How.
        path: Such as ``splits.csv``; ``splits.json`` comes beside it.
    """
    counts = {name: len(getattr(splits, name)) for name in PARTS}
    told = {"sha256": splits.sha256, "images": images.sha256, "rows": counts}
    write_text(path, _table(images, _parts_of(images, splits)))
    write_text(_sidecar(path), json.dumps({**told, "notes": splits.notes}, indent=1) + "\n")


def read_splits(path: Path, images: LabeledImages) -> Splits:
    """Return splits that were written, after checking that they are whole and fit the images.

    Raises:
        MissingError: There is no such file, or none with its hash.
        InputError: It was changed since, or a word in it is no split.
        MismatchError: It is of other images, or one group is in two parts.
    """
    if not path.is_file() or not _sidecar(path).is_file():
        raise MissingError(
            f"There is no {path} with {_sidecar(path).name} beside it", "Split the rows again"
        )
    told = _told(_sidecar(path))
    if sha256_of(path) != told.sha256:
        raise InputError(f"{path} was changed after it was written", "Remove it: it is made again")
    if images.sha256 != told.images:
        raise MismatchError(
            f"{path} shares out other images (or other labels) than these",
            "Use the data that it was made with, or split these anew in another folder",
        )
    with path.open(encoding="utf-8", newline="") as file:
        part_of = {row["id"]: row["split"] for row in csv.DictReader(file)}
    if set(part_of) != set(images.ids) or not set(part_of.values()) <= {*PARTS, LEFT_OUT}:
        raise InputError(f"{path} does not name each image and its part", "Remove it")
    parts = np.array([part_of[name] for name in images.ids], dtype=object)
    return _splits(images, parts, told.notes)


class _Told(NamedTuple):
    """What stands beside splits."""

    sha256: str
    images: str
    notes: tuple[str, ...]


def _told(path: Path) -> _Told:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return _Told(str(told["sha256"]), str(told["images"]), tuple(told["notes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged", "Remove it and the splits beside it") from error


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")


def _rows_of(parts: np.ndarray, name: str) -> Int64[np.ndarray, " k"]:
    return np.flatnonzero(parts == name).astype(np.int64)


def _drop_kin(groups: Int64[np.ndarray, " n"], parts: np.ndarray) -> tuple[str, ...]:
    """Leave out rows of a group that stands higher: test before validation before train."""
    notes: list[str] = []
    for high, lower in (("test", ("validation", "train")), ("validation", ("train",))):
        akin = np.isin(groups, groups[parts == high])
        lost = akin & np.isin(parts, lower)
        parts[lost] = LEFT_OUT
        if lost.any():
            notes.append(
                f"{np.count_nonzero(lost):,} rows of other parts are akin to {high} rows (of one "
                "group or identical) and were left out"
            )
    return tuple(notes)


def _group_keys(images: LabeledImages, seed: int) -> Int64[np.ndarray, " n"]:
    """Return a random number for the group of each row, by the least id in it."""
    least: dict[int, str] = {}
    for group, name in zip(images.groups.tolist(), images.ids, strict=True):
        least[group] = min(least.get(group, name), name)
    drawn = {group: seed_of(seed, f"split/{name}") for group, name in least.items()}
    return np.array([drawn[group] for group in images.groups.tolist()], np.int64)


def _deal(
    images: LabeledImages,
    parts: np.ndarray,
    rows: Int64[np.ndarray, " k"],
    shares: dict[str, float],
    keys: Int64[np.ndarray, " n"],
) -> None:
    """Move rows from the training rows to other parts."""
    wanted = [Share(name=name, part=share) for name, share in shares.items()]
    dealt = deal(images.labels[rows], images.groups[rows], keys[rows], wanted)
    for name, places in dealt.items():
        parts[rows[places]] = name


def _beyond_limit(
    images: LabeledImages, rows: Int64[np.ndarray, " k"], limit: int | None
) -> Int64[np.ndarray, " m"]:
    """Return the rows beyond so many of each class; the choice does not depend on any seed."""
    if limit is None:
        return np.empty(0, np.int64)
    order = sorted(rows.tolist(), key=lambda row: seed_of(0, f"limit/{images.ids[row]}"))
    ordered = np.array(order, np.int64)
    labels = images.labels[ordered]
    beyond = [ordered[labels == label][limit:] for label in range(len(images.classes))]
    return np.concatenate(beyond)


def _splits(images: LabeledImages, parts: np.ndarray, notes: Sequence[str]) -> Splits:
    rows = {name: _rows_of(parts, name) for name in PARTS}
    _check(images, rows)
    text = _table(images, parts)
    return Splits(**rows, sha256=hashlib.sha256(text.encode()).hexdigest(), notes=tuple(notes))


def _check(images: LabeledImages, rows: dict[str, Int64[np.ndarray, " k"]]) -> None:
    """Refuse parts that share a group, and parts without a class."""
    owner: dict[int, str] = {}
    for name, mine in rows.items():
        for group in np.unique(images.groups[mine]).tolist():
            if owner.setdefault(group, name) != name:
                raise MismatchError(
                    f"A group of images is in both {owner[group]} and {name}",
                    "Split the rows again",
                )
        lacking = set(range(len(images.classes))) - set(images.labels[mine].tolist())
        if lacking:
            raise InputError(
                f"The class {images.classes[min(lacking)]!r} has no {name} row: it has too few "
                "images or groups",
                "Add images of it, or group by a finer column (--set data.group=...)",
            )


def _parts_of(images: LabeledImages, splits: Splits) -> np.ndarray:
    parts = np.full(len(images), LEFT_OUT, dtype=object)
    for name in PARTS:
        parts[getattr(splits, name)] = name
    return parts


def _table(images: LabeledImages, parts: np.ndarray) -> str:
    """Return the splits as CSV, sorted by id."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("id", "label", "split"))
    names = [images.classes[label] for label in images.labels.tolist()]
    writer.writerows(sorted(zip(images.ids, names, parts.tolist(), strict=True)))
    return file.getvalue()
