"""Measure the memory and the rate of `skysieve simulate` at two sizes: the memory must not grow.

.venv/bin/python benchmarks/bench_simulate_memory.py
.venv/bin/python benchmarks/bench_simulate_memory.py --scenario lens-gri --rows 1000 10000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from skysieve import pipeline

MEBIBYTE = 1024**2
UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
"""What getrusage counts memory in."""


def simulate(scenario: str, rows: int, settings: list[str]) -> tuple[float, float]:
    """Return the seconds that a set takes, and the peak of this process' memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        plan = pipeline.plan_set(scenario, rows, settings=settings)
        pipeline.simulate(plan, Path(folder) / "set")
        seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT_BYTES
    return seconds, peak / MEBIBYTE


def main() -> None:
    """Make each set in a process of its own, for a peak never falls, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="survey")
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="A.B=C")
    parser.add_argument(
        "--once", action="store_true", help="in this process; for the script itself"
    )
    given = parser.parse_args()
    if given.once:
        seconds, peak = simulate(given.scenario, given.rows[0], given.settings)
        rate = given.rows[0] / seconds
        print(f"{given.scenario} {given.rows[0]:,} images: {peak:,.0f} MiB, {rate:.1f} images/s")
        return
    for rows in given.rows:
        command = [sys.executable, __file__, "--once", "--scenario", given.scenario]
        command += ["--rows", str(rows)]
        command += [word for setting in given.settings for word in ("--set", setting)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
