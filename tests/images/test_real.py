"""Real images of nine surveys and simulations: every one is a row, and says what was done."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from skysieve.core.scores import Status
from skysieve.images import Reading, ReadOptions, could_have, read_span, scan
from tests.images.formats import SPEC

pytestmark = pytest.mark.real

COUNTS = {
    "cfhtls": {Status.OK: 167},
    "cfhtls_wide": {Status.OK: 167},
    "cfhtls_npy": {Status.OK: 167},
    "des_lrg": {Status.OK: 46},
    "bologna": {Status.OK: 12, Status.BANDS: 16},
    "ps1": {Status.OK: 56, Status.BANDS: 1},
    "lens_zoo/artifacts": {Status.OK: 11, Status.BANDS: 8},
    "lens_zoo": {Status.OK: 43, Status.BANDS: 41},
    "hsc_scenes": {Status.OK: 2, Status.BANDS: 2},
    "cosmos_stamps": {Status.BANDS: 103, Status.BAD_SHAPE: 1},
    "pyautolens_sim": {Status.BANDS: 25},
}


@pytest.fixture
def reading(request, real_data) -> Reading:
    """All rows of one folder."""
    listing = scan(real_data / request.param)
    return read_span(listing, 0, listing.n_rows, SPEC)


@pytest.mark.parametrize(
    ("reading", "counts"), COUNTS.items(), indirect=["reading"], ids=list(COUNTS)
)
def test_every_image_is_a_row(reading, counts):
    assert Counter(row.status for row in reading.rows) == counts
    assert len({row.id for row in reading.rows}) == len(reading.rows)
    assert sum(len(group.index) for group in reading.groups) == counts.get(Status.OK, 0)
    assert all(bool(row.message) == (row.status is not Status.OK) for row in reading.rows)
    for group in reading.groups:
        assert group.pixels.shape[2] == group.pixels.shape[3]
        assert not np.isinf(group.pixels).any()


@pytest.mark.parametrize("reading", ["bologna"], indirect=True)
def test_the_mark_of_the_bologna_challenge_is_no_data(reading):
    marked = [row.id for row in reading.rows if "mask_value" in row.flags]
    assert marked == ["imageSDSS-100023"]
    assert max(np.nanmax(group.pixels) for group in reading.groups) < 1e-6


@pytest.mark.parametrize("reading", ["ps1"], indirect=True)
def test_pan_starrs_frames_know_where_they_are(reading):
    rows = {row.id: row for row in reading.rows}
    assert rows["HAHJ1328-3132"].message.endswith("use a finder of the bands there are.")
    assert rows["COOLJ1241+2219"].ra_deg == pytest.approx(190.3758, abs=2e-3)
    assert rows["COOLJ1241+2219"].dec_deg == pytest.approx(22.3277, abs=2e-3)
    masked = {row.id for row in reading.rows if "masked" in row.flags}
    assert masked == {"J1150+1016", "SDSSJ1142+2509", "HAHJ1731+2251"}
    assert not any("scale_assumed" in row.flags for row in reading.rows)


@pytest.mark.parametrize("reading", ["des_lrg"], indirect=True)
def test_a_cube_per_band_is_a_row_per_object(reading):
    assert [row.id for row in reading.rows] == [f"des_lrg#{k}" for k in range(46)]
    assert {row.source for row in reading.rows} == {"{g,r,i,z,Y}.fits"}


def test_unnamed_planes_can_be_named(real_data):
    options = ReadOptions(bands=("g", "r", "i", "z", "y"))
    listing = scan([*(real_data / "hsc_scenes").glob("*.fits")], options)
    rows = read_span(listing, 0, 2, SPEC).rows
    assert {row.flags for row in rows} == {("extra_bands", "padded")}


def test_a_folder_of_one_band_is_known_to_lack_three(real_data):
    assert not could_have(scan(real_data / "bologna" / "space_based"), SPEC.bands)
    assert not could_have(scan(real_data / "pyautolens_sim"), SPEC.bands)


def test_a_folder_of_galaxy_pictures_is_read(real_data):
    paths = sorted((real_data / "gz1" / "images").glob("*.jpeg"))[:40]
    listing = scan(paths)
    reading = read_span(listing, 0, 40, SPEC)
    assert {row.flags for row in reading.rows} == {("cropped", "rgb", "scale_assumed")}
    assert reading.rows[0].id == paths[0].stem
