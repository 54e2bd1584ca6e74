"""Settings by hand: what is asked for is set, a slip is met with the nearest setting."""

from __future__ import annotations

import pytest

from skysieve.core.errors import MissingError, RecipeError
from skysieve.recipe.scenarios import SCENARIOS, scenario_plan
from skysieve.recipe.settings import change


def test_settings_are_changed_and_nothing_else():
    plan = change(scenario_plan("lens-gri"), ["lens.min_arc_snr=20", "pixels=display"])
    assert plan.lens.min_arc_snr == 20
    assert plan.pixels == "display"
    undone = {"lens": scenario_plan("lens-gri").lens, "pixels": "flux"}
    assert plan.model_copy(update=undone) == scenario_plan("lens-gri")


def test_a_list_is_written_as_in_toml():
    plan = change(scenario_plan("lens-gri"), ["lens.source_g_ab=[22, 24.5]"])
    assert plan.lens.source_g_ab == (22, 24.5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lens.min_arc_snr", "Write NAME=VALUE"),
        ("lens.min_arc_sn=3", "Did you mean min_arc_snr"),
        ("lense.min_arc_snr=3", "Did you mean lens"),
        ("companion_fraction.x=3", "holds no others"),
        ("companion_fraction=1.5", "companion_fraction"),
        ("lens.source_g_ab=[26, 22]", "no range"),
        ("lens.min_arc_snr=faint", "lens.min_arc_snr .'faint'."),
        ("noise.depth=[0, 1]", "more than 0"),
        ("camera.side=2", "greater than or equal to 16"),
        ('camera.bands=["g", "q"]', "cfhtls has no band q"),
        ('camera.bands=["r", "g", "i"]', "in this order"),
        ("splits.trian=3", "Did you mean train"),
        ("version=2", "version"),
        ("nonlens.shares.star=-1", "0 or more"),
    ],
)
def test_what_cannot_be_is_refused_by_name(setting, message):
    with pytest.raises(RecipeError, match=message):
        change(scenario_plan("lens-gri"), [setting])


def test_an_unknown_survey_is_refused_with_the_known_ones():
    with pytest.raises(MissingError, match="cfhtls"):
        change(scenario_plan("lens-gri"), ["camera.survey=cfhtsl"])


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_plan_is_the_same_after_a_journey_through_json(name):
    plan = scenario_plan(name)
    assert type(plan).model_validate_json(plan.model_dump_json()) == plan
