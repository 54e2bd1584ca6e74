"""Parquet tables of encoded pictures: rows like any other, one bad one spoils no other."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from skysieve.core.inputs import InputSpec
from skysieve.core.scores import Status
from skysieve.images import read, read_span, scan
from skysieve.images.picture_tables import write_pictures

SPEC = InputSpec(
    bands=("g", "r", "i"), kind="either", pixel_scale_arcsec=0.2,
    pixel_scale_range_arcsec=(0.1, 0.3), min_side=32, max_side=64,
)  # fmt: skip


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "sky.parquet"
    write_pictures(path, ("a", "b", "c"), [png(1), b"no picture", png(3)], pixel_scale_arcsec=0.2)
    return path


def test_every_row_comes_out_and_the_bad_one_says_why(table):
    reading = read_span(scan([table]), 0, 3, SPEC)
    assert [row.id for row in reading.rows] == ["a", "b", "c"], reading.rows
    assert [row.status for row in reading.rows] == [Status.OK, Status.UNREADABLE, Status.OK]
    assert reading.rows[0].flags == ("rgb",)
    (group,) = reading.groups
    red_last = np.asarray(Image.open(io.BytesIO(png(3)))).transpose(2, 0, 1)[::-1]
    np.testing.assert_array_equal(group.pixels[1], red_last)


def test_a_table_of_bare_bytes_and_positions_is_read(tmp_path):
    path = tmp_path / "hub.parquet"
    pq.write_table(pa.table({"image": [png(1)], "ra": [10.5], "dec": [-3.0]}), path)
    cutouts = read([path])
    assert cutouts.kind == "display"
    assert (cutouts.ra_deg[0], cutouts.dec_deg[0]) == (10.5, -3.0)


def test_a_span_opens_only_its_rows(table):
    (row,) = read_span(scan([table]), 2, 3, SPEC).rows
    assert (row.id, row.row, row.status) == ("c", 2, Status.OK)
