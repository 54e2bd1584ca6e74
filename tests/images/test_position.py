"""Positions and pixel sizes agree with astropy's WCS."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from hypothesis import given
from hypothesis import strategies as st

from skysieve.images.cards import read_hdus
from skysieve.images.position import center_of, pixel_scale_of


def wcs_of(ra: float, dec: float, angle: float, projection: str = "TAN") -> WCS:
    """Return a WCS of 0.2 arcsec pixels whose reference point lies off the frame."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [-800.5, 1300]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.cd = turn @ np.diag([-0.2, 0.2]) / 3600
    wcs.wcs.radesys = "ICRS"
    return wcs


def hdu_of(header: fits.Header, folder: Path):
    """Write a frame with these cards, and read its header as skysieve does."""
    path = folder / "x.fits"
    fits.PrimaryHDU(np.zeros((50, 60), np.float32), header).writeto(path, overwrite=True)
    with path.open("rb") as file:
        (hdu,) = read_hdus(file, path.stat().st_size)
    return hdu


@given(
    ra=st.floats(0.1, 359.9),
    dec=st.floats(-89, 89),
    angle=st.floats(0, 6.3),
    projection=st.sampled_from(["TAN", "SIN"]),
)
def test_the_center_is_astropys(ra, dec, angle, projection, tmp_path_factory):
    wcs = wcs_of(ra, dec, angle, projection)
    hdu = hdu_of(wcs.to_header(), tmp_path_factory.mktemp("wcs"))
    sky = wcs.pixel_to_world(29.5, 24.5)
    mine = sky.__class__(*center_of(hdu), unit="deg")
    assert mine.separation(sky) < 1 * u.mas
    expected = proj_plane_pixel_scales(wcs)[0] * 3600
    assert pixel_scale_of(hdu) == pytest.approx(expected, rel=1e-4)


def test_galactic_frames_are_turned_to_icrs(tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval = [30, 60]
    wcs.wcs.crpix = [30.5, 25.5]
    wcs.wcs.cdelt = [-1e-4, 1e-4]
    ra, dec = center_of(hdu_of(wcs.to_header(), tmp_path))
    expected = wcs.pixel_to_world(29.5, 24.5).icrs
    assert (ra, dec) == pytest.approx((expected.ra.deg, expected.dec.deg), abs=1e-6)


@pytest.mark.parametrize("header", [{}, {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}])
def test_no_wcs_is_no_position(header, tmp_path):
    hdu = hdu_of(fits.Header(header), tmp_path)
    assert np.isnan(center_of(hdu)).all()


def test_a_simulated_place_is_no_position_but_has_a_scale(tmp_path):
    hdu = hdu_of(wcs_of(0, 0, 0).to_header(), tmp_path)
    assert np.isnan(center_of(hdu)).all()
    assert pixel_scale_of(hdu) == pytest.approx(0.2)


def test_a_keyword_gives_the_scale_where_there_is_no_wcs(tmp_path):
    assert pixel_scale_of(hdu_of(fits.Header({"PIXSCALE": 0.263}), tmp_path)) == 0.263
