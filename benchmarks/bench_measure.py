"""Measure the time and the memory that all metrics of a huge labeled ranking take.

.venv/bin/python benchmarks/bench_measure.py
.venv/bin/python benchmarks/bench_measure.py --rows 1000000 --share 0.0001
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from skysieve.measure.metrics import measure_ranking
from skysieve.measure.performance import DRAWS, measure_curves
from skysieve.measure.thresholds import Intent, choose_thresholds

MEBIBYTE = 1024**2
UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
"""What getrusage counts memory in."""
INTENTS = (Intent(inspect=5000), Intent(purity=0.5), Intent(fpr=1e-4), Intent(completeness=0.9))


def measure(rows: int, share: float, seed: int) -> None:
    """Measure a ranking of two normal distributions, and print what it takes."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(rows) < share).astype(np.int8)
    p = 1 / (1 + np.exp(2.0 - 3.0 * truth - rng.normal(size=rows)))
    begun, used = time.perf_counter(), time.process_time()
    steps: list[str] = []
    for name, step in (
        ("metrics", lambda: measure_ranking(truth, p)),
        ("curves", lambda: measure_curves(truth, p)),
        ("thresholds", lambda: choose_thresholds(truth, p, INTENTS, prior=1e-4)),
    ):
        last = time.perf_counter()
        step()
        steps.append(f"{name} {time.perf_counter() - last:.1f} s")
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT_BYTES / MEBIBYTE
    print(
        f"{rows:,} scores, {int(truth.sum()):,} positives, {DRAWS.resamples:,} draws, "
        f"seed {seed}: {seconds:.1f} s ({', '.join(steps)}; "
        f"{used:.1f} s of processor), peak {peak:,.0f} MiB"
    )


def main() -> None:
    """Measure each share of positives in a process of its own, for a peak never falls."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--share", type=float, nargs="+", default=[0.0001, 0.01, 0.5])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--once", action="store_true", help="in this process; for the script itself"
    )
    given = parser.parse_args()
    if given.once:
        measure(given.rows, given.share[0], given.seed)
        return
    for share in given.share:
        command = [sys.executable, __file__, "--once", "--rows", str(given.rows)]
        command += ["--share", str(share), "--seed", str(given.seed)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
