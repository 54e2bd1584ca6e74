"""Parquet shards: what is written comes back, and damage is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import InputError
from skysieve.core.scores import Status
from skysieve.images import read, read_span, scan, write_shard
from tests.images.formats import BANDS, SPEC, sky


def cutouts(n: int = 600, side: int = 16) -> Cutouts:
    """Return small cutouts with positions; three row groups of them by default."""
    return Cutouts(
        ids=tuple(f"obj{k}" for k in range(n)),
        pixels=sky(n, side),
        bands=BANDS,
        pixel_scale_arcsec=0.2,
        ra_deg=np.linspace(0, 359, n),
        dec_deg=np.linspace(-90, 90, n),
    )


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_a_shard_gives_back_what_was_written(dtype, tmp_path):
    written = cutouts()
    if dtype == "uint8":
        pixels = np.round(np.clip(written.pixels, 0, 255))
        written = Cutouts(ids=written.ids, pixels=pixels, bands=BANDS, kind="display")
    write_shard(tmp_path / "a.parquet", written, dtype=dtype, labels=np.ones(600, np.int8))
    back = read(tmp_path)
    np.testing.assert_allclose(back.pixels, written.pixels, rtol=1e-3, atol=1e-3)
    assert (back.ids, back.bands, back.kind) == (written.ids, BANDS, written.kind)
    assert back.pixel_scale_arcsec == written.pixel_scale_arcsec
    np.testing.assert_array_equal(back.ra_deg, written.ra_deg)
    assert pq.read_table(tmp_path / "a.parquet")["label"].to_pylist() == [1] * 600


def test_any_span_of_a_shard_is_the_same(tmp_path):
    written = cutouts()
    write_shard(tmp_path / "a.parquet", written)
    listing = scan(tmp_path)
    reading = read_span(listing, 250, 520, SPEC)
    assert [row.id for row in reading.rows] == [f"obj{k}" for k in range(250, 520)]
    assert [row.row for row in reading.rows] == list(range(250, 520))
    inner = reading.groups[0].pixels[:, :, 24:40, 24:40]
    np.testing.assert_array_equal(inner, written.pixels[250:520])


def test_a_flipped_bit_costs_one_row_group(tmp_path):
    path = tmp_path / "a.parquet"
    write_shard(path, cutouts())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    rows = read_span(scan(path), 0, 600, SPEC).rows
    bad = [k for k, row in enumerate(rows) if row.status is Status.UNREADABLE]
    assert bad == list(range(256, 512))
    assert [row.status for row in rows].count(Status.OK) == 600 - 256


def test_a_cut_shard_and_a_catalog_say_what_they_are(tmp_path):
    write_shard(tmp_path / "a.parquet", cutouts(3))
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[:-50])
    pq.write_table(pa.table({"id": ["x"], "ra": [1.0]}), tmp_path / "catalog.parquet")
    listing = scan(tmp_path)
    rows = read_span(listing, 0, listing.n_rows, SPEC).rows
    assert [row.status for row in rows] == [Status.TRUNCATED, Status.UNREADABLE]
    assert "without cutouts" in rows[1].message


def test_a_null_image_is_one_bad_row(tmp_path):
    write_shard(tmp_path / "a.parquet", cutouts(3, 64))
    table = pq.read_table(tmp_path / "a.parquet")
    pixels = table["pixels"].to_pylist()
    pixels[1] = None
    holed = table.set_column(3, "pixels", pa.array(pixels, table.schema.field("pixels").type))
    pq.write_table(holed, tmp_path / "a.parquet")
    rows = read_span(scan(tmp_path), 0, 3, SPEC).rows
    assert [row.status for row in rows] == [Status.OK, Status.UNREADABLE, Status.OK]
    assert rows[1].id == "obj1"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("skysieve_shard", "99"),
        ("shape", "[3, 64, 65]"),
        ("shape", "[1e9, 64, 64]"),
        ("bands", '["g"]'),
        ("dtype", "object"),
        ("kind", "other"),
        ("pixel_scale_arcsec", "-1"),
        ("shape", "not json"),
    ],
)
def test_a_schema_that_does_not_fit_is_refused(key, value, tmp_path):
    write_shard(tmp_path / "a.parquet", cutouts(3, 64))
    table = pq.read_table(tmp_path / "a.parquet")
    told = {**table.schema.metadata, key.encode(): value.encode()}
    pq.write_table(table.replace_schema_metadata(told), tmp_path / "a.parquet")
    (row,) = read_span(scan(tmp_path), 0, 1, SPEC).rows
    assert row.status in {Status.UNREADABLE, Status.BAD_SHAPE}


def spoiled(factor: float) -> Cutouts:
    """Return cutouts in other units."""
    return Cutouts(ids=("a",), pixels=sky(1) * np.float32(factor), bands=BANDS)


@pytest.mark.parametrize(("factor", "dtype"), [(1e-11, "float16"), (1e6, "float16"), (1, "uint8")])
def test_pixels_are_never_spoiled_in_silence(factor, dtype, tmp_path: Path):
    with pytest.raises(InputError, match="float32"):
        write_shard(tmp_path / "a.parquet", spoiled(factor), dtype=dtype)
    assert list(tmp_path.iterdir()) == []
