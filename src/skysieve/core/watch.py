"""How a long function tells its caller what it does: it calls ``watch`` with a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Watch = Callable[["Progress"], None]


@dataclass(frozen=True)
class Progress:
    """How far a long piece of work is.

    Args:
        stage: What is being done, a few words for a person.
        done: Units done so far.
        total: Units in all; None while unknown.
        note: One more fact worth showing, such as a loss.
    """

    stage: str
    done: int
    total: int | None
    note: str = ""


def ignore(progress: Progress) -> None:
    """Watch nothing."""
    del progress
