"""Labels: what is known of each cutout; what is not known is said to be unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8

from skysieve.core.errors import InputError

UNKNOWN = -1
"""The label of a cutout of which nothing is known."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Labels:
    """The known class of cutouts.

    Args:
        ids: Names, all different.
        values: 1 for the positive class, 0 for any other, -1 for unknown.

    Raises:
        InputError: An id repeats, the lengths differ, or a value is none of -1, 0, 1.
    """

    ids: tuple[str, ...]
    values: Int8[np.ndarray, " n"]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.values):
            raise InputError(f"There are {len(self.ids)} ids but {len(self.values)} labels")
        if len(set(self.ids)) != len(self.ids):
            raise InputError("An id repeats among the labels", "Give each id one label")
        if not np.isin(self.values, (UNKNOWN, 0, 1)).all():
            raise InputError("A label is none of 1, 0 and -1 (unknown)", "Correct the labels")

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, ids: list[str] | tuple[str, ...]) -> Int8[np.ndarray, " m"]:
        """Return the label of each id, in the order asked; -1 where there is none."""
        known = dict(zip(self.ids, self.values.tolist(), strict=True))
        return np.array([known.get(name, UNKNOWN) for name in ids], np.int8)
