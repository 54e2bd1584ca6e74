"""With ``--prior auto`` the scores of a whole run tell the share of lenses, or why they cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skysieve.core.odds import at_prior
from skysieve.finder.calibration import Platt
from skysieve.finder.card import FinderCard, Stage
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


def card_of(*priors: float) -> FinderCard:
    stages = [
        Stage(file=f"stage-{k}.onnx", pass_logit=0.0, calibration=Platt(prior=prior))
        for k, prior in enumerate(priors)
    ]
    stages[-1] = stages[-1].model_copy(update={"pass_logit": None})
    return tiny_card().model_copy(update={"stages": tuple(stages)})


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
    _, p = sky(3000, 0.0, 2, apart=2.5)
    table, rate = fill_survey(rows(p, np.ones(len(p), np.int8)), card_of(0.5))
    assert (rate.value, rate.low) == (None, 0)
    assert 0 < rate.high < 0.01
    assert "none of the rows" in rate.why
    assert table["p_survey"].null_count == len(p)


def test_without_a_score_there_is_no_share() -> None:
    table, rate = fill_survey(rows(np.full(3, np.nan), np.zeros(3, np.int8)), card_of(0.5))
    assert rate.why == "no row has a score"
    assert table["p_survey"].null_count == 3


def test_a_run_is_the_same_whatever_its_parts(tmp_path: Path) -> None:
    finder = tiny_finder(tmp_path / "tiny", stages=2)
    images = write_sky(tmp_path / "images", n=60)
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
