"""Measure how fast scenes are rendered, beside lenstronomy in the same run, and whole sets made.

.venv/bin/python benchmarks/bench_simulate.py
.venv/bin/python benchmarks/bench_simulate.py --sets lens-gri survey --images 2000 --workers 1 2

All rates are by processor time, so that a busy machine changes them little; rendering is bound to one
core. What lenstronomy renders is what ours renders: no companions, no stars, disks without arms.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from skysieve.simulate.painter import paint_parts, paint_whole
from skysieve.simulate.scenes import Scenes
from tests.simulate.lenstronomy_scene import (
    Brightness,
    Split,
    average,
    draw_comparable,
    render_band,
    split_of,
)

SIDE, SCALE, BANDS = 64, 0.187, 3
SEED = 1
TOLERANCES = (3e-3, 1e-3)
"""With which lenstronomy's light is integrated: the second gives about our accuracy."""
EXACT = 2e-5
"""That of what all are compared with; with 1e-4 instead, six scenes change by at most 1e-4 of the peak."""


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def compare(given: argparse.Namespace) -> None:
    """Print scenes per second of both, their ratio, and how far their images are apart."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    scenes, psf = draw_comparable(given.scenes, SEED)
    shining = (scenes.light[..., 6:].any(2)).sum(1).mean()
    print(f"{given.scenes} scenes of {SIDE} x {SIDE} pixels, {BANDS} bands, seed {SEED}:")
    print(f"  {shining:.1f} lights, {scenes.source[..., 6:].any(2).sum(1).mean():.1f} lensed each")
    models = {
        factor: [
            split_of(scenes, k, side=SIDE, scale=SCALE, psf=psf[k], supersampling=factor)
            for k in range(given.lenstronomy)
        ]
        for factor in given.supersampling
    }
    frame = {"side": SIDE, "pixel_scale_arcsec": SCALE, "psf": psf}
    ours: dict[str, Callable[[], object]] = {
        "one image": lambda: paint_whole(scenes, **frame),
        "four truth planes": lambda: paint_parts(scenes, **frame),
    }
    for work in ours.values():
        work()  # compiles
    theirs: dict[str, Callable[[], object]] = {}
    for factor, rows in models.items():
        theirs[f"x{factor}, a model per band"] = lambda rows=rows: [one.by_band() for one in rows]
        theirs[f"x{factor}, shared profiles"] = lambda rows=rows: [one.shared() for one in rows]
    for tolerance in TOLERANCES:
        theirs[f"quadrature to {tolerance:g}, shared"] = lambda t=tolerance: [
            average(bright(scenes, k), side=SIDE, psf=psf[k], tolerance=t, margin=0)
            for k in range(given.lenstronomy)
        ]
    rates: dict[str, list[float]] = {name: [] for name in (*theirs, *ours)}
    for _ in range(given.repeats):
        for name, work in theirs.items():
            rates[name].append(given.lenstronomy / seconds(work))
        for name, work in ours.items():
            rates[name].append(given.scenes / seconds(work))
    print(f"{'renderer':38} {'scenes/s':>9} {'ours, one image, over it':>28}")
    for name, found in rates.items():
        ratio = np.array(rates["one image"]) / np.array(found)
        who = "ours" if name in ours else "lenstronomy"
        spread = f"{np.median(ratio):6.1f} ({ratio.min():.1f} to {ratio.max():.1f})"
        print(f"{who:12}{name:26} {np.median(found):9.0f} {spread:>28}")
    if given.checked:
        differences(scenes, psf, models, given.checked)


def differences(
    scenes: Scenes, psf: np.ndarray, models: dict[int, list[Split]], count: int
) -> None:
    """Print the greatest difference over the peak from lenstronomy's light, integrated finely."""
    images = paint_whole(scenes, side=SIDE, pixel_scale_arcsec=SCALE, psf=psf)
    apart: dict[str, list[float]] = {}
    for k in range(count):
        exact = average(bright(scenes, k), side=SIDE, psf=psf[k], tolerance=EXACT)
        found = {"ours": images[k]}
        for factor in models:
            found[f"lenstronomy x{factor}"] = np.stack(
                [
                    render_band(scenes, k, band, side=SIDE, scale=SCALE, kernel=psf[k, band],
                                supersampling=factor)
                    for band in range(BANDS)
                ]
            )  # fmt: skip
        for tolerance in TOLERANCES:
            found[f"quadrature to {tolerance:g}"] = average(
                bright(scenes, k), side=SIDE, psf=psf[k], tolerance=tolerance
            )
        for name, image in found.items():
            off = np.abs(image - exact).max((1, 2)) / exact.max((1, 2))
            apart.setdefault(name, []).extend(off)
    print(f"greatest difference over the peak from the exact light, {count} scenes, g, r and i:")
    for name, off in apart.items():
        print(f"  {name:22} median {np.median(off):.1e}, greatest {np.max(off):.1e}")


def bright(scenes: Scenes, k: int) -> Brightness:
    """Return the light of a scene as lenstronomy gives it at any point."""
    return Brightness(scenes, k, bands=BANDS, scale=SCALE)


def produce(name: str, images: int, workers: int) -> None:
    """Print the images a second of a whole `skysieve simulate`, once it has compiled."""
    with tempfile.TemporaryDirectory(prefix="skysieve-bench-") as folder:
        for part, count in (("warm", 64 * workers), ("timed", images)):
            command = [sys.executable, "-c", "from skysieve.cli.app import main; main()",
                       "simulate", name, "-n", str(count),
                       "--out", f"{folder}/{part}", "--workers", str(workers)]  # fmt: skip
            begun, used = time.perf_counter(), _children()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            whole, cpu = time.perf_counter() - begun, _children() - used
            rate = f"{count / whole:7.0f} images/s, {cpu / count * 1e3:6.2f} ms of processor each"
            print(f"{name:16} {workers} worker(s), {part:5} {count:6,}: {rate}", flush=True)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Compare renderers, or make whole sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=128, help="rendered by ours at a time")
    parser.add_argument("--lenstronomy", type=int, default=8, help="rendered by it at a time")
    parser.add_argument("--checked", type=int, default=16, help="compared pixel by pixel")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--supersampling", type=int, nargs="+", default=[1, 2, 3, 5, 10])
    parser.add_argument("--sets", nargs="+", default=[], help="scenarios to make whole sets of")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    if not given.sets:
        compare(given)
    for name in given.sets:
        for workers in given.workers:
            produce(name, given.images, workers)


if __name__ == "__main__":
    main()
