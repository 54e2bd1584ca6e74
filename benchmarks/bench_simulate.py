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
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from skysieve.core.survey import survey
from skysieve.recipe.scenarios import scenario_plan
from skysieve.simulate.galaxies import flux
from skysieve.simulate.instrument import draw_psf
from skysieve.simulate.painter import paint_parts, paint_whole
from skysieve.simulate.populations import draw_lens
from skysieve.simulate.scenes import Scenes
from tests.simulate.lenstronomy_scene import Split, render_band, split_of

SIDE, SCALE, BANDS = 64, 0.187, 3
SEED = 1


def draw_scenes(count: int) -> tuple[Scenes, np.ndarray]:
    """Return lenses with a disk and all neighbors near the field, and their PSF.

    The neighbors are drawn for a field twice as wide; they are moved to half their distance.
    """
    plan = scenario_plan("lens-gri")
    drawn = []
    for index in range(count):
        scene = draw_lens(plan.lens, seed=SEED, index=index)
        light, host = scene.light.copy(), scene.hosts[0]
        light[0, host:, :2] /= 2
        light[light[..., 2] <= 0] = 0
        disk = [0.2, -0.1, 1.3, 1.0, 0.6, 0.8, *flux(20.5, 0.9, 0.6)]
        light[0, -1] = disk
        deflectors = scene.deflectors.copy()
        deflectors[..., 5] = 0  # lenstronomy's core is another
        bare = np.zeros_like(scene.companions)
        drawn.append(replace(scene, light=light, deflectors=deflectors, companions=bare))
    stamps = [
        draw_psf(plan.camera, survey("cfhtls"), seed=SEED, index=index) for index in range(count)
    ]
    return Scenes.stack(drawn), np.stack(stamps)


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def compare(given: argparse.Namespace) -> None:
    """Print scenes per second of both, their ratio, and how far their images are apart."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    scenes, psf = draw_scenes(given.scenes)
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
    differences(scenes, psf, models, given.checked)


def differences(
    scenes: Scenes, psf: np.ndarray, models: dict[int, list[Split]], count: int
) -> None:
    """Print the greatest difference over the peak from lenstronomy at its finest."""
    images = paint_whole(scenes, side=SIDE, pixel_scale_arcsec=SCALE, psf=psf)
    apart: dict[str, list[float]] = {}
    for k in range(count):
        for band in (0, 2):
            finest = render_band(scenes, k, band, side=SIDE, scale=SCALE, kernel=psf[k, band],
                                 supersampling=20)  # fmt: skip
            peak = finest.max()
            apart.setdefault("ours", []).append(np.abs(images[k, band] - finest).max() / peak)
            for factor in models:
                theirs = render_band(scenes, k, band, side=SIDE, scale=SCALE, kernel=psf[k, band],
                                     supersampling=factor)  # fmt: skip
                off = np.abs(theirs - finest).max() / peak
                apart.setdefault(f"lenstronomy x{factor}", []).append(off)
    print(f"greatest difference over the peak, from lenstronomy x20, {count} scenes, g and i:")
    for name, found in apart.items():
        print(f"  {name:20} median {np.median(found):.1e}, greatest {np.max(found):.1e}")


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
    parser.add_argument("--lenstronomy", type=int, default=16, help="rendered by it at a time")
    parser.add_argument("--checked", type=int, default=8, help="compared pixel by pixel")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--supersampling", type=int, nargs="+", default=[1, 2, 3])
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
