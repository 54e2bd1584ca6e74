"""What the population behind a ranking may be like, drawn at random.

Percentiles of resampled rows are too narrow where few rows decide: a class of twenty, the best
ten, the first false positive. What is drawn here instead are the rates of the population, given
the counts: a class' share above a threshold is a beta distribution, the shares between neighbors
in a class are a Dirichlet distribution. ``benchmarks/bench_coverage.py`` tells how often the
intervals hold the truth.

References:
    Rubin 1981, Annals of Statistics 9, 130 (the Bayesian bootstrap).
    Banks 1988, Biometrika 75, 673 (its smoothing between neighbors).
    Brown, Cai & DasGupta 2001, Statistical Science 16, 101, section 4 (Jeffreys' interval).
    Metcalf et al. 2019, A&A 625, A119 (TPR0 and TPR10).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Float64, Int64

from skysieve.measure.chance import rank_beyond
from skysieve.measure.rare import Sweep

Draws = Float64[np.ndarray, " draw"]
Draw = Callable[[Sweep, np.random.Generator, int], Draws]
"""Draws a metric of the population so many times."""

JEFFREYS = 0.5
_AT_ONCE = 2_000_000
"""Weights in memory at a time."""


def share(k: Float[np.ndarray, "*d"] | float, n: int, rng: np.random.Generator, size: int) -> Draws:
    """Return draws of a population's share of which ``k`` of ``n`` rows were seen."""
    return rng.beta(np.asarray(k) + JEFFREYS, n - np.asarray(k) + JEFFREYS, size)


def draw_completeness_at_fpr(
    counts: Sweep, rng: np.random.Generator, size: int, *, fpr: float
) -> Draws:
    """Draw the completeness of the threshold that lets a share ``fpr`` of all negatives through.

    How many of the sample's negatives lie above that threshold is a binomial number; the positives
    above it then tell its completeness.
    """
    passed = rng.binomial(counts.n_negative, fpr, size)
    found = _between(counts.false_positives, counts.true_positives, passed, rng)
    return share(found, counts.n_positive, rng, size)


def draw_found_at_k(counts: Sweep, rng: np.random.Generator, size: int, *, k: int) -> Draws:
    """Draw the positives expected among the best ``k`` of such a sample.

    The rates at the sample's threshold are drawn first. They ask for another threshold to let
    ``k`` rows through, and the ranking tells what lies between the two.
    """
    m, n = counts.n_positive, counts.n_negative
    inspected = counts.true_positives + counts.false_positives
    found = float(np.interp(k, inspected, counts.true_positives))
    true = m * share(found, m, rng, size)
    false = n * share(k - found, n, rng, size)
    there = np.interp(2 * k - true - false, inspected, counts.true_positives)
    return np.clip(true + there - found, max(0, k - n), min(k, m))


def draw_auc(counts: Sweep, rng: np.random.Generator, size: int) -> Draws:
    """Draw the area under the ROC curve.

    With even odds each class has a row more than was seen, somewhere beyond its worst-ranked row:
    the sample cannot tell what the worst of the population are like, and they decide an AUC near 1.
    """
    true, false = _per_run(counts)
    best_negative, worst_positive = int(np.argmax(false > 0)), int(np.flatnonzero(true)[-1])
    drawn: list[Draws] = []
    for rows in _blocks(size, len(true)):
        t, f = _weights(true, rng, rows), _weights(false, rng, rows)
        below = f.sum(axis=1, keepdims=True) - np.cumsum(f, axis=1)
        area = (t * (below + f / 2)).sum(axis=1)
        more_t, more_f = rng.standard_gamma(1.0, (2, rows)) * rng.integers(0, 2, (2, rows))
        beaten = below[:, worst_positive] * rng.random(rows)
        beating = t[:, :best_negative].sum(axis=1) * rng.random(rows)
        area += more_t * beaten + more_f * beating + more_t * more_f / 2
        drawn.append(area / ((t.sum(axis=1) + more_t) * (f.sum(axis=1) + more_f)))
    return np.concatenate(drawn)


def draw_average_precision(counts: Sweep, rng: np.random.Generator, size: int) -> Draws:
    """Draw the purity averaged over the positives, at the sample's share of positives.

    With even odds there is a positive more than was seen, ranked last.
    """
    true, false = _per_run(counts)
    m, n = counts.n_positive, counts.n_negative
    drawn: list[Draws] = []
    for rows in _blocks(size, len(true)):
        t, f = _weights(true, rng, rows), _weights(false, rng, rows)
        more = rng.standard_gamma(1.0, (rows, 1)) * rng.integers(0, 2, (rows, 1))
        t /= t.sum(axis=1, keepdims=True) + more
        f /= f.sum(axis=1, keepdims=True)
        found, passed = m * np.cumsum(t, axis=1), n * np.cumsum(f, axis=1)
        purity = found / np.maximum(found + passed, np.finfo(np.float64).tiny)
        drawn.append((t * purity).sum(axis=1))
    return np.concatenate(drawn)


def draw_completeness_before(
    counts: Sweep, rng: np.random.Generator, size: int, *, false_positives: int, negatives: int
) -> Draws:
    """Draw the completeness that test sets reach on average before a false positive too many.

    Args:
        counts: The sample.
        rng: Where the draws come from.
        size: How many.
        false_positives: Let through: 0 for TPR0, 9 for TPR10.
        negatives: Of such a test set.
    """
    # Beyond these, the next false positive has come but for one test set in a million.
    most = (false_positives + 10 * math.sqrt(false_positives + 1) + 20) / negatives
    shape_t, shape_f = _gaps(*_stretches(*_per_run(counts)))
    end = int(np.searchsorted(np.cumsum(shape_f), most * counts.n_negative)) + 1
    rest_t, rest_f = (max(float(shape[end:].sum()), 0.0) for shape in (shape_t, shape_f))
    drawn: list[Draws] = []
    for rows in _blocks(size, end):
        t, f = _weights(shape_t[:end], rng, rows), _weights(shape_f[:end], rng, rows)
        t /= t.sum(axis=1, keepdims=True) + rng.standard_gamma(rest_t, (rows, 1))
        f /= f.sum(axis=1, keepdims=True) + rng.standard_gamma(rest_f, (rows, 1))
        passed = np.cumsum(f, axis=1)
        value = np.zeros(rows)
        for back, weight in ((1.0, 1 / 6), (0.5, 4 / 6), (0.0, 1 / 6)):  # Simpson's rule
            beyond = rank_beyond(false_positives, negatives, passed - back * f)
            value += weight * (t * beyond).sum(axis=1)
        drawn.append(value)
    return np.concatenate(drawn)


def _between(
    along: Int64[np.ndarray, " level"],
    across: Int64[np.ndarray, " level"],
    wanted: Int64[np.ndarray, " draw"],
    rng: np.random.Generator,
) -> Draws:
    """Return how many of one class lie above a threshold that so many of the other lie above.

    The threshold may be anywhere between two rows of the other class.
    """
    first = np.flatnonzero(np.append(True, np.diff(along) > 0))
    last = np.append(first[1:] - 1, len(along) - 1)
    values, low, high = along[first], across[first], across[last]
    at = np.searchsorted(values, wanted, side="right") - 1
    after = np.minimum(at + 1, len(values) - 1)
    # Inside a level of ties, or of joined levels, the classes come evenly.
    step = (wanted - values[at]) / np.maximum(values[after] - values[at], 1)
    inside = high[at] + step * (low[after] - high[at])
    exact = low[at] + rng.random(len(wanted)) * (high[at] - low[at])
    return np.where(values[at] == wanted, exact, inside)


def _per_run(counts: Sweep) -> tuple[Int64[np.ndarray, " run"], Int64[np.ndarray, " run"]]:
    return np.diff(counts.true_positives), np.diff(counts.false_positives)


def _stretches(
    true: Int64[np.ndarray, " run"], false: Int64[np.ndarray, " run"]
) -> tuple[Int64[np.ndarray, " stretch"], Int64[np.ndarray, " stretch"]]:
    """Return runs with neighbors joined that are of one class, the same."""
    kind = np.sign(true) - np.sign(false)
    starts = np.flatnonzero(np.append(True, (kind[1:] != kind[:-1]) | (kind[1:] == 0)))
    return np.add.reduceat(true, starts), np.add.reduceat(false, starts)


def _gaps(
    true: Int64[np.ndarray, " run"], false: Int64[np.ndarray, " run"]
) -> tuple[Float64[np.ndarray, " run"], Float64[np.ndarray, " run"]]:
    """Return how many gaps between neighbors of a class each run holds.

    The m rows of a class leave m + 1 gaps. A run of one class lies in one gap of the other.
    """
    alone_t, alone_f = (true > 0) & (false == 0), (false > 0) & (true == 0)
    shape_t = np.where(alone_f, 1.0, true - 1.0 * alone_t)
    shape_f = np.where(alone_t, 1.0, false - 1.0 * alone_f)
    for end in (0, -1):
        shape_t[end] += alone_t[end]
        shape_f[end] += alone_f[end]
    return shape_t, shape_f


def _weights(
    shape: Float[np.ndarray, " run"] | Int64[np.ndarray, " run"],
    rng: np.random.Generator,
    rows: int,
) -> Float64[np.ndarray, "row run"]:
    return rng.standard_gamma(shape, (rows, len(shape)))


def _blocks(size: int, runs: int) -> Iterator[int]:
    """Yield numbers of draws that fit into memory together and add up to ``size``."""
    most = max(_AT_ONCE // runs, 1)
    for begun in range(0, size, most):
        yield min(most, size - begun)
