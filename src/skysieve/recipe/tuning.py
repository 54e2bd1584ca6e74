"""Plans of a search for better settings."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from skysieve.core.errors import RecipeError
from skysieve.recipe.simulation import Plan

Choice = bool | int | float | str


class SearchPlan(Plan):
    """Where one setting is looked for: in a range or among choices.

    Args:
        low: Least value; with ``high``.
        high: Greatest value.
        log: Try the logarithm evenly, for what counts by factors.
        choices: These values instead of a range.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Choice, ...] = Field(default=())

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ranged = self.low is not None and self.high is not None
        if ranged == bool(self.choices) or (self.low is None) != (self.high is None):
            raise ValueError("give either low and high, or choices")
        if self.low is not None and self.high is not None:
            if not self.low < self.high:
                raise ValueError("low must be below high")
            if self.log and self.low <= 0:
                raise ValueError("a logarithm wants a low above 0")
        return self


def parse_search(text: str) -> tuple[str, SearchPlan]:
    """Return the setting and where to look for it, from words such as ``learn.batch=32,64,128``.

    ``A.B=LOW:HIGH`` is a range, ``A.B=LOW:HIGH:log`` one that counts by factors.

    Raises:
        RecipeError: It cannot be read so.
    """
    path, sign, values = text.partition("=")
    refused = RecipeError(
        f"{text!r} says not where to look", "Write A.B=LOW:HIGH, A.B=LOW:HIGH:log or A.B=X,Y,Z"
    )
    if not sign or not path.strip() or not values.strip():
        raise refused
    try:
        if ":" in values:
            low, high, *rest = values.split(":")
            if rest not in ([], ["log"]):
                raise refused
            return path.strip(), SearchPlan(low=float(low), high=float(high), log=bool(rest))
        return path.strip(), SearchPlan(choices=tuple(_choice(each) for each in values.split(",")))
    except ValueError as error:
        raise refused from error


def _choice(text: str) -> Choice:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.strip(), text.strip())
