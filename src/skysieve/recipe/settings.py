"""Settings by hand: ``a.b=c`` changes one number of a plan."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from skysieve.core.errors import RecipeError
from skysieve.recipe.simulation import Plan

P = TypeVar("P", bound=Plan)


def change(plan: P, settings: Sequence[str]) -> P:
    """Return the plan with some of its settings changed.

    Args:
        plan: Any plan.
        settings: Such as ``lens.min_arc_snr=20``, ``learn.phases.0.epochs=5`` or
            ``camera.bands=["g", "r"]``; what stands behind the sign is read as a value of TOML,
            ``none`` as None, and all else as text.

    Raises:
        RecipeError: There is no such setting, or the value cannot be; the nearest one is named.
    """
    for setting in settings:
        plan = _changed(plan, setting)
    return plan


def _changed(plan: P, setting: str) -> P:
    path, sign, text = setting.partition("=")
    if not sign:
        raise RecipeError(f"{setting!r} sets nothing", "Write NAME=VALUE, such as lens.q=1")
    values = plan.model_dump(mode="json")
    *outer, last = path.strip().split(".")
    place: Any = values
    for name in outer:
        inner: Any = place[_known(name, place, path)]
        place = inner
        if not isinstance(inner, dict | list):
            raise RecipeError(f"{path} is no setting: {name} holds no others", "Leave the rest")
    place[_known(last, place, path)] = _value(text.strip())
    try:
        return type(plan).model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the plan"
        given = f" ({first['input']!r})" if first["loc"] else ""
        raise RecipeError(f"{where}{given}: {first['msg']}", "Choose another value") from error


def _known(name: str, place: Any, path: str) -> Any:
    """Return the key of a setting in a table, or its number in a list."""
    if isinstance(place, list):
        numbers = [str(k) for k in range(len(cast("list[Any]", place)))]
        if name in numbers:
            return int(name)
        hint = f"Its numbers are {', '.join(numbers)}" if numbers else "Nothing is in it"
        raise RecipeError(f"{path} is no setting: there is no number {name}", hint)
    if name in place:
        return name
    near = difflib.get_close_matches(name, list(place), n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}" if near else f"Settings there are {', '.join(place)}"
    raise RecipeError(f"{path} is no setting: there is no {name}", hint)


def _value(text: str) -> Any:
    if text == "none":  # TOML has no word for it
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
