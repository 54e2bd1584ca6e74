"""Reading recipes: TOML files that read like the method section of a paper."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from skysieve.core.errors import MissingError, RecipeError
from skysieve.recipe.training import Recipe

_SHIPPED = files("skysieve.recipe") / "recipes"


def list_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that come with skysieve, sorted."""
    names = (entry.name for entry in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def read_recipe(name_or_path: str | Path) -> Recipe:
    """Return a recipe by the name of a shipped one or the path of a TOML file.

    Raises:
        MissingError: There is no such recipe.
        RecipeError: The file is no TOML, or a key or value is not one a recipe can have.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise MissingError(f"There is no recipe at {path}", "Check the path")
        return parse_recipe(path.read_text(encoding="utf-8"), str(path))
    if str(name_or_path) not in list_recipes():
        known = ", ".join(list_recipes())
        raise MissingError(f"No recipe is called {str(name_or_path)!r}", f"Known are {known}")
    return parse_recipe(recipe_text(str(name_or_path)), str(name_or_path))


def recipe_text(name: str) -> str:
    """Return the TOML of a shipped recipe."""
    return (_SHIPPED / f"{name}.toml").read_text(encoding="utf-8")


def parse_recipe(text: str, name: str) -> Recipe:
    """Return the recipe that a TOML text describes.

    Raises:
        RecipeError: It is no TOML, or a key or value is not one a recipe can have.
    """
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"Recipe {name} is not TOML: {error}", "Correct that line") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise RecipeError(
            f"Recipe {name}: {where}: {first['msg']}", _nearest(str(first["loc"][-1]))
        ) from error


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key, sorted(set(_field_names(Recipe))), n=1)
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
