"""Batches: every row is seen, classes are mixed as asked, and nothing is dropped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysieve.core.errors import RecipeError
from skysieve.core.random import stream
from skysieve.recipe.learning import SamplingPlan
from skysieve.train.sampling import batches_of, spans_of

LABELS = np.array([0] * 900 + [1] * 100)  # as folders give them: one class after the other
NATURAL, STRATIFIED, BALANCED = (
    SamplingPlan(kind=kind) for kind in ("natural", "stratified", "balanced")
)


def drawn(plan, labels=LABELS, batch=50, index=0):
    return batches_of(labels, plan, batch, stream(1, "order", index))


@given(st.integers(1, 300), st.integers(2, 70), st.sampled_from([NATURAL, STRATIFIED]))
def test_an_epoch_holds_every_row_once_in_batches_of_one_size(n, batch, plan):
    labels = np.arange(n) % 3
    batches = drawn(plan, labels, batch)
    assert sorted(np.concatenate(batches)) == list(range(n))
    sizes = {len(each) for each in batches}
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("plan", [NATURAL, STRATIFIED, BALANCED], ids=lambda plan: plan.kind)
def test_an_epoch_mixes_classes_and_has_its_own_order(plan):
    """Data that lie class by class must not be learned class by class."""
    batches = drawn(plan)
    assert all(0 < LABELS[each].sum() < len(each) for each in batches if plan is not NATURAL)
    ordered = LABELS[np.concatenate(batches)]
    halves = ordered[:500].mean(), ordered[500:].mean()
    assert halves[0] == pytest.approx(halves[1], abs=0.08)
    again, other = drawn(plan), drawn(plan, index=1)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


def test_stratified_batches_have_the_shares_of_the_whole():
    for each in drawn(STRATIFIED, batch=64):
        assert LABELS[each].mean() == pytest.approx(0.1, abs=1.5 / len(each))


@pytest.mark.parametrize(("share", "expected"), [(None, 0.5), (0.25, 0.25)])
def test_balanced_batches_have_the_shares_that_are_asked_for(share, expected):
    batches = drawn(SamplingPlan(kind="balanced", rare_share=share))
    assert sum(len(each) for each in batches) == 1000
    for each in batches:
        assert LABELS[each].mean() == pytest.approx(expected, abs=0.03)


def test_a_rare_share_of_three_classes_is_refused():
    with pytest.raises(RecipeError, match="rare_share"):
        drawn(SamplingPlan(kind="balanced", rare_share=0.2), np.arange(90) % 3)


@given(st.integers(0, 300), st.integers(1, 70))
def test_evaluation_sees_every_row_and_drops_no_last_batch(n, batch):
    rows = np.arange(n)
    assert np.concatenate([rows[:0], *(rows[each] for each in spans_of(n, batch))]).tolist() == (
        rows.tolist()
    )
