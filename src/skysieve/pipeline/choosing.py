"""Choosing the rows to compare finders on: none that a finder learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from skysieve.core.errors import MismatchError
from skysieve.images import Listing
from skysieve.pipeline.asked import Known, Named, Split


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """Which rows to ask about, and why.

    Args:
        rows: Whether each is.
        labeled: How many have a label.
        split: What the rows are called.
        why: How they were found, in words.
    """

    rows: Bool[np.ndarray, " n"]
    labeled: int
    split: Split
    why: str


def shorten_listing(
    listing: Listing, known: Known, named: Sequence[Named], split: Split | None
) -> tuple[Listing, Chosen | None]:
    """Leave out files that need not be scored, where each is one row whose id is its name."""
    if any(source.rows != 1 or source.reader == "parquet" for source in listing.sources):
        return listing, None
    ids, sources = [s.id for s in listing.sources], [s.name for s in listing.sources]
    chosen = choose_rows(ids, sources, known, named, split)
    if not chosen.rows.any():
        return listing, None
    kept = tuple(s for s, keep in zip(listing.sources, chosen.rows.tolist(), strict=True) if keep)
    # A copy of the listing would keep the row numbers that it has already counted.
    shorter = Listing(sources=kept, ignored=listing.ignored, options=listing.options)
    return shorter, replace(chosen, rows=np.ones(len(kept), bool))


def choose_rows(
    ids: Sequence[str],
    sources: Sequence[str],
    known: Known,
    named: Sequence[Named],
    split: Split | None,
) -> Chosen:
    """Return the rows to ask about: those no finder learned from, where a finder learned from some.

    Raises:
        MismatchError: No labeled row is of the split.
    """
    rows = list(zip(ids, sources, strict=True))
    labeled = np.array([bool(known.class_of(i, s)) for i, s in rows], bool)
    data_split = np.array([known.split_of(i, s) for i, s in rows], np.str_)
    met = [
        each
        for each in named
        if any(i in each.splits for i, found in zip(ids, labeled, strict=True) if found)
    ]
    n_labeled = int(labeled.sum())
    if split == "all" or (split is None and not met and "test" not in data_split):
        why = "all labeled rows" if split is None else "all labeled rows, as asked"
        return Chosen(rows=labeled, labeled=n_labeled, split="all", why=why)
    wanted = split or "test"
    if met:
        names = ", ".join(each.name for each in met)
        own = np.array([all(e.splits.get(i, wanted) == wanted for e in met) for i in ids], bool)
        some = np.array([any(e.splits.get(i) == wanted for e in met) for i in ids], bool)
        mine = own & (some if wanted == "validation" else True)
        why = f"{wanted} rows: {names} learned from other rows of these data"
    else:
        mine = data_split == wanted
        why = f"the rows that the data name {wanted}"
    if not (mine & labeled).any():
        raise MismatchError(f"No labeled row is a {wanted} row", "Choose another --split")
    return Chosen(rows=labeled & mine, labeled=n_labeled, split=wanted, why=why)
