"""The light of injected arcs, by laws and against lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="injecting needs the extra [train]")
pytest.importorskip("caustics", reason="injecting needs the extra [train]")

from skysieve.simulate.galaxies import colors, red_magnitude_i
from skysieve.simulate.injection import System, guess_redshift
from skysieve.simulate.lensed_light import (
    fineness,
    lensed_light,
    smooth_kernel,
    stamp_kernel,
)
from skysieve.simulate.psf import moffat

SCALE = 0.25
FINE = fineness(SCALE)


def system(*, radius=1.4, center=(0.0, 0.0), place=(0.2, 0.1), shear=(0.03, -0.04)) -> System:
    source = np.zeros((6, 9))
    source[0] = [*place, 0.35, 1.0, 0.7, 0.5, 500.0, 800.0, 1000.0]
    return System(
        deflector=np.array([*center, radius, 0.75, 0.6, 0.0]),
        shear=np.array(shear),
        source=source,
        source_g_ab=23.0,
        z_lens=0.4,
        z_source=1.5,
    )


def seen(one: System, fwhm_arcsec: float = 0.8, side: int = 61) -> np.ndarray:
    kernel = smooth_kernel(fwhm_arcsec / SCALE, FINE, 3.5)
    return lensed_light(
        one, ("g", "r", "i"), shape=(side, side), pixel_scale_arcsec=SCALE, kernels=(kernel,) * 3
    )


def test_without_a_lens_a_source_keeps_its_flux_and_place():
    light = seen(system(radius=1e-6, shear=(0.0, 0.0), place=(0.75, -0.5)))
    np.testing.assert_allclose(light.sum((1, 2)), [500, 800, 1000], rtol=0.03)
    y, x = np.mgrid[:61, :61] - 30
    assert (light[1] * x).sum() / light[1].sum() == pytest.approx(3, abs=0.05)
    assert (light[1] * y).sum() / light[1].sum() == pytest.approx(-2, abs=0.05)


def test_a_system_moves_with_its_host():
    """Shear is about the lens: three pixels aside everything is the same."""
    middle, aside = seen(system()), seen(system(center=(3 * SCALE, -2 * SCALE)))
    np.testing.assert_allclose(
        aside[:, 10:50, 15:55], middle[:, 12:52, 12:52], atol=2e-3 * middle.max()
    )


def test_a_stamp_is_seen_as_the_profile_it_is_an_image_of():
    """A measured stamp holds the pixel already; it is not taken twice."""
    stamp = moffat(3.2, 3.5, side=31)
    kernels = (stamp_kernel(stamp, FINE),) * 3
    light = lensed_light(
        system(), ("g", "r", "i"), shape=(61, 61), pixel_scale_arcsec=SCALE, kernels=kernels
    )
    np.testing.assert_allclose(light, seen(system()), atol=0.02 * light.max())


def test_arcs_agree_with_lenstronomy():
    image_model = pytest.importorskip("lenstronomy.ImSim.image_model")
    from lenstronomy.Data.pixel_grid import PixelGrid
    from lenstronomy.Data.psf import PSF
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel
    from lenstronomy.Util.param_util import phi_q2_ellipticity

    one, side, fwhm = system(), 61, 0.8
    start = -(side - 1) / 2 * SCALE
    grid = PixelGrid(side, side, SCALE * np.eye(2), start, start)
    psf = PSF("GAUSSIAN", fwhm=fwhm, pixel_size=SCALE, truncation=5)
    model = image_model.ImageModel(
        grid,
        psf,
        lens_model_class=LensModel(["SIE", "SHEAR"]),
        source_model_class=LightModel(["SERSIC_ELLIPSE"]),
        kwargs_numerics={"supersampling_factor": 9, "supersampling_convolution": True},
    )
    e1, e2 = phi_q2_ellipticity(0.6, 0.75)
    lens = [
        {"theta_E": 1.4, "e1": e1, "e2": e2, "center_x": 0, "center_y": 0},
        {"gamma1": 0.03, "gamma2": -0.04, "ra_0": 0, "dec_0": 0},
    ]
    e1, e2 = phi_q2_ellipticity(0.5, 0.7)
    source = [{"amp": 1, "R_sersic": 0.35 * np.sqrt(0.7), "n_sersic": 1.0, "e1": e1, "e2": e2,
               "center_x": 0.2, "center_y": 0.1}]  # fmt: skip
    theirs = model.image(lens, source)
    kernel = smooth_kernel(fwhm / SCALE, FINE, None)
    mine = lensed_light(
        one, ("r",), shape=(side, side), pixel_scale_arcsec=SCALE, kernels=(kernel,)
    )[0]
    np.testing.assert_allclose(
        mine / mine.sum(), theirs / theirs.sum(), atol=0.03 * theirs.max() / theirs.sum()
    )


@pytest.mark.parametrize("z", [0.2, 0.4, 0.6])
def test_the_redshift_of_a_red_galaxy_is_found_from_its_colors(z):
    (gr, ri), i = colors("red", z), red_magnitude_i(z, 220)
    found = guess_redshift({"g": i + ri + gr, "r": i + ri, "i": i})
    assert found == pytest.approx(z, abs=0.03)
    assert np.isnan(guess_redshift({"r": 20.0}))
