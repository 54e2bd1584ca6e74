"""Training in miniature: simulate, fit, quantize, calibrate, save, load, find."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")
pytest.importorskip("lightning", reason="training needs the extra [train]")

from skysieve.core.cutouts import Cutouts  # noqa: E402
from skysieve.core.errors import MismatchError, MissingError, RecipeError  # noqa: E402
from skysieve.finder.bundle import load  # noqa: E402
from skysieve.recipe.recipe import parse_recipe, recipe_text  # noqa: E402
from skysieve.simulate import corpus, render  # noqa: E402
from skysieve.train import amending, finder, loop  # noqa: E402
from skysieve.train.data import HELD_OUT_EVERY, Mixer  # noqa: E402

MINIATURE = """
name = "tiny-gri"
description = "A finder in miniature"
[simulation]
lenses = 128
nonlenses = 64
[simulation.camera]
side = 80
[mix]
sides = [64]
[network]
kind = "convnet"
width = 4
blocks = [1, 1, 1, 1]
[fit]
epochs = 2
steps = 4
batch = 16
validation_images = 32
[[stages]]
int8 = true
network = { kind = "convnet", width = 8, blocks = [1, 1, 1, 1] }
[[stages]]
members = 2
symmetric = true
"""


@pytest.fixture(scope="module")
def small():
    """Parts of 64 scenes, drawn without compiling: a miniature is not worth a minute of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "PART", 64)
        patch.setattr(render, "_compiled_paint", lambda: render.paint_planes)
        patch.setattr(finder, "CALIBRATION_BATCHES", 4)
        patch.setattr(finder, "QUANTIZATION_BATCHES", 2)
        patch.setattr(amending, "STUDIED_ROWS", 128)
        yield


@pytest.fixture(scope="module")
def recipe():
    return parse_recipe(MINIATURE, "miniature")


@pytest.fixture(scope="module")
def scenes(small, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    return folder, corpus.simulate(recipe.simulation, folder)


class TestCorpus:
    def test_every_kept_lens_clears_the_plan(self, scenes, recipe):
        facts = scenes[1].facts["lens"]
        assert facts
        assert all(fact["arc_snr"] >= recipe.simulation.lens.min_arc_snr for fact in facts)
        assert sum(len(part) for part in scenes[1].lens) == len(facts)

    def test_simulating_again_makes_nothing_new(self, scenes, recipe):
        folder, _ = scenes
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        corpus.simulate(recipe.simulation, folder)
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before

    def test_a_lost_part_comes_back_the_same(self, scenes, recipe):
        folder, _ = scenes
        part = folder / "lens-0000064.npy"
        bytes_before = part.read_bytes()
        part.unlink()
        with pytest.raises(MissingError, match="lens-0000064"):
            corpus.open_corpus(folder)
        corpus.simulate(recipe.simulation, folder)
        assert part.read_bytes() == bytes_before

    def test_another_plan_is_refused(self, scenes, recipe):
        other = recipe.simulation.model_copy(update={"seed": 99})
        with pytest.raises(MismatchError, match="another plan"):
            corpus.simulate(other, scenes[0])


class TestMixer:
    def test_a_batch_is_its_number(self, scenes, recipe):
        mixer = Mixer(scenes[1], recipe.mix, held_out=False, seed=1)
        images, labels = mixer.batch(3, 8)
        again, _ = Mixer(scenes[1], recipe.mix, held_out=False, seed=1).batch(3, 8)
        other, _ = mixer.batch(4, 8)
        np.testing.assert_array_equal(images, again)
        assert not np.array_equal(images, other, equal_nan=True)
        assert labels.tolist() == [1] * 4 + [0] * 4

    def test_validation_scenes_are_never_trained_on(self, scenes, recipe):
        train, held = (
            Mixer(scenes[1], recipe.mix, held_out=held_out, seed=1) for held_out in (False, True)
        )
        for name in ("lens", "nonlens"):
            assert len(held.usable[name])
            assert not set(train.usable[name]) & set(held.usable[name])
            index = np.array([fact["index"] for fact in scenes[1].facts[name]])
            assert (index[held.usable[name]] % HELD_OUT_EVERY == 0).all()

    def test_a_control_is_its_lens_without_the_arcs(self, scenes, recipe):
        mix = recipe.mix.model_copy(
            update={"companion_fraction": 0.0, "crowd_fraction": {"lens": 0.0, "nonlens": 0.0}}
        )
        mixer = Mixer(scenes[1], mix, held_out=False, seed=1)
        rng = np.random.default_rng(5)
        pick = mixer._pick(rng, 16, 64)
        lens = mixer._lenses(rng, pick, len(pick.lens), lensed=True)
        control = mixer._lenses(rng, pick, pick.controls, lensed=False)
        nonlens = mixer._nonlenses(rng, pick)
        seen = mixer._look(rng, np.concatenate([lens, control, nonlens]), pick, 64)
        difference = seen[: pick.controls] - seen[len(lens) :][: pick.controls]
        assert pick.controls > 0
        assert difference.min() > -0.01 * difference.max()
        assert (difference.sum((1, 2, 3)) > 0).all()

    def test_arcs_are_kept_inside_the_field(self, scenes, recipe):
        mixer = Mixer(scenes[1], recipe.mix, held_out=False, seed=1)
        for number in range(20):
            pick = mixer._pick(np.random.default_rng(number), 16, 64)
            assert (mixer.extent_pixels[pick.lens] * recipe.mix.zoom[0] < 32).all()


def test_a_killed_fit_goes_on_as_if_nothing_had_been(scenes, recipe, tmp_path):
    plan = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"steps": 10})})
    straight = loop.fit_network(plan, plan.network, scenes[1], tmp_path / "a", seed=1)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        loop.fit_network(
            plan, plan.network, scenes[1], tmp_path / "b", seed=1, watch=_stop_in_second_epoch()
        )
    resumed = loop.fit_network(plan, plan.network, scenes[1], tmp_path / "b", seed=1)
    assert [row["validation_loss"] for row in resumed.history] == pytest.approx(
        [row["validation_loss"] for row in straight.history], abs=1e-5
    )
    for a, b in zip(
        resumed.network.state_dict().values(), straight.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_a_folder_with_a_network_of_another_recipe_is_refused(scenes, recipe, tmp_path):
    loop.fit_network(recipe, recipe.network, scenes[1], tmp_path, seed=1)
    other = recipe.model_copy(update={"mix": recipe.mix.model_copy(update={"zoom": (0.9, 1.1)})})
    with pytest.raises(MismatchError, match="holds a network of another plan"):
        loop.fit_network(other, other.network, scenes[1], tmp_path, seed=1)


def _stop_in_second_epoch():
    def watch(progress):
        if progress.stage == "fitting" and progress.done > 10:
            raise KeyboardInterrupt

    return watch


def _held(labels, sides):
    """Return held-out images, a batch for each side, whose pixels do not matter."""
    return finder.Held(
        [
            (np.zeros((len(labels), 3, side, side), np.float32), labels.astype(np.int64))
            for side in sides
        ]
    )


def test_a_network_that_learned_nothing_is_not_made_a_finder():
    labels = np.array([0, 1] * 20)
    with pytest.raises(RecipeError, match="no higher"):
        finder._stage(
            "stage-1.onnx", 0.5 - labels + np.linspace(-1, 1, 40), _held(labels, [32]), None
        )


def test_margins_are_evened_out_over_sizes_of_fields():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    margins = np.concatenate([rng.normal(2.0 * labels - shift, 1) for shift in (0.0, 1.5)])
    stage, evened = finder._stage("stage-1.onnx", margins, _held(labels, [32, 64]), 0.1)
    assert stage.field_size.margin_per_doubling == pytest.approx(1.5, abs=0.1)
    for half in np.split(evened, 2):
        p = stage.calibration(half)
        assert p.mean() == pytest.approx(labels.mean(), abs=0.02)
        assert (half[labels == 0] >= stage.pass_logit).mean() == pytest.approx(0.1, abs=0.02)


def test_a_recipe_makes_a_finder_that_finds(scenes, recipe, tmp_path, monkeypatch):
    def margins_of(graph, held, *, bands):
        found = real_margins(graph, held, bands=bands)
        assert np.isfinite(found).all()
        return found + 2.0 * held.labels  # eight steps teach nothing: calibrate on what would

    real_margins = finder.margins_of
    monkeypatch.setattr(finder, "margins_of", margins_of)
    (tmp_path / "scenes").symlink_to(scenes[0])
    seen = []
    card = finder.train_finder(recipe, tmp_path, recipe_toml=MINIATURE, watch=seen.append)
    assert [stage.file for stage in card.stages] == ["stage-1.onnx", "stage-2.onnx"]
    assert card.stages[0].pass_fraction == pytest.approx(recipe.pass_fraction, abs=0.02)
    made = load(tmp_path / "finder")
    pixels = np.random.default_rng(0).normal(0, 1, (4, 3, 64, 64)).astype(np.float32)
    pixels[1, :, :10] = np.nan
    turned = np.ascontiguousarray(np.rot90(pixels, 1, (2, 3)))
    ids = tuple("abcd")
    scores = made(Cutouts(ids=ids, pixels=pixels, bands=("g", "r", "i")))
    assert np.isfinite(scores.p).all()
    twice = made(Cutouts(ids=ids, pixels=turned, bands=("g", "r", "i")))
    finest = (scores.stage == 2) & (twice.stage == 2)
    np.testing.assert_allclose(scores.p[finest], twice.p[finest], atol=2e-2)
    card_text = (tmp_path / "finder" / "README.md").read_text()
    assert "tiny-gri" in card_text
    assert "validation AUC" in card_text
    assert {progress.stage for progress in seen} >= {"validated", "quantizing", "exported"}
    (tmp_path / "amended").mkdir()
    (tmp_path / "amended" / "scenes").symlink_to(scenes[0])
    amended = amending.add_doubt(recipe, tmp_path / "finder", tmp_path / "amended")
    assert [stage.spread for stage in amended.stages] == [False, True]
    assert all(stage.strangeness is not None for stage in amended.stages)
    assert amended.conformal is not None
    again = load(tmp_path / "amended" / "finder")
    for before, after in zip(made.networks, again.networks, strict=True):  # to the last bit
        np.testing.assert_array_equal(after(pixels), before(pixels))


def test_the_shipped_recipe_is_the_one_in_the_bundle():
    shipped = load("lens-gri")
    assert (shipped.folder / "recipe.toml").read_text() == recipe_text("lens-gri")
