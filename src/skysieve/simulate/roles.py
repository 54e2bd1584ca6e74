"""What each image of a lens scenario shows, by its number alone."""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

from skysieve.core.random import stream
from skysieve.recipe.euclid import EuclidScenario
from skysieve.recipe.lens_scenarios import DeeplenseLens, LensGri, SurveyScenario

GroundPlan = LensGri | DeeplenseLens | SurveyScenario
LensScenarioPlan = GroundPlan | EuclidScenario


class Role(NamedTuple):
    """What an image shows.

    Args:
        shows: A lens, the sky of a lens without its arcs, or something else.
        side: The number of the side; images of two sides never share a scene.
        number: Of the lens or object within its side; a control has that of its lens.
        like: Of another object: the number of the lens as bright as which it is shown.
    """

    shows: Literal["lens", "control", "other"]
    side: int
    number: int
    like: int = 0


def role_of(plan: LensScenarioPlan, seed: int, split: str, row: int) -> Role:
    """Return what an image shows.

    Args:
        plan: The scenario.
        seed: Of the scenario's streams.
        split: One of the plan's.
        row: The number of the image in it.
    """
    match plan:
        case LensGri() | EuclidScenario():
            side, shows = list(plan.splits).index(split), plan.cycle[row % len(plan.cycle)]
            before = _lens_before(plan.cycle, row)
            return Role(shows, side, before if shows == "control" else row, like=before)
        case DeeplenseLens():
            half, _, name = split.partition("_")
            side, (turn, place) = ("train", "test").index(half), divmod(row, 3)
            if name == "lenses":
                return Role("lens", side, row)
            # The first controls are those of the very lenses of the set; the rest have hosts as theirs.
            if place == 2:
                return Role("other", side, row, like=2 * turn)
            return Role("control", side, 2 * turn + place)
        case SurveyScenario():
            run = round(1 / plan.lens_rate)
            place = int(stream(seed, "place", row // run).integers(run))
            return Role(
                "lens" if row % run == place else "other", list(plan.splits).index(split), row
            )
        case _:
            assert_never(plan)


def _lens_before(cycle: tuple[str, ...], row: int) -> int:
    """Return the number of the lens that an image follows, or of the first if it follows none."""
    for back in range(min(len(cycle), row) + 1):
        if cycle[(row - back) % len(cycle)] == "lens":
            return row - back
    return 0
