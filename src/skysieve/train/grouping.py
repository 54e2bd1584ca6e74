"""Which rows belong together, so that no split may part them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np
from jaxtyping import Int64

from skysieve.core.errors import InputError
from skysieve.measure.own_labels import GROUP_COLUMNS


def group_rows(
    columns: Mapping[str, Sequence[str]],
    parts: Sequence[int],
    digests: Sequence[str],
    own_ids: Sequence[str],
    group: str | None,
) -> Int64[np.ndarray, " n"]:
    """Return a number for each row; rows share it if a chain of likenesses joins them.

    Alike are rows of one value of the column, of identical pixels, and of one id in one data set.
    The numbers count groups in the order of the rows.

    Args:
        columns: Columns of the labels, a text per row.
        parts: The data set of each row; scenes of two sets have numbers of their own.
        digests: Of the pixels of each row.
        own_ids: The id of each row in its data set.
        group: The column that names groups; None takes the first of ``GROUP_COLUMNS``.

    Raises:
        InputError: There is no such column.
    """
    if group is not None and group not in columns:
        there = ", ".join(columns) or "none: give a table of labels with it (--labels)"
        raise InputError(
            f"The labels have no column {group!r} to group by",
            f"Set data.group to one of their columns ({there})",
        )
    name = group or next((each for each in GROUP_COLUMNS if each in columns), None)
    values = columns[name] if name else [""] * len(parts)
    keys: list[Iterable[object]] = [zip(["pixels"] * len(parts), digests, strict=True)]
    keys.append(zip(["id"] * len(parts), parts, own_ids, strict=True))
    apart = parts if name == "scene" else [0] * len(parts)
    named = zip(["named"] * len(parts), apart, values, strict=True)
    keys.append(key if key[2] else None for key in named)
    return joined(len(parts), chain.from_iterable(enumerate(each) for each in keys))


def joined(n: int, likenesses: Iterable[tuple[int, object]]) -> Int64[np.ndarray, " n"]:
    """Return the group of each of n rows, counted in their order.

    Args:
        n: How many rows there are.
        likenesses: A row and a key each; rows of one key belong together; None is no key.
    """
    parent = list(range(n))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[object, int] = {}
    for row, key in likenesses:
        if key is None:
            continue
        a, b = root(first.setdefault(key, row)), root(row)
        parent[max(a, b)] = min(a, b)
    roots = np.array([root(row) for row in range(n)], np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)
