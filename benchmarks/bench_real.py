"""How finders rank the CFHTLS development set, real images that none was trained on.

Fields of 12, 18 and 24 arcsec, with and without the coarse meshes; 95 % of 2,000 draws, seed 0.

.venv/bin/python benchmarks/bench_real.py lens-gri
.venv/bin/python benchmarks/bench_real.py lens-gri --enlarged 0.8 1.25
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.special import expit, logit

import skysieve
from skysieve.core.cutouts import Cutouts
from skysieve.finder.cascade import Finder
from skysieve.measure.metrics import Draws, measure_ranking
from skysieve.measure.paired import compare_auc

SIDES = {64: 12, 96: 18, 128: 24}
HEADLINE = "spacewarps"


def read(data: Path) -> tuple[Cutouts, dict[str, int], np.ndarray]:
    """Return the headline rows of the set, their labels, and how red their middles are."""
    with (data / "cfhtls" / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == HEADLINE]
    labels = {row["id"]: int(row["label"]) for row in rows}
    every = skysieve.read(data / "cfhtls_wide")
    cutouts = every[np.flatnonzero([name in labels for name in every.ids])]
    middle = cutouts.pixels[:, :, 56:72, 56:72].mean(axis=(2, 3))
    red, blue = (cutouts.bands.index(band) for band in ("red", "blue"))
    return cutouts, labels, middle[:, red] / np.maximum(middle[:, blue], 1)


def finest(finder: Finder) -> Finder:
    """Return the finder with meshes that let everything through."""
    stages = [
        stage.model_copy(update={"pass_logit": -1e30}) if stage.pass_logit is not None else stage
        for stage in finder.card.stages
    ]
    return replace(finder, card=finder.card.model_copy(update={"stages": tuple(stages)}))


def cropped(cutouts: Cutouts, side: int) -> Cutouts:
    """Return the middles of cutouts."""
    edge = (cutouts.pixels.shape[-1] - side) // 2
    kept = slice(edge, edge + side)
    return replace(cutouts, pixels=np.ascontiguousarray(cutouts.pixels[:, :, kept, kept]))


def main() -> None:
    """Print a line for each field and way of asking."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("finder", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--enlarged", type=float, nargs="+", default=[1.0], metavar="FACTOR")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cutouts, labels, redness = read(given.data)
    truth = np.array([labels[name] for name in cutouts.ids])
    print(f"{truth.sum()} lenses, {(truth == 0).sum()} others; redness alone has AUC "
          f"{measure(truth, redness / redness.max(), given.seed)}")  # fmt: skip
    for name in given.finder:
        sieve = skysieve.load(name)
        for factor, (way, asked) in product(
            given.enlarged, (("sieve", sieve), ("finest mesh", finest(sieve)))
        ):
            said = {}
            for side, arcsec in SIDES.items():
                seen = enlarged(cropped(cutouts, side), factor)
                said[f"{arcsec} arcsec"] = asked(seen).p.astype(float)
            said["mean log odds"] = expit(np.mean([logit(p) for p in said.values()], axis=0))
            for field, p in said.items():
                beyond = compare_auc(truth, redness, p)
                print(f"{name:12} x{factor:<5} {field:13} {way:11}  AUC {measure(truth, p, given.seed)}, "
                      f"{beyond.value:+.3f} ({beyond.low:+.3f} to {beyond.high:+.3f}) beyond redness",
                      flush=True)  # fmt: skip


def enlarged(cutouts: Cutouts, factor: float) -> Cutouts:
    """Return cutouts with all pixels interpolated, so that objects are larger by a factor."""
    if factor == 1:
        return cutouts
    side = round(cutouts.pixels.shape[-1] * factor)
    planes = [
        [np.asarray(Image.fromarray(plane).resize((side, side), Image.Resampling.BICUBIC))
         for plane in pixels.astype(np.float32)]
        for pixels in cutouts.pixels
    ]  # fmt: skip
    return replace(cutouts, pixels=np.clip(planes, 0, 255).astype(np.float32))


def measure(truth: np.ndarray, p: np.ndarray, seed: int) -> str:
    """Return an AUC with its interval, in words."""
    found = {row.key: row.measured for row in measure_ranking(truth, p, Draws(seed=seed)).rows}
    auc = found["roc_auc"]
    return f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"


if __name__ == "__main__":
    main()
