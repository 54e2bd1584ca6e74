"""What each image of a lens scenario shows, by its number alone."""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

from skysieve.core.random import stream
from skysieve.recipe.scenarios import DeeplenseLens, LensGri, SurveyScenario

LensScenarioPlan = LensGri | DeeplenseLens | SurveyScenario


class Role(NamedTuple):
    """What an image shows.

    Args:
        shows: A lens, the sky of a lens without its arcs, or something else.
        side: The number of the side; images of two sides never share a scene.
        number: Of the lens or object within its side; a control has that of its lens.
    """

    shows: Literal["lens", "control", "other"]
    side: int
    number: int


def role_of(plan: LensScenarioPlan, seed: int, split: str, row: int) -> Role:
    """Return what an image shows.

    Args:
        plan: The scenario.
        seed: Of the scenario's streams.
        split: One of the plan's.
        row: The number of the image in it.
    """
    match plan:
        case LensGri():
            side, place = list(plan.splits).index(split), row % len(plan.cycle)
            shows = plan.cycle[place]
            if shows != "control":
                return Role(shows, side, row)
            turned = [
                plan.cycle[(place - back) % len(plan.cycle)] for back in range(len(plan.cycle))
            ]
            back = turned.index("lens") if "lens" in turned else 0
            return Role("control", side, max(row - back, 0))
        case DeeplenseLens():
            half, _, name = split.partition("_")
            side = ("train", "test").index(half)
            if name == "lenses":
                return Role("lens", side, row)
            # The first controls are those of the very lenses of the set; the rest have hosts as theirs.
            return Role("control" if row % 2 == 0 else "other", side, row // 2)
        case SurveyScenario():
            run = round(1 / plan.lens_rate)
            place = int(stream(seed, "place", row // run).integers(run))
            return Role(
                "lens" if row % run == place else "other", list(plan.splits).index(split), row
            )
        case _:
            assert_never(plan)
