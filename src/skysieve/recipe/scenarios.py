"""Scenarios: named plans of simulated sets of images, each with a version.

A plan of a name and version never changes: whoever changes a number, a population or a camera
in a way that changes an image gives the scenario a new version.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from skysieve.core.errors import MissingError
from skysieve.recipe.compound import Compound
from skysieve.recipe.euclid import EuclidScenario
from skysieve.recipe.lens_scenarios import (
    DeeplenseLens,
    LensGri,
    SurveyScenario,
    deeplense_lens_2,
)
from skysieve.recipe.substructure_scenario import SubstructureScenario

ScenarioPlan = Annotated[
    LensGri | DeeplenseLens | SurveyScenario | SubstructureScenario | EuclidScenario | Compound,
    Field(discriminator="name"),
]
"""Any scenario; a new one is added here and to ``simulate.scenario.open_scenario``."""

SCENARIOS: Mapping[str, ScenarioPlan] = {
    plan.name: plan
    for plan in (
        LensGri(),
        DeeplenseLens(),
        SurveyScenario(),
        SubstructureScenario(),
        EuclidScenario(),
        Compound(),
    )
} | {"deeplense-lens@2": deeplense_lens_2()}
"""By name: the version that the name alone means, and others as ``NAME@VERSION``."""


def scenario_plan(name: str) -> ScenarioPlan:
    """Return the plan of a scenario by its name.

    Raises:
        MissingError: No scenario has that name; the nearest one is named.
    """
    if name in SCENARIOS:
        return SCENARIOS[name]
    near = difflib.get_close_matches(name, list(SCENARIOS), n=1, cutoff=0.4)
    known = f"Known are {', '.join(SCENARIOS)}"
    fix = f"Did you mean {near[0]}? {known}" if near else known
    raise MissingError(f"No scenario is called {name!r}", fix)
