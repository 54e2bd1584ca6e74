"""Light in other bands: laws of magnitudes, and colors that others publish."""

from __future__ import annotations

import numpy as np
import pytest

from skysieve.simulate.galaxies import colors
from skysieve.simulate.populations import draw_lens, draw_nonlens
from skysieve.simulate.scenes import LIGHT, Scenes
from skysieve.simulate.spectra import (
    PASSBANDS_NM,
    galaxy_ratios,
    mean_density,
    star_ratios,
    to_bands,
)

EUCLID = ("VIS", "Y", "J", "H")


def test_a_flat_spectrum_has_no_color():
    line = np.geomspace(300, 2500, 3000)
    densities = mean_density(line, line**-2.0)
    np.testing.assert_allclose(densities / densities[0], 1, rtol=1e-4)


@pytest.mark.parametrize("slope", [-1.0, 2.0])
def test_a_power_law_has_the_color_of_its_slope(slope):
    line = np.geomspace(300, 2500, 3000)
    densities = mean_density(line, line ** (slope - 2.0))
    middles = np.array([np.sqrt(low * high) for low, high in PASSBANDS_NM.values()])
    expected = (middles / middles[0]) ** slope
    np.testing.assert_allclose(densities / densities[0], expected, rtol=0.06)


def magnitudes(ratios):
    return dict(zip(EUCLID, -2.5 * np.log10(ratios), strict=True))


def test_a_red_galaxy_is_as_red_as_others_measure():
    # i - H of luminous red galaxies at z = 0.5 is 1.3 to 1.6 (Maraston et al. 2009).
    told = magnitudes(galaxy_ratios(*colors("red", 0.5), 0.5, EUCLID))
    assert told["H"] == pytest.approx(-1.45, abs=0.2)
    assert told["VIS"] > 0 > told["Y"] > told["J"] > told["H"]


@pytest.mark.parametrize("redshift", [0.2, 0.5, 0.8, 1.1])
def test_a_blue_galaxy_is_bluer_than_a_red_one(redshift):
    red, disk, blue = (
        magnitudes(galaxy_ratios(*colors(track, redshift), redshift, EUCLID))["H"]
        for track in ("red", "disk", "blue")
    )
    assert red <= disk < blue


@pytest.mark.parametrize("gi", [0.3, 1.0, 2.0, 2.8])
def test_a_redder_star_is_redder_everywhere(gi):
    told, next_one = magnitudes(star_ratios(gi, EUCLID)), magnitudes(star_ratios(gi + 0.1, EUCLID))
    assert told["H"] > next_one["H"]


def test_a_star_has_the_colors_of_its_temperature():
    # An M4 dwarf, g - i = 2.8: i - J = 1.3, J - H = 0.1, AB (Covey et al. 2007, to 0.3 mag).
    told = magnitudes(star_ratios(2.8, EUCLID))
    assert -told["J"] == pytest.approx(1.3, abs=0.3)
    assert told["J"] - told["H"] == pytest.approx(0.1, abs=0.3)


def test_a_scene_keeps_its_shapes_and_its_light_in_i():
    scenes = Scenes.stack(
        [draw_lens(plan_of("lens"), seed=1, index=0)]
        + [draw_nonlens(plan_of("nonlens"), seed=1, index=k) for k in range(4)]
    )
    seen = to_bands(scenes, ("i", "H"))
    first = len(LIGHT)
    for before, after in ((scenes.light, seen.light), (scenes.source, seen.source)):
        np.testing.assert_array_equal(after[..., :first], before[..., :first])
        np.testing.assert_allclose(after[..., first], before[..., -1])
        assert ((after[..., -1] > 0) == (before[..., -1] > 0)).all()
    np.testing.assert_allclose(seen.disks[..., -2], scenes.disks[..., -1])


def plan_of(name):
    from skysieve.recipe.scenarios import scenario_plan

    return getattr(scenario_plan("euclid"), name)
