"""``skysieve list``: what comes with the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import typer

from skysieve.cli.show import AS_JSON, Row, print_json, print_table

Shelf = Literal["finders", "recipes", "scenarios", "surveys"]


def show_list(
    shelf: Annotated[
        Shelf,
        typer.Argument(
            metavar="SHELF", help="One of finders, recipes, scenarios, surveys.", show_default=False
        ),
    ],
    as_json: AS_JSON = False,
) -> None:
    """List what comes with the package: finders, recipes, scenarios or surveys."""
    rows = SHELVES[shelf]()
    if as_json:
        print_json(rows)
    else:
        print_table(shelf, rows)


def _finders() -> list[Row]:
    from skysieve.finder.bundle import list_finders

    return [
        {
            "name": card.name,
            "version": card.version,
            "task": card.task,
            "finds": card.positive,
            "bands": ",".join(card.input.bands),
            "pixels": card.input.kind,
            "arcsec a pixel": card.input.pixel_scale_arcsec,
            "side": f"{card.input.min_side}-{card.input.max_side}",
            "stages": len(card.stages),
            "recommended p": "" if (p := card.recommended_p) is None else f"{p:.3f}",
            "license": card.license,
        }
        for card in list_finders()
    ]


def _recipes() -> list[Row]:
    from skysieve.recipe.finetune import FinetuneRecipe
    from skysieve.recipe.recipe import list_recipes, read_recipe
    from skysieve.recipe.training import Recipe

    return [
        {
            "name": recipe.name,
            "learns from": (
                "its own simulation" if isinstance(recipe, Recipe) else "labeled images"
            ),
            "network": "a finder's" if isinstance(recipe, FinetuneRecipe) else recipe.network.kind,
            "about": recipe.description,
        }
        for recipe in map(read_recipe, list_recipes())
    ]


def _scenarios() -> list[Row]:
    from skysieve.recipe.scenarios import SCENARIOS

    return [
        {
            "name": name,
            "version": plan.version,
            "about": plan.about,
            "classes": ",".join(plan.classes),
            "images": ", ".join(f"{split} {count:,}" for split, count in plan.splits.items()),
            "bands": "; ".join(",".join(frame.bands) for frame in plan.frames),
            "side": "; ".join(str(frame.side) for frame in plan.frames),
            "arcsec a pixel": "; ".join(f"{frame.pixel_scale_arcsec:g}" for frame in plan.frames),
        }
        for name, plan in SCENARIOS.items()
    ]


def _surveys() -> list[Row]:
    from skysieve.core.survey import SURVEYS

    return [
        {
            "name": survey.name,
            "bands": ",".join(band.name for band in survey.bands),
            "arcsec a pixel": survey.pixel_scale_arcsec,
            "PSF FWHM (arcsec)": ", ".join(f"{band.psf_fwhm_arcsec:g}" for band in survey.bands),
            "sky noise of a pixel (AB)": ", ".join(
                f"{band.sky_noise_ab:.1f}" for band in survey.bands
            ),
            "zero point (AB)": survey.zero_point_ab,
            "source": survey.source,
        }
        for survey in sorted(SURVEYS.values(), key=lambda survey: survey.name)
    ]


SHELVES: Mapping[Shelf, Callable[[], list[Row]]] = {
    "finders": _finders,
    "recipes": _recipes,
    "scenarios": _scenarios,
    "surveys": _surveys,
}
