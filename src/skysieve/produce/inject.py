"""Making a set of injected arcs: every part that is missing, then its tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import RecipeError
from skysieve.core.files import remove_leftovers, write_text
from skysieve.core.scores import Status
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.images.open import ids_of, read_source
from skysieve.images.opening import about, base
from skysieve.images.photometry import zero_points
from skysieve.images.shards import write_shard
from skysieve.images.sources import Failure, ImageError, Source, Stack
from skysieve.images.spans import sources_in
from skysieve.produce.inject_plan import (
    InjectPlan,
    InjectSummary,
    Span,
    open_injection,
    read_inject_plan,
)
from skysieve.produce.inject_rows import Record, describe, to_table
from skysieve.produce.layouts import IMAGES, TRUTH
from skysieve.produce.painting import NO_ARC, Painted, paint
from skysieve.produce.parts import (
    Make,
    is_done,
    make_parts,
    merge_tables,
    write_table,
)
from skysieve.produce.run import LABELS, SCENES, SUCCESS
from skysieve.produce.sight import Sight, look

LENSED = "lensed"
_LABEL_COLUMNS = ("id", "label", "class", "kind", "scene", "origin")
_COUNTED = ["scene", "status", "label", "class", "psf"]

Planes = Float32[np.ndarray, "band y x"]


def inject(
    folder: Path, plan: InjectPlan, *, workers: int = 1, watch: Watch = ignore
) -> InjectSummary:
    """Make what is missing of a set of injected arcs.

    Args:
        folder: New, empty, or with this very set in the making.
        plan: What to make.
        workers: Processes; the images are the same.
        watch: Called after each part.

    Raises:
        MismatchError: The folder holds a set of another plan.
        InputError: It holds something else, or a part was damaged.
        SkysieveError: A worker process died.
    """
    open_injection(folder, plan)
    remove_leftovers(folder)
    (folder / "parts").mkdir(exist_ok=True)
    missing = [part for part in plan.parts if not is_done(_table(folder, part), plan.run_id)]
    if not missing and (folder / SUCCESS).is_file():
        return InjectSummary.model_validate_json((folder / SUCCESS).read_bytes())
    (folder / SUCCESS).unlink(missing_ok=True)
    total = plan.listing.n_rows
    done = total - sum(part.stop - part.start for part in missing)
    watch(Progress("injecting", done, total))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one image is too small a work to be shared
    try:
        for part in make_parts(folder, missing, _opened, workers):
            done += part.stop - part.start
            watch(Progress("injecting", done, total))
    finally:
        torch.set_num_threads(threads)
    watch(Progress("tables", 0, None))
    summary = _merge(folder, plan)
    write_text(folder / SUCCESS, summary.model_dump_json(indent=1) + "\n")
    return summary


def _opened(folder: Path) -> Make:
    return partial(_make_part, folder, read_inject_plan(folder))


def _table(folder: Path, part: Span) -> Path:
    return folder / "parts" / f"{part.name}.parquet"


# ---------------------------------------------------------------------------------------- parts


@dataclass(kw_only=True)
class _Sheet:
    """Images of one size and pixel scale while a part is made.

    Args:
        records: Of each image.
        pixels: Of each image.
        light: Of each image that has arcs, without noise.
    """

    records: list[Record] = field(default_factory=list[Record])
    pixels: list[Planes] = field(default_factory=list[Planes])
    light: list[Planes] = field(default_factory=list[Planes])


Sheets = dict[tuple[int, int, float], _Sheet]


def _make_part(folder: Path, plan: InjectPlan, part: Span) -> None:
    """Write the images of a part, and its table last: where that is, the part is whole."""
    sheets: Sheets = {}
    records: list[Record] = []
    for source, at, rows in sources_in(plan.listing, part.start, part.stop):
        number = part.start + at - rows.start  # of the source's first row
        told: set[int] = set()
        for piece in read_source(source, rows, plan.listing.options):
            ids = ids_of(source, piece)
            told |= set(piece.rows)
            for k, row in enumerate(piece.rows):
                record = Record(number=number + row, origin=ids[k], source=source.name, row=row)
                if isinstance(piece, Failure):
                    records.append(record.failed(piece.error))
                else:
                    records += _paint_row(plan, source, piece, k, record, sheets)
        lost = ImageError(Status.CHANGED, "It holds fewer rows than before", "Start a new set")
        records += [
            Record(number=number + row, origin=source.id, source=source.name, row=row).failed(lost)
            for row in rows
            if row not in told
        ]
    _write_sheets(folder, plan, part, sheets)
    write_table(_table(folder, part), to_table(records, plan))


def _paint_row(
    plan: InjectPlan, source: Source, stack: Stack, k: int, record: Record, sheets: Sheets
) -> list[Record]:
    """Paint all versions of one image; return what is known of each, and of its control."""
    injection, options = plan.injection, plan.listing.options
    if len(stack.ra_deg):
        record = record.at(float(stack.ra_deg[k]), float(stack.dec_deg[k]))
    asked = injection.zero_point_ab is None
    known = zero_points(source, record.row, options) if asked else ()
    known = known if len(known) == stack.pixels.shape[1] else ()
    try:
        sight = look(stack, k, injection, zero_points=known, mask_value=options.mask_value)
    except ImageError as error:
        return [record.failed(about(base(source.name), error))]
    record = record.flagged(sight.flags)
    records: list[Record] = []
    versions: list[tuple[Record, Painted]] = []
    for copy in range(1, injection.copies + 1):
        try:
            painted = paint(sight, injection, seed=plan.seed, name=record.origin, copy=copy)
        except ImageError as error:
            return [record.failed(about(base(source.name), error))]
        except RecipeError as error:
            records.append(record.without_arc(copy, NO_ARC, str(error)))
            continue
        described = record.with_arcs(copy, describe(sight, injection.bands, painted))
        versions.append((described, painted))
    if versions:
        _keep(sheets, sight, record, versions)
        records += [one for one, _ in versions]
        records.append(record.control(describe(sight, injection.bands, None)))
    return records


def _keep(
    sheets: Sheets, sight: Sight, record: Record, versions: list[tuple[Record, Painted]]
) -> None:
    """Keep the images of one row until its part is written, the control last."""
    key = (*sight.shape, round(sight.pixel_scale_arcsec, 4))
    sheet = sheets.setdefault(key, _Sheet())
    for described, painted in versions:
        sheet.records.append(described)
        sheet.pixels.append(painted.pixels)
        sheet.light.append(painted.light)
    sheet.records.append(record.control({}))
    sheet.pixels.append(sight.raw)


def _write_sheets(folder: Path, plan: InjectPlan, part: Span, sheets: Sheets) -> None:
    """Write images and truth, a shard for each size and pixel scale."""
    bands = plan.injection.bands
    for number, ((height, width, scale), sheet) in enumerate(sorted(sheets.items())):
        name = f"{part.name}-{number}-{width}x{height}.parquet"
        lenses = [one for one in sheet.records if one.label == 1]
        for place, records, pixels in (
            (folder / IMAGES, sheet.records, sheet.pixels),
            (folder / TRUTH / LENSED, lenses, sheet.light),
        ):
            place.mkdir(parents=True, exist_ok=True)
            cutouts = Cutouts(
                ids=tuple(one.id for one in records),
                pixels=np.stack(pixels),
                bands=bands,
                pixel_scale_arcsec=scale,
                ra_deg=np.array([one.ra_deg for one in records]),
                dec_deg=np.array([one.dec_deg for one in records]),
            )
            labels = np.array([one.label for one in records], np.int8)
            write_shard(place / name, cutouts, labels=labels)


# --------------------------------------------------------------------------------------- tables


def _merge(folder: Path, plan: InjectPlan) -> InjectSummary:
    """Write one table of all images and one of their labels, a part at a time.

    Raises:
        InputError: A part was damaged.
    """
    by_status: Counter[str] = Counter()
    by_psf: Counter[str] = Counter()
    by_class: Counter[str] = Counter()
    paths = [_table(folder, part) for part in plan.parts]
    for table in merge_tables(paths, folder / SCENES, folder / LABELS, _LABEL_COLUMNS):
        rows: list[dict[str, Any]] = table.select(_COUNTED).to_pylist()
        labeled = [row for row in rows if row["label"] is not None]
        by_status.update(_worst(rows))
        by_class.update(row["class"] for row in labeled)
        by_psf.update(row["psf"] for row in labeled if row["label"] == 1)
    return InjectSummary(
        run_id=plan.run_id,
        n_rows=plan.listing.n_rows,
        n_lenses=by_class["lens"],
        n_controls=by_class["nonlens"],
        by_status=dict(sorted(by_status.items())),
        by_psf=dict(sorted(by_psf.items())),
    )


def _worst(rows: list[dict[str, Any]]) -> list[str]:
    """Return a status for each input row: that of a version that failed, if one did."""
    status: dict[int, str] = {}
    for row in rows:
        if status.get(row["scene"], Status.OK) == Status.OK:
            status[row["scene"]] = row["status"]
    return list(status.values())
