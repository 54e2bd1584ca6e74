"""Doubt: what a finder says beside a probability, and what its bundle keeps for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import chi2

from skysieve import pipeline
from skysieve.core.errors import InputError, MismatchError
from skysieve.finder.bundle import SHIPPED, load, read_card, save
from skysieve.finder.cascade import Finder
from skysieve.finder.doubt import FLAG, UNUSUAL, Strangeness, fit_conformal, fit_strangeness
from skysieve.finder.runtime import Network, cpu_precision
from skysieve.images.sources import Group, Reading
from skysieve.train.tapping import Distance, Extension
from tests.finder.test_cascade import pixels, row
from tests.finder.tiny import tiny_card, tiny_graph

FEATURES = 8


def reading(images: np.ndarray) -> Reading:
    rows = tuple(row(k) for k in range(len(images)))
    return Reading(rows=rows, groups=(Group(index=np.arange(len(images)), pixels=images),))


@pytest.fixture(scope="module")
def doubting(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    """A tiny sieve whose second stage says how strange a cutout looks, and the sieve what is kept."""
    folder = tmp_path_factory.mktemp("doubting")
    graph = folder / "stage-2.onnx"
    graph.write_bytes(tiny_graph(seed=2))
    extension = Extension(graph)
    near = Distance(np.full(FEATURES, 0.6), np.eye(FEATURES) * 10, np.zeros((1, FEATURES)))
    extension.give_strangeness((near,))
    extension.save(graph)
    first, second = (
        Network(
            graph, name="it", bands=3, classes=2, batch=8, precision=cpu_precision(), threads=1,
            extras=extras,
        ).numbers(pixels(200)).astype(np.float64)
        for graph, extras in ((tiny_graph(seed=1), ()), (graph.read_bytes(), ("strangeness",)))
    )  # fmt: skip
    card = tiny_card(stages=2)
    stages = (
        card.stages[0].model_copy(update={"pass_logit": float(np.median(np.diff(first)))}),
        card.stages[1].model_copy(update={"strangeness": fit_strangeness(second[:, 2])}),
    )
    card = card.model_copy(update={"stages": stages})
    files = {"stage-1.onnx": tiny_graph(seed=1), "stage-2.onnx": graph}
    made = save(folder / "finder", card, files)
    p = made.score(reading(pixels(200))).probabilities
    kept = fit_conformal(p, np.random.default_rng(0).integers(0, 2, 200))
    return save(folder / "finder", card.model_copy(update={"conformal": kept}), files)


def test_the_share_of_stranger_rows_is_their_share() -> None:
    law = chi2(6)
    kept = fit_strangeness(law.rvs(20_000, random_state=2))
    for true in (0.9, 0.5, 0.1, 0.03, 0.01):
        assert kept(law.isf([true]))[0] == pytest.approx(true, rel=0.15)
    shares = kept(np.linspace(0, 200, 5000))
    assert (np.diff(shares) <= 0).all()
    assert shares[0] == 1
    assert 0 < shares[-1] < 1e-4


def test_one_in_a_hundred_calibration_negatives_reaches_the_recommended_probability() -> None:
    rng = np.random.default_rng(3)
    lens, truth = rng.beta(1, 4, 1000), np.repeat([0, 1], 500)
    card = tiny_card().model_copy(
        update={"conformal": fit_conformal(np.column_stack([1 - lens, lens]), truth)}
    )
    assert card.recommended_p is not None
    assert 0.002 <= (lens[:500] >= card.recommended_p).mean() <= 0.012
    few = fit_conformal(np.column_stack([1 - lens, lens])[420:], truth[420:])  # 80 negatives
    assert card.model_copy(update={"conformal": few}).recommended_p is None
    assert tiny_card().recommended_p is None


@pytest.mark.parametrize("n", [60, 1000])
def test_of_usual_rows_about_as_few_are_called_unusual_as_it_says(n: int) -> None:
    law, called = chi2(6), []
    for seed in range(40):
        kept = fit_strangeness(law.rvs(n, random_state=seed))
        called.append((kept(law.rvs(5000, random_state=1000 + seed)) < UNUSUAL).mean())
    assert np.mean(called) < 3 * UNUSUAL


def test_what_is_far_from_all_is_unusual_and_what_is_no_number_is_not_called_so() -> None:
    kept = fit_strangeness(chi2(6).rvs(1000, random_state=0))
    far, infinite, none = kept(np.array([1e4, np.inf, np.nan]))
    assert far < UNUSUAL
    assert infinite == 0
    assert np.isnan(none)


def test_a_few_rows_say_nothing_of_what_is_strange() -> None:
    with pytest.raises(InputError, match="at least"):
        fit_strangeness(np.ones(5))


def test_values_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        Strangeness(count=100, values=(2.0, 1.0), shares=(1.0, 0.1), tail_index=1.0)


def test_a_card_that_says_nothing_of_doubt_is_what_it_was() -> None:
    """An older skysieve reads a bundle without doubt; its hash and its runs stay what they were."""
    folder = SHIPPED / "lens-gri"
    fields = json.loads((folder / "finder.json").read_text())
    fields.pop("seal")
    card = read_card(folder)
    without = card.model_copy(
        update={
            "conformal": None,
            "stages": tuple(
                stage.model_copy(update={"spread": False, "strangeness": None})
                for stage in card.stages
            ),
        }
    )
    dumped = without.model_dump(mode="json")
    assert "conformal" not in dumped
    assert all(
        set(stage) == {"file", "pass_logit", "pass_fraction", "field_size", "calibration"}
        for stage in dumped["stages"]
    )
    assert card.model_dump(mode="json") == fields


def test_the_numbers_of_the_deciding_stage_count(doubting: Finder) -> None:
    images = pixels(60)
    sieved = doubting.score(reading(images))
    assert {1, 2} <= set(sieved.stage.tolist())
    assert np.isnan(sieved.ood[sieved.stage == 1]).all()  # it says nothing of strangeness
    second = sieved.stage == 2
    strange = doubting.networks[1].numbers(images[second])[:, 2].astype(np.float64)
    usual = doubting.card.stages[1].strangeness
    assert usual is not None
    np.testing.assert_array_equal(sieved.ood[second], usual(strange))
    assert np.isnan(sieved.spread).all()


def test_doubt_is_the_same_whatever_else_is_read(doubting: Finder) -> None:
    images = pixels(40)
    together = doubting.score(reading(images))
    alone = [doubting.score(reading(images[k : k + 1])).ood[0] for k in range(0, 40, 5)]
    np.testing.assert_array_equal(alone, together.ood[::5])


def test_probabilities_are_those_of_the_sieve_without_doubt(doubting: Finder) -> None:
    images = pixels(40)
    bare = [stage.model_copy(update={"strangeness": None}) for stage in doubting.card.stages]
    card = doubting.card.model_copy(update={"stages": tuple(bare)})
    files = {"stage-1.onnx": tiny_graph(seed=1), "stage-2.onnx": tiny_graph(seed=2)}
    plain = save(doubting.folder.with_name("plain"), card, files)
    np.testing.assert_array_equal(
        plain.score(reading(images)).probabilities, doubting.score(reading(images)).probabilities
    )


def test_find_writes_sets_and_shares(doubting: Finder, tmp_path: Path) -> None:
    sky = pixels(90)
    sky[::3, :, ::2] += 30  # stripes, which no calibration row has
    np.save(tmp_path / "sky.npy", sky)
    pipeline.find([tmp_path / "sky.npy"], doubting, tmp_path / "run", confidence=0.9, prior=0.001)
    table = pq.read_table(tmp_path / "run" / "ranking.parquet")
    assert table.schema.names == [
        "rank", "id", "source", "row", "ra", "dec", "p", "p_survey", "p_nonlens", "p_lens",
        "stage", "conformal", "ood", "status", "flags", "message", "finder",
    ]  # fmt: skip
    kept = doubting.card.conformal
    assert kept is not None
    nonlens, lens = (sample.threshold(0.9) for sample in kept.samples)
    for each in table.to_pylist():
        wanted = ["lens"] * (each["p_lens"] >= lens) + ["nonlens"] * (each["p_nonlens"] >= nonlens)
        assert each["conformal"] == "|".join(wanted)
        assert (FLAG in each["flags"]) == (each["ood"] is not None and each["ood"] < UNUSUAL)
    flagged = [FLAG in each["flags"] for each in table.to_pylist()]
    assert any(flagged)
    assert not all(flagged)


def test_a_finder_that_keeps_no_rows_promises_nothing(doubting: Finder, tmp_path: Path) -> None:
    np.save(tmp_path / "sky.npy", pixels(4))
    bare = replace(doubting, card=doubting.card.model_copy(update={"conformal": None}))
    with pytest.raises(MismatchError, match="calibration rows"):
        pipeline.find([tmp_path / "sky.npy"], bare, tmp_path / "run", confidence=0.9)
    with pytest.raises(InputError, match="confidence"):
        pipeline.find([tmp_path / "sky.npy"], doubting, tmp_path / "run", confidence=1.0)


def test_a_bundle_whose_graph_does_not_give_what_its_card_says_is_refused(tmp_path: Path) -> None:
    card = tiny_card()
    stage = card.stages[0].model_copy(update={"spread": True})
    card = card.model_copy(update={"stages": (stage,)})
    with pytest.raises(InputError, match="spread"):
        save(tmp_path / "finder", card, {"stage-1.onnx": tiny_graph()})
    assert load(save(tmp_path / "good", tiny_card(), {"stage-1.onnx": tiny_graph()}).folder)
