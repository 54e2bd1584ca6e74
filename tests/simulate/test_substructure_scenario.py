"""The scenario of substructure: an image is its number, and only the clumps tell the class."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

from skysieve.core.errors import RecipeError  # noqa: E402
from skysieve.recipe.scenarios import scenario_plan  # noqa: E402
from skysieve.recipe.settings import change  # noqa: E402
from skysieve.simulate.clumps import einstein_area_arcsec2  # noqa: E402
from skysieve.simulate.scenario import open_scenario  # noqa: E402

FEW = ("model=II", "compiled=false", "subhalos.mass_msun=[1e9, 1e10]")
"""The smaller images, and only the heavy subhalos."""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for images this small, threads cost more than they do
    yield
    torch.set_num_threads(threads)


def few(*settings: str, seed: int = 1):
    return open_scenario(change(scenario_plan("substructure"), [*FEW, *settings]), seed)


def pixels(batch):
    return batch.exposures[0].pixels


@pytest.fixture(scope="module")
def flux():
    """Two of each class, in electrons per second."""
    scenario = few("scaled=false")
    return scenario, scenario.draw("train", range(6))


class TestAnImage:
    def test_is_the_same_in_any_batch(self, flux):
        scenario, batch = flux
        order = [4, 1, 5]
        again = scenario.draw("train", order)
        np.testing.assert_array_equal(pixels(again), pixels(batch)[order])
        for name, planes in batch.exposures[0].truth.items():
            np.testing.assert_array_equal(again.exposures[0].truth[name], planes[order])
        assert again.facts == tuple(batch.facts[k] for k in order)
        assert again.labels.tolist() == batch.labels[order].tolist()

    def test_of_another_seed_or_split_is_another(self, flux):
        scenario, batch = flux
        lens = [batch.facts[0][name] for name in ("einstein_radius_arcsec", "lens_x_arcsec")]
        for other in (few("scaled=false", seed=2).draw("train", [0]), scenario.draw("val", [0])):
            assert not np.array_equal(pixels(other), pixels(batch)[:1])
            assert [
                other.facts[0][name] for name in ("einstein_radius_arcsec", "lens_x_arcsec")
            ] != lens

    def test_lies_in_0_to_1_as_the_source_data(self, flux):
        scaled = pixels(few().draw("train", range(3)))
        assert (scaled.min((1, 2, 3)) == 0).all()
        assert (scaled.max((1, 2, 3)) == 1).all()
        for a, b in zip(scaled, pixels(flux[1]), strict=False):
            assert np.corrcoef(a.ravel(), b.ravel())[0, 1] == pytest.approx(1, abs=1e-5)


class TestTheClasses:
    def test_take_turns(self, flux):
        assert flux[1].kinds == ("no", "sphere", "vort") * 2
        assert flux[1].labels.tolist() == [0, 1, 2] * 2

    def test_share_the_lens_of_a_pair(self, flux):
        facts = flux[1].facts
        assert [fact["scene"] for fact in facts] == [0, 0, 0, 1, 1, 1]
        for name in ("einstein_radius_arcsec", "source_x_arcsec", "source_radius_arcsec"):
            assert facts[0][name] == facts[1][name] == facts[2][name] != facts[3][name]

    def test_share_no_lens_if_not_paired(self):
        facts = few("paired=false").draw("train", range(3)).facts
        assert len({fact["scene"] for fact in facts}) == 3
        assert len({fact["einstein_radius_arcsec"] for fact in facts}) == 3

    def test_of_two_splits_share_no_scene(self, flux):
        scenario, batch = flux
        other = scenario.draw("val", range(6))
        assert not {f["scene"] for f in batch.facts} & {f["scene"] for f in other.facts}


class TestTruth:
    def test_is_named_as_the_scenario_says(self, flux):
        scenario, batch = flux
        assert tuple(batch.exposures[0].truth) == scenario.truth
        assert all(set(fact) == set(scenario.facts) for fact in batch.facts)

    def test_lensed_light_is_the_image_without_noise(self, flux):
        scenario, batch = flux
        to_counts = 10 ** (0.4 * (30 - scenario.plan.camera.zero_point_ab))
        noise = pixels(batch) - batch.exposures[0].truth["lensed"] / to_counts
        corner = noise[:, :, :12, :12]
        sky = corner.std()
        assert abs(corner.mean()) < 5 * sky / np.sqrt(corner.size)
        peak = batch.exposures[0].truth["lensed"].max((1, 2, 3)) / to_counts
        assert (peak > 20 * sky).all()

    def test_the_source_has_the_light_of_its_magnitude(self, flux):
        _, batch = flux
        for fact, source in zip(batch.facts, batch.exposures[0].truth["source"], strict=True):
            counts = 10 ** (0.4 * (30 - fact["source_magnitude_ab"]))
            assert source.sum() == pytest.approx(counts, rel=0.1)  # Sersic wings leave the frame

    def test_the_convergence_is_that_of_the_clumps(self, flux):
        scenario, batch = flux
        unit = einstein_area_arcsec2(1.0, 0.5, 1.0)
        pixel = scenario.plan.camera.pixel_scale_arcsec
        for fact, planes in zip(batch.facts, batch.exposures[0].truth["convergence"], strict=True):
            seen = float(planes.sum()) * pixel**2 / np.pi / unit
            if fact["clump_mass_msun"] is None:
                assert seen == 0
            else:  # what lies outside the frame is missing
                assert 0.7 * fact["clump_mass_msun"] < seen < 1.01 * fact["clump_mass_msun"]


def difference(batch, kind):
    """Signal to noise of what the clumps change, as if lens and source were known."""
    lensed = batch.exposures[0].truth["lensed"]
    label = ("no", "sphere", "vort").index(kind)
    return np.square(lensed[label::3] - lensed[::3]).sum((1, 2, 3)) ** 0.5


class TestDifficulty:
    def test_depth_is_signal_over_noise(self, flux):
        deep = few("scaled=false", "depth=[3, 3]").draw("train", range(3))
        for fact, other in zip(flux[1].facts, deep.facts, strict=False):
            assert other["peak_snr"] == pytest.approx(3 * fact["peak_snr"])
            assert other["depth"] == pytest.approx(3)
        np.testing.assert_array_equal(
            deep.exposures[0].truth["lensed"], flux[1].exposures[0].truth["lensed"][:3]
        )

    def test_fainter_sources_have_less_signal(self, flux):
        faint = few("scaled=false", "source.magnitude_ab=[22, 23]").draw("train", range(3))
        for fact, other in zip(flux[1].facts, faint.facts, strict=False):
            assert other["peak_snr"] < fact["peak_snr"] / 3

    @pytest.mark.parametrize(
        ("kind", "setting"),
        [("sphere", "subhalos.mass_fraction=0.1"), ("vort", "vortices.mass_fraction=0.12")],
    )
    def test_more_mass_in_clumps_shows_more(self, flux, kind, setting):
        heavy = few("scaled=false", setting).draw("train", range(6))
        fraction = "clump_mass_fraction"
        label = ("no", "sphere", "vort").index(kind)
        for k in (label, label + 3):
            assert heavy.facts[k][fraction] > 1.5 * flux[1].facts[k][fraction]
        assert difference(heavy, kind).mean() > 1.5 * difference(flux[1], kind).mean()

    def test_a_lighter_particle_has_a_longer_vortex(self, flux):
        long = few("scaled=false", "vortices.log10_axion_mass_ev=[-24.5, -24.4]")
        for k, fact in enumerate(long.draw("train", range(6)).facts):
            mine = flux[1].facts[k]["vortex_length_arcsec"]
            assert (mine is None) == (fact["vortex_length_arcsec"] is None)
            assert mine is None or fact["vortex_length_arcsec"] > mine


@pytest.mark.parametrize(("model", "side"), [("I", 150), ("II", 64), ("III", 64)])
def test_every_model_has_its_frame(model, side):
    scenario = few(f"model={model}")
    batch = scenario.draw("val", [2])
    assert pixels(batch).shape == (1, 1, side, side)
    assert scenario.plan.frames[0].side == side


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model=IV", "'I', 'II' or 'III'"),
        ("depth=[0, 1]", "more than 0"),
        ("subhalos.mass_frction=0.1", "mass_fraction"),
    ],
)
def test_what_cannot_be_is_refused(setting, words):
    with pytest.raises(RecipeError, match=words):
        few(setting)
