"""Parquet shards: cutouts of one size as fixed-size binary, with page checksums.

The schema metadata says everything that reading the pixels needs, so a shard opens in any tool:
``skysieve_shard`` (the version of this format), ``dtype``, ``shape`` (band, y, x), ``bands``,
``kind`` and ``pixel_scale_arcsec``; lists are JSON. Columns are ``id``, ``ra``, ``dec``,
``pixels`` and, where labels are known, ``label``.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int8, Num

from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import InputError
from skysieve.core.files import whole_file
from skysieve.core.scores import Status
from skysieve.core.survey import PixelKind
from skysieve.images import picture_tables
from skysieve.images.opening import open_regular, size_of
from skysieve.images.sources import (
    MAX_BANDS,
    MAX_PLANE_PIXELS,
    Contents,
    Failure,
    ImageError,
    Piece,
    ReadOptions,
    Source,
    Stack,
)

SHARD_VERSION = "1"
ROWS_PER_GROUP = 256

ShardType = Literal["float32", "float16", "uint8"]

_AGAIN = "Copy or download it again"


@dataclass(frozen=True, kw_only=True)
class ShardHeader:
    """What the schema of a shard says of its pixels.

    Args:
        dtype: Number type in the file.
        shape: (band, y, x) of each cutout.
        bands: Names of the bands.
        kind: Linear flux or display values.
        pixel_scale_arcsec: Size of a pixel; None if unknown.
    """

    dtype: ShardType
    shape: tuple[int, int, int]
    bands: tuple[str, ...]
    kind: PixelKind
    pixel_scale_arcsec: float | None

    @property
    def n_bytes(self) -> int:
        """Bytes of one cutout."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def write_shard(
    path: Path,
    cutouts: Cutouts,
    *,
    dtype: ShardType = "float32",
    labels: Int8[np.ndarray, " n"] | None = None,
) -> None:
    """Write cutouts to a Parquet shard, whole or not at all.

    Args:
        path: Where to; the ending is ``.parquet``.
        cutouts: What to write; NaN stays NaN.
        dtype: ``float16`` halves the size and rounds to 3 digits; ``uint8`` is for pictures.
        labels: 1, 0 or -1 for each cutout.

    Raises:
        InputError: The pixels do not survive in this number type, or the labels do not fit.
    """
    pixels = _packed(cutouts.pixels, dtype)
    n, *shape = pixels.shape
    if labels is not None and len(labels) != n:
        raise InputError(f"There are {n} cutouts but {len(labels)} labels", "Give one each")
    header = {
        "skysieve_shard": SHARD_VERSION,
        "dtype": dtype,
        "shape": json.dumps(shape),
        "bands": json.dumps(cutouts.bands),
        "kind": cutouts.kind,
        "pixel_scale_arcsec": json.dumps(cutouts.pixel_scale_arcsec),
    }
    width = math.prod(shape) * pixels.dtype.itemsize
    columns = {
        "id": pa.array(cutouts.ids, pa.string()),
        "ra": pa.array(cutouts.ra_deg),
        "dec": pa.array(cutouts.dec_deg),
        "pixels": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(width), n, [None, pa.py_buffer(pixels)]
        ),
    }
    if labels is not None:
        columns["label"] = pa.array(labels, pa.int8())
    table = pa.table(columns).replace_schema_metadata(header)
    with whole_file(path) as temporary:
        pq.write_table(
            table,
            temporary,
            row_group_size=ROWS_PER_GROUP,
            compression="none",  # noise does not compress
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
        )


def _packed(
    pixels: Num[np.ndarray, "n band y x"], dtype: ShardType
) -> Num[np.ndarray, "n band y x"]:
    """Convert pixels to the number type of a shard, and refuse to spoil them."""
    if dtype == "float32":
        return np.ascontiguousarray(pixels, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        packed = np.ascontiguousarray(pixels.astype(dtype))
        back = packed.astype(np.float32)
    if dtype == "uint8":
        if not np.array_equal(back, pixels):
            raise InputError(
                "The pixels are not whole numbers from 0 to 255", "Write them as float32"
            )
        return packed
    brightest = float(np.nanmax(np.abs(pixels), initial=0))
    if not np.isfinite(back[np.isfinite(pixels)]).all() or 0 < brightest < 1e-2:
        raise InputError(
            f"float16 cannot hold pixels as large as {brightest:.3g}",
            "Write them as float32, or scale them first",
        )
    return packed


def inspect(path: str, bands: tuple[str, ...] | None, options: ReadOptions) -> Contents:
    """Return what the footer of a shard promises.

    Args:
        path: The file.
        bands: Bands that its name states; a shard states its own.
        options: What the user said.

    Raises:
        ImageError: It is no shard.
    """
    del bands
    with open_regular(path) as file:
        shard = _open(file)
        if picture_tables.holds_pictures(shard.schema_arrow):
            return picture_tables.inspect(shard, options)
        header = read_header(shard.schema_arrow)
        return Contents(rows=shard.metadata.num_rows, planes=header.shape[0], bands=header.bands)


def load(source: Source, rows: range, options: ReadOptions) -> list[Piece]:
    """Read some cutouts of a shard, one row group after the other.

    Raises:
        ImageError: The shard cannot be read at all; a damaged row group is only told of its rows.
    """
    pieces: list[Piece] = []
    with open_regular(source.paths[0]) as file:
        shard = _open(file)
        if picture_tables.holds_pictures(shard.schema_arrow):
            return picture_tables.load(shard, rows, options)
        header = read_header(shard.schema_arrow)
        start = 0
        for group in range(shard.metadata.num_row_groups):
            stop = start + shard.metadata.row_group(group).num_rows
            mine = range(max(rows.start, start), min(rows.stop, stop))
            if mine:
                pieces.extend(_group(shard, group, header, mine, start))
            start = stop
    return pieces


def read_header(schema: pa.Schema) -> ShardHeader:
    """Return what a schema says of the pixels, or raise ImageError if it is no shard's."""
    told = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    version = told.get("skysieve_shard")
    if version is None:
        raise ImageError(
            Status.UNREADABLE,
            "It is a Parquet table without cutouts",
            "Leave catalogs and results out of the folder of images",
        )
    if version != SHARD_VERSION:
        raise ImageError(
            Status.UNREADABLE, f"It is a shard of version {version}", "Update skysieve"
        )
    try:
        header = _checked(told)
        kinds = [schema.field(name).type for name in ("id", "ra", "dec", "pixels")]
    except (KeyError, ValueError, TypeError) as error:
        raise ImageError(
            Status.UNREADABLE, f"Its schema is damaged ({error})", "Write it again"
        ) from None
    if kinds != [pa.string(), pa.float64(), pa.float64(), pa.binary(header.n_bytes)]:
        raise ImageError(Status.BAD_SHAPE, "Its columns are not those of a shard", "Write it again")
    return header


def _checked(told: dict[str, str]) -> ShardHeader:
    shape = tuple(json.loads(told["shape"]))
    bands = tuple(json.loads(told["bands"]))
    scale = json.loads(told["pixel_scale_arcsec"])
    dtype, kind = told["dtype"], told["kind"]
    if dtype not in get_args(ShardType) or kind not in get_args(PixelKind):
        raise ValueError(f"dtype {dtype}, kind {kind}")
    if len(shape) != 3 or not all(isinstance(k, int) and k > 0 for k in shape):
        raise ValueError(f"shape {shape}")
    if shape[0] > MAX_BANDS or len(bands) != shape[0] or shape[1] * shape[2] > MAX_PLANE_PIXELS:
        raise ValueError(f"shape {shape} for {len(bands)} bands")
    if scale is not None and not (isinstance(scale, int | float) and scale > 0):
        raise ValueError(f"pixel_scale_arcsec {scale}")
    return ShardHeader(
        dtype=cast("ShardType", dtype),
        shape=shape,
        bands=bands,
        kind=cast("PixelKind", kind),
        pixel_scale_arcsec=scale,
    )


def _open(file: BinaryIO) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, page_checksum_verification=True, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        size = size_of(file)
        whole = size > 12 and _ends_whole(file, size)
        status = Status.UNREADABLE if whole else Status.TRUNCATED
        reason = str(error).splitlines()[0][:120].rstrip(".")
        raise ImageError(status, f"It is no whole Parquet file ({reason})", _AGAIN) from None


def _ends_whole(file: BinaryIO, size: int) -> bool:
    file.seek(size - 8)
    length, magic = struct.unpack("<I4s", file.read(8))
    return magic == b"PAR1" and length < size


def _group(
    shard: pq.ParquetFile, group: int, header: ShardHeader, rows: range, start: int
) -> list[Piece]:
    try:
        table = shard.read_row_group(group, columns=["id", "ra", "dec", "pixels"])
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:120].rstrip(".")
        damaged = ImageError(Status.UNREADABLE, f"It is damaged here ({reason})", _AGAIN)
        return [Failure(rows=rows, error=damaged)]
    table = table.slice(rows.start - start, len(rows)).combine_chunks()
    if not len(table):
        return []
    if any(table.column(name).null_count for name in ("id", "pixels")):
        return [_single(table.slice(k, 1), header, row) for k, row in enumerate(rows)]
    return [_stack(table, header, rows)]


def _single(table: pa.Table, header: ShardHeader, row: int) -> Piece:
    if table.column("id").null_count or table.column("pixels").null_count:
        missing = ImageError(Status.UNREADABLE, "Its id or pixels are null", "Write it again")
        ids = tuple(name for name in table.column("id").to_pylist() if name is not None)
        return Failure(rows=range(row, row + 1), error=missing, ids=ids)
    return _stack(table, header, range(row, row + 1))


def _stack(table: pa.Table, header: ShardHeader, rows: range) -> Stack:
    chunk = table.column("pixels").chunk(0)
    raw = np.frombuffer(
        chunk.buffers()[1],
        header.dtype,
        count=len(rows) * math.prod(header.shape),
        offset=chunk.offset * header.n_bytes,
    )
    pixels = raw.reshape(len(rows), *header.shape)
    ra, dec = (table.column(name).to_numpy() for name in ("ra", "dec"))
    return Stack(
        rows=rows,
        pixels=pixels.astype(np.float32) if header.dtype == "float16" else pixels,
        bands=header.bands,
        kind=header.kind,
        pixel_scale_arcsec=header.pixel_scale_arcsec,
        ra_deg=ra,
        dec_deg=dec,
        ids=tuple(table.column("id").to_pylist()),
    )
