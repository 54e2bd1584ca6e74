"""With ``--prior auto`` the scores of a whole run tell the share of lenses, or why they cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from skysieve.core.errors import MismatchError
from skysieve.core.odds import at_prior
from skysieve.finder.bundle import save
from skysieve.finder.calibration import Platt
from skysieve.finder.card import FinderCard, Stage
from skysieve.finder.doubt import Conformal, fit_conformal
from skysieve.images import scan
from skysieve.search import merge
from skysieve.search.plan import Plan, make_plan, open_run
from skysieve.search.prior import fill_survey
from skysieve.search.run import read_summary, search
from tests.finder.tiny import tiny_card, tiny_finder
from tests.measure.test_reliability import sky
from tests.search.sky import write_sky


def rows(p: np.ndarray, stage: np.ndarray) -> pa.Table:
    return pa.table(
        {
            "p": pa.array(p, pa.float64(), from_pandas=True),
            "p_survey": pa.nulls(len(p), pa.float64()),
            "stage": pa.array(stage, pa.int8()),
        }
    )


def conformal_of(p_nonlens: np.ndarray, p_lens: np.ndarray) -> Conformal:
    p = np.concatenate([p_nonlens, p_lens])
    truth = np.repeat([0, 1], [len(p_nonlens), len(p_lens)])
    return fit_conformal(np.stack([1 - p, p], 1), truth)


def card_of(*priors: float) -> FinderCard:
    stages = [
        Stage(file=f"stage-{k}.onnx", pass_logit=0.0, calibration=Platt(prior=prior))
        for k, prior in enumerate(priors)
    ]
    stages[-1] = stages[-1].model_copy(update={"pass_logit": None})
    truth, p = sky(4000, 0.5, 100)
    moved = p if len(priors) == 1 else np.where(p > 0.3, at_prior(p, 0.5, priors[-1]), p)
    kept = conformal_of(moved[truth == 0], moved[truth == 1])
    return tiny_card().model_copy(update={"stages": tuple(stages), "conformal": kept})


def test_the_share_is_told_whatever_the_priors_of_the_stages() -> None:
    truth, p = sky(20_000, 0.01, 1)
    stage = np.where(p > 0.3, 2, 1).astype(np.int8)
    moved = np.where(stage == 2, at_prior(p, 0.5, 0.2), p)
    moved[:5], stage[:5] = np.nan, 0
    table, rate = fill_survey(rows(moved, stage), card_of(0.5, 0.2))
    assert rate.n == 19_995
    assert rate.low < truth[5:].mean() < rate.high
    survey = table["p_survey"].to_numpy()
    assert np.isnan(survey[:5]).all()
    np.testing.assert_allclose(survey[5:], at_prior(p[5:], 0.5, rate.value), rtol=1e-9)
    assert survey[5:].mean() == pytest.approx(rate.value, rel=1e-3), "the share explains itself"


def test_where_no_lens_is_needed_nothing_is_made_up() -> None:
    _, p = sky(3000, 0.0, 2)
    p = p**1.2  # no lens, and none needed
    table, rate = fill_survey(rows(p, np.ones(len(p), np.int8)), card_of(0.5))
    assert (rate.value, rate.low) == (None, 0)
    assert 0 < rate.high < 0.01
    assert "none of the rows" in rate.why
    assert table["p_survey"].null_count == len(p)


def test_a_sky_unlike_the_calibration_rows_is_not_believed() -> None:
    truth, _ = sky(20_000, 0.01, 3)
    rng = np.random.default_rng(4)
    easier = rng.normal(np.where(truth == 1, 1.5, -2.5), 1.0)  # the non-lenses, not the lenses
    table, rate = fill_survey(rows(expit(3 * easier), np.ones(20_000, np.int8)), card_of(0.5))
    assert rate.value is None
    assert rate.distance is None or rate.distance > rate.limit
    assert table["p_survey"].null_count == 20_000


def test_without_a_score_there_is_no_share() -> None:
    table, rate = fill_survey(rows(np.full(3, np.nan), np.zeros(3, np.int8)), card_of(0.5))
    assert rate.why == "no row has a score"
    assert table["p_survey"].null_count == 3


def test_a_run_is_the_same_whatever_its_parts(tmp_path: Path) -> None:
    images = write_sky(tmp_path / "images", n=60)
    plain = tiny_finder(tmp_path / "plain", stages=2)
    with pytest.raises(MismatchError, match="keeps no calibration rows"):
        make_plan(scan([images]), plain, "auto")
    kept = conformal_of(np.linspace(0.01, 0.5, 50), np.linspace(0.4, 0.99, 50))
    files = {path.name: path for path in plain.folder.iterdir() if path.name != "finder.json"}
    card = plain.card.model_copy(update={"conformal": kept, "files": {}})
    finder = save(tmp_path / "tiny", card, files)
    found = []
    for part_rows in (50, 1024):
        run = tmp_path / f"run-{part_rows}"
        plan = make_plan(scan([images]), finder, "auto")
        plan = Plan.model_validate(plan.model_dump() | {"part_rows": part_rows})
        open_run(run, plan)
        summary = search(run, plan, finder)
        assert summary.rate is not None
        assert summary.rate.n == summary.n_ok
        assert read_summary(run).rate == summary.rate
        assert search(run, plan, finder).rate == summary.rate, "as before"
        found.append((pq.read_table(run / merge.RANKING), summary.rate))
    assert found[0][0].equals(found[1][0])
    assert found[0][1] == found[1][1]
