"""Dealing rows out to parts by group, with every class in its share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64


class Share(NamedTuple):
    """A part and how much of each class it gets.

    Args:
        name: Of the part.
        part: The share of the rows of each class, above 0 and below 1.
    """

    name: str
    part: float


def deal(
    labels: Int64[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    keys: Int64[np.ndarray, " n"],
    shares: Sequence[Share],
) -> dict[str, Int64[np.ndarray, " k"]]:
    """Return the rows of each part; what is in none stays where it was.

    Groups of the rarest class are dealt first, then those of the next one, in the order of their
    keys. A part takes groups until it is as near its share as it gets, and always one, if any is
    left; a group that would go far beyond is passed over.

    Args:
        labels: The class of each row.
        groups: The group of each row, which is never parted.
        keys: A random number of each row's group.
        shares: Parts and what they get.
    """
    n_classes = int(labels.max(initial=-1)) + 1
    _, place = np.unique(groups, return_inverse=True)
    counts = np.zeros((int(place.max(initial=-1)) + 1, n_classes), np.int64)
    np.add.at(counts, (place, labels), 1)
    key = np.zeros(len(counts), np.int64)
    key[place] = keys
    quota = np.outer([share.part for share in shares], counts.sum(axis=0))
    taken = np.full(len(counts), -1)
    for label in np.argsort(counts.sum(axis=0), kind="stable").tolist():
        free = np.flatnonzero((taken < 0) & (counts[:, label] > 0))
        waiting = free[np.argsort(key[free], kind="stable")].tolist()
        for part in range(len(shares)):
            have = int(counts[taken == part, label].sum())
            chosen = _choose(waiting, counts[:, label], quota[part, label], have)
            taken[chosen] = part
            gone = set(chosen)
            waiting = [group for group in waiting if group not in gone]
        taken[waiting] = len(shares)  # they stay; a class that comes later must not move them
    of_row = taken[place]
    return {
        share.name: np.flatnonzero(of_row == part).astype(np.int64)
        for part, share in enumerate(shares)
    }


def _choose(
    waiting: Sequence[int], sizes: Int64[np.ndarray, " group"], quota: float, have: int
) -> list[int]:
    """Return the groups that bring a part as near its quota as they can, in their order."""
    chosen: list[int] = []
    for group in waiting:
        size = int(sizes[group])
        if have + size / 2 <= quota:
            chosen.append(group)
            have += size
        if have >= quota:
            break
    if have == 0 and len(waiting):
        return [min(waiting, key=lambda group: int(sizes[group]))]
    return chosen
