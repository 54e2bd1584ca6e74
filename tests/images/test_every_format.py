"""Promises that every format keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skysieve.core.scores import Status
from skysieve.images import Listing, Reading, read, read_span, scan
from tests.images.formats import SPEC, WRITERS, sky


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Listing, np.ndarray]:
    """The same three cutouts in one format after the other, and their pixels."""
    pixels = sky()
    if request.param == "fits_scaled":
        pixels = np.round(abs(pixels))  # whole numbers
    WRITERS[request.param](tmp_path, pixels)
    return scan(tmp_path), pixels


def pixels_of(reading: Reading) -> np.ndarray:
    """Return the pixels of rows that were all read, in the order of the rows."""
    (group,) = reading.groups
    assert group.index.tolist() == list(range(len(reading.rows)))
    return group.pixels


class TestEveryFormat:
    def test_gives_the_pixels_that_were_written(self, written):
        listing, pixels = written
        reading = read_span(listing, 0, listing.n_rows, SPEC)
        np.testing.assert_array_equal(pixels_of(reading), pixels)

    def test_names_each_row(self, written):
        listing, pixels = written
        reading = read_span(listing, 0, listing.n_rows, SPEC)
        assert len(reading.rows) == len(pixels)
        assert [row.id.replace("#", "") for row in reading.rows] == ["obj0", "obj1", "obj2"]

    def test_gives_the_same_rows_in_any_cut(self, written):
        listing, pixels = written
        whole = read_span(listing, 0, 3, SPEC)
        for k in range(3):
            part = read_span(listing, k, k + 1, SPEC)
            assert part.rows[0].id == whole.rows[k].id
            assert part.rows[0].source == whole.rows[k].source
            np.testing.assert_array_equal(pixels_of(part)[0], pixels[k])

    def test_survives_the_plan(self, written):
        listing, _ = written
        again = Listing.model_validate_json(listing.model_dump_json())
        assert again == listing
        assert read_span(again, 0, 3, SPEC).rows[0].status is Status.OK

    def test_is_read_as_cutouts(self, written):
        listing, pixels = written
        cutouts = read([path for source in listing.sources for path in source.paths])
        assert len(cutouts) == 3
        order = [cutouts.bands.index(b) for b in "gri"] if "g" in cutouts.bands else [0, 1, 2]
        np.testing.assert_array_equal(cutouts.pixels[:, order], pixels)

    def test_says_when_a_file_changed(self, written):
        listing, _ = written
        path = Path(listing.sources[0].paths[0])
        path.write_bytes(path.read_bytes() + b"more")
        first = read_span(listing, 0, 1, SPEC).rows[0]
        assert first.status is Status.CHANGED
        assert "new run" in first.message

    def test_says_when_a_file_is_gone(self, written):
        listing, _ = written
        Path(listing.sources[0].paths[0]).unlink()
        assert read_span(listing, 0, 3, SPEC).rows[0].status is Status.CHANGED

    def test_a_cut_file_is_a_row_and_never_an_error(self, written):
        listing, _ = written
        path = Path(listing.sources[-1].paths[-1])
        data = path.read_bytes()
        for length in (0, 5, 100, len(data) // 3, int(len(data) * 0.65)):
            path.write_bytes(data[:length])
            cut = scan(path.parent if path.parent.name not in "gri" else path.parent.parent)
            rows = read_span(cut, 0, cut.n_rows, SPEC).rows
            assert len(rows) == cut.n_rows
            bad = [row for row in rows if row.status is not Status.OK]
            assert bad
            assert all(row.message.endswith(".") for row in bad)
            assert {row.status for row in bad} <= {
                Status.TRUNCATED,
                Status.UNREADABLE,
                Status.BAD_SHAPE,
            }
