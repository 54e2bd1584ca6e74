"""The parts of a report that go beyond its table."""

from __future__ import annotations

import numpy as np
import pytest

from skysieve.core.errors import InputError
from skysieve.core.labels import Labels
from skysieve.core.odds import at_prior
from skysieve.measure.page import compose_page
from skysieve.measure.performance import Draws
from skysieve.measure.rates import Known
from skysieve.measure.report_input import ReportInput
from skysieve.measure.thresholds import Intent
from tests.measure.test_report import ranking

FINDER = {"name": "toy", "version": "1", "positive": "lens"}


def scores(truth: np.ndarray, seed: int) -> np.ndarray:
    """Probabilities that are right where every second row is a lens."""
    margin = np.random.default_rng(seed).normal(np.where(truth == 1, 1.5, -1.5), 1.0)
    return 1 / (1 + np.exp(-3 * margin))


def known(truth: np.ndarray, p: np.ndarray, value: int) -> Known:
    """Calibration rows of a class."""
    own = np.sort(p[truth == value])
    return Known(p=own, share=(np.arange(len(own)) + 0.5) / len(own), count=len(own))


@pytest.fixture(scope="module")
def survey() -> tuple[np.ndarray, np.ndarray]:
    """40 lenses among 4,000 rows, best first."""
    truth = (np.arange(4000) < 40).astype(np.int8)
    p = scores(truth, 1)
    order = np.argsort(-p, kind="stable")
    return truth[order], p[order]


@pytest.fixture(scope="module")
def calibration() -> tuple[Known, Known]:
    truth = (np.arange(4000) < 2000).astype(np.int8)
    p = scores(truth, 2)
    return known(truth, p, 1), known(truth, p, 0)


def compose(survey, labeled: bool, **more):
    truth, p = survey
    ids = tuple(f"c{k}" for k in range(len(p)))
    labels = Labels(ids=ids, values=truth) if labeled else None
    given = ReportInput(
        ranking=ranking(p), finder=FINDER, labels=labels, draws=Draws(resamples=200),
        fitted_prior=np.full(len(p), 0.5), **more,
    )  # fmt: skip
    page = compose_page(given)
    return {section.key: section for section in page.sections}, page.as_json()


def test_a_cut_is_where_the_labels_say(survey):
    truth, p = survey
    _, numbers = compose(survey, True, intents=(Intent(inspect=50), Intent(completeness=0.9)))
    first, second = numbers["thresholds"]
    assert np.isclose(first["threshold"], p[49])
    assert first["labeled"]["completeness"]["value"] == truth[:50].sum() / 40
    assert second["labeled"]["completeness"]["value"] == 0.9


def test_probabilities_are_right_at_the_share_of_the_labels_only(survey):
    _, numbers = compose(survey, True)
    found = numbers["calibration"]
    assert found["share"] == 0.01
    assert found["as_fitted"]["measured"]["ece_mass"]["value"] > 0.05
    assert found["at_prior"]["measured"]["ece_mass"]["value"] < 0.005


def test_the_scores_tell_the_share_of_lenses(survey, calibration):
    sections, numbers = compose(survey, False, known=calibration)
    rate = numbers["survey"]["rate"]
    assert rate["low"] < 0.01 < rate["high"]
    above = numbers["survey"]["rate_above"]
    assert above["low"] < 0.01 < above["high"]
    assert above["method"] == "bbse"
    best = {one["k"]: one for one in numbers["survey"]["expected"]["best"]}
    found = survey[0][:30].sum()
    assert best[30]["low"] <= found <= best[30]["high"]
    assert "<svg" in sections["survey"].figures["Lenses expected"]


def test_a_share_is_not_believed_where_nothing_is_kept_or_nothing_fits(survey, calibration):
    sections, numbers = compose(survey, False)
    assert numbers["survey"]["rate"]["value"] is None
    assert "keeps no calibration rows" in sections["survey"].note
    truth, p = survey
    strange = truth, np.sort(np.clip(p, 0.2, 0.99))[::-1]
    _, numbers = compose(strange, False, known=calibration)
    assert "not like those" in numbers["survey"]["rate"]["why"]


def test_without_labels_a_cut_is_what_probabilities_lead_to_expect(survey):
    truth, p = survey
    intents = (Intent(purity=0.5), Intent(inspect=5), Intent(completeness=0.8), Intent(fpr=0.01))
    _, numbers = compose(survey, False, survey_prior=0.01, intents=intents)
    purity, inspect, completeness, fpr = numbers["thresholds"]
    q = at_prior(p, 0.5, 0.01)
    assert np.isclose(purity["purity"], q[: purity["k"]].mean())
    assert q[: purity["k"]].mean() >= 0.5 > q[: purity["k"] + 1].mean()
    assert inspect["k"] == 5
    assert completeness["completeness"] >= 0.8
    assert fpr["fpr"] <= 0.01
    assert abs(truth[: fpr["k"]].sum() - fpr["lenses"]) < 10


def test_an_intent_that_nothing_reaches_is_undefined(survey):
    _, numbers = compose(survey, False, survey_prior=1e-7, intents=(Intent(purity=0.9),))
    assert numbers["thresholds"] == [{"intent": "purity=0.9", "threshold": None}]


def test_kinds_are_counted_on_both_sides(survey):
    truth, p = survey
    kinds = {
        f"c{k}": ("quad" if k % 2 else "arc") if one else "ring" for k, one in enumerate(truth)
    }
    _, numbers = compose(survey, True, kinds=("kind", kinds))
    first = numbers["kinds"]["false_positives"][0]
    passed = int(((p >= 0.5) & (truth == 0)).sum())
    assert (first["passed"], first["kinds"][0]["kind"]) == (passed, "ring")
    found = numbers["kinds"]["completeness"]
    assert found["quad"]["p_0.5"]["n"] + found["arc"]["p_0.5"]["n"] == 40
    many = {f"c{k}": str(k) for k in range(len(p))}
    with pytest.raises(InputError, match="different values"):
        compose(survey, True, kinds=("kind", many))
