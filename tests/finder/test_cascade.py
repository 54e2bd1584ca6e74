"""The sieve: every row is seen by the first stage, and only what passes by the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import InputError
from skysieve.core.scores import Status
from skysieve.finder.bundle import save
from skysieve.finder.calibration import FieldSize
from skysieve.finder.cascade import NO_NUMBER, Finder
from skysieve.images.sources import Group, Reading, Row
from tests.finder.tiny import BANDS, tiny_card, tiny_finder, tiny_graph


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    return tiny_finder(tmp_path_factory.mktemp("finders") / "tiny", stages=2)


def pixels(n: int = 90, side: int = 64) -> np.ndarray:
    rng = np.random.default_rng(4)
    smooth = rng.normal(size=(n, 3, side // 8, side // 8)).repeat(8, axis=2).repeat(8, axis=3)
    amounts = np.linspace(0, 3, n)[:, None, None, None]
    return (rng.normal(size=(n, 3, side, side)) + amounts * smooth).astype(np.float32)


def row(k: int, status: Status = Status.OK) -> Row:
    return Row(id=f"c{k}", source="s", row=k, ra_deg=np.nan, dec_deg=np.nan, status=status)


def reading(images: np.ndarray) -> Reading:
    rows = tuple(row(k) for k in range(len(images)))
    return Reading(rows=rows, groups=(Group(index=np.arange(len(images)), pixels=images),))


def test_each_row_has_the_probability_of_the_last_stage_that_saw_it(finder: Finder) -> None:
    images = pixels()
    first, second = (
        np.diff(network(images).astype(np.float64))[:, 0] for network in finder.networks
    )
    middle = float(np.median(first))
    stages = (
        finder.card.stages[0].model_copy(update={"pass_logit": middle}),
        finder.card.stages[1],
    )
    halving = replace(finder, card=finder.card.model_copy(update={"stages": stages}))
    sieved = halving.score(reading(images))
    passed = first >= middle
    assert (sieved.stage == np.where(passed, 2, 1)).all()
    expected = np.where(passed, expit(1.0 * second - 1.0), expit(0.75 * first - 1.0))
    np.testing.assert_allclose(sieved.probabilities[:, 1], expected, rtol=1e-12)
    np.testing.assert_allclose(sieved.probabilities.sum(axis=1), 1)


def test_the_size_of_the_field_is_evened_out_before_anything_else(finder: Finder) -> None:
    images = pixels()
    first = np.diff(finder.networks[0](images).astype(np.float64))[:, 0]
    lift = -float(np.median(first))  # over two doublings: half of the rows pass
    even = FieldSize(reference_side=images.shape[-1] // 4, margin_per_doubling=lift / 2)
    stages = tuple(stage.model_copy(update={"field_size": even}) for stage in finder.card.stages)
    evened = replace(finder, card=finder.card.model_copy(update={"stages": stages}))
    sieved = evened.score(reading(images))
    assert (sieved.stage == np.where(first + lift >= 0, 2, 1)).all()
    stopped = sieved.stage == 1
    assert stopped.any()
    np.testing.assert_allclose(
        sieved.probabilities[stopped, 1], expit(0.75 * (first[stopped] + lift) - 1.0), rtol=1e-12
    )


def test_a_row_that_could_not_be_read_gets_no_score(finder: Finder) -> None:
    images = pixels(4)
    rows = (row(0), row(1, Status.UNREADABLE), row(2), row(3, Status.EMPTY))
    group = Group(index=np.array([2, 0]), pixels=images[:2])
    sieved = finder.score(Reading(rows=rows, groups=(group,)))
    assert np.isnan(sieved.probabilities[[1, 3]]).all()
    assert (sieved.stage[[1, 3]] == 0).all()
    swapped = finder.score(reading(images[:2]))
    np.testing.assert_array_equal(sieved.probabilities[[2, 0]], swapped.probabilities)


@pytest.mark.parametrize("bias", [np.nan, np.inf, -np.inf])
def test_a_row_without_a_finite_logit_gets_a_status_instead_of_a_score(
    tmp_path: Path, bias: float
) -> None:
    broken = save(tmp_path / "broken", tiny_card(), {"stage-1.onnx": tiny_graph(bias=bias)})
    sieved = broken.score(reading(pixels(3)))
    assert {(row.status, row.message) for row in sieved.rows} == {(Status.NONFINITE, NO_NUMBER)}
    assert np.isnan(sieved.probabilities).all()
    assert not sieved.stage.any()


def test_a_finder_scores_cutouts_in_their_order(finder: Finder) -> None:
    images = pixels(300)
    cutouts = Cutouts(
        ids=tuple(f"c{k}" for k in range(300)),
        pixels=images[:, ::-1].copy(),
        bands=BANDS[::-1],
        pixel_scale_arcsec=0.2,
    )
    scores = finder(cutouts)
    assert scores.ids == cutouts.ids
    assert set(scores.status) == {Status.OK}
    expected = finder.score(reading(images)).probabilities.astype(np.float32)
    np.testing.assert_array_equal(scores.probabilities, expected)


def test_no_cutouts_give_no_scores(finder: Finder) -> None:
    empty = Cutouts(ids=(), pixels=np.empty((0, 3, 64, 64), np.float32), bands=BANDS)
    assert len(finder(empty)) == 0


def test_a_finder_refuses_cutouts_without_its_bands(finder: Finder) -> None:
    cutouts = Cutouts(ids=("a",), pixels=pixels(1)[:, :1], bands=("VIS",))
    with pytest.raises(InputError, match="VIS"):
        finder(cutouts)


def test_a_cutout_without_data_gets_a_status(finder: Finder) -> None:
    images = pixels(3)
    images[1] = np.nan
    scores = finder(Cutouts(ids=("a", "b", "c"), pixels=images, bands=BANDS))
    assert [status.value for status in scores.status] == ["ok", "nonfinite", "ok"]
    assert np.isnan(scores.probabilities).all(axis=1).tolist() == [False, True, False]
