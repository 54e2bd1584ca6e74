"""How often intervals of calibration, lens rate and expected lenses hold the truth, by simulation.

Scores are drawn from two Gaussians, so that the probability at 1:1 is known exactly. Run
``python benchmarks/bench_calibration.py --surveys 200``.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import expit

from skysieve.core.random import stream
from skysieve.measure.expected import expect
from skysieve.measure.rates import estimate_rate, estimate_rate_above
from skysieve.measure.reliability import compare_priors, measure_reliability

KS = (10, 100, 1000)


def sky(n: int, rate: float, index: int, apart: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Return truths, and their probabilities at 1:1."""
    rng = stream(0, f"bench-{n}-{rate}-{apart}", index)
    truth = (rng.random(n) < rate).astype(np.int64)
    return truth, expit(2 * apart * rng.normal(np.where(truth == 1, apart, -apart), 1.0))


def bench_survey() -> None:
    """Print the calibration error of a million rows at 1:1,000, fitted at 1:1."""
    for name, found in compare_priors(*sky(1_000_000, 1e-3, 0), 0.5, 1e-3).items():
        for key in ("ece_mass", "ece_width", "ece_head", "brier"):
            one = found.measured[key]
            if one is not None:
                print(f"{name:9} {key:9} {one.value:.6f} ({one.low:.6f} to {one.high:.6f})")


def bench_errors(surveys: int) -> None:
    """Print how often intervals of the calibration error hold it."""
    for n, shift in ((500, 0.5), (2000, 0.0), (2000, 0.1), (2000, 0.5)):
        every, p = sky(1_000_000, 0.3, 0, apart=1.0)
        away = np.log(0.3 / 0.7) + shift
        true = measure_reliability(every, expit(np.log(p / (1 - p)) + away), resamples=10).measured
        held = dict.fromkeys(("ece_mass", "ece_width", "brier", "said_over_found"), 0)
        for k in range(1, surveys + 1):
            truth, p = sky(n, 0.3, k, apart=1.0)
            said = expit(np.log(p / (1 - p)) + away)
            found = measure_reliability(truth, said, resamples=300, seed=k).measured
            for key in held:
                exact = 0.0 if not shift and key.startswith("ece") else true[key].value
                held[key] += found[key].low <= exact <= found[key].high
        print(f"n {n} shift {shift}:", {key: round(h / surveys, 3) for key, h in held.items()})


def bench_rates(surveys: int) -> None:
    """Print how often intervals of the lens rate, and of what the first k hold, are right."""
    for rate in (2e-4, 1e-3, 0.1):
        em, told, bbse, first = 0, 0, 0, np.zeros(len(KS) + 1)
        for k in range(surveys):
            truth, p = sky(20_000, rate, k)
            found = estimate_rate(p, 0.5, seed=k)
            em += found.low <= rate <= found.high
            known, own = sky(2000, 0.5, k)
            counts = [
                (int((each >= 0.5).sum()), len(each))
                for each in (p, own[known == 1], own[known == 0])
            ]
            above = estimate_rate_above(*counts, seed=k)
            if above.value is not None:
                told += 1
                bbse += above.low <= rate <= above.high
            order = np.argsort(-p)
            lenses = np.cumsum(truth[order])
            said = expect(p[order], 0.5, found, ks=KS, seed=k).best
            first += [one.low <= lenses[one.k - 1] <= one.high for one in said]
        shares = dict(zip((*KS, "all"), (first / surveys).round(3).tolist(), strict=True))
        print(
            f"rate {rate}: em {em / surveys:.3f}, bbse {bbse / max(told, 1):.3f} of {told}, {shares}"
        )


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=200)
    surveys = parser.parse_args().surveys
    bench_survey()
    bench_rates(surveys)
    bench_errors(surveys)


if __name__ == "__main__":
    main()
