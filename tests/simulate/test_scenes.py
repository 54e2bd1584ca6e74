"""Scenes: a name decides them, and the two classes share everything but the lensing."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from skysieve.recipe.simulation import LensPlan, NonlensPlan, SimulationPlan
from skysieve.simulate.galaxies import COSMOLOGY, einstein_radius_arcsec, flux, kpc_per_arcsec
from skysieve.simulate.populations import draw_lens, draw_nonlens
from skysieve.simulate.scenes import Scenes


def equal(a: Scenes, b: Scenes) -> bool:
    return all(np.all(getattr(a, f.name) == getattr(b, f.name)) for f in fields(Scenes))


@pytest.mark.parametrize(("draw", "plan"), [(draw_lens, LensPlan()), (draw_nonlens, NonlensPlan())])
class TestEveryPopulation:
    def test_a_scene_depends_on_its_name_alone(self, draw, plan):
        later = draw(plan, seed=1, index=7)
        for index in range(7):
            draw(plan, seed=1, index=index)
        assert equal(later, draw(plan, seed=1, index=7))

    def test_another_index_or_seed_is_another_scene(self, draw, plan):
        scene = draw(plan, seed=1, index=7)
        assert not equal(scene, draw(plan, seed=1, index=8))
        assert not equal(scene, draw(plan, seed=2, index=7))

    def test_all_numbers_are_finite_and_fluxes_positive(self, draw, plan):
        scenes = Scenes.stack([draw(plan, seed=3, index=k) for k in range(50)])
        for name in ("light", "disks", "deflectors", "shear", "source", "companions"):
            assert np.isfinite(getattr(scenes, name)).all()
        assert (scenes.light[..., 6:] >= 0).all()


def test_einstein_radii_stay_in_the_plan():
    plan = LensPlan(group_fraction=0.5)
    scenes = [draw_lens(plan, seed=1, index=k) for k in range(60)]
    radii = np.array([scene.facts[0]["einstein_radius_arcsec"] for scene in scenes])
    assert radii.min() >= plan.galaxy_radius_arcsec[0]
    assert radii.max() <= plan.group_radius_arcsec[1]


def test_every_kind_of_nonlens_is_drawn():
    plan = SimulationPlan().nonlens
    kinds = {draw_nonlens(plan, seed=1, index=k).kind[0] for k in range(200)}
    assert kinds == set(plan.shares)


def test_a_clumpy_galaxy_is_lopsided_and_its_knots_are_bluer_than_its_bulge():
    plan = NonlensPlan(shares={"clumpy": 1.0})
    scenes = [draw_nonlens(plan, seed=4, index=k) for k in range(200)]
    off, in_knots, bluer = [], [], []
    for scene in scenes:
        host = scene.light[0, : scene.hosts[0]]
        flux_i, gr = host[:, 8], -2.5 * np.log10(host[:, 6] / host[:, 7])
        assert (flux_i > 0).all()
        in_knots.append(flux_i[2:].sum() / flux_i.sum())
        off.append(np.hypot(*(flux_i @ host[:, :2] / flux_i.sum())) / host[0, 2])
        bluer.append(gr[1] - np.median(gr[2:]))
    assert min(in_knots) > 0.05
    assert max(in_knots) < 0.6
    assert 0.1 < np.median(off) < 0.5  # of the half-light radius of the disk
    assert np.mean(np.array(bluer) > 0.2) > 0.9


def test_einstein_radius_agrees_with_astropy():
    lens, source, dispersion = 0.4, 1.5, 250.0
    ratio = COSMOLOGY.angular_diameter_distance(lens, source) / (
        COSMOLOGY.angular_diameter_distance(source)
    )
    expected = np.degrees(4 * np.pi * (dispersion / 299_792.458) ** 2 * float(ratio)) * 3600
    assert einstein_radius_arcsec(dispersion, lens, source) == pytest.approx(expected, rel=1e-3)
    assert einstein_radius_arcsec(dispersion, 1.0, 0.5) == 0


def test_scale_agrees_with_astropy():
    expected = COSMOLOGY.kpc_proper_per_arcmin(0.5).value / 60
    assert kpc_per_arcsec(0.5) == pytest.approx(expected, rel=1e-3)


def test_fluxes_have_the_colors_asked_for():
    g, r, i = flux(20.0, 1.5, 0.7)
    assert i == pytest.approx(10**4)
    assert -2.5 * np.log10(r / i) == pytest.approx(0.7)
    assert -2.5 * np.log10(g / r) == pytest.approx(1.5)
