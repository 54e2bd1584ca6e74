"""The seam of scenarios: from the numbers of some images to the images and all that is true of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

import numpy as np
from jaxtyping import Float32, Int64

from skysieve.recipe.compound import Compound
from skysieve.recipe.euclid import EuclidScenario
from skysieve.recipe.lens_scenarios import DeeplenseLens, LensGri, SurveyScenario
from skysieve.recipe.scenarios import ScenarioPlan
from skysieve.recipe.substructure_scenario import SubstructureScenario

Fact = float | int | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Exposure:
    """Images on one grid of pixels, with what is true of each pixel.

    Args:
        pixels: What the camera gives.
        truth: Planes by name, such as ``lensed``, ``host`` and ``neighbors``: noise-free counts at
            zero point 30; also masks, as 0 and 1, numbers of instances, or bits of ``Artifact``.
    """

    pixels: Float32[np.ndarray, "n band y x"]
    truth: Mapping[str, Float32[np.ndarray, "n plane y x"]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Some images of a scenario, in the order asked for.

    Args:
        exposures: One for each of the plan's frames, in their order.
        labels: The number of each image's class.
        kinds: What each shows, finer than its class.
        facts: What is true of each as a whole, such as ``einstein_radius_arcsec``; None where it
            makes no sense. The names are the scenario's ``facts``.
    """

    exposures: tuple[Exposure, ...]
    labels: Int64[np.ndarray, " n"]
    kinds: tuple[str, ...]
    facts: tuple[dict[str, Fact], ...]

    def __len__(self) -> int:
        return len(self.kinds)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenario:
    """A plan and a seed, ready to give images.

    Args:
        plan: What is simulated; its name, version, classes, splits and frames say what comes out.
        truth: Names of the truth planes of every exposure.
        facts: Names of the facts of every image.
        draw: From the name of a split and the numbers of images in it to these images. Image k
            depends on seed, scenario, split and k alone, never on its batch.
    """

    plan: ScenarioPlan
    truth: tuple[str, ...]
    facts: tuple[str, ...]
    draw: Callable[[str, Sequence[int]], Batch]


def open_scenario(plan: ScenarioPlan, seed: int) -> Scenario:
    """Return the scenario of a plan."""
    match plan:
        case LensGri() | DeeplenseLens() | SurveyScenario():
            from skysieve.simulate import lens_scenarios  # noqa: PLC0415  each brings its own libraries

            ground: Any = lens_scenarios.LensSky(plan, seed)
            facts = lens_scenarios.facts_of(plan.camera.bands)
            return Scenario(plan=plan, truth=lens_scenarios.TRUTH, facts=facts, draw=ground.draw)
        case EuclidScenario():
            from skysieve.simulate import euclid  # noqa: PLC0415

            space: Any = euclid.EuclidSky(plan, seed)
            return Scenario(plan=plan, truth=euclid.TRUTH, facts=euclid.FACTS, draw=space.draw)
        case SubstructureScenario():
            from skysieve.simulate import substructure_scenario as halos  # noqa: PLC0415

            dark: Any = halos.SubstructureSky(plan, seed)
            return Scenario(plan=plan, truth=halos.TRUTH, facts=halos.FACTS, draw=dark.draw)
        case Compound():
            from skysieve.simulate import compound  # noqa: PLC0415

            lenses: Any = compound.CompoundSky(plan, seed)
            return Scenario(plan=plan, truth=lenses.truth, facts=lenses.facts, draw=lenses.draw)
        case _:
            assert_never(plan)
