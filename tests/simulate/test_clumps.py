"""Subhalos and vortices as numbers: counts, masses, places and lengths, by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, kstest

from skysieve.recipe.substructure import (
    SUBSTRUCTURE_MODELS,
    MainLensPlan,
    PointMassPlan,
    SubhaloPlan,
    SubstructureCameraPlan,
    VortexPlan,
)
from skysieve.simulate.clumps import (
    SYSTEM,
    dispersion_km_s,
    draw_subhalos,
    draw_system,
    draw_vortices,
    einstein_area_arcsec2,
    expected_subhalos,
    mass_in_circle,
    reduced_radius,
    scale_radius_kpc,
    wavelength_kpc,
)
from skysieve.simulate.galaxies import COSMOLOGY, einstein_radius_arcsec, kpc_per_arcsec

PLAN = SUBSTRUCTURE_MODELS["III"]
RADIUS = 1.5


def system(**changes):
    numbers = dict.fromkeys(SYSTEM, 0.0) | {"einstein_radius": RADIUS, "q": 0.8} | changes
    return np.array(list(numbers.values()))


def plan(**changes):
    return PLAN.model_copy(update={"subhalos": SubhaloPlan(**changes)})


def drawn(many, the_plan):
    return [draw_subhalos(the_plan, system(), seed=1, index=k) for k in range(many)]


def masses_of(tables):
    unit = einstein_area_arcsec2(1.0, PLAN.lens.redshift, PLAN.lens.source_redshift)
    return np.concatenate([table[:, 2] for table in tables]) / unit


class TestUnits:
    def test_a_lens_of_1e12_suns_has_the_radius_of_angular_diameter_distances(self):
        """1.665 arcsec; luminosity distances, as in the source code, would give 1.281."""
        assert np.sqrt(einstein_area_arcsec2(1e12, 0.5, 1.0)) == pytest.approx(1.665, abs=2e-3)

    def test_the_critical_density_is_that_of_lenstronomy(self):
        cosmo = pytest.importorskip("lenstronomy.Cosmo.lens_cosmo")
        lens = cosmo.LensCosmo(0.5, 1.0, cosmo=COSMOLOGY)
        expected = 1 / (np.pi * lens.sigma_crit_angle)
        assert einstein_area_arcsec2(1.0, 0.5, 1.0) == pytest.approx(expected, rel=1e-4)

    def test_scale_radii_are_those_of_lenstronomy(self):
        cosmo = pytest.importorskip("lenstronomy.Cosmo.lens_cosmo")
        lens = cosmo.LensCosmo(0.5, 1.0, cosmo=COSMOLOGY)
        mass = 3e8
        concentration = 5.71 * (mass * 0.7 / 2e12) ** -0.084 * 1.5**-0.47
        expected, _ = lens.nfw_physical2angle(mass, concentration)
        ours = scale_radius_kpc(np.array([mass]), 0.5)[0] / kpc_per_arcsec(0.5)
        assert ours == pytest.approx(expected, rel=2e-3)

    def test_dispersion_undoes_the_einstein_radius(self):
        dispersion = dispersion_km_s(1.4, 0.5, 1.0)
        assert einstein_radius_arcsec(dispersion, 0.5, 1.0) == pytest.approx(1.4, rel=1e-4)

    def test_the_wavelength_is_that_of_quantum_mechanics(self):
        from astropy import constants

        mass = 1e-22 * 1.78266192e-36  # kg
        meters = constants.h.value / (mass * 250e3)
        assert wavelength_kpc(1e-22, 250) == pytest.approx(meters / 3.0857e19, rel=5e-3)


class TestSubhalos:
    def test_their_number_is_poisson(self):
        counts = np.array([len(table) for table in drawn(600, plan(mass_msun=(2e8, 1e10)))])
        expected = expected_subhalos(plan(mass_msun=(2e8, 1e10)), RADIUS)
        assert counts.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 600))
        spread = np.square(counts - counts.mean()).sum() / expected
        assert chi2.ppf(1e-3, 599) < spread < chi2.ppf(1 - 1e-3, 599)

    @pytest.mark.parametrize("slope", [-1.9, -1.7])
    def test_their_masses_have_the_slope_asked_for(self, slope):
        wanted = plan(mass_msun=(1e7, 1e10), slope=slope)
        log_mass = np.log(masses_of(drawn(60, wanted)))
        assert len(log_mass) > 5000

        def loss(power):  # minus the log-likelihood, per halo, of a truncated power law
            p = power + 1
            norm = (np.exp(p * np.log(1e10)) - np.exp(p * np.log(1e7))) / p
            return np.log(norm) - power * log_mass.mean()

        fitted = minimize_scalar(loss, bounds=(-2.6, -1.2), method="bounded").x
        assert fitted == pytest.approx(slope, abs=0.03)

    def test_their_surface_density_is_the_published_share(self):
        """Half of the critical density is at the Einstein radius; the share of it is in clumps."""
        wanted = plan(mass_msun=(1e7, 1e9), mass_fraction=0.02)
        tables = drawn(150, wanted)
        reach = wanted.subhalos.reach_einstein_radii * RADIUS
        convergence = sum(table[:, 2].sum() for table in tables) / len(tables) / reach**2
        in_range = (1e9**0.1 - 1e7**0.1) / (1e9**0.1 - 1e6**0.1)
        assert convergence == pytest.approx(0.5 * 0.02 * in_range, rel=0.06)

    def test_they_fill_a_disk_about_the_lens_evenly(self):
        lens = system(x=0.3, y=-0.2)
        table = np.concatenate([draw_subhalos(PLAN, lens, seed=2, index=k) for k in range(20)])
        reach = PLAN.subhalos.reach_einstein_radii * RADIUS
        r = np.hypot(table[:, 0] - 0.3, table[:, 1] + 0.2)
        assert kstest((r / reach) ** 2, "uniform").pvalue > 1e-3

    def test_tides_cut_near_halos_shorter(self):
        table = np.concatenate(drawn(10, PLAN))
        assert (table[:, 3:] > 0).all()
        assert 0.5 < np.median(table[:, 4]) < 10

    def test_points_have_no_size(self):
        table = drawn(1, plan(profile=PointMassPlan()))[0]
        assert (table[:, 3:] == 0).all()
        same = drawn(1, PLAN)[0]
        np.testing.assert_array_equal(table[:, :3], same[:, :3])


class TestVortices:
    def test_are_as_long_as_the_wavelength(self):
        sigma = dispersion_km_s(RADIUS, 0.5, 1.0)
        for k in range(20):
            table, log10_mass = draw_vortices(PLAN, system(), seed=1, index=k)
            assert -24 <= log10_mass <= -23
            expected = wavelength_kpc(10**log10_mass, sigma) / kpc_per_arcsec(0.5)
            np.testing.assert_allclose(table[:, 3], expected)

    def test_are_longer_than_the_point_spread_of_every_camera(self):
        widest = max(model.camera.psf_fwhm_arcsec for model in SUBSTRUCTURE_MODELS.values())
        lengths = [draw_vortices(PLAN, system(), seed=1, index=k)[0][0, 3] for k in range(200)]
        assert min(lengths) > 2 * widest

    def test_share_the_mass_asked_for(self):
        many = PLAN.model_copy(update={"vortices": VortexPlan(count=5, mass_fraction=0.04)})
        table, _ = draw_vortices(many, system(), seed=1, index=0)
        assert table[:, 2].sum() == pytest.approx(0.04 * RADIUS**2)
        assert len(table) == 5

    def test_lie_about_the_lens_in_every_direction(self):
        lens = system(x=0.3, y=-0.2)
        rows = np.concatenate([draw_vortices(PLAN, lens, seed=1, index=k)[0] for k in range(400)])
        r = np.hypot(rows[:, 0] - 0.3, rows[:, 1] + 0.2)
        assert kstest((r / RADIUS) ** 2, "uniform").pvalue > 1e-3
        assert kstest(rows[:, 4] / np.pi, "uniform").pvalue > 1e-3


class TestSystems:
    def test_pairs_share_their_lens(self):
        rows = [draw_system(PLAN, kind=kind, seed=1, index=4) for kind in ("no", "sphere", "vort")]
        np.testing.assert_array_equal(rows[0], rows[1])
        np.testing.assert_array_equal(rows[0], rows[2])

    def test_without_pairs_lenses_differ(self):
        single = PLAN.model_copy(update={"paired": False})
        rows = [draw_system(single, kind=kind, seed=1, index=4) for kind in ("no", "sphere")]
        assert not np.isclose(rows[0], rows[1])[:13].any()

    def test_stay_in_the_plan(self):
        rows = np.stack([draw_system(PLAN, kind="no", seed=1, index=k) for k in range(300)])
        column = dict(zip(SYSTEM, rows.T, strict=True))
        low, high = PLAN.lens.einstein_radius_arcsec
        assert low <= column["einstein_radius"].min() < column["einstein_radius"].max() <= high
        assert np.hypot(column["gamma1"], column["gamma2"]).max() <= PLAN.lens.shear[1]
        away = np.hypot(column["source_x"] - column["x"], column["source_y"] - column["y"])
        assert away.max() <= PLAN.source.offset_arcsec


@pytest.mark.parametrize("q", [0.3, 0.65, 0.95])
def test_the_mass_of_an_ellipsoid_in_a_circle_is_its_integral(q):
    expected, _ = quad(lambda a: 1 / np.sqrt(q * np.cos(a) ** 2 + np.sin(a) ** 2 / q), 0, 2 * np.pi)
    assert mass_in_circle(np.array([q]))[0] == pytest.approx(expected / (2 * np.pi), rel=1e-6)


def test_a_reduced_lens_leaves_room_for_what_is_inside():
    radius, q, inside = np.array([1.5]), np.array([0.7]), np.array([0.06])
    smooth = reduced_radius(radius, q, inside)
    together = smooth * radius * mass_in_circle(q) + inside
    np.testing.assert_allclose(together, radius**2 * mass_in_circle(q))


@pytest.mark.parametrize(
    "make",
    [
        lambda: MainLensPlan(einstein_radius_arcsec=(2.0, 1.0)),
        lambda: MainLensPlan(redshift=1.0, source_redshift=0.5),
        lambda: MainLensPlan(axis_ratio=(0.1, 0.9)),
        lambda: SubhaloPlan(mass_msun=(-1.0, 1e9)),
        lambda: SubhaloPlan(mass=(1e7, 1e9)),
        lambda: VortexPlan(mass_fraction=2.0),
        lambda: SubstructureCameraPlan(
            **PLAN.camera.model_dump() | {"psf_fwhm_arcsec": 1.0, "pixel_scale_arcsec": 0.1}
        ),
    ],
)
def test_impossible_plans_are_refused(make):
    with pytest.raises(ValidationError):
        make()
