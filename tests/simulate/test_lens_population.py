"""Populations: densities integrate to what they count, weighted draws follow them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")


from skysieve.core.random import stream  # noqa: E402
from skysieve.simulate.galaxies import COSMOLOGY, einstein_radius_arcsec  # noqa: E402
from skysieve.simulate.halos import growth, halo_density, mass_function, transfer  # noqa: E402
from skysieve.simulate.lens_draws import (  # noqa: E402
    LENS_REDSHIFTS,
    SOURCE_REDSHIFTS,
    draw_deflector,
    draw_galaxy_behind,
    log_uniform,
)
from skysieve.simulate.lens_population import (  # noqa: E402
    ARCMIN2,
    DEG2,
    comoving_mpc,
    companion_density,
    dispersion,
    draw_axis_ratio,
    draw_shear,
    draw_slope,
    early_type,
    effective_size,
    galaxy_counts,
    galaxy_density,
    quasar_density,
    rate_per_deg2,
    reach,
    source_redshift,
    source_share,
    volume,
)


def area(values, at):
    return float(np.trapezoid(values, at))


class TestDensities:
    def test_of_galaxies_add_up_to_those_of_the_paper(self):
        sigma = np.linspace(1, 900, 4000)
        assert area(galaxy_density(sigma), sigma) == pytest.approx(8.0e-3 * 0.7**3, rel=1e-3)

    def test_of_volume_add_up_to_the_sky(self):
        z = np.linspace(1e-3, 2, 2000)
        sky = area(volume(z), z) * 129600 / np.pi
        assert sky == pytest.approx(COSMOLOGY.comoving_volume(2.0).value, rel=1e-3)

    def test_of_sources_add_up_to_the_counts(self):
        i = np.linspace(10, 25, 4000)
        assert area(galaxy_counts(i), i) * ARCMIN2 == pytest.approx(46, rel=1e-3)

    def test_of_source_redshifts_have_the_mean_of_the_paper(self):
        share = (np.arange(2000) + 0.5) / 2000
        mean = float(source_redshift(share, 24.0).mean())
        assert mean == pytest.approx(3 * (0.0417 * 24 - 0.744), rel=2e-2)
        np.testing.assert_allclose(source_share(source_redshift(share, 24.0), 24.0), share)

    def test_of_quasars_rise_with_magnitude_and_peak_at_redshift_2(self):
        z = np.linspace(0.3, 4.9, 200)
        counts = [area(quasar_density(i, z), z) * DEG2 for i in (18, 19, 20, 21)]
        assert (np.diff(counts) > 0).all()
        # About ten a square degree are brighter than 19.1 (Richards et al. 2006).
        bright = np.linspace(15, 19.1, 40)
        total = area(np.array([area(quasar_density(i, z), z) for i in bright]), bright) * DEG2
        assert 4 < total < 16
        assert 1 < z[np.argmax(quasar_density(19.0, z))] < 2.6

    def test_of_companions_are_the_projected_correlation_function(self):
        """Summed along the line of sight, r0 9.8 Mpc/h and slope 1.94."""
        depth = np.linspace(-400, 400, 2_000_001)
        along = (np.hypot(depth, 0.5) / 14.0) ** -1.94
        tail = 2 * 400 * (400 / 14.0) ** -1.94 / 0.94  # what lies beyond
        assert float(companion_density(np.array(0.5))) == pytest.approx(
            area(along, depth) + tail, rel=1e-3
        )


class TestHalos:
    def test_hold_all_matter(self):
        """The mass function of Sheth & Tormen puts every particle in some halo."""
        mass = np.geomspace(1e10, 1e16, 500)
        held = area(mass_function(mass, np.array(0.0)) * mass, np.log(mass))
        matter = 0.3 * 2.775e11 * 0.7**2
        assert 0.3 * matter < held < 0.8 * matter  # the rest is in halos below 1e10

    def test_grow_like_the_universe(self):
        assert float(growth(np.array(0.0))) == 1
        # In a universe of matter alone it is the scale factor, which the past was.
        early = growth(np.array([20.0, 41.0]))
        assert early[0] / early[1] == pytest.approx(2, rel=1e-2)

    def test_are_rarer_when_heavier_or_earlier(self):
        sigma = np.array([300.0, 500.0, 800.0])
        now, then = (halo_density(sigma, np.array(z)) for z in (0.1, 1.0))
        assert (np.diff(now) < 0).all()
        assert then[2] < now[2]

    def test_transfer_begins_at_one(self):
        assert float(transfer(np.array(1e-6))) == pytest.approx(1, abs=1e-3)
        assert (np.diff(transfer(np.geomspace(1e-5, 10, 50))) < 0).all()


class TestGeometry:
    def test_dispersion_is_the_inverse_of_the_einstein_radius(self):
        radius = einstein_radius_arcsec(240.0, 0.4, 1.7)
        sigma = dispersion(np.array(radius), np.array(0.4), np.array(1.7))
        assert float(sigma) == pytest.approx(240, rel=1e-3)

    def test_nothing_in_front_is_deflected(self):
        assert float(reach(np.array(0.8), np.array(0.5))) == 0
        assert np.isinf(dispersion(np.array(1.0), np.array(0.8), np.array(0.5)))

    def test_a_comoving_length_is_an_angle(self):
        wanted = COSMOLOGY.kpc_comoving_per_arcmin(0.5).value / 60 / 1000
        assert comoving_mpc(1.0, 0.5) == pytest.approx(wanted, rel=1e-4)


class TestDraws:
    def test_of_lenses_are_as_published(self):
        rng = stream(1, "test")
        slopes = np.array([draw_slope(rng) for _ in range(4000)])
        assert slopes.mean() == pytest.approx(2.078, abs=0.01)
        assert slopes.std() == pytest.approx(0.16, abs=0.01)
        shear = np.hypot(*np.array([draw_shear(rng) for _ in range(4000)]).T)
        assert np.median(shear) == pytest.approx(0.05, rel=0.05)
        assert np.log10(shear).std() == pytest.approx(0.2, abs=0.01)

    def test_of_axis_ratios_are_rounder_for_heavier_galaxies(self):
        rng = stream(1, "test")
        means = [np.mean([draw_axis_ratio(rng, s) for _ in range(3000)]) for s in (150, 350)]
        # The mean of a Rayleigh distribution is 1.2533 scales.
        assert means[1] == pytest.approx(1 - 1.2533 * (0.378 - 5.72e-4 * 350), abs=0.02)
        assert means[0] < means[1]

    def test_of_early_types_lie_on_the_plane(self):
        rng = stream(1, "test")
        drawn = np.array([early_type(rng, 250.0) for _ in range(3000)])
        arcsec = drawn[:, 1] / 1e-2 * np.degrees(1) * 3600  # at 10 pc
        brightness = drawn[:, 0] + 2.5 * np.log10(2 * np.pi * arcsec**2)
        plane = 1.434 * np.log10(250) + 0.315 * brightness - 9.10
        assert np.mean(np.log10(drawn[:, 1]) - plane) == pytest.approx(0, abs=5e-3)
        assert np.std(np.log10(drawn[:, 1]) - plane) == pytest.approx(0.058, abs=5e-3)


class TestWeights:
    RADII, MAGNITUDES = (0.7, 2.8), (20.5, 25.0)

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls):
        rows = []
        for k in range(4000):
            rng = stream(3, "weights", k)
            radius = log_uniform(rng, *cls.RADII)
            behind = draw_galaxy_behind(rng, cls.MAGNITUDES)
            lens = draw_deflector(rng, radius.value, behind.redshift, galaxy_density)
            weight = radius.factor * behind.factor * lens.factor * np.pi * radius.value**2
            rows.append(
                (radius.value, behind.i_ab, behind.redshift, lens.redshift, lens[1], weight)
            )
        return np.array(rows).T

    @pytest.fixture(scope="class")
    @classmethod
    def target(cls):
        """The density of lenses in ln(radius), magnitude, source and lens redshift, on a grid."""
        ln_radius = np.linspace(*np.log(cls.RADII), 13)
        i = np.linspace(*cls.MAGNITUDES, 19)
        zs = np.linspace(*SOURCE_REDSHIFTS, 95)
        zl = np.linspace(*LENS_REDSHIFTS, 73)
        r, m, s, z = np.meshgrid(np.exp(ln_radius), i, zs, zl, indexing="ij", sparse=True)
        sigma = dispersion(r, z, s)
        behind = np.where(z < s - 0.1, galaxy_density(sigma) * np.where(z < s - 0.1, sigma, 0), 0)
        z0 = 0.0417 * m - 0.744
        redshifts = (s / z0) ** 2 * np.exp(-s / z0) / (2 * z0)
        density = behind / 2 * volume(z) * galaxy_counts(m) * redshifts * np.pi * r**2
        return (ln_radius, i, zs, zl), density

    @staticmethod
    def integral(axes, density, leave=()):
        for axis in range(len(axes) - 1, -1, -1):
            if axis not in leave:
                density = np.trapezoid(density, axes[axis], axis=axis)
        return density

    def test_add_up_to_the_number_in_the_sky(self, sample, target):
        weight = sample[5]
        error = weight.std() / np.sqrt(len(weight))
        assert error < 0.05 * weight.mean()
        assert weight.mean() == pytest.approx(
            float(self.integral(*target)), abs=4 * error + 0.02 * weight.mean()
        )

    @pytest.mark.parametrize("column", [0, 1, 2, 3], ids=["radius", "magnitude", "source", "lens"])
    def test_make_histograms_those_of_the_population(self, sample, target, column):
        values, weight = sample[column], sample[5]
        axes, density = target
        at, profile = axes[column], self.integral(axes, density, leave=(column,))
        values = np.log(values) if column == 0 else values
        below = np.concatenate([[0], np.cumsum((profile[1:] + profile[:-1]) / 2 * np.diff(at))])
        edges = np.interp(np.linspace(0, below[-1], 7), below, at)  # as many in each bin
        for low, high in itertools.pairwise(edges):
            inside = weight * ((values >= low) & (values < high))
            error = inside.std() / np.sqrt(len(weight))
            wanted = below[-1] / 6
            assert inside.mean() == pytest.approx(wanted, abs=4 * error + 0.04 * wanted)

    def test_are_needed(self, sample):
        """Without weights the sample is far from the sky: flat in magnitude, not steep."""
        magnitude, weight = sample[1], sample[5]
        assert np.average(magnitude, weights=weight) - magnitude.mean() > 0.7

    def test_leave_an_effective_size(self, sample):
        weight = sample[5]
        assert effective_size(np.ones(50)) == pytest.approx(50)
        assert effective_size(np.array([1.0, 0.0, 0.0])) == 1
        assert 0.05 * len(weight) < effective_size(weight) < len(weight)

    def test_of_what_is_seen_give_its_rate(self, sample):
        """Tries are counted up to each that is seen: the rate is that of what is seen."""
        magnitude, weight = sample[1], sample[5]
        seen = magnitude < 23
        tries = np.diff(np.concatenate([[-1], np.flatnonzero(seen)]))
        rate = rate_per_deg2(weight[seen], tries)
        assert rate == pytest.approx(float((weight * seen).mean()), rel=0.02)
