"""How often the intervals of a selection function hold the truth, by simulation.

.venv/bin/python benchmarks/bench_selection.py --sizes 600 2000 --runs 200
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from skysieve.core.random import stream
from skysieve.measure.recovery import Asked, measure_recovery
from skysieve.measure.trials import Trials

FWHM_ARCSEC = 0.7
PLACES = (
    np.array([0.6, 0.8, 1.0, 1.5, 1.5, 2.0, 2.5, 2.6, 2.7]),
    np.array([300, 60, 20, 40, 100, 15, 20, 300, 60.0]),
)
"""Einstein radii in arcsec and signal to noise where the intervals are looked at."""


def completeness(radius_arcsec: np.ndarray, snr: np.ndarray) -> np.ndarray:
    """Return what the detector finds: 0.9 of the clearest arcs."""
    rise = -1 + 1.5 * np.log(radius_arcsec / FWHM_ARCSEC / 2) + 2.5 * np.log(snr / 40)
    return 0.9 / (1 + np.exp(-rise))


def draw(images: int, copies: int, seed: int) -> Trials:
    """Return lenses, some to an image, and what the detector scores them."""
    rng, n = stream(seed, "bench-selection"), images * copies
    radius, snr = rng.uniform(0.5, 3, n), np.exp(rng.uniform(np.log(5), np.log(500), n))
    found = rng.random(n) < completeness(radius, snr)
    return Trials(
        p=np.where(found, 0.75, 0.25),
        image=np.arange(n) // copies,
        einstein_radius_arcsec=radius,
        arc_snr=snr,
        psf_fwhm_arcsec=np.full(n, FWHM_ARCSEC),
        source_ab=np.full(n, np.nan),
        color=np.full(n, np.nan),
        weights=np.ones(n),
        negative_p=np.zeros(images),
        negative_image=np.arange(images),
    )


def main() -> None:
    """Print the share of intervals that hold the truth, at each place and in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[600, 2000])
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=120)
    arguments = parser.parse_args()
    truth = completeness(*PLACES)
    asked = Asked(
        finder="known", finder_sha256="", images="", data_sha256="", seed=1, population="", made=0,
        unscored={},
    )  # fmt: skip
    for size in arguments.sizes:
        begun = time.perf_counter()
        held, missed = [], []
        for seed in range(arguments.runs):
            trials = draw(size // arguments.copies, arguments.copies, seed)
            found = measure_recovery(
                trials, asked, threshold=0.5, resamples=arguments.resamples
            ).selection
            if found is None:
                continue
            low, high = found.low(*PLACES), found.high(*PLACES)
            inside = np.isfinite(low)  # rarely no lens lies beyond a place near the edge
            held.append(np.where(inside, (low <= truth) & (truth <= high), np.nan))
            missed.append(found(*PLACES) - truth)
        by_place = " ".join(f"{share:.2f}" for share in np.nanmean(held, axis=0))
        print(
            f"{size} lenses, {len(held)} runs: {np.nanmean(held):.3f} hold the truth ({by_place}); "
            f"mean error {np.nanmean(missed):+.4f}; {time.perf_counter() - begun:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
