import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import skysieve
from skysieve import pipeline
from skysieve.core.errors import InputError, MismatchError, RecipeError
from skysieve.finder.bundle import load
from skysieve.measure import plotting
from skysieve.recipe.classifier import ClassifierRecipe
from skysieve.recipe.recipe import list_recipes, read_recipe
from tests.train.rings import blob, write_kinds, write_rings

SMALL = {
    "lens-convnextv2": (
        "network.name=test_convnext2",
        "network.pretrained=false",
        "prepare.resize=64",
        "learn.phases.0.learning_rate=3e-3",
    ),
    "lens-cnn": ("network.widths=[8,16]", "network.dense=16"),
    "lens-multiscale": ("network.width=4", "network.levels=2"),
    "lens-ensemble": (
        "network.widths=[8,16]",
        "members.2.network.widths=[8]",
        "members.4.network.width=4",
        'members.5.network={kind="backbone",name="test_resnet"}',
    ),
    "substructure-resnet34": (
        "network.name=test_resnet",
        "network.pretrained=false",
        "prepare.resize=64",
        "learn.phases.0.learning_rate=1e-2",
        "learn.phases.0.epochs=5",
    ),
    "lens-sieve": ("network.width=8", "learn.average_decay=0.9", "learn.phases.0.epochs=5"),
    "lens-equivariant": (
        "network.width=2",
        "network.blocks=[1,1]",
        "learn.average_decay=0.9",
        "learn.phases.0.epochs=8",
    ),
    "substructure-equivariant": (
        "network.width=2",
        "network.blocks=[1,1]",
        "learn.average_decay=0.9",
    ),
}
"""What makes the recipes small enough for a test."""
SPLIT = ("data.validation=0.2", "data.calibration=0.2")
QUICK = ("learn.phases.0.epochs=2", "learn.batch=16", *SPLIT)
GOOD = (
    "learn.phases.0.epochs=8", "learn.phases.0.learning_rate=0.01", "learn.batch=16",
    "learn.average_decay=0.9", *SPLIT,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def coarse_figures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plotting, "DPI", 40)  # half of a small training is drawing
        yield


@pytest.fixture(scope="module")
def rings(tmp_path_factory):
    return write_rings(tmp_path_factory.mktemp("rings") / "set")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    return write_kinds(tmp_path_factory.mktemp("kinds") / "set")


@pytest.fixture(scope="module")
def taught(rings, tmp_path_factory):
    """A small network that has learned what a ring is."""
    out = tmp_path_factory.mktemp("taught") / "run"
    return pipeline.train("lens-sieve", [rings], out, settings=[*SMALL["lens-sieve"], *GOOD])


def test_every_recipe_of_a_classifier_is_tried_here():
    mine = {name for name in list_recipes() if isinstance(read_recipe(name), ClassifierRecipe)}
    assert mine == set(SMALL)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_recipe_runs_from_folders_to_a_finder(name, rings, kinds, tmp_path):
    data = kinds if name.startswith("substructure") else rings
    settings = [*QUICK, *SMALL[name], "learn.monitor=loss"]
    trained = pipeline.train(name, [data], tmp_path / "run", settings=settings)
    finder = load(trained.finder)
    assert finder.card.name == name
    assert set(trained.metrics) >= {"auc", "average_precision", "accuracy"}
    held = {path.name for path in trained.folder.iterdir()}
    assert held >= {"recipe.json", "splits.csv", "metrics.json", "metrics.csv", "predictions.parquet",
                    "figures", "finder", "members"}  # fmt: skip
    drawn = {path.name for path in (trained.folder / "figures").glob("*.png")}
    galleries = {f"gallery-{each}.png" for each in finder.card.classes}
    assert drawn >= {"roc.png", "purity.png", "confusion.png", "calibration.png"} | galleries
    assert "recipe.json" in finder.card.files
    assert any(file.endswith(".safetensors") for file in finder.card.files)


class TestTaught:
    def test_it_knows_rings_by_their_name(self, taught):
        """Class order is the same in training, in the bundle and in what finds with it."""
        finder = load(taught.finder)
        ids = tuple("abcdefgh")
        rings = np.stack([blob(9000 + k, kind=1) for k in range(8)])
        blobs = np.stack([blob(9100 + k, kind=0) for k in range(8)])
        bands = finder.card.input.bands
        said = [
            finder(skysieve.Cutouts(ids=ids, pixels=pixels, bands=bands))
            for pixels in (rings, blobs)
        ]
        assert finder.card.classes == ("nonlens", "lens")
        assert finder.card.positive == "lens"
        lens = finder.card.classes.index("lens")
        assert said[0].probabilities[:, lens].min() > said[1].probabilities[:, lens].max()

    def test_its_test_rows_are_the_test_folders_and_did_nothing_else(self, taught, rings):
        with (taught.folder / "splits.csv").open() as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        of = {row["id"]: row["split"] for row in rows}
        tested = {path.stem for name in ("test_lenses", "test_nonlenses")
                  for path in (rings / name).iterdir()}  # fmt: skip
        assert {name for name, split in of.items() if split == "test"} == tested
        assert set(of.values()) == {"train", "validation", "calibration", "test"}
        scored = pq.read_table(taught.folder / "predictions.parquet").column("id").to_pylist()
        assert set(scored) == tested

    def test_find_gives_the_probabilities_it_was_judged_by(self, taught, rings, tmp_path):
        pipeline.find([rings], taught.finder, tmp_path / "found")
        found = pq.read_table(tmp_path / "found" / "ranking.parquet").to_pylist()
        p = {row["id"]: row["p"] for row in found}
        for row in pq.read_table(taught.folder / "predictions.parquet").to_pylist():
            assert p[row["id"]] == pytest.approx(row["p_lens"], abs=1e-6)

    def test_it_is_scored_once(self, taught, rings):
        before = (taught.folder / "predictions.parquet").stat().st_mtime_ns
        again = pipeline.train(
            "lens-sieve", [rings], taught.folder, settings=[*SMALL["lens-sieve"], *GOOD]
        )
        assert again.metrics == taught.metrics
        assert (taught.folder / "predictions.parquet").stat().st_mtime_ns == before

    def test_its_recipe_teaches_again(self, taught, rings, tmp_path):
        again = pipeline.train(taught.folder / "recipe.json", [rings], tmp_path / "again")
        assert load(again.finder).card.stages == load(taught.finder).card.stages

    def test_a_folder_of_another_training_is_refused(self, taught, rings):
        with pytest.raises(MismatchError, match="another plan"):
            pipeline.train("lens-sieve", [rings], taught.folder, settings=["learn.batch=8"])


def test_three_classes_get_probabilities_that_sum_to_one(kinds, tmp_path):
    settings = [*SMALL["substructure-equivariant"], *GOOD, "learn.phases.0.epochs=12"]
    trained = pipeline.train(
        "substructure-equivariant", [kinds], tmp_path / "run", settings=settings
    )
    facts = json.loads((trained.folder / "metrics.json").read_text())
    assert facts["confusion"]["classes"] == ["no", "sphere", "vort"]
    assert trained.metrics["auc"][0] > 0.9
    table = pq.read_table(trained.folder / "predictions.parquet")
    p = np.stack([table.column(f"p_{name}").to_numpy() for name in ("no", "sphere", "vort")], 1)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)


def test_a_distilled_network_stands_before_its_teachers(rings, tmp_path):
    text = """
kind = "classifier"
name = "pair"
description = "Two networks and their pupil"
weighting = "validation"
symmetric = true
network = { kind = "convnet", width = 8, blocks = [1, 1] }
data = { validation = 0.2, calibration = 0.2 }
calibration = { kind = "isotonic" }
[learn]
batch = 16
phases = [{ epochs = 6, learning_rate = 1e-2 }]
[distill]
network = { kind = "convnet", width = 4, blocks = [1, 1] }
pass_fraction = 0.25
[[members]]
name = "one"
[[members]]
name = "two"
seed = 2
"""
    (tmp_path / "pair.toml").write_text(text)
    trained = pipeline.train(tmp_path / "pair.toml", [rings], tmp_path / "run")
    card = load(trained.finder).card
    assert [stage.pass_logit is None for stage in card.stages] == [False, True]
    assert 0 < card.stages[0].pass_fraction <= 0.5
    assert {stage.calibration.kind for stage in card.stages} == {"isotonic"}
    assert [stage.spread for stage in card.stages] == [False, True]
    assert card.conformal is not None
    with (tmp_path / "run" / "splits.csv").open() as file:
        splits = [line.split(",") for line in file if not line.startswith("#")]
    kept = sum("calibration" in " ".join(row) for row in splits)
    assert sum(sample.count for sample in card.conformal.samples) == kept
    shares = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert set(shares) == {"one", "two"}
    assert sum(shares.values()) == pytest.approx(1)


class TestRefused:
    def test_one_class(self, tmp_path):
        (tmp_path / "train_lenses").mkdir()
        for k in range(12):
            np.save(tmp_path / "train_lenses" / f"{k}.npy", blob(k, kind=1))
        with pytest.raises(InputError, match="one class"):
            pipeline.train("lens-sieve", [tmp_path], tmp_path / "run")

    def test_a_setting_that_is_none(self, rings, tmp_path):
        with pytest.raises(RecipeError, match="Did you mean epochs"):
            pipeline.train(
                "lens-sieve", [rings], tmp_path / "run", settings=["learn.phases.0.epoch=3"]
            )

    def test_a_recipe_key_that_is_none(self, rings, tmp_path):
        (tmp_path / "bad.toml").write_text(
            'kind = "classifier"\nname = "bad"\ndescription = "d"\nnetwrk = {}\n'
        )
        with pytest.raises(RecipeError, match="network"):
            pipeline.train(tmp_path / "bad.toml", [rings], tmp_path / "run")

    def test_no_data(self, tmp_path):
        with pytest.raises(InputError, match="--data"):
            pipeline.train("lens-sieve", [], tmp_path / "run")

    def test_data_for_a_recipe_that_simulates(self, rings, tmp_path):
        with pytest.raises(InputError, match="simulates"):
            pipeline.train("lens-gri", [rings], tmp_path / "run")

    def test_a_positive_class_that_is_none(self, rings, tmp_path):
        with pytest.raises(MismatchError, match="'ring' is none of nonlens, lens"):
            pipeline.train("lens-sieve", [rings], tmp_path / "run", settings=["positive=ring"])


def test_a_network_without_a_linear_head_is_exported_without_strangeness(
    rings, tmp_path, monkeypatch
):
    def find_no_heads(_model):
        raise RecipeError("The logits come from a Conv, not from a linear layer")

    monkeypatch.setattr("skysieve.train.tapping.find_heads", find_no_heads)
    told = []
    settings = [*SMALL["lens-sieve"], *QUICK, "network.width=4"]
    pipeline.train("lens-sieve", [rings], tmp_path / "run", settings=settings, watch=told.append)
    assert any("come from a Conv" in step.note for step in told)
    card = load(tmp_path / "run" / "finder").card
    assert all(stage.strangeness is None for stage in card.stages)
    assert card.conformal is not None  # it asks for probabilities alone
