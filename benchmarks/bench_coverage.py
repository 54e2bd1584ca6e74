"""Measure how often the 95 % intervals of ranking metrics hold the truth of a known population.

Every trial draws rows of two normal distributions, or of a mixture, and asks for each metric. The
truth is that of the population; of TPR0 and TPR10 it is the mean over test sets of this size.

.venv/bin/python benchmarks/bench_coverage.py
.venv/bin/python benchmarks/bench_coverage.py --trials 400 --positives 20 --negatives 2000
.venv/bin/python benchmarks/bench_coverage.py --percentiles  # of resampled rows instead, to compare
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy import stats

from skysieve.measure.asked_metrics import PURER
from skysieve.measure.intervals import bootstrap_all
from skysieve.measure.metrics import Draws, measure_ranking
from skysieve.measure.rare import Sweep

RESAMPLES = 1000


@dataclass(frozen=True)
class Population:
    """Scores of negatives, normal about 0, and of positives.

    Args:
        shift: Mean of the positives' scores.
        width: Their deviation.
        hard: The share of positives that look like negatives.
        cut: A fixed threshold, which takes the place of p = 0.5.
    """

    shift: float
    width: float = 1.0
    hard: float = 0.0
    cut: float = 1.0

    def completeness(self, t):
        """Return the share of positives above a threshold."""
        easy = stats.norm.sf((t - self.shift) / self.width)
        return (1 - self.hard) * easy + self.hard * stats.norm.sf(t)

    def draw(self, m, n, rng):
        """Return labels, and probabilities that rank like the scores and are 0.5 at the cut."""
        hard = rng.random(m) < self.hard
        positives = rng.normal(np.where(hard, 0, self.shift), np.where(hard, 1, self.width))
        scores = np.append(positives, rng.normal(size=n))
        return np.repeat(np.array([1, 0], np.int8), (m, n)), 1 / (1 + np.exp(self.cut - scores))

    def truths(self, m, n):
        """Return every metric of the population, at these numbers of rows."""
        t = np.linspace(-9, self.shift + 9 * max(self.width, 1), 400_001)[::-1]
        true, false = self.completeness(t), stats.norm.sf(t)
        inspected = m * true + n * false
        purity = m * true / np.maximum(inspected, 1e-300)
        found = {
            "roc_auc": np.trapezoid(true, false),
            "average_precision": np.trapezoid(purity, true),
        }
        for fpr in (0.1, 0.01, 0.001, 0.0001):
            found[f"completeness_at_fpr_{fpr:g}"] = np.interp(fpr, false, true)
        for k in (10, 50, 100, 1000, 10_000):
            x = m * np.interp(k, inspected, true)
            found |= {f"completeness_at_{k}": x / m, f"purity_at_{k}": x / k}
        middle = (np.arange(20_000) + 0.5) / 20_000
        for passed, key in ((0, "tpr0"), (9, "tpr10")):
            where = stats.beta.ppf(middle, passed + 1, n - passed)
            found[key] = self.completeness(stats.norm.isf(where)).mean()
        at, past = self.completeness(self.cut), stats.norm.sf(self.cut)
        found |= {"completeness_at_p_0.5": at, "fpr_at_p_0.5": past}
        found["purity_at_p_0.5"] = m * at / (m * at + n * past)
        for beta, key in ((1, "f1"), (PURER, "f_beta")):
            b = beta * beta
            found[f"{key}_at_p_0.5"] = (1 + b) * m * at / (b * m + m * at + n * past)
        return found


POPULATIONS = {
    "fair": Population(1.5),
    "good": Population(3.0, cut=2.0),
    "wide": Population(3.0, 2.0, cut=2.5),
    "mixed": Population(3.5, hard=0.15, cut=2.0),
    "excellent": Population(4.5, cut=2.5),
}


def measured(labels, p, draws):
    """Return every metric with its interval."""
    return {row.key: row.measured for row in measure_ranking(labels, p, draws).rows}


def measured_by_percentiles(labels, p, draws):
    """Return the two areas with percentiles of resampled rows as their intervals."""
    asked = {"roc_auc": Sweep.roc_auc, "average_precision": Sweep.average_precision}
    return bootstrap_all(asked, labels, p, resamples=draws.resamples, seed=draws.seed)


def coverage(population, m, n, trials, seed, resamples=RESAMPLES, measure=measured):
    """Return for each metric the share of intervals below, holding and above the truth."""
    truths = population.truths(m, n)
    held = defaultdict(list)
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial])
        found = measure(*population.draw(m, n, rng), Draws(resamples=resamples, seed=trial))
        for key, each in found.items():
            if (truth := truths.get(key)) is not None:
                held[key].append((each.high < truth, each.low <= truth <= each.high,
                                  each.low > truth, each.high - each.low))  # fmt: skip
    return {key: np.mean(rows, axis=0) for key, rows in held.items() if len(rows) > trials / 2}


def main() -> None:
    """Print the coverage of each metric in each population, and its mean over them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--positives", type=int, nargs="+", default=[20, 50, 200])
    parser.add_argument("--negatives", type=int, default=5000)
    parser.add_argument("--population", nargs="+", default=list(POPULATIONS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--percentiles", action="store_true", help="of resampled rows, of the areas"
    )
    given = parser.parse_args()
    way = measured_by_percentiles if given.percentiles else measured
    for m in given.positives:
        table = {
            name: coverage(
                POPULATIONS[name], m, given.negatives, given.trials, given.seed, measure=way
            )
            for name in given.population
        }
        print(f"\n{m} positives, {given.negatives} negatives, {given.trials} trials: % of the "
              "intervals that hold the truth (lie below, above; mean width)")  # fmt: skip
        print(f"{'':28}" + "".join(f"{name:>26}" for name in table) + "      mean")
        keys = dict.fromkeys(key for found in table.values() for key in found)
        for key in keys:
            cells = [found.get(key) for found in table.values()]
            line = "".join(
                f"{'':26}" if c is None
                else f"{100 * c[1]:10.1f} ({100 * c[0]:3.0f},{100 * c[2]:3.0f};{c[3]:.3f})"
                for c in cells
            )  # fmt: skip
            mean = np.mean([c[1] for c in cells if c is not None])
            print(f"{key:28}{line}{100 * mean:10.1f}", flush=True)


if __name__ == "__main__":
    main()
