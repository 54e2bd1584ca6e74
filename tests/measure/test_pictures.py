"""Color pictures: what a person sees of a cutout."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.visualization import make_lupton_rgb

from skysieve.core.errors import InputError
from skysieve.measure.pictures import (
    BLACK_SIGMA,
    LINEAR_SIGMA,
    NO_DATA,
    SOFTENING,
    WEIGHTS,
    color_picture,
)

GRI = ("g", "r", "i")


def sky(bands: int = 3, seed: int = 0):
    return np.random.default_rng(seed).normal(size=(bands, 40, 40)).astype(np.float32)


def test_the_reddest_band_is_red_whatever_the_order():
    pixels = sky()
    pixels[2, 20, 20] += 300
    picture = color_picture(pixels, "flux", GRI)
    assert picture[20, 20].argmax() == 0
    swapped = color_picture(pixels[::-1].copy(), "flux", GRI[::-1])
    np.testing.assert_array_equal(picture, swapped)


def test_four_bands_show_the_reddest_a_middle_one_and_the_bluest():
    pixels = sky(4)
    np.testing.assert_array_equal(
        color_picture(pixels, "flux", ("g", "r", "i", "z")),
        color_picture(pixels[[0, 1, 3]], "flux", ("g", "r", "z")),
    )


@pytest.mark.parametrize("bands", [("VIS",), ("g", "i")])
def test_fewer_than_three_bands_are_gray(bands):
    picture = color_picture(sky(len(bands)), "flux", bands)
    assert (picture == picture[..., :1]).all()
    assert picture.std() > 0


@pytest.mark.parametrize("unit", [1e-11, 1.0, 1e6])
def test_the_unit_of_flux_does_not_show(unit):
    pixels = sky()
    np.testing.assert_allclose(
        color_picture((pixels * unit).astype(np.float32), "flux", GRI).astype(int),
        color_picture(pixels, "flux", GRI).astype(int),
        atol=1,
    )


def test_the_stretch_is_that_of_lupton():
    pixels = sky()
    pixels[:, 15:25, 15:25] += 20
    weights = np.array([WEIGHTS[band] for band in GRI])
    above = pixels - np.median(pixels, axis=(1, 2), keepdims=True)
    noise = 1.4826 * np.median(np.abs(above), axis=(1, 2)) * weights
    blue, green, red = above * (weights / np.median(noise))[:, None, None]
    theirs = make_lupton_rgb(
        red, green, blue, minimum=BLACK_SIGMA, stretch=LINEAR_SIGMA, Q=SOFTENING
    )
    ours = color_picture(pixels, "flux", GRI)
    unsaturated = (theirs < 255).all(axis=-1) & (ours < 255).all(axis=-1)
    assert unsaturated.mean() > 0.9
    np.testing.assert_allclose(ours[unsaturated].astype(int), theirs[unsaturated], atol=2)


def test_pixels_without_data_have_a_color_of_their_own():
    pixels = sky()
    pixels[0, 3, 4] = np.nan
    pixels[1, 5, 6] = np.inf
    picture = color_picture(pixels, "flux", GRI)
    assert tuple(picture[3, 4]) == tuple(picture[5, 6]) == NO_DATA
    assert tuple(picture[0, 0]) != NO_DATA


@pytest.mark.parametrize("value", [np.nan, 0.0, 1e30, -1e30])
@pytest.mark.parametrize("kind", ["flux", "display"])
def test_an_empty_cutout_has_a_picture(value, kind):
    picture = color_picture(np.full((3, 8, 8), value, np.float32), kind, GRI)
    assert picture.shape == (8, 8, 3)
    assert picture.dtype == np.uint8


def test_a_display_picture_is_shown_as_it_is():
    shown = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    planes = shown.transpose(2, 0, 1)[::-1].astype(np.float32)  # g r i holds blue, green, red
    np.testing.assert_array_equal(color_picture(planes, "display", GRI), shown)
    np.testing.assert_array_equal(color_picture(planes / 255, "display", GRI), shown)


def test_bands_that_do_not_match_are_refused():
    with pytest.raises(InputError, match="2 bands"):
        color_picture(sky(), "flux", ("g", "r"))
