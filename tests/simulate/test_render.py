"""Rendering, by laws of physics and against lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

from skysieve.recipe.simulation import LensPlan  # noqa: E402
from skysieve.simulate.instrument import moffat  # noqa: E402
from skysieve.simulate.populations import draw_lens  # noqa: E402
from skysieve.simulate.render import (  # noqa: E402
    add_disks,
    add_sersics,
    convolve,
    positions,
    ray_trace,
    render,
)
from skysieve.simulate.scenes import DISK, Scenes  # noqa: E402

SCALE = 0.2


def sersic(radius, n, q=1.0, phi=0.0, counts=1000.0):
    return torch.tensor([[[0.0, 0.0, radius, n, q, phi, counts, counts, counts]]])


@pytest.mark.parametrize(("n", "q"), [(0.5, 1.0), (1.0, 0.5), (2.0, 0.8)])
def test_a_sersic_profile_holds_its_flux(n, q):
    x, y = positions(256, SCALE)
    total = add_sersics(sersic(1.5, n, q, 0.7), x, y, SCALE).sum((2, 3)) * SCALE**2
    np.testing.assert_allclose(total.numpy(), 1000, rtol=0.11)  # the softened cusp costs light


def test_a_point_holds_its_flux():
    x, y = positions(32, SCALE)
    total = add_sersics(sersic(0.0, 0.5), x, y, SCALE).sum((2, 3)) * SCALE**2
    np.testing.assert_allclose(total.numpy(), 1000, rtol=0.03)


@pytest.mark.parametrize(("arms", "ring"), [(0.0, 0.0), (0.9, 0.0), (0.5, 5.0)])
def test_a_disk_holds_about_its_flux(arms, ring):
    shape = dict(zip(DISK, [0, 0, 1, 1, 0.7, 0.4, 2, 3, 1, arms, 2, 0.3, ring, 0.5, 0.5],
                     strict=True))  # fmt: skip
    row = torch.tensor([[[*shape.values(), 1000.0, 1000.0, 1000.0]]])
    x, y = positions(256, SCALE / 2)
    total = add_disks(row, x, y).sum((2, 3)) * (SCALE / 2) ** 2
    np.testing.assert_allclose(total.numpy(), 1000, rtol=0.15)


def test_convolution_keeps_flux_and_place():
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, 20, 40] = 100
    kernel = torch.tensor(moffat(3.5, 3.0))[None, None].float()
    blurred = convolve(image, kernel)
    assert blurred.sum() == pytest.approx(100, rel=1e-4)
    assert divmod(int(blurred.argmax()), 64) == (20, 40)


def test_a_moffat_profile_has_its_width():
    stamp = moffat(6.0, 3.0, side=61)
    row = stamp[30]
    assert stamp.sum() == pytest.approx(1)
    half = np.interp(-row[30] / 2, -row[30:], np.arange(31))
    assert 2 * half == pytest.approx(6.0, rel=0.05)


def test_deflection_agrees_with_lenstronomy():
    lens_model = pytest.importorskip("lenstronomy.LensModel.lens_model")
    from lenstronomy.Util.param_util import phi_q2_ellipticity

    radius, q, phi, shear = 1.7, 0.7, 0.6, (0.04, -0.03)
    deflectors = torch.zeros(1, 3, 6)
    deflectors[0, 0] = torch.tensor([0.1, -0.2, radius, q, phi, 0.0])
    x, y = positions(40, 0.25)
    u, v = ray_trace(deflectors, torch.tensor([shear]), x, y)
    e1, e2 = phi_q2_ellipticity(phi, q)
    model = lens_model.LensModel(["SIE", "SHEAR"])
    lens = [
        {"theta_E": radius, "e1": e1, "e2": e2, "center_x": 0.1, "center_y": -0.2},
        {"gamma1": shear[0], "gamma2": shear[1], "ra_0": 0, "dec_0": 0},
    ]
    bx, by = model.ray_shooting(
        x.numpy().ravel().astype(float), y.numpy().ravel().astype(float), lens
    )
    far = np.hypot(x.numpy() - 0.1, y.numpy() + 0.2).ravel() > 0.3
    np.testing.assert_allclose(u.numpy().ravel()[far], bx[far], atol=3e-3)
    np.testing.assert_allclose(v.numpy().ravel()[far], by[far], atol=3e-3)


def test_lensing_keeps_surface_brightness():
    """The brightest point of an extended source is as bright through a lens as without it."""
    scene = draw_lens(LensPlan(), seed=1, index=0)
    source = np.zeros_like(scene.source)
    source[0, 0] = [0.05, 0.02, 0.8, 0.5, 1, 0, 1000, 1000, 1000]
    deflectors = np.zeros_like(scene.deflectors)
    deflectors[0, 0] = [0, 0, 2.0, 0.8, 0.3, 0]
    psf = np.zeros((1, 3, 3, 3))
    psf[:, :, 1, 1] = 1
    peaks = []
    for mass in (deflectors, np.zeros_like(deflectors)):
        lensed = Scenes(
            light=scene.light, disks=scene.disks, deflectors=mass, shear=np.zeros((1, 2)),
            source=source, companions=scene.companions, kind=("lens",), facts=({},), hosts=scene.hosts,
        )  # fmt: skip
        peaks.append(
            render(lensed, side=64, pixel_scale_arcsec=0.1, psf=psf, compiled=False)[1].max()
        )
    assert peaks[0] == pytest.approx(peaks[1], rel=0.02)
