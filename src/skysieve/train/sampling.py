"""Which rows a batch is made of, and going through all rows in order."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Int64

from skysieve.core.errors import RecipeError
from skysieve.recipe.learning import SamplingPlan

Rows = Int64[np.ndarray, " k"]


def batches_of(
    labels: Int64[np.ndarray, " n"], plan: SamplingPlan, batch: int, rng: np.random.Generator
) -> list[Rows]:
    """Return the batches of an epoch, in a new random order.

    All batches have the same size but for one row, and no more than ``batch``: none is so small
    that its statistics mean nothing, and no row is dropped.

    Args:
        labels: The class of each row.
        plan: How rows are drawn.
        batch: The most rows in a batch.
        rng: Decides all of it.

    Returns:
        Positions within ``labels``, an array for each batch.

    Raises:
        RecipeError: A share of the rare class is set, but there are not two classes.
    """
    match plan.kind:
        case "natural":
            rows = rng.permutation(len(labels))
        case "stratified":
            rows = _spread(np.arange(len(labels)), labels, rng)
        case "balanced":
            drawn = _drawn(labels, plan.rare_share, rng)
            rows = _spread(drawn, labels[drawn], rng)
    if not len(rows):
        return []
    cut = np.array_split(rows.astype(np.int64), math.ceil(len(rows) / batch))
    return cut if plan.kind == "natural" else [rng.permutation(rows) for rows in cut]


def spans_of(n: int, batch: int) -> list[slice]:
    """Return consecutive slices that together hold each of n rows once, the last ones too."""
    return [slice(start, min(start + batch, n)) for start in range(0, n, batch)]


def _spread(rows: Rows, labels: Rows, rng: np.random.Generator) -> Rows:
    """Order rows so that every stretch holds the classes in the shares of the whole."""
    at = np.empty(len(rows))
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        at[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    return rows[np.argsort(at, kind="stable")]


def _drawn(labels: Rows, rare_share: float | None, rng: np.random.Generator) -> Rows:
    """Draw as many rows as there are, with replacement, by the shares of their classes."""
    classes, counts = np.unique(labels, return_counts=True)
    shares = np.full(len(classes), 1 / max(len(classes), 1))
    if rare_share is not None:
        if len(classes) != 2:
            raise RecipeError(
                f"sampling.rare_share is set, but there are {len(classes)} classes",
                "Leave it out: with more than two classes all are drawn alike",
            )
        shares = np.where(np.arange(2) == int(np.argmin(counts)), rare_share, 1 - rare_share)
    sizes = _whole(shares * len(labels))
    drawn = [
        rng.choice(np.flatnonzero(labels == label), size)
        for label, size in zip(classes, sizes, strict=True)
    ]
    return np.concatenate([np.empty(0, np.int64), *drawn])


def _whole(sizes: Float64[np.ndarray, " class"]) -> Int64[np.ndarray, " class"]:
    """Round sizes so that they keep their sum."""
    ends = np.rint(np.cumsum(sizes)).astype(np.int64)
    return np.diff(ends, prepend=0)
