"""Conformal sets: the true class is in them as often as was promised, at any share of lenses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from skysieve.core.errors import InputError
from skysieve.finder.doubt import fit_conformal, name_sets
from skysieve.measure.conformal import kept_ranks, measure_coverage, threshold_rank

CLASSES = ("nonlens", "lens")


def rows(rng: np.random.Generator, n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a ranking with an AUC of about 0.96, calibrated at equal shares."""
    truth = (rng.random(n) < share).astype(np.int64)
    lens = expit(2.5 * (rng.normal(size=n) + 2.5 * truth - 1.25))
    return np.stack([1 - lens, lens], axis=1), truth


def test_ranks_hold_the_first_and_the_last_and_are_all_of_a_few() -> None:
    assert kept_ranks(0).tolist() == []
    assert kept_ranks(7).tolist() == [1, 2, 3, 4, 5, 6, 7]
    many = kept_ranks(100_000, 500)
    assert many[0] == 1
    assert many[-1] == 100_000
    assert len(many) <= 500
    assert (many[1:] / many[:-1]).max() <= 2


@pytest.mark.parametrize(
    ("n", "confidence", "rank"),
    [(9, 0.9, 1), (8, 0.9, 0), (19, 0.9, 2), (99, 0.99, 1), (0, 0.5, 0)],
)
def test_the_threshold_is_the_order_statistic_of_the_theorem(
    n: int, confidence: float, rank: int
) -> None:
    assert threshold_rank(n, confidence) == rank


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.1, float("nan")])
def test_a_confidence_that_is_no_share_is_refused(confidence: float) -> None:
    with pytest.raises(InputError, match="confidence"):
        threshold_rank(100, confidence)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_coverage_is_nominal_in_each_class_and_at_the_rate_of_a_survey(confidence: float) -> None:
    """Calibrated at 1:1, asked at 1:1,000: within 1 % over many draws of calibration rows."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(60):
        kept = fit_conformal(*rows(rng, 2000, 0.5))
        survey, lenses = rows(rng, 20_000, 0.001), rows(rng, 2000, 1.0)
        over_all = measure_coverage(
            kept.sets(survey[0], confidence), survey[1], CLASSES, confidence
        )
        of_lens = measure_coverage(kept.sets(lenses[0], confidence), lenses[1], CLASSES, confidence)
        found.append((over_all[2].value, of_lens[1].value))
    assert np.abs(np.mean(found, axis=0) - confidence).max() < 0.01


def test_a_table_of_ranks_never_promises_too_much() -> None:
    rng = np.random.default_rng(5)
    p, truth = rows(rng, 30_000, 0.5)
    kept = fit_conformal(p, truth)
    assert max(len(one.values) for one in kept.samples) <= 1000
    for k, sample in enumerate(kept.samples):
        said = np.sort(p[truth == k, k])
        for confidence in (0.5, 0.9, 0.99, 0.9999):
            exact = said[threshold_rank(len(said), confidence) - 1]
            inside = (said >= sample.threshold(confidence)).mean()
            assert sample.threshold(confidence) <= exact
            assert inside == pytest.approx(confidence, abs=0.01 * (1 - confidence) + 3 / len(said))


def test_few_rows_of_a_class_leave_it_in_every_set() -> None:
    p = np.array([[0.9, 0.1]] * 50 + [[0.2, 0.8]] * 5)
    kept = fit_conformal(p, np.array([0] * 50 + [1] * 5))
    sets = kept.sets(np.array([[1.0, 0.0], [0.0, 1.0]]), 0.9)
    assert name_sets(sets, CLASSES, 1) == ["lens|nonlens", "lens"]


def test_a_row_without_a_number_is_in_no_set() -> None:
    kept = fit_conformal(*rows(np.random.default_rng(1), 400, 0.5))
    assert not kept.sets(np.array([[np.nan, np.nan]]), 0.9).any()


def test_coverage_of_no_rows_is_undefined() -> None:
    none = measure_coverage(np.zeros((0, 2), bool), np.zeros(0, np.int64), CLASSES, 0.9)
    assert [each.as_json()["value"] for each in none] == [None] * 3
    with pytest.raises(InputError, match="none of the classes"):
        measure_coverage(np.ones((1, 2), bool), np.array([2]), CLASSES, 0.9)
