"""Files that are broken, hostile or not what they say: each is a row that explains itself."""

from __future__ import annotations

import gzip
import os
import pickle
import time

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skysieve.core.errors import InputError, MissingError
from skysieve.core.scores import Status
from skysieve.images import ReadOptions, read, read_span, scan
from skysieve.images.open import read_source
from skysieve.images.sources import Failure, ImageError, Source
from tests.images.formats import BANDS, SPEC, row_of, sky


def header(*cards: str) -> bytes:
    """Return a FITS header of exactly these cards."""
    text = "".join(f"{card:80}" for card in (*cards, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode("latin-1")


def image_header(*, bitpix: object = -32, axes: tuple[object, ...] = (64, 64)) -> bytes:
    """Return the header of an image."""
    sizes = (f"NAXIS{k + 1:<3}= {axis:>20}" for k, axis in enumerate(axes))
    return header(
        "SIMPLE  =                    T",
        f"BITPIX  = {bitpix:>20}",
        f"NAXIS   = {len(axes):>20}",
        *sizes,
    )


HOSTILE_FITS = {
    "empty": (b"", Status.UNREADABLE, "empty"),
    "web page": (b"<!DOCTYPE html><html>Not found</html>", Status.UNREADABLE, "web page"),
    "huge axes": (image_header(axes=(10**9, 10**9)), Status.BAD_SHAPE, "mosaic"),
    "huge cube": (image_header(axes=(4000, 4000, 12)), Status.TRUNCATED, "ends"),
    "negative axis": (image_header(axes=(-64, 64)), Status.BAD_SHAPE, "-64"),
    "fractional axis": (image_header(axes=(64.5, 64)), Status.BAD_SHAPE, "64.5"),
    "many axes": (
        header("SIMPLE  =                    T", "BITPIX  = -32", "NAXIS   = 999"),
        Status.BAD_SHAPE,
        "999",
    ),
    "bitpix": (image_header(bitpix=13), Status.UNREADABLE, "BITPIX"),
    "no end": (image_header().replace(b"END", b"   ") * 90, Status.UNREADABLE, "END"),
    "not ascii": (
        header("SIMPLE  =                    T", "OBSERVER= 'é'"),
        Status.UNREADABLE,
        "ASCII",
    ),
    "cut header": (image_header()[:1000], Status.TRUNCATED, "header"),
    "cut data": (image_header() + bytes(1000), Status.TRUNCATED, "ends"),
    "no image": (
        header("SIMPLE  =                    T", "BITPIX  = 8", "NAXIS   = 0"),
        Status.BAD_SHAPE,
        "no image",
    ),
}


@pytest.mark.parametrize("case", HOSTILE_FITS)
def test_a_broken_fits_file_is_a_row(case, tmp_path):
    data, status, word = HOSTILE_FITS[case]
    path = tmp_path / "x.fits"
    path.write_bytes(data)
    row = row_of(path)
    assert (row.status, "x.fits" in row.message) == (status, True)
    assert word in row.message


def test_a_million_cards_are_refused_at_once(tmp_path):
    path = tmp_path / "x.fits"
    path.write_bytes(image_header()[:400] + b"COMMENT".ljust(80) * 200_000)
    started = time.perf_counter()
    assert row_of(path).status is Status.UNREADABLE
    assert time.perf_counter() - started < 2


def test_a_gzip_bomb_is_refused(tmp_path):
    path = tmp_path / "x.fits.gz"
    path.write_bytes(gzip.compress(image_header(axes=(4000, 4000, 9)) + bytes(10**6)))
    row = row_of(path)
    assert row.status is Status.BAD_SHAPE
    assert "512 MB" in row.message


def test_a_tile_compressed_bomb_is_refused(tmp_path):
    path = tmp_path / "x.fits"
    fits.CompImageHDU(np.zeros((4100, 4100), np.uint8), compression_type="RICE_1").writeto(path)
    assert row_of(path).status is Status.BAD_SHAPE


def test_scaling_beyond_numbers_is_no_data(tmp_path):
    path = tmp_path / "x.fits"
    hdu = fits.PrimaryHDU(np.ones((3, 64, 64), np.int16) * 100)
    hdu.header["BSCALE"] = 1e300
    hdu.writeto(path)
    assert row_of(path).status is Status.NONFINITE


def test_blank_is_no_data(tmp_path):
    path = tmp_path / "x.fits"
    data = np.arange(3 * 64 * 64, dtype=np.int16).reshape(3, 64, 64)
    hdu = fits.PrimaryHDU(data)
    hdu.header["BLANK"] = 5000
    hdu.writeto(path)
    reading = read_span(scan(path), 0, 1, SPEC)
    assert "masked" in reading.rows[0].flags
    assert np.argwhere(np.isnan(reading.groups[0].pixels[0].ravel())).tolist() == [[5000]]


def test_a_flipped_bit_is_seen_where_the_file_has_a_sum(tmp_path):
    path = tmp_path / "x.fits"
    fits.PrimaryHDU(sky(1)[0]).writeto(path, checksum=True)
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    row = row_of(path)
    assert row.status is Status.UNREADABLE
    assert "DATASUM" in row.message


def test_bands_of_different_size_are_never_stretched(tmp_path):
    for band, side in zip(BANDS, (64, 64, 65), strict=True):
        fits.PrimaryHDU(sky(1, side, 1)[0, 0]).writeto(tmp_path / f"x_{band}.fits")
    row = row_of(tmp_path)
    assert row.status is Status.BAD_SHAPE
    assert "i 65 x 65" in row.message


def test_a_missing_band_is_named(tmp_path):
    for band in "gr":
        fits.PrimaryHDU(sky(1, 64, 1)[0, 0]).writeto(tmp_path / f"x_{band}.fits")
    row = row_of(tmp_path)
    assert row.status is Status.BANDS
    assert row.message.startswith("x_{g,r}.fits has g, r, but the finder wants g, r, i: i is")


def test_pictures_that_are_no_cutouts_are_rows(tmp_path):
    Image.new("RGB", (5000, 4000)).save(tmp_path / "big.png", compress_level=1)
    Image.new("CMYK", (64, 64)).save(tmp_path / "cmyk.jpg")
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    (tmp_path / "page.png").write_text("<html>")
    Image.new("P", (64, 64)).save(tmp_path / "real.gif")
    (tmp_path / "real.gif").rename(tmp_path / "really-gif.png")
    listing = scan(tmp_path)
    rows = {row.id: row for row in read_span(listing, 0, listing.n_rows, SPEC).rows}
    assert rows["big"].status is rows["cmyk"].status is rows["moving"].status is Status.BAD_SHAPE
    assert rows["page"].status is rows["really-gif"].status is Status.UNREADABLE


def test_a_table_among_the_images_says_so(tmp_path):
    columns = [fits.Column("a", "E", array=[1.0])]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "catalog.fits")
    row = row_of(tmp_path)
    assert row.status is Status.BAD_SHAPE
    assert "table" in row.message


@given(
    noise=st.binary(max_size=200), at=st.integers(0, 5000), kind=st.sampled_from(["fits", "npy"])
)
def test_damage_anywhere_never_raises(noise, at, kind, tmp_path_factory):
    path = tmp_path_factory.mktemp("damage") / f"x.{kind}"
    if kind == "fits":
        fits.PrimaryHDU(sky(1, 20)[0]).writeto(path)
    else:
        np.save(path, sky(1, 20))
    data = bytearray(path.read_bytes())
    data[at : at + len(noise)] = noise
    path.write_bytes(data)
    listing = scan(path)
    rows = read_span(listing, 0, listing.n_rows, SPEC).rows
    assert len(rows) == listing.n_rows
    assert all(row.message for row in rows if row.status is not Status.OK)


def test_reading_for_the_interface_names_the_bad_file(tmp_path):
    np.save(tmp_path / "good.npy", sky(1)[0])
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match=r"torn\.npy"):
        read(tmp_path)


def test_reading_for_the_interface_refuses_a_mix(tmp_path):
    np.save(tmp_path / "a.npy", sky(1)[0])
    np.save(tmp_path / "b.npy", sky(1, 70)[0])
    with pytest.raises(InputError, match=r"b\.npy has size \(70, 70\), but a\.npy has \(64, 64\)"):
        read(tmp_path)


@pytest.mark.parametrize("given_path", ["http://sky/x.fits", "pipe:cat", "s3://sky/x.fits"])
def test_addresses_are_refused(given_path):
    with pytest.raises(InputError, match="local files"):
        scan(given_path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(MissingError, match="There is no"):
        scan(tmp_path / "nothing")
    (tmp_path / "a.txt").touch()
    with pytest.raises(MissingError, match=r"only 1 \.txt"):
        scan(tmp_path)


def test_an_error_keeps_its_status_across_processes():
    error = pickle.loads(pickle.dumps(ImageError(Status.BANDS, "what", "fix")))
    assert (error.status, error.what, error.fix) == (Status.BANDS, "what", "fix")


def test_a_pipe_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    source = Source(
        name="x", reader="array", paths=(str(tmp_path / "x.npy"),), size_bytes=0, id="x"
    )
    (piece,) = read_source(source, range(1), ReadOptions())
    assert isinstance(piece, Failure)
    assert "regular file" in piece.error.what
