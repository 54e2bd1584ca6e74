"""Deflection and images of points: as lenstronomy has them, and as the laws of lensing want."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
LensModel = pytest.importorskip("lenstronomy.LensModel.lens_model").LensModel

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from lenstronomy.LensModel.Solver.lens_equation_solver import LensEquationSolver  # noqa: E402
from lenstronomy.Util.param_util import phi_q2_ellipticity  # noqa: E402

from skysieve.simulate.mass import POWER_LAW, Mass, deflect, trace  # noqa: E402
from skysieve.simulate.point_images import point_images, traced  # noqa: E402

ROW = st.tuples(
    st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
    st.floats(0.3, 3.0),
    st.floats(1.5, 2.5),
    st.floats(0.25, 0.99),
    st.floats(0, np.pi),
    st.floats(-0.05, 0.05),
    st.floats(0, np.pi),
    st.floats(-0.05, 0.05),
    st.floats(0, np.pi),
)
SHEAR = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))


def models(rows):
    """Return lenstronomy's names and numbers for rows as in ``POWER_LAW``."""
    names, numbers = [], []
    for row in rows:
        c = dict(zip(POWER_LAW, row, strict=True))
        e1, e2 = phi_q2_ellipticity(c["phi"], c["q"])
        center = {"center_x": c["x"], "center_y": c["y"]}
        names.append("EPL")
        numbers.append({"theta_E": c["radius"], "gamma": c["slope"], "e1": e1, "e2": e2, **center})
        for m in (3, 4):
            names.append("MULTIPOLE")
            numbers.append(
                {"m": m, "a_m": c["radius"] * c[f"a{m}"], "phi_m": c[f"phi{m}"], **center}
            )
    return names, numbers


def mass(rows, shear=(0.0, 0.0), reach=(1.0,), near=()) -> Mass:
    table = torch.tensor(rows, dtype=torch.float64).reshape(1, len(rows), 10)
    return Mass(
        table,
        torch.tensor([shear], dtype=torch.float64),
        torch.tensor([reach], dtype=torch.float64),
        torch.tensor(near, dtype=torch.float64).reshape(1, len(near), 10),
    )


def grid(n=14, half=3.01):
    line = torch.linspace(-half, half, n, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x[None], y[None]


@settings(max_examples=10)
@given(st.lists(ROW, min_size=1, max_size=3), SHEAR)
def test_deflection_is_that_of_lenstronomy(rows, shear):
    x, y = grid()
    ((u, v),) = trace(mass(rows, shear), x, y)
    names, numbers = models(rows)
    theirs = LensModel([*names, "SHEAR"])
    numbers = [*numbers, {"gamma1": shear[0], "gamma2": shear[1]}]
    ax, ay = theirs.alpha(x[0].numpy().ravel(), y[0].numpy().ravel(), numbers)
    np.testing.assert_allclose((x - u).numpy().ravel(), ax, atol=2e-5)
    np.testing.assert_allclose((y - v).numpy().ravel(), ay, atol=2e-5)


@settings(max_examples=10)
@given(ROW)
def test_deflection_has_no_curl(row):
    rows = torch.tensor(row, dtype=torch.float64).reshape(1, 1, 10)
    x, y = grid(8)
    step = 1e-5
    across = (deflect(rows, x, y + step)[0] - deflect(rows, x, y - step)[0]) / (2 * step)
    along = (deflect(rows, x + step, y)[1] - deflect(rows, x - step, y)[1]) / (2 * step)
    far = torch.hypot(x - row[0], y - row[1]) > 0.1
    np.testing.assert_allclose(across[far], along[far], atol=1e-4 * row[2] + 1e-3)


@settings(max_examples=10)
@given(ROW)
def test_a_radius_of_zero_is_no_mass(row):
    rows = torch.tensor(row, dtype=torch.float64).reshape(1, 1, 10)
    rows[..., 2] = 0
    assert not any(part.any() for part in deflect(rows, *grid(6)))


@settings(max_examples=10)
@given(st.floats(0.3, 3.0), st.floats(1.5, 2.5), st.floats(0, 2 * np.pi))
def test_the_einstein_ring_of_a_sphere_comes_from_one_point(radius, slope, angle):
    rows = [[0, 0, radius, slope, 1, 0, 0, 0, 0, 0]]
    points = radius * np.array([[np.cos(angle), np.sin(angle)]])
    np.testing.assert_allclose(traced(mass(rows), 0, points), 0, atol=1e-9)


def test_float32_is_good_to_1e_4_arcsec():
    row = [0.1, -0.2, 1.6, 2.1, 0.7, 0.4, 0.01, 0.3, -0.02, 1.0]
    x, y = grid(64)
    fine = deflect(torch.tensor([[row]], dtype=torch.float64), x, y)
    coarse = deflect(torch.tensor([[row]], dtype=torch.float32), x.float(), y.float())
    for one, other in zip(fine, coarse, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


class TestTwoSourcePlanes:
    ROWS = ((0.0, 0.0, 1.4, 2.05, 0.75, 0.6, 0.01, 0.2, 0.01, 0.9),)
    NEAR = ((0.15, 0.05, 0.3, 2.0, 0.8, 1.0, 0, 0, 0, 0),)

    @pytest.mark.filterwarnings("ignore:Cosmology is provided")
    def test_are_those_of_lenstronomy(self):
        """All three planes, with distances of a universe and the masses by their radii."""
        from astropy.cosmology import FlatLambdaCDM

        cosmology = FlatLambdaCDM(H0=70, Om0=0.3)
        lens, near, far = 0.3, 0.7, 2.0
        names, numbers = models(self.ROWS)
        # Their radii are for the last plane.
        reach = self.reach(cosmology, lens, near, far)
        scaled = [{**n} for n in numbers]
        scaled[0]["theta_E"] = self.for_last(self.ROWS[0], reach)
        for one in scaled[1:]:
            one["a_m"] = one["a_m"] * reach
        near_names, near_numbers = models(self.NEAR)
        theirs = LensModel(
            [*names, near_names[0]],
            z_source=far,
            lens_redshift_list=[lens] * len(names) + [near],
            cosmo=cosmology,
            multi_plane=True,
        )
        x, y = grid(16)
        # lenstronomy puts what lies behind a plane where it lies on the sky without deflection.
        bx, by = theirs.ray_shooting(
            x.numpy().ravel(), y.numpy().ravel(), [*scaled, near_numbers[0]]
        )
        planes = trace(mass(self.ROWS, reach=(1.0, reach), near=self.NEAR), x, y)
        np.testing.assert_allclose(planes[1][0].numpy().ravel(), bx, atol=1e-4)
        np.testing.assert_allclose(planes[1][1].numpy().ravel(), by, atol=1e-4)

    @staticmethod
    def reach(cosmology, lens, near, far):
        d = [cosmology.comoving_distance(z).value for z in (lens, near, far)]
        return (1 - d[0] / d[2]) / (1 - d[0] / d[1])

    @staticmethod
    def for_last(row, reach):
        """A power law whose deflection is `reach` times as strong has this radius."""
        return row[2] * reach ** (1 / (row[3] - 1))

    def test_without_mass_in_the_nearer_scale_the_deflection(self):
        x, y = grid(8)
        near, far = trace(mass(self.ROWS, reach=(1.0, 1.3)), x, y)
        np.testing.assert_allclose((x - far[0]), 1.3 * (x - near[0]), rtol=1e-12)

    def test_the_nearer_is_blind_to_its_own_mass(self):
        x, y = grid(8)
        with_mass = trace(mass(self.ROWS, reach=(1.0, 1.3), near=self.NEAR), x, y)
        without = trace(mass(self.ROWS, reach=(1.0, 1.3)), x, y)
        np.testing.assert_array_equal(with_mass[0][0], without[0][0])
        assert (with_mass[1][0] != without[1][0]).all()


class TestImagesOfAPoint:
    @settings(max_examples=6)
    @given(
        st.floats(0.55, 0.9),
        st.floats(1.85, 2.25),
        SHEAR,
        st.floats(0, 0.9),
        st.floats(0, 2 * np.pi),
    )
    def test_come_from_it_and_are_those_of_lenstronomy(self, q, slope, shear, offset, angle):
        rows = [[0.05, -0.02, 1.3, slope, q, 0.7, 0.01, 0.3, 0.01, 1.2]]
        source = (offset * np.cos(angle), offset * np.sin(angle))
        ours = point_images(mass(rows, shear), source, half_field_arcsec=4.0)
        assert len(ours)
        back = traced(mass(rows, shear), 0, ours[:, :2])
        assert np.abs(back - source).max() < 1e-3
        names, numbers = models(rows)
        numbers = [*numbers, {"gamma1": shear[0], "gamma2": shear[1]}]
        model = LensModel([*names, "SHEAR"])
        x, y = LensEquationSolver(model).image_position_from_source(
            *source, numbers, min_distance=0.05, search_window=8.0, precision_limit=1e-9
        )
        theirs = model.magnification(x, y, numbers)
        # Near a caustic two images merge, and one solver or the other misses the pair.
        bright = (np.abs(theirs) > 0.05) & (np.abs(theirs) < 40)
        for px, py, m in zip(x[bright], y[bright], theirs[bright], strict=True):
            k = np.argmin(np.hypot(ours[:, 0] - px, ours[:, 1] - py))
            assert np.hypot(ours[k, 0] - px, ours[k, 1] - py) < 1e-3
            assert ours[k, 2] == pytest.approx(m, rel=5e-3)

    def test_of_a_sphere_are_two_of_known_magnification(self):
        rows = [[0, 0, 1.0, 2, 1, 0, 0, 0, 0, 0]]
        images = point_images(mass(rows), (0.3, 0.0), half_field_arcsec=3.0)
        assert images[:, 0] == pytest.approx([1.3, -0.7], abs=1e-6)
        assert images[:, 2] == pytest.approx([1.3 / 0.3, -0.7 / 0.3], rel=1e-4)

    def test_far_outside_is_one(self):
        rows = [[0, 0, 1.0, 2, 0.8, 0, 0, 0, 0, 0]]
        assert len(point_images(mass(rows), (2.5, 0.4), half_field_arcsec=6.0)) == 1
