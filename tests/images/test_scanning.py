"""Finding images: which files are one object, what they are called, what is passed over."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from skysieve.core.scores import Status
from skysieve.images import ReadOptions, could_have, describe_bands, known_bands, read_span, scan
from skysieve.images.names import band_of, bands_in, composite_bands, label_in, without_band
from tests.images.formats import BANDS, SPEC, sky


def write(path: Path, pixels: np.ndarray | None = None) -> None:
    """Write one plane as FITS, or a cutout as npy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = sky(1)[0] if pixels is None else pixels
    if path.suffix == ".npy":
        np.save(path, data)
    else:
        fits.PrimaryHDU(data[0]).writeto(path)


@pytest.mark.parametrize(
    ("stem", "rest", "band"),
    [
        ("100108+024029_g", "100108+024029", "g"),
        ("imageSDSS_R-100002", "imageSDSS-100002", "r"),
        ("imageEUC_VIS-100049", "imageEUC-100049", "VIS"),
        ("AEGIS_F606w_images_01", "AEGIS_images_01", "F606W"),
        ("frame-i-003893", "frame-003893", "i"),
        ("cutout.Y", "cutout", "Y"),
        ("g", "", "g"),
        ("r_J1234-5", "J1234-5", "r"),
    ],
)
def test_a_band_in_a_name_is_found(stem, rest, band):
    assert without_band(stem) == (rest, band)


@pytest.mark.parametrize("stem", ["instruments__hst", "J1234", "g_r", "abell370", ""])
def test_no_band_is_invented(stem):
    assert without_band(stem) is None


def test_names_of_bands():
    assert [band_of(word) for word in ("y", "Y", "U", "f814w", "N501", "x")] == [
        "y",
        "Y",
        "u",
        "F814W",
        None,
        None,
    ]
    assert band_of("N501", also=("N501",)) == "N501"
    assert bands_in("stack_g_r_i") == BANDS
    assert composite_bands("VICS82_3000818_iJKs_zoom") == ("Ks", "J", "i")
    assert composite_bands("CFHTLS_001_1555_gri") == ("i", "r", "g")
    assert composite_bands("great_galaxy") is None
    assert label_in(("data", "train_lenses", "sub_a")) == "train_lenses"
    assert label_in(("data",)) is None


def test_files_of_one_object_are_one_source(tmp_path):
    for name in ("A_g", "A_r", "A_i", "B_r", "B_i"):
        write(tmp_path / "all" / f"{name}.fits")
    a, b = scan(tmp_path).sources
    assert (a.name, a.id, a.bands) == ("all/A_{g,r,i}.fits", "A", BANDS)
    assert (b.name, b.id, b.bands) == ("all/B_{r,i}.fits", "B", ("r", "i"))


def test_folders_that_name_a_band_do_not_part_an_object(tmp_path):
    for number, band in enumerate("RIGU"):
        write(tmp_path / "lens" / f"Band{number + 1}" / f"imageSDSS_{band}-7.fits")
    (source,) = scan(tmp_path).sources
    assert source.bands == ("u", "g", "r", "i")
    assert (source.id, source.label) == ("imageSDSS-7", "lens")


def test_ids_are_short_and_unique(tmp_path):
    for name in (
        "lenses/1.npy",
        "nonlenses/1.npy",
        "lenses/2.npy",
        "lenses/3.npy",
        "lenses/3.fits",
    ):
        write(tmp_path / name)
    listing = scan(tmp_path)
    assert {source.id for source in listing.sources} == {
        "lenses/1",
        "nonlenses/1",
        "2",
        "lenses/3.npy",
        "lenses/3.fits",
    }
    assert [source.label for source in listing.sources][-1] == "nonlenses"


def test_several_inputs_keep_their_names_apart(tmp_path):
    write(tmp_path / "a" / "x.npy")
    write(tmp_path / "b" / "x.npy")
    listing = scan([tmp_path / "a", tmp_path / "b", tmp_path / "a" / "x.npy"])
    assert [source.name for source in listing.sources] == ["a/x.npy", "b/x.npy"]
    named = scan([tmp_path / "a" / "x.npy", tmp_path / "b" / "x.npy"])
    assert [source.name for source in named.sources] == ["a/x.npy", "b/x.npy"]
    globbed = scan(str(tmp_path / "*" / "*.npy"))
    assert [source.name for source in globbed.sources] == ["a/x.npy", "b/x.npy"]


def test_the_order_does_not_depend_on_the_disk(tmp_path):
    for name in ("z.npy", "b/c.npy", "a.npy", "b/a.npy"):
        write(tmp_path / name)
    names = [source.name for source in scan(tmp_path).sources]
    assert names == ["a.npy", "z.npy", "b/a.npy", "b/c.npy"]


def test_what_is_no_image_is_counted(tmp_path):
    write(tmp_path / "a.npy")
    for name in ("labels.csv", "notes.txt", "more.csv", "Makefile"):
        (tmp_path / name).touch()
    for name in (".hidden.npy", ".tmp-1-x.npy"):
        (tmp_path / name).touch()
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.json").touch()
    write(run / "b.npy")
    listing = scan(tmp_path)
    assert len(listing.sources) == 1
    assert listing.ignored == {"(folder of a run)": 1, "(no ending)": 1, ".csv": 2, ".txt": 1}


def test_links_lead_nowhere_outside(tmp_path):
    write(tmp_path / "secret" / "s.npy")
    inside = tmp_path / "images"
    write(inside / "a.npy")
    (inside / "out").symlink_to(tmp_path / "secret")
    (inside / "out.npy").symlink_to(tmp_path / "secret" / "s.npy")
    (inside / "loop").symlink_to(inside)
    (inside / "gone.npy").symlink_to(inside / "nothing.npy")
    (inside / "twin.npy").symlink_to(inside / "a.npy")
    os.mkfifo(inside / "pipe.npy")
    (inside / "folder.fits").mkdir()
    listing = scan(inside)
    assert [source.name for source in listing.sources] == ["a.npy", "twin.npy"]
    assert listing.ignored["(link out of the folder)"] == 2
    assert len(scan(inside / "out.npy").sources) == 1  # named by the user


NAMES = [
    "with space",
    "new\nline",
    "quote\"'",
    "[1]",
    "%2e",
    "🌌",
    "\u202ertl",
    "caf\u00e9",
    "cafe\u0301",
    "A",
    "a",
    "x" * 240,
]


def test_strange_names_work_and_stay_exact(tmp_path):
    for name in NAMES:
        write(tmp_path / f"{name}.npy")
    listing = scan(tmp_path)
    rows = read_span(listing, 0, listing.n_rows, SPEC).rows
    assert {row.id for row in rows} == set(NAMES)
    assert {row.status for row in rows} == {Status.OK}
    assert len(scan(str(tmp_path / "[1].npy")).sources) == 1


def test_a_name_that_is_no_text_is_a_row(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"bad\xff.npy")  # noqa: PTH118
    Path(os.fsdecode(path)).write_bytes(b"")
    listing = scan(tmp_path)
    (row,) = read_span(listing, 0, 1, SPEC).rows
    assert row.status is Status.UNREADABLE
    assert "UTF-8" in row.message
    assert listing.model_dump_json()


def test_options_name_planes_and_scale(tmp_path):
    write(tmp_path / "a.npy", sky(1, 64, 5)[0])
    options = ReadOptions(bands=("g", "r", "i", "z", "y"), pixel_scale_arcsec=0.168, kind="display")
    row = read_span(scan(tmp_path, options), 0, 1, SPEC).rows[0]
    assert row.flags == ("extra_bands",)
    wrong = ReadOptions(bands=("g", "r"))
    row = read_span(scan(tmp_path, wrong), 0, 1, SPEC).rows[0]
    assert (row.status, "5 planes but 2 bands" in row.message) == (Status.BANDS, True)


def test_stamps_of_unlike_size_are_a_row_each(tmp_path):
    sizes = (70, 64, 90)
    first, *others = (sky(1, side, 1)[0, 0] for side in sizes)
    hdus = [fits.PrimaryHDU(first), *map(fits.ImageHDU, others)]
    fits.HDUList(hdus).writeto(tmp_path / "stamps_r.fits")
    listing = scan(tmp_path)
    one = SPEC.model_copy(update={"bands": ("r",)})
    reading = read_span(listing, 0, 3, one)
    assert [row.id for row in reading.rows] == ["stamps#0", "stamps#1", "stamps#2"]
    assert [group.pixels.shape for group in reading.groups] == [
        (1, 1, 64, 64),
        (1, 1, 80, 80),
        (1, 1, 96, 96),
    ]


def test_whether_a_finder_could_work_is_known_before(tmp_path):
    write(tmp_path / "x_r.fits")
    listing = scan(tmp_path)
    assert known_bands(listing) == {("r",): 1}
    assert not could_have(listing, BANDS)
    assert could_have(listing, ("r",))
    (tmp_path / "torn.fits").touch()
    assert not could_have(scan(tmp_path), BANDS)
    assert describe_bands(scan(tmp_path)) == "not readable (1); r (1)"
    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    assert could_have(scan(tmp_path), BANDS)
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "torn.fits").touch()
    assert could_have(scan(tmp_path / "only"), BANDS)
