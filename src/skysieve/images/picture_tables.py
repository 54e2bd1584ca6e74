"""Parquet tables of encoded pictures: a PNG or JPEG in each row, as data hubs keep them.

The column ``image`` holds the bytes of a file, or a struct with a field ``bytes`` as the Hugging
Face ``datasets`` library writes it; ``id``, ``ra`` and ``dec`` are read where they are there.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skysieve.core.errors import InputError
from skysieve.core.files import whole_file
from skysieve.core.scores import Status
from skysieve.images import raster
from skysieve.images.sources import Contents, Failure, ImageError, Piece, ReadOptions, Stack

IMAGE = "image"
_ROWS_PER_GROUP = 256
_SCALE = "pixel_scale_arcsec"
_POSITION = ("ra", "dec")


def holds_pictures(schema: pa.Schema) -> bool:
    """Say whether a Parquet schema is that of a table of encoded pictures."""
    if IMAGE not in schema.names:
        return False
    kind = schema.field(IMAGE).type
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def inspect(table: pq.ParquetFile, options: ReadOptions) -> Contents:
    """Return what the footer tells: how many pictures there are."""
    return Contents(rows=table.metadata.num_rows, bands=options.bands)


def load(table: pq.ParquetFile, rows: range, options: ReadOptions) -> list[Piece]:
    """Read some pictures; one that cannot be decoded is told of its row only."""
    scale = _pixel_scale(table.schema_arrow)
    columns = [name for name in ("id", *_POSITION, IMAGE) if name in table.schema_arrow.names]
    pieces: list[Piece] = []
    start = 0
    for group in range(table.metadata.num_row_groups):
        stop = start + table.metadata.row_group(group).num_rows
        mine = range(max(rows.start, start), min(rows.stop, stop))
        if mine:
            records = table.read_row_group(group, columns=columns)
            part = records.slice(mine.start - start, len(mine)).to_pylist()
            pieces += [
                _piece(record, row, scale, options) for row, record in zip(mine, part, strict=True)
            ]
        start = stop
    return pieces


def write_pictures(
    path: Path, ids: tuple[str, ...], pictures: list[bytes], *, pixel_scale_arcsec: float
) -> None:
    """Write encoded pictures to a table, whole or not at all.

    Args:
        path: Where to; the ending is ``.parquet``.
        ids: A name for each.
        pictures: The bytes of PNG or JPEG files.
        pixel_scale_arcsec: Size of a pixel.

    Raises:
        InputError: There are not as many pictures as ids.
    """
    if len(ids) != len(pictures):
        raise InputError(f"There are {len(ids)} ids but {len(pictures)} pictures")
    image = pa.StructArray.from_arrays(
        [pa.array(pictures, pa.binary()), pa.array([f"{name}.jpg" for name in ids])],
        names=["bytes", "path"],
    )
    table = pa.table({"id": pa.array(ids, pa.string()), IMAGE: image})
    table = table.replace_schema_metadata({_SCALE: str(pixel_scale_arcsec)})
    with whole_file(path) as temporary:
        pq.write_table(
            table, temporary, row_group_size=_ROWS_PER_GROUP, compression="none",
            write_page_checksum=True, write_statistics=False, use_dictionary=False,
        )  # fmt: skip


def _piece(record: dict, row: int, scale: float | None, options: ReadOptions) -> Piece:
    ids = () if record.get("id") is None else (str(record["id"]),)
    here = range(row, row + 1)
    image = record[IMAGE]
    content = image.get("bytes") if isinstance(image, dict) else image
    if not content:
        missing = ImageError(Status.UNREADABLE, "Its picture is empty", "Write the table again")
        return Failure(rows=here, error=missing, ids=ids)
    try:
        pixels, names, kind = raster.decode(io.BytesIO(content), None, options)
    except ImageError as error:
        return Failure(rows=here, error=error, ids=ids)
    ra, dec = (record.get(name) for name in _POSITION)
    return Stack(
        rows=here,
        pixels=pixels[None],
        bands=names,
        kind=kind,
        pixel_scale_arcsec=scale,
        ra_deg=np.array([math.nan if ra is None else float(ra)]),
        dec_deg=np.array([math.nan if dec is None else float(dec)]),
        ids=ids,
    )


def _pixel_scale(schema: pa.Schema) -> float | None:
    told = (schema.metadata or {}).get(_SCALE.encode())
    try:
        scale = float(told.decode()) if told else None
    except ValueError:
        return None
    return scale if scale is not None and 0 < scale < math.inf else None
