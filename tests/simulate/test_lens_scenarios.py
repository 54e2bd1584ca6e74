"""The lens scenarios: an image is its number, and the classes differ by the lensing alone."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

from skysieve.core.survey import survey  # noqa: E402
from skysieve.recipe.scenarios import scenario_plan  # noqa: E402
from skysieve.recipe.settings import change  # noqa: E402
from skysieve.simulate import kernels, lens_scenarios, render  # noqa: E402
from skysieve.simulate.artifacts import draw_artifacts  # noqa: E402
from skysieve.simulate.instrument import sky_noise  # noqa: E402
from skysieve.simulate.lens_scenarios import LensSky  # noqa: E402
from skysieve.simulate.observing import Level  # noqa: E402
from skysieve.simulate.populations import draw_lens, draw_nonlens  # noqa: E402
from skysieve.simulate.render import render_parts  # noqa: E402
from skysieve.simulate.roles import role_of  # noqa: E402
from skysieve.simulate.scenario import open_scenario  # noqa: E402
from skysieve.simulate.scenes import Scenes  # noqa: E402

EASY = ["camera.side=32", "lens.min_arc_snr=5", "lens.min_contrast=0.1", "lens.group_fraction=0"]

SKY = sky_noise(survey("cfhtls"), ("g", "r", "i"))
PAIRS = (0, 4, 6, 10)
"""Lenses among the first twelve images that have their control behind them."""


@pytest.fixture(scope="module", autouse=True)
def small():
    """Eight scenes at once, without compiling."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lens_scenarios, "RENDERED", 8)
        patch.setattr(kernels, "_compiled", lambda kernel: kernel)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # for images this small, threads cost more than they do
        yield
        torch.set_num_threads(threads)


def easy(name: str, *more: str, seed: int = 1):
    return open_scenario(change(scenario_plan(name), [*EASY, *more]), seed)


@pytest.fixture(scope="module")
def gri():
    scenario = easy("lens-gri", "companion_fraction=0.5")
    return scenario, scenario.draw("train", range(12))


class TestAnImage:
    @pytest.mark.parametrize("rows", [[5], [9, 2, 6]])
    def test_is_the_same_in_any_batch(self, gri, rows):
        scenario, batch = gri
        again = scenario.draw("train", rows)
        np.testing.assert_array_equal(again.exposures[0].pixels, batch.exposures[0].pixels[rows])
        for name, planes in batch.exposures[0].truth.items():
            np.testing.assert_array_equal(again.exposures[0].truth[name], planes[rows])
        assert again.facts == tuple(batch.facts[row] for row in rows)

    def test_of_another_seed_or_split_is_another(self, gri):
        pixels = gri[1].exposures[0].pixels[:1]
        for other in (easy("lens-gri", seed=2).draw("train", [0]), gri[0].draw("test", [0])):
            assert not np.array_equal(other.exposures[0].pixels, pixels)


class TestTheClasses:
    def test_follow_the_cycle(self, gri):
        assert gri[1].labels.tolist() == [1, 0] * 6
        assert [kind for kind in gri[1].kinds if kind in ("lens", "control")] == (
            ["lens", "control", "lens", "lens", "control"] * 2
        )

    def test_share_host_depth_and_scene(self, gri):
        _, batch = gri
        host = batch.exposures[0].truth["host"]
        for row in PAIRS:
            np.testing.assert_array_equal(host[row], host[row + 1])
            assert batch.facts[row]["scene"] == batch.facts[row + 1]["scene"]
            assert batch.facts[row]["depth"] == batch.facts[row + 1]["depth"]

    def test_differ_by_the_lensed_light(self, gri):
        lensed = gri[1].exposures[0].truth["lensed"].sum((1, 2, 3))
        assert ((lensed > 0) == (gri[1].labels == 1)).all()

    def test_have_the_same_light_where_companions_stand_for_arcs(self, gri):
        _, batch = gri
        light = {name: planes.sum((2, 3)) for name, planes in batch.exposures[0].truth.items()}
        pairs = [row for row in PAIRS if batch.facts[row + 1]["companions"]]
        assert pairs
        for row in pairs:
            lens, control = (light["neighbors"] + light["lensed"])[[row, row + 1]]
            np.testing.assert_allclose(lens, control, rtol=1e-3)

    def test_are_as_bright_where_the_plan_allows_it(self, gri):
        scenario, batch = gri
        truth = batch.exposures[0].truth
        light = ((truth["host"] + truth["lensed"]).sum((2, 3)) / SKY).sum(1)
        low, high = scenario.plan.match_range
        allowed = [row for row in (3, 9) if low < batch.facts[row]["brightened"] < high]
        assert allowed
        for row in allowed:
            assert light[row] == pytest.approx(light[row - 1], rel=1e-3)

    def test_every_lens_clears_the_plan(self, gri):
        scenario, batch = gri
        for fact, label in zip(batch.facts, batch.labels, strict=True):
            assert set(fact) == set(scenario.facts)
            assert (fact["arc_snr"] is not None) == (label == 1)
            assert label == 0 or fact["arc_snr"] >= scenario.plan.lens.min_arc_snr


OFTEN = ("artifacts.holes.rate=1", "artifacts.trails.rate=1", "artifacts.missing_band.rate=0.2")


@pytest.fixture(scope="module")
def spoiled():
    return easy("lens-gri", *OFTEN).draw("train", range(12)).exposures[0]


@pytest.fixture(scope="module")
def clean():
    return easy("lens-gri", "artifacts=none").draw("train", range(12)).exposures[0]


class TestArtifacts:
    def test_are_where_the_mask_says_and_nowhere_else(self, spoiled, clean):
        touched = spoiled.truth["artifacts"] > 0
        assert touched.any(axis=(1, 2, 3)).sum() > 6
        np.testing.assert_array_equal(spoiled.pixels[~touched], clean.pixels[~touched])
        assert (spoiled.pixels[touched] != clean.pixels[touched]).mean() > 0.99
        assert not clean.truth["artifacts"].any()

    def test_leave_the_truth_alone(self, spoiled, clean):
        for name in ("lensed", "host", "neighbors"):
            np.testing.assert_array_equal(spoiled.truth[name], clean.truth[name])

    def test_become_dark_in_numbers_that_know_no_nan(self):
        unit = easy("deeplense-lens", *OFTEN).draw("train_nonlenses", range(6)).exposures[0]
        shown = easy("lens-gri", *OFTEN, "pixels=display").draw("train", range(6)).exposures[0]
        for exposure, brightest in ((unit, 1), (shown, 255)):
            assert exposure.truth["artifacts"].any()
            assert np.isfinite(exposure.pixels).all()
            assert exposure.pixels.min() >= 0
            assert exposure.pixels.max() <= brightest

    def test_come_as_often_with_each_class(self):
        sky = LensSky(scenario_plan("lens-gri"), 1)
        shot = sky._shot(Level(1.0, 100.0, 0.3, 0.2))
        counts = np.zeros((2, 600))
        for row in range(1200):
            found = draw_artifacts(sky.plan.artifacts, shot, seed=sky.seed, index=row)
            counts[row % 2, row // 2] = len(found) > 0
        lens, other = counts.mean(1)
        assert lens == pytest.approx(other, abs=4 * np.sqrt(2 * lens * (1 - lens) / 600))


def test_the_stand_in_lies_in_0_to_1_and_keeps_its_color_or_not():
    joint = easy("deeplense-lens").draw("train_lenses", range(2)).exposures[0].pixels
    band = easy("deeplense-lens", "scaling=band").draw("train_lenses", range(2)).exposures[0].pixels
    for pixels, axes in ((joint, (1, 2, 3)), (band, (2, 3))):
        assert (pixels.min(axes) == 0).all()
        assert pixels.max(axes) == pytest.approx(1)
    assert (joint.max((2, 3)) < 1).any()


def test_the_first_controls_of_the_stand_in_are_those_of_its_lenses():
    scenario = easy("deeplense-lens")
    lenses = scenario.draw("train_lenses", range(2))
    others = scenario.draw("train_nonlenses", range(4))
    assert [fact["scene"] for fact in lenses.facts] == [others.facts[k]["scene"] for k in (0, 1)]


@pytest.mark.parametrize("name", ["lens-gri", "deeplense-lens", "survey", "euclid"])
def test_no_two_sides_share_a_scene(name):
    plan = scenario_plan(name)
    numbers: dict[int, set[str]] = {}
    for split, count in plan.splits.items():
        for row in range(min(count, 400)):
            role = role_of(plan, 1, split, row)
            numbers.setdefault(role.side, set()).add(split)
            assert 0 <= role.number <= row
    sides = [{split.split("_")[0] for split in splits} for splits in numbers.values()]
    assert all(len(side) == 1 for side in sides)
    assert len(set().union(*sides)) == len(sides)


def test_a_survey_has_its_rate_of_lenses_at_random_places():
    plan = change(scenario_plan("survey"), ["lens_rate=0.01"])
    shown = [role_of(plan, 1, "survey", row).shows for row in range(2000)]
    runs = [shown[k : k + 100] for k in range(0, 2000, 100)]
    assert [run.count("lens") for run in runs] == [1] * 20
    assert len({run.index("lens") for run in runs}) > 10


def test_host_and_neighbors_are_the_ordinary_light():
    plan = scenario_plan("lens-gri")
    scenes = Scenes.stack(
        [draw_lens(plan.lens, seed=1, index=0)]
        + [draw_nonlens(plan.nonlens, seed=1, index=k) for k in range(3)]
    )
    psf = np.zeros((4, 3, 3, 3))
    psf[:, :, 1, 1] = 1
    frame = {"side": 32, "pixel_scale_arcsec": 0.2, "psf": psf, "compiled": False}
    ordinary, lensed, companions = render.render(scenes, **frame)
    parts = render_parts(scenes, **frame)
    np.testing.assert_allclose(parts.host + parts.neighbors, ordinary, rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(parts.lensed, lensed)
    np.testing.assert_array_equal(parts.companions, companions)
    assert parts.host.sum((1, 2, 3)).min() > 0
    bare = render_parts(scenes, lensing=False, **frame)
    np.testing.assert_array_equal(bare.host, parts.host)
    assert not bare.lensed.any()
