"""The fast painter: laws of light, the slow renderer, and lenstronomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

from scipy.ndimage import gaussian_filter  # noqa: E402
from scipy.special import gammainc, gammaincinv  # noqa: E402

from skysieve.core.survey import survey  # noqa: E402
from skysieve.recipe.scenarios import scenario_plan  # noqa: E402
from skysieve.recipe.simulation import CameraPlan  # noqa: E402
from skysieve.simulate.instrument import draw_psf  # noqa: E402
from skysieve.simulate.painter import paint_parts, paint_whole  # noqa: E402
from skysieve.simulate.populations import draw_lens, draw_nonlens  # noqa: E402
from skysieve.simulate.psf import draw_wide_stamps, gaussian, moffat, wide_moffats  # noqa: E402
from skysieve.simulate.render import add_disks, positions  # noqa: E402
from skysieve.simulate.scenes import DISK, Scenes  # noqa: E402

SCALE = 0.2
NO_PSF = np.pad(np.ones((1, 1, 1, 1)), ((0, 0), (0, 0), (1, 1), (1, 1)))
SEEING = moffat(3.7, 3.0, q=0.95, phi=0.3, side=33)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scene(**tables: list[list[float]]) -> Scenes:
    """Return a scene in one band: light, disks, source and deflectors are lists of rows."""
    columns = {"light": 7, "disks": 16, "source": 7, "companions": 7, "deflectors": 6}
    filled = {
        name: np.array(tables.get(name, np.zeros((0, count))), float).reshape(1, -1, count)
        for name, count in columns.items()
    }
    shear = np.array(tables.get("shear", [[0, 0]]), float)
    return Scenes(**filled, shear=shear, kind=("test",), facts=({},), hosts=(99,))


def paint(one: Scenes, side: int = 64, psf: np.ndarray = NO_PSF) -> np.ndarray:
    return paint_whole(one, side=side, pixel_scale_arcsec=SCALE, psf=psf, compiled=False)[0, 0]


def centered(side: int) -> tuple[np.ndarray, np.ndarray]:
    line = (np.arange(side) - (side - 1) / 2) * SCALE
    return line[None, :], line[:, None]


class TestASersicProfile:
    @pytest.mark.parametrize("n", [0.5, 1.0, 2.0, 4.0, 6.0])
    def test_holds_its_light(self, n):
        """The frame is a square: its light lies between that of the circles in and about it."""
        image = paint(scene(light=[[0.03, -0.07, 1.0, n, 1, 0, 1000]]), 128)
        within = [
            1000 * gammainc(2 * n, gammaincinv(2 * n, 0.5) * radius ** (1 / n))
            for radius in (12.6, 12.9 * np.sqrt(2))
        ]
        assert within[0] * 0.999 < image.sum() < within[1] * 1.001

    @pytest.mark.parametrize(("n", "q"), [(0.7, 0.9), (1.0, 0.5), (2.5, 0.6), (4.0, 0.8)])
    def test_holds_half_of_it_within_its_radius(self, n, q):
        radius, phi = 4.8, 0.6
        image = paint(scene(light=[[0, 0, radius, n, q, phi, 1000]]), 256)
        x, y = centered(256)
        u, v = x * np.cos(phi) + y * np.sin(phi), (y * np.cos(phi) - x * np.sin(phi)) / q
        assert image[np.hypot(u, v) < radius].sum() == pytest.approx(500, rel=0.01)

    @pytest.mark.parametrize("radius", [0.01, 0.06])
    def test_too_small_for_a_pixel_keeps_flux_place_and_moments(self, radius):
        at, q, phi = (0.31, -0.53), 0.5, 0.4
        image = paint(scene(light=[[*at, radius, 1, q, phi, 1000]])).astype(float) / 1000
        x, y = centered(64)
        assert image.sum() == pytest.approx(1, rel=1e-5)
        assert ((image * x).sum(), (image * y).sum()) == pytest.approx(at, abs=1e-4)
        along = 6 * (radius / 1.67835) ** 2 / 2  # an exponential disk has <r²> of 6 scale lengths²
        expected = along * (np.cos(phi) ** 2 + (q * np.sin(phi)) ** 2) + SCALE**2 / 12
        assert (image * (x - at[0]) ** 2).sum() == pytest.approx(expected, rel=1e-2)


def test_a_star_is_the_point_spread_function_at_its_place():
    at, fwhm = (0.33, -0.47), 4.0
    psf = gaussian(fwhm, side=33)[None, None]
    image = paint(scene(light=[[*at, 0, 0.5, 1, 0, 1000]]), psf=psf)
    # The stamp is averaged over pixels, and so is the light before it.
    variance = SCALE**2 * (fwhm**2 / (8 * np.log(2)) + 2 / 12)
    x, y = centered(64)
    exact = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * variance))
    exact *= 1000 * SCALE**2 / (2 * np.pi * variance)
    assert np.abs(image - exact).max() < 2.5e-3 * exact.max()


@pytest.mark.parametrize("shape", [
    [2, 3, 0.3, 0.0, 0, 1, 0, 0, 0],
    [2, 3, 0.3, 0.9, 0, 1, 0, 0, 0],
    [3, 4, 1.0, 0.5, 2, 0.3, 5, 0.5, 0.7],
])  # fmt: skip
def test_a_disk_is_the_average_over_each_pixel_of_the_slow_renderers(shape):
    row = [0.1, -0.2, 1.2, 1, 0.7, 0.4, *shape, 1000.0]
    image = paint(scene(disks=[row]), 48)
    fine, times = SCALE / 8, 8
    x, y = positions(48 * times, fine)
    slow = add_disks(torch.tensor([[row]], dtype=torch.float32), x, y)[0, 0].numpy() * SCALE**2
    slow = slow.reshape(48, times, 48, times).mean((1, 3))
    assert len(row) == len(DISK) + 1
    apart, blurred = (gaussian_filter(light, 1.5) for light in (image - slow, slow))
    assert np.abs(apart).max() < 2e-3 * blurred.max()


def test_lensing_keeps_surface_brightness():
    """The brightest point of an extended source is as bright through a lens as without it."""
    source = [[0.05, 0.02, 0.8, 0.5, 1, 0, 1000]]
    lensed = paint(scene(source=source, deflectors=[[0, 0, 2.0, 0.8, 0.3, 0]]))
    plain = paint(scene(source=source, deflectors=[[0, 0, 0, 0, 0, 0]]))
    assert lensed.max() == pytest.approx(plain.max(), rel=0.02)
    assert lensed.sum() > 4 * plain.sum()


@pytest.fixture(scope="module")
def drawn():
    plan = scenario_plan("lens-gri")
    scenes = [draw_lens(plan.lens, seed=1, index=k) for k in range(3)]
    scenes += [draw_nonlens(plan.nonlens, seed=1, index=k) for k in range(3)]
    stamps = [draw_psf(plan.camera, survey("cfhtls"), seed=1, index=k) for k in range(6)]
    frame = {"side": 32, "pixel_scale_arcsec": SCALE, "compiled": False}
    return scenes, np.stack(stamps), frame


class TestAScene:
    def test_is_the_same_bits_in_any_batch(self, drawn):
        scenes, psf, frame = drawn
        together = paint_parts(Scenes.stack(scenes), psf=psf, **frame)
        turned = paint_parts(Scenes.stack(scenes[::-1]), psf=psf[::-1], **frame)
        alone = paint_parts(scenes[1], psf=psf[1:2], **frame)
        for one, two, three in zip(together, turned, alone, strict=True):
            np.testing.assert_array_equal(one, two[::-1])
            np.testing.assert_array_equal(one[1:2], three)

    def test_is_the_sum_of_its_parts(self, drawn):
        scenes, psf, frame = drawn
        parts = paint_parts(Scenes.stack(scenes), psf=psf, **frame)
        whole = paint_whole(Scenes.stack(scenes), psf=psf, **frame)
        total = parts.host + parts.neighbors + parts.lensed
        np.testing.assert_allclose(whole, total, atol=1e-5 * total.max())
        assert all(part.sum() > 0 for part in parts)

    def test_without_lensing_has_the_same_ordinary_light(self, drawn):
        scenes, psf, frame = drawn
        parts = paint_parts(Scenes.stack(scenes), psf=psf, **frame)
        bare = paint_parts(Scenes.stack(scenes), psf=psf, lensing=False, **frame)
        np.testing.assert_array_equal(bare.host, parts.host)
        np.testing.assert_array_equal(bare.neighbors, parts.neighbors)
        assert not bare.lensed.any()


@pytest.mark.filterwarnings("ignore:.axes. should not be:DeprecationWarning")  # of SciPy's caller
class TestAgainstLenstronomy:
    """With every pixel of theirs averaged as finely as it takes; no star and no disk with arms."""

    def apart(self, scenes: Scenes, psf: np.ndarray, side: int, k: int = 0) -> np.ndarray:
        """Return the greatest difference of each band over its peak."""
        pytest.importorskip("lenstronomy", reason="the independent check is in the extra [dev]")
        from tests.simulate.lenstronomy_scene import Brightness, average

        ours = paint_whole(scenes, side=side, pixel_scale_arcsec=SCALE, psf=psf, compiled=False)[k]
        brightness = Brightness(scenes, k, bands=len(ours), scale=SCALE)
        theirs = average(brightness, side=side, psf=psf[k], tolerance=1e-4, margin=16)
        return np.abs(ours - theirs).max((1, 2)) / theirs.max((1, 2))

    def one_apart(self, one: Scenes) -> float:
        return float(self.apart(one, SEEING[None, None], 32)[0])

    @pytest.mark.parametrize(
        ("radius", "n", "q"), [(0.35, 0.7, 0.25), (0.35, 1, 0.8), (0.8, 1.5, 0.5), (1.0, 2, 0.8)]
    )
    def test_a_profile_is_the_same(self, radius, n, q):
        assert self.one_apart(scene(light=[[0.13, -0.21, radius, n, q, 0.5, 1000]])) < 1e-3

    @pytest.mark.parametrize(
        ("radius", "n", "q"), [(0.28, 1, 0.6), (0.12, 0.7, 1), (0.5, 1.5, 0.9)]
    )
    def test_an_arc_is_the_same(self, radius, n, q):
        source = [[0.15, 0.1, radius, n, q, 0.5, 1000]]
        mass = [[0, 0, 1.5, 0.7, 0.4, 0]]
        assert self.one_apart(scene(source=source, deflectors=mass, shear=[[0.05, -0.03]])) < 1e-3

    def test_two_lenses_are_the_same(self):
        source = [[0.15, 0.1, 0.3, 0.8, 0.7, 0.5, 1000]]
        mass = [[0, 0, 1.3, 0.7, 0.4, 0], [0.9, -0.6, 0.5, 0.8, 1.0, 0]]
        assert self.one_apart(scene(source=source, deflectors=mass)) < 1e-3

    def test_a_sky_is_the_same(self):
        """Cusps and all: of 64 scenes in three bands the median is 2.5e-4 and the worst 7e-4."""
        pytest.importorskip("lenstronomy", reason="the independent check is in the extra [dev]")
        from tests.simulate.lenstronomy_scene import draw_comparable

        scenes, psf = draw_comparable(8, seed=5)
        found = np.concatenate([self.apart(scenes, psf, 64, k)[:, None] for k in range(8)])
        assert np.median(found) < 4e-4
        assert found.max() < 1e-3


class TestAWideStamp:
    def test_is_the_profile_that_is_averaged_point_by_point(self):
        fwhm = np.array([2.5, 3.7])
        stamps = wide_moffats(fwhm, 3.0, q=0.9, phi=0.5)
        side, points = stamps.shape[-1], 15
        line = (np.arange(side * points) - (side * points - 1) / 2) / points
        x, y = line[None, :], line[:, None]
        u, v = x * np.cos(0.5) + y * np.sin(0.5), (y * np.cos(0.5) - x * np.sin(0.5)) / 0.9
        for stamp, width in zip(stamps, fwhm, strict=True):
            profile = (1 + (u**2 + v**2) * 4 * (2 ** (1 / 3) - 1) / width**2) ** -3.0
            exact = profile.reshape(side, points, side, points).mean((1, 3))
            assert np.abs(stamp / stamp.max() - exact / exact.max()).max() < 2e-3
            assert stamp.sum() == pytest.approx(1, rel=1e-5)

    def test_fades_before_its_edge(self):
        stamp = wide_moffats(np.array([3.7]), 2.5, q=1.0, phi=0.0)[0]
        assert stamp[0].max() < 1e-2 * stamp[len(stamp) // 2, 8]

    def test_is_what_the_camera_draws(self):
        camera, instrument = CameraPlan(), survey("cfhtls")
        wide = draw_wide_stamps(camera, instrument, seed=3, index=5)
        narrow = draw_psf(camera, instrument, seed=3, index=5)
        inner = slice(16, 49)
        for one, other in zip(wide[:, inner, inner], narrow, strict=True):
            np.testing.assert_allclose(one / one.max(), other / other.max(), atol=3e-3)


@pytest.mark.slow
def test_compiled_is_the_same_to_rounding():
    plan = scenario_plan("lens-gri")
    one = draw_lens(plan.lens, seed=1, index=0)
    one = replace(one, disks=draw_nonlens(plan.nonlens, seed=1, index=0).disks)
    psf = draw_psf(plan.camera, survey("cfhtls"), seed=1, index=0)[None]
    frame = {"side": 32, "pixel_scale_arcsec": SCALE, "psf": psf}
    for fast, slow in zip(
        paint_parts(one, **frame), paint_parts(one, compiled=False, **frame), strict=True
    ):
        np.testing.assert_allclose(fast, slow, atol=1e-5 * slow.max())
