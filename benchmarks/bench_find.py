"""Measure `find` from the disk to the ranking: cutouts per second, and memory at two sizes.

make bench
.venv/bin/python benchmarks/bench_find.py --finder my-finder --rows 10000 100000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from skysieve.core.cutouts import Cutouts
from skysieve.core.random import stream
from skysieve.images import read
from skysieve.images.shards import write_shard
from skysieve.pipeline import SAMPLE, find

FILE_ROWS = 5_000
SHAPE = (3, 64, 64)


@cache
def survey() -> np.ndarray:
    """Return the pixels of the bundled sample survey, float32 (n, band, y, x)."""
    return np.ascontiguousarray(read([SAMPLE]).pixels[:, ::-1])  # blue first


def synthesize(file: int, rows: int) -> np.ndarray:
    """Return cutouts of the sample survey, mirrored at random and with noise of their own.

    As many pass the first mesh as on a survey: this decides what the finer ones cost.
    """
    rng = stream(0, "bench", file)
    pixels = survey()[rng.integers(len(survey()), size=rows)]
    pixels = np.where(rng.random((rows, 1, 1, 1)) < 0.5, pixels, pixels[..., ::-1])
    return pixels + rng.standard_normal((rows, *SHAPE), np.float32)


def write_npy(path: Path, pixels: np.ndarray) -> None:
    """Write a stack without names."""
    np.save(path.with_suffix(".npy"), pixels)


def write_parquet(path: Path, pixels: np.ndarray) -> None:
    """Write a shard."""
    ids = tuple(f"{path.name}-{k}" for k in range(len(pixels)))
    cutouts = Cutouts(ids=ids, pixels=pixels, bands=("g", "r", "i"), pixel_scale_arcsec=0.187)
    write_shard(path.with_suffix(".parquet"), cutouts)


LAYOUTS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "npy": write_npy,
    "parquet": write_parquet,
}


def run_once(images: Path, finder: str, out: Path) -> None:
    """Run in a process of its own; print what it took as JSON."""
    begun = time.perf_counter()
    summary = find([images], finder, out)
    print(
        json.dumps(
            {
                "rows": summary.n_rows,
                "scored": summary.n_ok,
                "search_s": summary.seconds,
                "whole_s": time.perf_counter() - begun,
                "peak_mb": peak_mb(),
            }
        )
    )


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux, what getrusage says begins with the peak of the parent
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(layout: str, rows: int, finder: str, folder: Path) -> dict[str, float]:
    """Write the cutouts, run `find` on them in a fresh process, and return what it took."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="skysieve-bench-") as name:
        images = Path(name) / "images"
        images.mkdir()
        for file, start in enumerate(range(0, rows, FILE_ROWS)):
            pixels = synthesize(file, min(FILE_ROWS, rows - start))
            LAYOUTS[layout](images / f"sky-{file:03}", pixels)
        command = [sys.executable, __file__, "--one", str(images), str(Path(name) / "run")]
        done = subprocess.run([*command, "--finder", finder], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print a line for each layout and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--finder", default="lens-gri")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--folder", type=Path, help="where to write (5 GB for 100,000 cutouts)")
    parser.add_argument("--one", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_once(given.one[0], given.finder, given.one[1])
        return
    print(f"find with {given.finder}, float32 cutouts of {' x '.join(map(str, SHAPE))}")
    print(f"{'layout':8} {'cutouts':>9} {'cutouts/s':>10} {'with report':>12} {'peak MB':>9}")
    for layout in given.layouts:
        for rows in given.rows:
            found = measure(layout, rows, given.finder, given.folder)
            rate, whole = rows / found["search_s"], rows / found["whole_s"]
            line = f"{layout:8} {rows:>9,} {rate:>10,.0f} {whole:>12,.0f} {found['peak_mb']:>9,.0f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
