"""How often a finder abstained: sets that name no single class, and rows unlike any it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from skysieve.core.errors import InputError
from skysieve.measure.intervals import LEVEL, wilson


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of scored rows, with its Wilson interval.

    Args:
        n: Rows that are so.
        of: Scored rows.
        value: Their share; None if no row is scored.
        low: Lower end of the interval.
        high: Upper end of it.
        level: Chance that such an interval holds the share of all rows like these.
        method: How the interval was made.
    """

    n: int
    of: int
    value: float | None
    low: float
    high: float
    level: float = LEVEL
    method: str = "wilson"


@dataclass(frozen=True, kw_only=True)
class DoubtSummary:
    """What a ranking says of doubt; None for what it has no column for.

    Args:
        n_scored: Rows with a score.
        sets: How many rows have each set of classes, by its text: ``lens``, ``lens|nonlens``; "" is
            the empty set.
        ambiguous: Rows whose set holds several classes.
        empty: Rows whose set holds none: unlike what either class looks like at this confidence.
        unusual: Rows that look stranger than all but one in a thousand calibration rows.
        abstained: Rows that are any of these.
        head_abstained: The same among the first rows of the ranking.
        head: How many rows these are.
        spread_median: The middle spread of the networks, of rows that have one.
    """

    n_scored: int
    sets: dict[str, int] | None
    ambiguous: Share | None
    empty: Share | None
    unusual: Share | None
    abstained: Share | None
    head_abstained: Share | None
    head: int
    spread_median: float | None

    def as_json(self) -> dict[str, Any]:
        """Return every number with its counts and interval."""
        plain = {name: vars(value) if isinstance(value, Share) else value
                 for name, value in vars(self).items()}  # fmt: skip
        return plain | {"sets": None if self.sets is None else dict(self.sets)}


def summarize_doubt(
    *,
    scored: Bool[np.ndarray, " n"],
    conformal: Sequence[str | None] | None = None,
    ood: Float64[np.ndarray, " _"] | None = None,
    spread: Float64[np.ndarray, " _"] | None = None,
    unusual_below: float = 0.001,
    head: int = 100,
) -> DoubtSummary:
    """Count how often a finder abstained.

    Args:
        scored: Which rows of the ranking, best first, have a score; the others are not counted.
        conformal: Their sets as text; None if no confidence was asked for.
        ood: The share of calibration rows that look stranger, in [0, 1], NaN where the bundle does not
            say; None without the column.
        spread: Of the networks' margins, NaN of a single network; None without the column.
        unusual_below: The share below which a row is unusual.
        head: How many scored rows of the top to count apart.

    Raises:
        InputError: A column has another length.
    """
    lengths = {len(column) for column in (conformal, ood, spread) if column is not None}
    if lengths - {len(scored)}:
        raise InputError(f"Columns of {sorted(lengths)} rows for a ranking of {len(scored)}")
    rows = np.flatnonzero(scored)
    sets: dict[str, int] | None = None
    ambiguous = empty = unusual = None
    if conformal is not None:
        texts: list[str] = [conformal[int(k)] or "" for k in rows]
        names, counts = np.unique(np.array(texts, dtype=str), return_counts=True)
        sets = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
        ambiguous = np.array(["|" in text for text in texts], bool)
        empty = np.array([not text for text in texts], bool)
    if ood is not None:
        unusual = ood[rows] < unusual_below
    parts = [part for part in (ambiguous, empty, unusual) if part is not None]
    either = np.logical_or.reduce(parts) if parts else None
    known = spread[rows][np.isfinite(spread[rows])] if spread is not None else np.empty(0)
    return DoubtSummary(
        n_scored=len(rows),
        sets=sets,
        ambiguous=_share(ambiguous),
        empty=_share(empty),
        unusual=_share(unusual),
        abstained=_share(either),
        head_abstained=_share(None if either is None else either[:head]),
        head=min(head, len(rows)),
        spread_median=float(np.median(known)) if len(known) else None,
    )


def _share(held: Bool[np.ndarray, " m"] | None) -> Share | None:
    if held is None:
        return None
    n, of = int(held.sum()), len(held)
    low, high = wilson(n, of)
    return Share(n=n, of=of, value=n / of if of else None, low=low, high=high)
