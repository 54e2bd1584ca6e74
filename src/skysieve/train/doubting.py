"""Letting a finder say how sure it is: spread of its networks, strange features, sets of classes.

References:
    Lee, Lee, Lee & Shin 2018, NeurIPS, arXiv:1807.03888, equations 1 and 2: the Mahalanobis distance
        of features to the nearest class, with one covariance for all.
    Ledoit & Wolf 2004, J. Multivariate Anal. 88, 365: how far that covariance is shrunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sklearn.covariance import LedoitWolf

from skysieve.core.random import stream
from skysieve.core.scores import Status
from skysieve.finder.cascade import Finder
from skysieve.finder.doubt import Conformal, fit_conformal
from skysieve.images.sources import Group, Reading, Row
from skysieve.train.scoring import Rows
from skysieve.train.tapping import FEATURES, Distance, Extension

STUDIED_ROWS = 2000
"""Training rows, at most, that tell what features are usual."""
MOST_DIRECTIONS = 256
"""Of a network's features: those in which training rows differ most."""


Numbers = Float64[np.ndarray, "n number"]
Ask = Callable[[Path, tuple[str, ...]], Numbers]
"""What gives logits and other outputs of a graph, of rows that tell what is usual."""


def give_doubt(
    graph: Path,
    ask: Ask,
    truth: Int64[np.ndarray, " n"],
    *,
    classes: int,
    positive: int,
    shares: tuple[float, ...] | None = None,
) -> tuple[str, ...]:
    """Let a graph also give ``strangeness`` and, of several networks, ``spread``; return which.

    Nothing of the graph is changed: its logits keep their bits.

    Args:
        graph: A finished ONNX file; it is replaced.
        ask: Runs a graph on the rows that tell what is usual.
        truth: Their classes.
        classes: How many there are.
        positive: The class that is looked for.
        shares: Of the networks in the logits; None weighs them alike.

    Raises:
        RecipeError: What gives the logits is no linear layer.
    """
    tapped = graph.with_suffix(".features.onnx")
    extension = Extension(graph)
    extension.give_features()
    extension.save(tapped)
    features = ask(tapped, (FEATURES,))[:, classes:]
    tapped.unlink()
    extension = Extension(graph)
    count = len(extension.heads)
    ends = np.cumsum([head.width for head in extension.heads])[:-1]
    extension.give_strangeness(
        tuple(fit_distance(part, truth) for part in np.split(features, ends, axis=1))
    )
    if count > 1:
        extension.give_spread(positive, classes, shares or (1 / count,) * count)
    extension.save(graph)
    return ("spread", "strangeness") if count > 1 else ("strangeness",)


def usual_rows(train: Rows) -> Rows:
    """Return the training rows that tell what is usual: all, or some of many."""
    order = stream(0, "rows that tell what is usual", 0).permutation(len(train))
    return train[np.sort(order[:STUDIED_ROWS])]


def fit_distance(
    features: Float64[np.ndarray, "n feature"], truth: Int64[np.ndarray, " n"]
) -> Distance:
    """Return how far features lie from the nearest class that has rows.

    Args:
        features: Of training rows.
        truth: Their classes.
    """
    center = features.mean(axis=0)
    known, place = np.unique(truth, return_inverse=True)
    means = np.stack([(features[truth == k] - center).mean(axis=0) for k in known])
    off = features - center - means[place]
    width = off.std(axis=0)
    width = np.maximum(width, max(0.01 * float(width.mean()), 1e-6))  # a feature may be dead
    off /= width
    variances, directions = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(off).covariance_)
    most = np.argsort(variances)[::-1][:MOST_DIRECTIONS]
    turn = directions[:, most] / np.sqrt(np.maximum(variances[most], 1e-9))
    return Distance(center=center, whiten=turn / width[:, None], means=means / width @ turn)


def conformal_of(
    finder: Finder,
    batches: Iterable[Float32[np.ndarray, "_ band _ _"]],
    truth: Int64[np.ndarray, " n"],
) -> Conformal:
    """Return what a finder keeps of calibration rows to make sets of classes.

    They go through the whole sieve, as in finding; rows without a score are left out.

    Args:
        finder: Complete but for this.
        batches: The pixels of the rows; a batch has one side.
        truth: The classes of all rows, in order.
    """
    p = np.concatenate(
        [each.probabilities for each in finder.stream(_reading(pixels) for pixels in batches)]
    )
    scored = np.isfinite(p).all(axis=1)
    return fit_conformal(p[scored], truth[scored])


def _reading(pixels: Float32[np.ndarray, "n band y x"]) -> Reading:
    rows = tuple(
        Row(id=str(k), source="", row=k, ra_deg=np.nan, dec_deg=np.nan, status=Status.OK)
        for k in range(len(pixels))
    )
    return Reading(rows=rows, groups=(Group(index=np.arange(len(rows)), pixels=pixels),))
