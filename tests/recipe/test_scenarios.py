"""Scenarios: known by name, frozen by version, of the sizes they promise."""

from __future__ import annotations

import hashlib

import pytest

from skysieve.core.errors import MissingError
from skysieve.recipe.frames import sized
from skysieve.recipe.scenarios import SCENARIOS, scenario_plan

FROZEN = {
    "lens-gri 1": "d56310a0c5747167",
    "deeplense-lens 1": "14a083f34652b030",
    "deeplense-lens 2": "494a7644f7b938b4",
    "survey 1": "a419f1ff34d53b4b",
    "substructure 1": "c8b6ef17fb8ee95f",
    "euclid 1": "800e64404f03043b",
    "compound 1": "a98a02cfd122775e",
}
"""The first digits of the hash of each plan. A plan that changes gets a new version, and a line."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_plan_never_changes_under_its_version(name):
    plan = scenario_plan(name)
    digest = hashlib.sha256(plan.model_dump_json().encode()).hexdigest()
    assert FROZEN[f"{plan.name} {plan.version}"] == digest[:16]


def test_the_stand_in_has_the_sizes_of_the_set():
    assert scenario_plan("deeplense-lens").splits == {
        "train_lenses": 1_730,
        "train_nonlenses": 28_675,
        "test_lenses": 195,
        "test_nonlenses": 19_455,
    }


@pytest.mark.parametrize("slip", ["lens-gir", "lensgri", "deeplens-lens", "surveys"])
def test_a_slip_is_met_with_the_nearest_name(slip):
    with pytest.raises(MissingError, match=r"Did you mean (lens-gri|deeplense-lens|survey)[?]"):
        scenario_plan(slip)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 100, 999, 50_055, 123_456])
def test_a_size_is_shared_among_the_splits(count):
    splits = scenario_plan("deeplense-lens").splits
    shared = sized(splits, count)
    assert sum(shared.values()) == count
    assert list(shared) == list(splits)
    if count >= len(splits):
        assert min(shared.values()) >= 1
    if count == 50_055:
        assert shared == splits
