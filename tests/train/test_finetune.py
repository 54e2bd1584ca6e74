"""Fine-tuning: what is exported is what was measured, and nobody ranks what taught it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

import skysieve
from skysieve import pipeline
from skysieve.core.errors import InputError, MismatchError, RecipeError
from skysieve.finder.bundle import load
from skysieve.measure import plotting
from skysieve.measure.rare import roc_auc
from skysieve.recipe.recipe import read_recipe
from skysieve.recipe.settings import change
from skysieve.train.examples import read_examples
from skysieve.train.finetune import cross_validate, learning_curve
from skysieve.train.weighing import LEAST_SLOPE, recalibrate, weigh
from tests.train.rings import blob

RECIPE = read_recipe("lens-finetune")
QUICK = ("repeats=2", "folds=3", "counts=[6]")
SIDE = 64


def write_spots(root: Path, *, each: int = 10) -> Path:
    """Write pictures in which what is looked for has two spots, and the others a ring."""
    for kind, name in ((2, "lens"), (1, "nonlens")):
        (root / name).mkdir(parents=True)
        for k in range(each):
            pixels = 255 * blob(100 * kind + k, kind=kind, side=SIDE)
            np.save(root / name / f"{kind}-{k}.npy", pixels.astype(np.uint8))
    return root


@pytest.fixture(scope="module", autouse=True)
def coarse_figures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plotting, "DPI", 40)
        yield


@pytest.fixture(scope="module")
def base():
    return load("lens-gri")


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    return write_spots(tmp_path_factory.mktemp("spots") / "set")


@pytest.fixture(scope="module")
def examples(base, spots):
    return read_examples(base, [spots])


@pytest.fixture(scope="module")
def tuned(spots, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "run"
    return pipeline.train("lens-finetune", [spots], out, base="lens-gri", settings=QUICK)


def rows(count, width=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)), rng.normal(0, 2, count), rng.random(count)


def test_rows_that_bear_the_finder_out_leave_it_as_it_is():
    features, log_odds, chance = rows(2000)
    learned = weigh(features, log_odds, chance < 1 / (1 + np.exp(-log_odds)), RECIPE)
    assert learned.slope == pytest.approx(1, abs=0.1)
    assert learned.offset == pytest.approx(0, abs=0.15)
    np.testing.assert_allclose(learned(features, log_odds), log_odds, atol=0.7)


def test_features_that_tell_more_are_weighed():
    features, log_odds, chance = rows(600)
    truth = chance < 1 / (1 + np.exp(-(0.5 * log_odds + 3 * features[:, 7] - 1)))
    learned = weigh(features, log_odds, truth, RECIPE)
    assert np.argmax(np.abs(learned.weights)) == 7
    others, fresh, _ = rows(2000, seed=1)
    wanted = 0.5 * fresh + 3 * others[:, 7] - 1
    assert np.corrcoef(learned(others, fresh), wanted)[0, 1] > 0.93
    assert learned(others, fresh).mean() == pytest.approx(wanted.mean(), abs=0.4)


def test_a_weighing_does_not_depend_on_units_of_features():
    features, log_odds, chance = rows(100)
    truth = chance < 1 / (1 + np.exp(-log_odds - 2 * features[:, 0]))
    scale, shift = np.geomspace(0.5, 2, features.shape[1]), 5.0
    one = weigh(features, log_odds, truth, RECIPE)(features, log_odds)
    other = weigh(features * scale + shift, log_odds, truth, RECIPE)
    np.testing.assert_allclose(other(features * scale + shift, log_odds), one, atol=0.02)


def test_dead_features_and_four_rows_do_no_harm():
    features, log_odds = np.zeros((4, 8)), np.array([-3.0, -1, 1, 4])
    learned = weigh(features, log_odds, log_odds > 0, RECIPE)
    assert np.isfinite([learned.slope, learned.offset, *learned.weights]).all()
    assert (np.diff(learned(features, log_odds)) > 0).all()


def test_a_calibration_never_turns_a_ranking_around():
    log_odds = np.linspace(-3, 3, 200)
    assert recalibrate(log_odds, log_odds < 0, RECIPE)[0] == LEAST_SLOPE
    slope, offset = recalibrate(log_odds, log_odds > 1.5, RECIPE)
    assert slope > 1
    assert slope * 1.5 + offset == pytest.approx(0, abs=0.3)


def test_rows_of_a_group_never_rank_each_other(examples):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 4)
    positive = (rng.permutation(40) < 20)[groups]  # by lot
    features = rng.normal(size=(40, 60))[groups]
    made = replace(
        examples, ids=tuple(map(str, range(160))), positive=positive, groups=groups,
        margins=rng.normal(size=(160, 2)), line=(0.001, 0.0), features=features,
    )  # fmt: skip
    recipe = change(RECIPE, ["repeats=3", "counts=[40]"])
    truth = positive.astype(int)
    for ranked in cross_validate(made, recipe):
        assert 0.3 < roc_auc(truth, ranked) < 0.7
    alone = replace(made, groups=np.arange(160))  # else they are told by their twins
    assert roc_auc(truth, cross_validate(alone, recipe)[0]) > 0.9
    for point in learning_curve(made, recipe):
        assert point.after < 0.75
        assert point.tested <= 160 - 4 * 10


def test_examples_are_what_find_says(base, spots, examples):
    cutouts = skysieve.read(spots)
    found = base(cutouts)
    p = dict(zip(found.ids, found.p, strict=True))
    finest = dict(zip(found.ids, found.stage == len(base.card.stages), strict=True))
    said = dict(zip(examples.ids, examples.log_odds, strict=True))
    assert len(said) == 20
    assert examples.positive.sum() == 10
    reached = [name for name in said if finest[name]]
    np.testing.assert_allclose(
        [said[name] for name in reached], [logit(p[name]) for name in reached], atol=0.05
    )


def test_the_finder_that_is_exported_says_what_was_learned(base, spots, examples, tuned):
    recipe = change(RECIPE, QUICK)
    learned = weigh(examples.features, examples.log_odds, examples.positive, recipe)
    wanted = dict(zip(examples.ids, learned(examples.features, examples.log_odds), strict=True))
    finder = load(tuned.finder)
    assert finder.card.name == "lens-gri-finetuned"
    found = finder(skysieve.read(spots))
    rows = np.flatnonzero(found.stage == 2)
    assert len(rows) >= 10
    x = np.array([wanted[found.ids[k]] for k in rows])
    y = logit(found.p[rows])
    slope, offset = np.polyfit(x, y, 1)  # a calibration lies between
    assert slope > 0
    np.testing.assert_allclose(y, slope * x + offset, atol=0.1)


def test_what_taught_a_finder_is_ranked_better_than_before(base, spots, tuned):
    labels = {path.stem: path.parent.name == "lens" for path in spots.glob("*/*.npy")}
    cutouts = skysieve.read(spots)
    aucs = []
    for finder in (base, load(tuned.finder)):
        found = finder(cutouts)
        truth = np.array([labels[Path(name).stem] for name in found.ids]).astype(int)
        aucs.append(roc_auc(truth, found.p.astype(float)))
    assert aucs[1] > aucs[0]
    assert aucs[1] == 1


def test_the_coarse_mesh_loses_no_more_labeled_lenses_than_asked(examples, tuned):
    card = load(tuned.finder).card
    passed = examples.margins[:, 0] >= card.stages[0].pass_logit
    assert passed[examples.positive].mean() >= 0.9
    assert card.stages[0].pass_fraction == pytest.approx(passed[~examples.positive].mean())


def test_a_fine_tuning_leaves_its_figures(tuned, spots):
    folder = tuned.folder
    told = json.loads((folder / "metrics.json").read_text())
    assert told["n"] == tuned.n_test == 20
    assert told["roc_auc"]["low"] <= told["roc_auc"]["value"] <= told["roc_auc"]["high"]
    assert len(told["roc_auc of each cross-validation"]) == 2
    with (folder / "examples.csv").open() as file:
        table = list(csv.DictReader(file))
    assert sum(int(row["positive"]) for row in table) == 10
    assert (folder / "figures" / "learning.png").stat().st_size > 1000
    card = (tuned.finder / "README.md").read_text()
    assert "20 labeled images" in card
    assert "AUC gained" in card
    again = pipeline.train("lens-finetune", [spots], folder, base="lens-gri", settings=QUICK)
    assert again.metrics == tuned.metrics


def test_a_folder_of_another_fine_tuning_is_refused(tuned, spots):
    with pytest.raises(MismatchError, match="another plan"):
        pipeline.train("lens-finetune", [spots], tuned.folder, base="lens-gri", settings=["seed=2"])


def test_other_images_do_not_replace_a_fine_tuning(tuned, tmp_path):
    more = write_spots(tmp_path / "set", each=4)
    before = (tuned.finder / "finder.json").read_bytes()
    with pytest.raises(MismatchError, match="another plan"):
        pipeline.train("lens-finetune", [more], tuned.folder, base="lens-gri", settings=QUICK)
    assert (tuned.finder / "finder.json").read_bytes() == before


def test_a_finder_is_not_fitted_twice(tuned, spots, tmp_path):
    with pytest.raises(RecipeError, match=r"lens-gri-finetuned.*all labeled images"):
        pipeline.train("lens-finetune", [spots], tmp_path / "run", base=tuned.finder)


def test_a_fine_tuning_needs_a_finder_and_images(spots, tmp_path):
    with pytest.raises(InputError, match="--from lens-gri"):
        pipeline.train("lens-finetune", [spots], tmp_path / "run")
    with pytest.raises(InputError, match="--data DIR"):
        pipeline.train("lens-finetune", [], tmp_path / "run", base="lens-gri")
    with pytest.raises(InputError, match="Leave out --from"):
        pipeline.train("lens-cnn", [spots], tmp_path / "run", base="lens-gri")


def test_one_image_of_a_class_is_too_few(tmp_path):
    spots = write_spots(tmp_path / "set", each=4)
    for path in sorted((spots / "lens").glob("*.npy"))[1:]:
        path.unlink()
    with pytest.raises(InputError, match="1 usable images of class lens"):
        pipeline.train("lens-finetune", [spots], tmp_path / "run", base="lens-gri")
