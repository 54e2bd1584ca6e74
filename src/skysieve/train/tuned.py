"""What a search for better settings found, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skysieve.recipe.classifier import ClassifierRecipe


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuned:
    """What a search found.

    Args:
        recipe: The best settings.
        value: The validation figure they reached, a loss with a minus sign; test rows were not
            looked at.
        monitor: Its name.
        settings: What was changed.
        trials: How many ended, those cut short included.
        pruned: How many were cut short.
        importance: Share of each setting in how much the figure varied; empty for fewer than two
            whole trials.
    """

    recipe: ClassifierRecipe
    value: float
    monitor: str
    settings: dict[str, Any]
    trials: int
    pruned: int
    importance: dict[str, float]
