"""Images of systems against surface brightness that lenstronomy gives, integrated to 1e-4 of the peak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
LensModel = pytest.importorskip("lenstronomy.LensModel.lens_model").LensModel

from lenstronomy.LightModel.light_model import LightModel  # noqa: E402

from skysieve.recipe.compound import PopulationPlan  # noqa: E402
from skysieve.simulate.instrument import moffat  # noqa: E402
from skysieve.simulate.lens_kinds import draw_system  # noqa: E402
from skysieve.simulate.mass import Mass, trace  # noqa: E402
from skysieve.simulate.paint_systems import paint  # noqa: E402
from skysieve.simulate.render import add_disks  # noqa: E402
from skysieve.simulate.scenes import LIGHT  # noqa: E402
from skysieve.simulate.systems import BANDS, Draft, Systems, light_row  # noqa: E402
from tests.simulate.lenstronomy_scene import average, sersics  # noqa: E402
from tests.simulate.test_mass import models  # noqa: E402

SCALE, SIDE = 0.187, 64
PSF = np.stack([moffat(3.4, 3.0, q=0.95, phi=0.3, side=33)] * BANDS)
WORST = 2e-3

Rays = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def apart(image: np.ndarray, rows: np.ndarray, disks: np.ndarray, rays: Rays) -> float:
    """Return the greatest difference of an image from that of some light, over the peak."""
    bands = [sersics(rows, band) for band in range(BANDS)]
    model = LightModel(["SERSIC_ELLIPSE"] * len(bands[0]))
    none = np.zeros((BANDS, 1))
    amplitudes = np.array([[row["amp"] for row in band] for band in bands])

    def brightness(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        u, v = rays(x * SCALE, y * SCALE)
        light = none * u
        if bands[0]:
            light = amplitudes @ np.asarray(model.functions_split(u, v, bands[0])[0])
        if disks.any():
            points = (torch.as_tensor(at)[None, None] for at in (u, v))
            light += add_disks(torch.as_tensor(disks)[None], *points)[0, :, 0].numpy()
        return light * SCALE**2

    exact = average(brightness, side=SIDE, psf=PSF, tolerance=1e-4)
    return float((np.abs(image - exact).max((1, 2)) / exact.max((1, 2))).max())


def straight(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x, y


def painted(system: Systems):
    return paint(system, side=SIDE, pixel_scale_arcsec=SCALE, psf=PSF[None])


class TestASource:
    @pytest.mark.parametrize(
        ("radius", "n"), [(0.02, 1.0), (0.05, 0.7), (0.03, 3.0), (0.3, 4.0), (0.6, 1.0)]
    )
    def test_of_any_size_is_as_bright_as_it_is(self, radius, n):
        """Traced by lenstronomy too; 0.02 arcsec are a ninth of a pixel."""
        row = np.array([0.03, -0.05, 1.4, 2.1, 0.75, 0.5, 0.01, 0.2, 0.02, 0.5])
        draft = Draft()
        draft.deflectors.append(row)
        draft.shear = np.array([0.03, -0.02])
        draft.sersics[0].append(
            light_row((0.11, 0.07), radius, n, (0.7, 0.4), np.array([800.0, 1000.0, 1200.0]))
        )
        system = draft.system("test")
        names, numbers = models([row])
        lens = LensModel([*names, "SHEAR"])
        numbers = [*numbers, {"gamma1": 0.03, "gamma2": -0.02}]
        found = apart(
            painted(system).lensed[0][0],
            system.sersics[0, 0],
            system.disks[0, 0],
            lambda x, y: lens.ray_shooting(x, y, numbers),
        )
        assert found < WORST


def drawn(kind: str) -> Systems:
    """Return the first system of a kind, without its quasar and stars."""
    found = (draw_system(kind, PopulationPlan(), seed=3, index=k) for k in range(99))
    system = next(one for one in found if one is not None)
    system.points[:] = 0
    system.light[system.light[..., 2] <= 0] = 0
    return system


@pytest.mark.parametrize("kind", ["galaxy-galaxy", "double-ring", "group", "lens-pair"])
class TestASystem:
    def test_has_the_lensed_light_of_its_sources(self, kind):
        system = drawn(kind)
        tables = (system.deflectors, system.shear, system.reach, system.near)
        mass = Mass(*(torch.as_tensor(table, dtype=torch.float64) for table in tables))
        images = painted(system).lensed
        shining = system.sersics[0].any((1, 2)) | system.disks[0].any((1, 2))
        planes = np.flatnonzero(shining)
        assert len(planes) == (2 if kind in ("double-ring", "lens-pair") else 1)
        for plane in planes:

            def rays(x: np.ndarray, y: np.ndarray, plane: int = plane):
                seen = trace(mass, torch.tensor(x)[None, None], torch.tensor(y)[None, None])[plane]
                return seen[0][0, 0].numpy(), seen[1][0, 0].numpy()

            tables = system.sersics[0, plane], system.disks[0, plane]
            assert apart(images[plane][0], *tables, rays) < WORST

    def test_has_the_light_of_its_lenses(self, kind):
        system = drawn(kind)
        first = len(LIGHT) + BANDS  # after the neighbors'
        rows = np.concatenate(
            [system.light[0, :, : len(LIGHT)], system.light[0, :, first : first + BANDS]], 1
        )
        none = np.zeros((0, system.disks.shape[-1]))
        assert apart(painted(system).hosts[0][0], rows, none, straight) < WORST


def test_a_system_is_the_same_bits_in_any_batch():
    systems = [drawn(kind) for kind in ("group", "double-ring")]
    frame = {"side": SIDE, "pixel_scale_arcsec": SCALE}
    both = paint(Systems.stack(systems), psf=np.stack([PSF, PSF]), **frame)
    alone = paint(systems[1], psf=PSF[None], **frame)
    np.testing.assert_array_equal(both.neighbors[1], alone.neighbors[0])
    for part in ("hosts", "lensed"):
        for one, other in zip(getattr(both, part), getattr(alone, part), strict=True):
            np.testing.assert_array_equal(one[1], other[0])
