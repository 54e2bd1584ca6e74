"""The checker that executes the annotations of skysieve while the tests run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

# An int is a float to Python's type checkers, so it is one here (PEP 484, "the numeric tower").
_CHECK = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(item: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its arguments and result checked on each call.

    jaxtyping gives methods one at a time, and beartype knows ``Self`` only in a whole class: such
    an annotation is left out.
    """
    if not isinstance(item, type):
        notes = getattr(item, "__annotations__", {})
        item.__annotations__ = {
            name: note for name, note in notes.items() if "Self" not in str(note)
        }
    return _CHECK(item)
