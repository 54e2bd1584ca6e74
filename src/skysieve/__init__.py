"""Find strong gravitational lenses in survey cutouts.

    import skysieve

    finder = skysieve.load("lens-gri")
    scores = finder(skysieve.read("cutouts/"))

A name is imported when it is first used, so that ``import skysieve`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skysieve.core.cutouts import Cutouts as Cutouts
    from skysieve.core.errors import InputError as InputError
    from skysieve.core.errors import MismatchError as MismatchError
    from skysieve.core.errors import MissingError as MissingError
    from skysieve.core.errors import RecipeError as RecipeError
    from skysieve.core.errors import SkysieveError as SkysieveError
    from skysieve.core.labels import Labels as Labels
    from skysieve.core.scores import Scores as Scores
    from skysieve.core.scores import Status as Status
    from skysieve.core.survey import Survey as Survey
    from skysieve.core.survey import survey as survey
    from skysieve.finder.bundle import list_finders as list_finders
    from skysieve.finder.bundle import load as load
    from skysieve.finder.cascade import Finder as Finder
    from skysieve.images import ReadOptions as ReadOptions
    from skysieve.images import read as read
    from skysieve.images import write_shard as write_shard
    from skysieve.measure.labels import read_labels as read_labels
    from skysieve.measure.selection import read_selection as read_selection
    from skysieve.pipeline import find as find
    from skysieve.pipeline import rank as rank
    from skysieve.pipeline import report as report

__version__ = "0.1.0"

_HOMES = {
    "Cutouts": "core.cutouts",
    "Finder": "finder.cascade",
    "InputError": "core.errors",
    "Labels": "core.labels",
    "MismatchError": "core.errors",
    "MissingError": "core.errors",
    "ReadOptions": "images",
    "RecipeError": "core.errors",
    "Scores": "core.scores",
    "SkysieveError": "core.errors",
    "Status": "core.scores",
    "Survey": "core.survey",
    "find": "pipeline",
    "list_finders": "finder.bundle",
    "load": "finder.bundle",
    "rank": "pipeline",
    "read": "images",
    "read_labels": "measure.labels",
    "read_selection": "measure.selection",
    "report": "pipeline",
    "survey": "core.survey",
    "write_shard": "images",
}
__all__ = [
    "Cutouts",
    "Finder",
    "InputError",
    "Labels",
    "MismatchError",
    "MissingError",
    "ReadOptions",
    "RecipeError",
    "Scores",
    "SkysieveError",
    "Status",
    "Survey",
    "find",
    "list_finders",
    "load",
    "rank",
    "read",
    "read_labels",
    "read_selection",
    "report",
    "survey",
    "write_shard",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'skysieve' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"skysieve.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
