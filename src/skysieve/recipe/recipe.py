"""Reading recipes: TOML files that read like the method section of a paper."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from skysieve.core.errors import MissingError, RecipeError
from skysieve.recipe.classifier import ClassifierRecipe
from skysieve.recipe.finetune import FinetuneRecipe
from skysieve.recipe.training import Recipe

AnyRecipe = Recipe | ClassifierRecipe | FinetuneRecipe
_SHIPPED = files("skysieve.recipe") / "recipes"


def list_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that come with skysieve, sorted."""
    names = (entry.name for entry in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def read_recipe(name_or_path: str | Path) -> AnyRecipe:
    """Return a recipe by the name of a shipped one, or the path of a TOML or JSON file.

    Raises:
        MissingError: There is no such recipe.
        RecipeError: The file cannot be read, or a key or value is not one a recipe can have.
    """
    path = Path(name_or_path)
    if path.suffix in (".toml", ".json"):
        if not path.is_file():
            raise MissingError(f"There is no recipe at {path}", "Check the path")
        text = path.read_text(encoding="utf-8")
        return parse_recipe(text, str(path), as_json=path.suffix == ".json")
    if str(name_or_path) not in list_recipes():
        near = difflib.get_close_matches(str(name_or_path), list_recipes(), n=1, cutoff=0.4)
        known = f"Known are {', '.join(list_recipes())}"
        fix = f"Did you mean {near[0]}? {known}" if near else known
        raise MissingError(f"No recipe is called {str(name_or_path)!r}", fix)
    return parse_recipe(recipe_text(str(name_or_path)), str(name_or_path))


def recipe_text(name: str) -> str:
    """Return the TOML of a shipped recipe."""
    return (_SHIPPED / f"{name}.toml").read_text(encoding="utf-8")


def parse_recipe(text: str, name: str, *, as_json: bool = False) -> AnyRecipe:
    """Return the recipe that a TOML text describes: its ``kind`` says of what.

    Args:
        text: What the file holds.
        name: Of the recipe, for messages.
        as_json: The text is JSON, as a training writes its recipe.

    Raises:
        RecipeError: It cannot be read, or a key or value is not one a recipe can have.
    """
    try:
        content = json.loads(text) if as_json else tomllib.loads(text)
    except ValueError as error:
        kind = "JSON" if as_json else "TOML"
        raise RecipeError(f"Recipe {name} is not {kind}: {error}", "Correct that line") from error
    kinds = {None: Recipe, "finetune": FinetuneRecipe}
    model = kinds.get(content.get("kind"), ClassifierRecipe)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise RecipeError(
            f"Recipe {name}: {where}: {first['msg']}", _nearest(str(first["loc"][-1]), model)
        ) from error


def _nearest(key: str, model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(key, sorted(set(_field_names(model))), n=1)
    return f"Did you mean {near[0]!r}" if near and near[0] != key else "See docs/recipes.md"


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for inner in _models_in(field.annotation):
            yield from _field_names(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
