"""The pixels of labeled images on the disk: written once, whole or absent, and taken again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.files import remove_leftovers, sha256_of, whole_file
from skysieve.core.inputs import InputSpec
from skysieve.core.watch import Watch
from skysieve.images.names import number_repeats
from skysieve.recipe.classifier import DataPlan
from skysieve.train.naming import Labeling
from skysieve.train.reading import Image, Tally, input_of, read_images

PIXELS, ROWS = "pixels.npy", "pixels.parquet"
_VERSION = 1
_META = b"skysieve.pixels"
_FIXED: tuple[str, ...] = ("id", "class", "named", "part", "own_id", "digest")

Order = Callable[[set[str]], tuple[str, ...]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Kept:
    """Pixels in a folder and what is known of each row.

    Args:
        ids: Names, all different.
        class_of: The class of each row, by name.
        named: The split that folders or a column name.
        parts: The data set of each row, from 0.
        own_ids: The name of each row in its data set.
        digests: Of its pixels.
        columns: Further columns of the labels.
        classes: In the order of the logits.
        spec: What the pixels were fitted to.
        notes: What was left out and what is odd.
        pixels: Read-only, on the disk.
    """

    ids: tuple[str, ...]
    class_of: tuple[str, ...]
    named: tuple[str, ...]
    parts: tuple[int, ...]
    own_ids: tuple[str, ...]
    digests: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    classes: tuple[str, ...]
    spec: InputSpec
    notes: tuple[str, ...]
    pixels: Float32[np.ndarray, "n band side side"]

    @property
    def sha256(self) -> str:
        """Of names, classes, pixels and what they were fitted to, whatever the order of rows."""
        digest = hashlib.sha256(json.dumps([self.classes, self.spec.model_dump()]).encode())
        rows = zip(self.ids, self.class_of, self.named, self.digests, strict=True)
        for row in sorted(rows):
            digest.update(json.dumps(row).encode())
        return digest.hexdigest()


def key_of(labelings: Sequence[Labeling], plan: DataPlan, said: object) -> str:
    """Return a digest of all that decides the pixels and their classes.

    A file counts by its name, size and time of change.

    Args:
        labelings: What is read.
        plan: How.
        said: What else decides it.
    """
    decides = [_VERSION, plan.side, plan.bands, plan.pixel_scale_arcsec, said]
    digest = hashlib.sha256(json.dumps(decides).encode())
    for labeling in labelings:
        table = labeling.table
        digest.update(json.dumps([table and sha256_of(table), labeling.listing.n_rows]).encode())
        for source in labeling.listing.sources:
            stamps = [_changed(path) for path in source.paths]
            digest.update(json.dumps([source.name, source.paths, stamps]).encode())
    return digest.hexdigest()


def kept_in(folder: Path, key: str) -> Kept | None:
    """Return what a folder holds; None if it holds no pixels, or half of them.

    Raises:
        MismatchError: It holds the pixels of something else.
        InputError: What it holds is damaged.
    """
    if not (folder / ROWS).exists():  # it is written last
        return None
    try:
        table = pq.ParquetFile(folder / ROWS).read()
        told = json.loads((table.schema.metadata or {})[_META])
        columns = {name: tuple(table[name].to_pylist()) for name in table.column_names}
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise InputError(f"{folder / ROWS} is damaged", "Remove it: it is made again") from error
    if told["key"] != key:
        raise MismatchError(
            f"{folder} holds the pixels of other images, labels or settings",
            "Choose another folder or delete this one",
        )
    return Kept(
        ids=columns["id"],
        class_of=columns["class"],
        named=columns["named"],
        parts=columns["part"],
        own_ids=columns["own_id"],
        digests=columns["digest"],
        columns={name: columns[f"own {name}"] for name in told["columns"]},
        classes=tuple(told["classes"]),
        spec=InputSpec.model_validate(told["spec"]),
        notes=tuple(told["notes"]),
        pixels=_opened(folder / PIXELS, tuple(told["shape"])),
    )


def keep_pixels(
    labelings: Sequence[Labeling],
    plan: DataPlan,
    folder: Path,
    *,
    key: str,
    order: Order,
    watch: Watch,
) -> Kept:
    """Read all labeled rows, in constant memory, and write them to a folder.

    Args:
        labelings: What is read.
        plan: How it is fitted.
        folder: Where to; made if it is not there.
        key: What ``key_of`` says.
        order: From the classes that were found to their order, or an error.
        watch: Told how many rows were read.

    Raises:
        InputError: Too many images cannot be used, or the disk is full.
        MismatchError: They differ in shape or bands, or no label names an image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    spec = input_of(labelings, plan)
    tally = Tally()
    rows: list[Image] = []
    with whole_file(folder / PIXELS) as temporary:
        try:
            shape = (0, len(spec.bands), spec.max_side, spec.max_side)
            with temporary.open("wb") as file:
                start = _header(file, shape)
                for image, pixels in read_images(labelings, spec, plan, tally, watch):
                    pixels.tofile(file)
                    rows.append(image)
                file.seek(0)
                shape = (len(rows), *shape[1:])
                if _header(file, shape) != start:
                    raise InputError(f"{temporary} has too many rows for its header")
        except OSError as error:
            raise InputError(
                f"{folder / PIXELS} cannot be written: {error.strerror or error}",
                "Make room, or choose another folder",
            ) from error
        tally.check(labelings)
        classes = order({image.class_name for image in rows})
    spec = spec.model_copy(update={"kind": tally.kind or spec.kind})
    told = {"key": key, "classes": classes, "spec": spec.model_dump(), "shape": shape}
    told |= {"notes": (*tally.notes(), *_odd(rows)), "columns": _names(labelings)}
    _write_rows(folder / ROWS, rows, labelings, told)
    kept = kept_in(folder, key)
    if kept is None:
        raise InputError(f"{folder / ROWS} vanished while it was written", "Start again")
    return kept


def _changed(path: str) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116  several times as fast for a million files
    return status.st_size, status.st_mtime_ns


def _header(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Write the header of an array and return how long it is."""
    told = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, told)
    return file.tell()


def _opened(path: Path, shape: tuple[int, ...]) -> Float32[np.ndarray, "n band side side"]:
    try:
        pixels = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is missing or damaged", f"Remove {ROWS} beside it: both are made again"
        ) from error
    if pixels.shape != shape or pixels.dtype != np.float32:
        raise InputError(
            f"{path} has shape {pixels.shape}, not {shape}",
            f"Remove {ROWS} beside it: both are made again",
        )
    return pixels


def _names(labelings: Sequence[Labeling]) -> list[str]:
    return list(dict.fromkeys(name for each in labelings for name in each.columns))


def _odd(rows: Sequence[Image]) -> Iterable[str]:
    """Tell of images that are there twice, and of those that have two classes."""
    by_digest: dict[str, set[str]] = {}
    for image in rows:
        by_digest.setdefault(image.digest, set()).add(image.class_name)
    if copies := len(rows) - len(by_digest):
        yield f"{copies:,} images have the pixels of another; copies are never parted"
    if torn := sum(len(names) > 1 for names in by_digest.values()):
        yield f"{torn:,} images are there under two classes"


def _write_rows(
    path: Path,
    rows: Sequence[Image],
    labelings: Sequence[Labeling],
    told: Mapping[str, object],
) -> None:
    ids = _unique([(image.part, image.id) for image in rows], labelings)
    values = zip(*[(i.class_name, i.named, i.part, i.id, i.digest) for i in rows], strict=True)
    table: dict[str, Sequence[str | int]] = dict(zip(_FIXED, (ids, *values), strict=True))
    empty: Mapping[str, str] = {}
    for name in _names(labelings):
        by_part = [each.columns.get(name, empty) for each in labelings]
        table[f"own {name}"] = [by_part[image.part].get(image.id, "") for image in rows]
    arrays = {name: pa.array(list(column)) for name, column in table.items()}
    with whole_file(path) as temporary:
        schema = {_META: json.dumps(told).encode()}
        pq.write_table(pa.table(arrays).replace_schema_metadata(schema), temporary)


def _unique(own: Sequence[tuple[int, str]], labelings: Sequence[Labeling]) -> list[str]:
    """Name rows as their data sets do; where two sets share a name, with the set's number."""
    if len(labelings) == 1:
        return number_repeats([name for _, name in own])
    parts: dict[str, set[int]] = {}
    for part, name in own:
        parts.setdefault(name, set()).add(part)
    return number_repeats(
        [f"{part + 1}/{name}" if len(parts[name]) > 1 else name for part, name in own]
    )
