import csv

import pytest

from skysieve import pipeline
from skysieve.core.errors import MismatchError, RecipeError
from skysieve.recipe.recipe import read_recipe
from skysieve.recipe.tuning import parse_search
from skysieve.train import tune as tuning
from tests.train.rings import write_rings

SETTINGS = (
    "network.widths=[4]", "network.dense=4", "learn.phases.0.epochs=2", "learn.batch=16",
    "data.validation=0.2", "data.calibration=0.2",
)  # fmt: skip
SEARCH = ("learn.phases.0.learning_rate=1e-4:1e-2:log", "network.dropout=0,0.5")


@pytest.fixture(scope="module")
def rings(tmp_path_factory):
    return write_rings(tmp_path_factory.mktemp("rings") / "set")


def search(rings, out, trials, **more):
    return pipeline.tune(
        "lens-cnn", [rings], out, trials=trials, search=SEARCH, settings=SETTINGS, **more
    )


def test_a_search_goes_on_after_it_was_stopped(rings, tmp_path, monkeypatch):
    out = tmp_path / "tuned"
    real, calls = tuning.learn, []

    def stops(*args, **more):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(tuning, "learn", stops)
    with pytest.raises(KeyboardInterrupt):
        search(rings, out, 3)
    cut = calls[1][3]
    tuned = search(rings, out, 3)
    assert calls[2][3] == cut  # the trial that was cut off is done first, in its own folder
    assert tuned.trials == 3
    assert len(calls) == 4
    with (out / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["state"] for row in rows) == ["complete"] * 3 + ["fail"]
    best = max(float(row["value"]) for row in rows if row["value"])
    assert tuned.value == pytest.approx(best)
    assert set(tuned.settings) == {"learn.phases.0.learning_rate", "network.dropout"}
    assert sum(tuned.importance.values()) == pytest.approx(1, abs=1e-6) or not tuned.importance
    assert (out / "tuning.png").stat().st_size > 10_000
    recipe = read_recipe(out / "best.json")
    assert recipe.network.dropout == tuned.settings["network.dropout"]


def test_a_trial_that_falls_behind_is_cut_short(rings, tmp_path, monkeypatch):
    told = []

    def learn(member, images, splits, folder, *, report, **_):
        told.append(0)
        for epoch in range(1, 6):
            told[-1] = epoch
            report(epoch, 0.9 if len(told) <= 5 else 0.1)
        history = [{"auc": 0.9}]
        return type("Learned", (), {"history": history})()

    monkeypatch.setattr(tuning, "learn", learn)
    tuned = search(rings, tmp_path / "tuned", 6)
    assert tuned.pruned == 1
    assert told[:5] == [5] * 5
    assert told[5] < 5


def test_another_search_in_the_folder_is_refused(rings, tmp_path):
    search(rings, tmp_path / "tuned", 1)
    with pytest.raises(MismatchError, match="another plan"):
        pipeline.tune("lens-cnn", [rings], tmp_path / "tuned", trials=1, settings=SETTINGS)


def test_a_wrong_name_is_told_before_any_trial(rings, tmp_path):
    with pytest.raises(RecipeError, match="Did you mean dropout"):
        pipeline.tune("lens-cnn", [rings], tmp_path / "t", trials=1, search=["network.dropot=0,1"])


@pytest.mark.parametrize("text", ["a", "a=", "=1,2", "a=1:2:lg", "a=3:1", "a=-1:1:log"])
def test_a_search_that_cannot_be_read_is_refused(text):
    with pytest.raises(RecipeError, match=r"A\.B="):
        parse_search(text)
