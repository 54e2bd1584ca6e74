"""What can go wrong, as a tree; every error says what is wrong and what to do.

* SkysieveError
  - InputError      a file, row or option is not usable as it is
  - MissingError    something asked for is not there (a file, a finder, an extra)
  - MismatchError   two things that are each fine do not fit together
  - RecipeError     a plan asks for something that cannot be
"""

from __future__ import annotations


class SkysieveError(Exception):
    """An error whose cause lies outside the program, told in one line.

    Args:
        what: What is wrong, naming the file or value.
        fix: What the user can do about it; empty if nothing is known.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what, fix)  # both, so that it crosses a process boundary intact
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}. {self.fix}." if self.fix else f"{self.what}."


class InputError(SkysieveError):
    """A file, a row or an option is not usable as it is."""


class MissingError(SkysieveError):
    """Something that was asked for is not there."""


class MismatchError(SkysieveError):
    """Two things that are each fine do not fit together."""


class RecipeError(SkysieveError):
    """A plan asks for something that cannot be."""
