"""The scenario euclid: one sky in two cameras, and truth that fits what they see."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

from skysieve.core.errors import MissingError, RecipeError  # noqa: E402
from skysieve.core.survey import survey  # noqa: E402
from skysieve.recipe.artifacts import ArtifactPlan, HolePlan  # noqa: E402
from skysieve.recipe.scenarios import scenario_plan  # noqa: E402
from skysieve.recipe.settings import change  # noqa: E402
from skysieve.simulate import euclid, render  # noqa: E402
from skysieve.simulate.euclid import binned  # noqa: E402
from skysieve.simulate.instances import neighbor_rows  # noqa: E402
from skysieve.simulate.placing import shifted  # noqa: E402
from skysieve.simulate.populations import draw_lens  # noqa: E402
from skysieve.simulate.psf import draw_stamps  # noqa: E402
from skysieve.simulate.scenario import open_scenario  # noqa: E402

SMALL = ("side=62", "offset_arcsec=0.5", "lens.min_arc_snr=20", "lens.min_contrast=0.1",
         "lens.group_fraction=0", "lens.galaxy_radius_arcsec=[0.5, 1.2]", "compiled=false",
         "companion_fraction=0.5", "vis_artifacts=none", "nisp_artifacts=none")  # fmt: skip
ROWS = 6
PAIRS = (0, 4)
CAMERAS = ("vis", "nisp")


@pytest.fixture(scope="module", autouse=True)
def small():
    """Four scenes at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(euclid, "RENDERED", 4)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # for images this small, threads cost more than they do
        yield
        torch.set_num_threads(threads)


def opened(*more: str, seed: int = 1):
    return open_scenario(change(scenario_plan("euclid"), [*SMALL, *more]), seed)


@pytest.fixture(scope="module")
def batch():
    return opened().draw("train", range(ROWS))


def test_two_cameras_see_what_the_plan_says(batch):
    frames = opened().plan.frames
    assert [frame.side for frame in scenario_plan("euclid").frames] == [200, 66]
    for exposure, frame in zip(batch.exposures, frames, strict=True):
        assert exposure.pixels.shape == (ROWS, len(frame.bands), frame.side, frame.side)
        assert tuple(exposure.truth) == opened().truth
        assert np.isfinite(exposure.pixels).all()
    assert batch.labels.tolist() == [1, 0, 1, 0, 1, 0]
    for fact in batch.facts:
        assert set(fact) == set(opened().facts)


def test_an_image_is_the_same_in_any_batch(batch):
    again = opened().draw("train", [4, 1])
    for one, other in zip(again.exposures, batch.exposures, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels[[4, 1]])
        for name, planes in one.truth.items():
            np.testing.assert_array_equal(planes, other.truth[name][[4, 1]])


class TestLensAndControl:
    @pytest.mark.parametrize("camera", range(2), ids=CAMERAS)
    def test_share_host_and_neighbors(self, batch, camera):
        truth = batch.exposures[camera].truth
        for row in PAIRS:
            np.testing.assert_array_equal(truth["host"][row], truth["host"][row + 1])
            if not batch.facts[row + 1]["companions"]:
                for name in ("neighbors", "neighbor-numbers", "host-mask"):
                    np.testing.assert_array_equal(truth[name][row], truth[name][row + 1])

    @pytest.mark.parametrize("camera", range(2), ids=CAMERAS)
    def test_differ_where_lensed_light_is(self, batch, camera):
        truth = batch.exposures[camera].truth
        lensed = truth["lensed"].sum((1, 2, 3))
        assert ((lensed > 0) == (batch.labels == 1)).all()
        assert (truth["lensed-mask"].any((1, 2, 3)) == (batch.labels == 1)).all()

    def test_have_the_same_light_where_companions_stand_for_arcs(self):
        pair = opened("companion_fraction=1").draw("train", range(2))
        assert pair.facts[1]["companions"] == 1
        for exposure in pair.exposures:
            truth = exposure.truth
            light = (truth["neighbors"] + truth["lensed"]).sum((2, 3))
            np.testing.assert_allclose(light[0], light[1], rtol=0.02)
            assert len(np.unique(truth["neighbor-numbers"][1])) >= 2


class TestTruth:
    @pytest.mark.parametrize("camera", range(2), ids=CAMERAS)
    def test_masks_are_where_the_light_is(self, batch, camera):
        plan = opened().plan
        truth = batch.exposures[camera].truth
        sky = euclid._sky((plan.vis, plan.nisp)[camera])[None, :, None, None]
        for part, mask in (("lensed", "lensed-mask"), ("host", "host-mask")):
            bright = (truth[part] > sky * plan.mask_sigmas).any(1, keepdims=True)
            np.testing.assert_array_equal(truth[mask] == 1, bright)
        around = (truth["neighbors"] > sky * plan.mask_sigmas).any(1, keepdims=True)
        np.testing.assert_array_equal(truth["neighbor-numbers"] > 0, around)

    def test_both_cameras_see_the_host_at_one_place(self, batch):
        places = []
        for exposure, frame in zip(batch.exposures, opened().plan.frames, strict=True):
            line = (np.arange(frame.side) - (frame.side - 1) / 2) * frame.pixel_scale_arcsec
            light = exposure.truth["host"].mean(1)
            core = np.where(light > 0.5 * light.max((1, 2), keepdims=True), light, 0)
            total = core.sum((1, 2))
            places.append(
                np.stack([(core.sum(1) * line).sum(1), (core.sum(2) * line).sum(1)], 1)
                / total[:, None]
            )
        vis, nisp = places
        lens = batch.labels == 1
        np.testing.assert_allclose(vis[lens], nisp[lens], atol=0.1)
        told = np.array([[f["offset_x_arcsec"], f["offset_y_arcsec"]] for f in batch.facts])
        np.testing.assert_allclose(vis[lens], told[lens], atol=0.05)
        assert np.abs(told).max() > 0.2

    @pytest.mark.parametrize("camera", range(2), ids=CAMERAS)
    def test_a_dark_sky_is_as_noisy_as_the_survey_is_deep(self, camera):
        settings = ("vis.background=none", "nisp.background=none")
        plan = change(scenario_plan("euclid"), [*SMALL, *settings])
        camera_plan = (plan.vis, plan.nisp)[camera]
        dark = np.zeros((len(camera_plan.bands), 200, 200), np.float32)
        seen, mask = euclid.EuclidSky(plan, 1)._take(dark, camera_plan, None, 3)
        instrument = survey(camera_plan.survey)
        wanted = [instrument.band(band).sky_noise_ab for band in camera_plan.bands]
        np.testing.assert_allclose(30 - 2.5 * np.log10(seen.std((1, 2))), wanted, atol=0.05)
        assert not mask.any()

    @pytest.mark.parametrize("camera", range(2), ids=CAMERAS)
    def test_artifacts_are_where_their_mask_says(self, batch, camera):
        name = f"{CAMERAS[camera]}_artifacts"
        often = ArtifactPlan.none().model_copy(update={"holes": HolePlan(rate=4)})
        plan = opened().plan.model_copy(update={name: often})
        spoiled = open_scenario(plan, 1).draw("train", [0])
        one, other = spoiled.exposures[camera], batch.exposures[camera]
        touched = one.truth["artifacts"][0] > 0
        assert touched.any()
        np.testing.assert_array_equal(one.pixels[0][~touched], other.pixels[0][~touched])


def test_larger_pixels_hold_all_the_light():
    planes = np.random.default_rng(1).random((3, 62, 62)).astype(np.float32)
    large = binned(planes, 20)
    assert large.shape == (3, 20, 20)
    np.testing.assert_allclose(large.sum((1, 2)), planes[:, 1:-1, 1:-1].sum((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(large[:, 4, 7], planes[:, 13:16, 22:25].sum((1, 2)), rtol=1e-5)


def test_a_moved_scene_is_the_same_elsewhere():
    scenes = draw_lens(scenario_plan("euclid").lens, seed=3, index=1)
    psf = np.zeros((1, 3, 3, 3))
    psf[:, :, 1, 1] = 1
    frame = {"side": 80, "pixel_scale_arcsec": 0.1, "psf": psf, "compiled": False}
    assert np.abs(scenes.shear).max() > 0.005
    before = render.render_parts(scenes, **frame)
    after = render.render_parts(shifted(scenes, 0.8, -0.5), **frame)
    for one, other in zip(before, after, strict=True):
        brightest = one.max()
        difference = one[..., 10:65, 5:65] - other[..., 5:60, 13:73]
        assert np.abs(difference).max() < 2e-3 * brightest


@pytest.mark.parametrize("name", CAMERAS)
def test_a_star_is_as_wide_as_in_real_images(name):
    plan = getattr(scenario_plan("euclid"), name)
    still = plan.model_copy(
        update={"psf": plan.psf.model_copy(update={"fwhm_spread": 0.0, "min_axis_ratio": 1.0})}
    )
    camera = survey(plan.survey)
    scale = camera.pixel_scale_arcsec
    for stamp, band in zip(draw_stamps(still, seed=1, index=0), camera.bands, strict=True):
        assert stamp.sum() == pytest.approx(1)
        row = stamp[len(stamp) // 2, len(stamp) // 2 :]
        fwhm = 2 * np.interp(-row[0] / 2, -row, np.arange(len(row))) * scale
        assert fwhm == pytest.approx(band.psf_fwhm_arcsec, rel=0.12)
    fine = draw_stamps(still, seed=1, index=0, pixel_scale_arcsec=scale / 3)
    coarse = draw_stamps(still, seed=1, index=0)
    inner = fine[:, 1:-1, 1:-1].reshape(len(fine), 21, 3, 21, 3).sum((2, 4))
    np.testing.assert_allclose(inner, coarse[:, 22:43, 22:43], atol=4e-3)


def test_neighbors_are_counted_with_companions_only_where_these_are_shown():
    tables = draw_lens(scenario_plan("euclid").lens, seed=3, index=1)
    bare = neighbor_rows(tables, companions=False)
    full = neighbor_rows(tables, companions=True)
    assert len(full) - len(bare) == (tables.companions[..., -1] > 0).sum()


@pytest.mark.parametrize("setting", ["vis.survey=hsc", "side=63"])
def test_a_plan_that_is_not_euclid_is_refused(setting):
    with pytest.raises((RecipeError, MissingError), match=r"euclid|even|no band"):
        opened(setting)
