"""From a recipe and labeled images to better settings: a door to torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skysieve.core.errors import InputError
from skysieve.core.watch import Watch, ignore
from skysieve.recipe.classifier import ClassifierRecipe
from skysieve.recipe.recipe import read_recipe
from skysieve.recipe.settings import change
from skysieve.recipe.tuning import parse_search
from skysieve.train.tuned import Tuned


def tune(  # noqa: PLR0913  every argument is an option of the command
    recipe: str | Path,
    data: Sequence[str | Path],
    out: str | Path,
    *,
    trials: int,
    search: Sequence[str] = (),
    labels: str | Path | None = None,
    settings: Sequence[str] = (),
    devices: int = 1,
    watch: Watch = ignore,
) -> Tuned:
    """Search for better settings of a recipe on validation rows; killed, the same call goes on.

    Args:
        recipe: Name of a shipped recipe, or a file.
        data: Folders or files of labeled images.
        out: The search's folder: new, empty, or that of the same search.
        trials: How many are to have ended, those of earlier calls included.
        search: Where to look, such as ``learn.phases.0.learning_rate=1e-4:1e-2:log``; none takes the
            recipe's ``[search]``, and else rate, decay and batch.
        labels: A table that says the class of each image; None takes the data's own.
        settings: Changes that all trials share.
        devices: GPUs to use, where there are any.
        watch: Called with the progress.

    Raises:
        MissingError: There is no such recipe, or no image.
        RecipeError: A setting cannot be.
        InputError: The images or labels cannot teach.
        MismatchError: The folder holds another search.
    """
    plan = change(read_recipe(recipe), settings)
    if not isinstance(plan, ClassifierRecipe):
        raise InputError(
            f"The recipe {plan.name} learns from no labeled images",
            "Choose a recipe of a classifier",
        )
    if not data:
        raise InputError(f"The recipe {plan.name} learns from images", "Give --data DIR")
    from skysieve.measure.tuning_figures import draw_tuning  # noqa: PLC0415  # it draws seldom
    from skysieve.train.tune import tune_classifier  # noqa: PLC0415  # a door to torch

    folder = Path(out).absolute()
    tuned = tune_classifier(
        plan, [Path(each) for each in data], folder,
        trials=trials,
        search=dict(parse_search(text) for text in search) or None,
        labels=Path(labels) if labels is not None else None,
        devices=devices,
        watch=watch,
    )  # fmt: skip
    draw_tuning(folder / "trials.csv", tuned.importance, tuned.monitor, folder)
    return tuned
