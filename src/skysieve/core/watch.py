"""How a long function tells its caller what it does: it calls ``watch`` with a value."""

from __future__ import annotations

import math
import time
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


class Lines:
    """A watch that writes a line now and then, for a log file.

    Args:
        write: Takes each line.
        every_s: Least seconds between two lines of the same stage.
    """

    def __init__(self, write: Callable[[str], object], every_s: float = 10.0) -> None:
        self._write = write
        self._every_s = every_s
        self._start = time.monotonic()
        self._last = -math.inf
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        """Write a line, unless one of this stage was written just now."""
        now = time.monotonic() - self._start
        if progress.stage == self._stage and now - self._last < self._every_s:
            return
        self._last, self._stage = now, progress.stage
        of = f"/{progress.total}" if progress.total else ""
        self._write(f"{now:7.0f} s  {progress.stage} {progress.done}{of} {progress.note}".rstrip())


def ignore(progress: Progress) -> None:
    """Watch nothing."""
    del progress
