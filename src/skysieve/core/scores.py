"""Scores: what a finder says of cutouts, one row each, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float32, Int8

from skysieve.core.errors import InputError


class Status(StrEnum):
    """Why a cutout has no score, or ``ok``."""

    OK = "ok"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    BAD_SHAPE = "bad_shape"
    BANDS = "bands"
    KIND = "kind"
    EMPTY = "empty"
    NONFINITE = "nonfinite"
    CHANGED = "changed"

    @property
    def meaning(self) -> str:
        """What the status tells a person."""
        return _MEANING[self]


_MEANING = {
    Status.OK: "scored",
    Status.UNREADABLE: "the file could not be read as what its ending says",
    Status.TRUNCATED: "the file ends before its data does",
    Status.BAD_SHAPE: "the array is not an image or a stack of images of a usable size",
    Status.BANDS: "the finder needs bands that the cutout does not have",
    Status.KIND: "the finder needs linear flux but this is a display picture, or the reverse",
    Status.EMPTY: "a band is constant, so there is nothing to see",
    Status.NONFINITE: "too few pixels near the center hold data",
    Status.CHANGED: "the file changed after the run was planned",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """Class probabilities of cutouts; each field has one entry per cutout.

    Args:
        ids: Names.
        classes: Names of the classes, in the order of the probability columns.
        positive: The class that ``p`` is the probability of.
        probabilities: Calibrated, in [0, 1]; NaN where the status is not ``ok``.
        status: Whether the cutout could be scored, and why not.
        stage: The finest stage of the sieve that saw the cutout, from 1; 0 if none did.

    Raises:
        InputError: The fields do not fit together.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    positive: str
    probabilities: Float32[np.ndarray, "n class"]
    status: tuple[Status, ...]
    stage: Int8[np.ndarray, " n"]

    def __post_init__(self) -> None:
        n = len(self.ids)
        expected = (n, len(self.classes))
        if self.probabilities.shape != expected:
            raise InputError(
                f"Probabilities have shape {self.probabilities.shape}", f"Give {expected}"
            )
        if len(self.status) != n or len(self.stage) != n:
            raise InputError("Status and stage need one entry per cutout", f"Give {n}")
        if self.positive not in self.classes:
            raise InputError(
                f"The positive class {self.positive!r} is none of {', '.join(self.classes)}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def p(self) -> Float32[np.ndarray, " n"]:
        """The probability of the positive class."""
        return self.probabilities[:, self.classes.index(self.positive)]
