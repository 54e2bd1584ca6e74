"""Measure images of lenses with substructure per second on one core, against lenstronomy.

Both render the same scenes (lens, clumps, source, PSF; noise is skysieve's alone) in one process
with one thread; time is that of the processor. Kernels are compiled before the clock starts.
lenstronomy has no string: a vortex is there 100 points in a row, as in DeepLenseSim.

.venv/bin/python benchmarks/bench_substructure.py
.venv/bin/python benchmarks/bench_substructure.py --models I II III --images 64 --theirs 8
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

from skysieve.recipe.substructure import SUBSTRUCTURE_MODELS, SubstructurePlan  # noqa: E402
from skysieve.simulate.substructure import SubstructureImages, simulate_substructure  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.simulate.lenstronomy_rings import (  # noqa: E402
    lenstronomy_image,
    lenstronomy_lens,
    rows,
)

SEED = 11
POINTS = 100
"""A vortex in lenstronomy."""
EDGE = 4
"""Pixels at the edge that are not compared: lenstronomy lets no light in from outside."""


def in_points(strings: np.ndarray) -> np.ndarray:
    """Return strings as rows of points, with the columns of halos."""
    along = (np.arange(POINTS) + 0.5) / POINTS - 0.5
    pieces = []
    for x, y, mass, length, phi, _ in strings:
        piece = np.zeros((POINTS, 5))
        piece[:, 0] = x + along * length * np.cos(phi)
        piece[:, 1] = y + along * length * np.sin(phi)
        piece[:, 2] = mass / POINTS
        pieces.append(piece)
    return np.concatenate(pieces)


def render_theirs(images: SubstructureImages, count: int, plan: SubstructurePlan) -> list:
    """Return the first images as lenstronomy renders them."""
    strings = images.kind == "vort"
    return [
        lenstronomy_image(
            row,
            *lenstronomy_lens(
                row,
                in_points(clumps) if strings else clumps,
                main=row["smooth_radius"],
                tnfw=not strings,
            ),
            plan.camera,
        )
        for row, clumps in list(zip(rows(images), images.clumps, strict=True))[:count]
    ]


def measure(model: str, kind: str, mine: int, theirs: int) -> str:
    """Return a row of the table."""
    plan = SUBSTRUCTURE_MODELS[model]
    simulate_substructure(plan, kind=kind, seed=SEED, first=0, count=1)
    start = time.process_time()
    images = simulate_substructure(plan, kind=kind, seed=SEED, first=0, count=mine)
    ours = mine / (time.process_time() - start)
    render_theirs(images, 1, plan)
    start = time.process_time()
    others = render_theirs(images, theirs, plan)
    other = theirs / (time.process_time() - start)
    inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    worst = max(
        np.abs(image[0] - seen)[inner].max() / seen.max()
        for image, seen in zip(images.noise_free, others, strict=False)
    )
    told = "" if kind == "vort" else f"{worst:.1e}"
    return f"| {model} | `{kind}` | {ours:,.0f} | {other:,.1f} | {ours / other:.1f} | {told} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["I", "II", "III"])
    parser.add_argument("--images", type=int, default=64, help="images of skysieve per class")
    parser.add_argument("--theirs", type=int, default=8, help="images of lenstronomy per class")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| model | class | skysieve, images/s | lenstronomy | times | largest difference / peak |"
    )
    print("|---|---|---|---|---|---|")
    for model in asked.models:
        for kind in ("no", "sphere", "vort"):
            print(measure(model, kind, asked.images, asked.theirs), flush=True)


if __name__ == "__main__":
    main()
