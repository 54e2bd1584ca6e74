"""From a recipe and labeled images to a finder and what it is worth: a door to torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skysieve.core.errors import InputError
from skysieve.core.watch import Watch, ignore
from skysieve.finder.bundle import load
from skysieve.recipe.classifier import ClassifierRecipe
from skysieve.recipe.finetune import FinetuneRecipe
from skysieve.recipe.recipe import read_recipe, recipe_text
from skysieve.recipe.settings import change
from skysieve.recipe.training import Recipe


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training left.

    Args:
        folder: The training's folder.
        finder: The bundle in it.
        name: Of the finder.
        metrics: Of the test rows, by name: value, low and high end of the interval; empty if the
            recipe simulates its own images. Of a fine-tuning they are cross-validated.
        n_test: How many test rows, or rows that were cross-validated, there are.
    """

    folder: Path
    finder: Path
    name: str
    metrics: dict[str, tuple[float, float, float]]
    n_test: int


def train(  # noqa: PLR0913  every argument is an option of the command
    recipe: str | Path,
    data: Sequence[str | Path],
    out: str | Path,
    *,
    labels: str | Path | None = None,
    base: str | Path | None = None,
    settings: Sequence[str] = (),
    devices: int = 1,
    watch: Watch = ignore,
) -> Trained:
    """Make the finder of a recipe; killed, the same call goes on.

    A classifier learns from labeled images and is then scored, once, on its test rows. A
    fine-tuning fits a finder to labeled images and is cross-validated on them. A recipe that
    simulates its own images takes none.

    Args:
        recipe: Name of a shipped recipe, or a TOML file.
        data: Folders or files of labeled images.
        out: The training's folder: new, empty, or that of the same training.
        labels: A table that says the class of each image; None takes the data's own.
        base: The finder that a fine-tuning starts from: a name or a bundle.
        settings: Changes such as ``learn.phases.0.epochs=5``.
        devices: GPUs to use, where there are any.
        watch: Called with the progress.

    Raises:
        MissingError: There is no such recipe, or no image.
        RecipeError: A setting cannot be.
        InputError: The images or labels cannot teach.
        MismatchError: The folder holds another training.
    """
    plan = change(read_recipe(recipe), settings)
    folder = Path(out).absolute()
    paths = [Path(each) for each in data]
    table = Path(labels) if labels is not None else None
    if not isinstance(plan, Recipe) and not data:
        raise InputError(f"The recipe {plan.name} learns from images", "Give --data DIR")
    if isinstance(plan, FinetuneRecipe):
        return _finetuned(plan, base, paths, folder, table, watch)
    if base is not None:
        raise InputError(
            f"The recipe {plan.name} starts from nothing", "Leave out --from, or take lens-finetune"
        )
    if isinstance(plan, ClassifierRecipe):
        from skysieve.train.classifier import train_classifier  # noqa: PLC0415  # a door to torch
        from skysieve.train.judging import judge  # noqa: PLC0415  # the same

        taught = train_classifier(plan, paths, folder, labels=table, devices=devices, watch=watch)
        judged = judge(taught, folder, watch=watch)
        return Trained(
            folder=folder, finder=folder / "finder", name=plan.name,
            metrics=judged, n_test=len(taught.splits.test),
        )  # fmt: skip
    if data or labels:
        raise InputError(
            f"The recipe {plan.name} simulates what it learns from", "Leave out --data and --labels"
        )
    if settings:
        raise InputError(
            f"The recipe {plan.name} is taken as it is",
            "Copy its TOML, change it and give its path",
        )
    from skysieve.train.finder import train_finder  # noqa: PLC0415  # a door to torch

    path = Path(recipe)
    text = path.read_text("utf-8") if path.suffix == ".toml" else recipe_text(str(recipe))
    card = train_finder(plan, folder, recipe_toml=text, watch=watch)
    return Trained(folder=folder, finder=folder / "finder", name=card.name, metrics={}, n_test=0)


def _finetuned(
    plan: FinetuneRecipe,
    base: str | Path | None,
    data: Sequence[Path],
    folder: Path,
    labels: Path | None,
    watch: Watch,
) -> Trained:
    if base is None:
        raise InputError(
            f"The recipe {plan.name} starts from a finder", "Name it, such as --from lens-gri"
        )
    from skysieve.train.finetune import finetune  # noqa: PLC0415  it draws

    done = finetune(plan, load(base), data, folder, labels=labels, watch=watch)
    return Trained(
        folder=folder, finder=folder / "finder", name=done.card.name,
        metrics=done.metrics, n_test=done.taught,
    )  # fmt: skip
