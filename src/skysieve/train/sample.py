"""``python -m skysieve.train.sample --out FOLDER``: make the sample survey that skysieve ships."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from skysieve.core.files import write_text
from skysieve.core.watch import Lines
from skysieve.images.picture_tables import write_pictures
from skysieve.recipe.simulation import LensPlan, SimulationPlan
from skysieve.simulate.sample import SampleSurvey, sample_survey

QUALITY = 88
"""Of the JPEG pictures."""


def main() -> int:
    """Parse the command line, simulate, and write the pictures and their labels."""
    parser = argparse.ArgumentParser(prog="python -m skysieve.train.sample", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=2048, help="cutouts in all")
    parser.add_argument("--lenses", type=int, default=20, help="how many of them are lenses")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    plan = SimulationPlan(seed=arguments.seed, lens=LensPlan(min_arc_snr=100, min_contrast=0.5))
    survey = sample_survey(
        plan, count=arguments.count, lenses=arguments.lenses, side=64,
        watch=Lines(partial(print, flush=True)),
    )  # fmt: skip
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_sample(survey, arguments.out)
    return 0


def write_sample(survey: SampleSurvey, folder: Path) -> None:
    """Write ``survey.parquet``, a JPEG in each row, and ``labels.csv``."""
    cutouts = survey.cutouts
    pictures = [_jpeg(pixels) for pixels in cutouts.pixels]
    scale = cutouts.pixel_scale_arcsec or 1.0
    write_pictures(folder / "survey.parquet", cutouts.ids, pictures, pixel_scale_arcsec=scale)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "label", "kind", "einstein_radius_arcsec"])
    for k, name in enumerate(cutouts.ids):
        radius = survey.einstein_radius_arcsec[k]
        table.writerow(
            [name, survey.labels[k], survey.kinds[k], "" if np.isnan(radius) else f"{radius:.2f}"]
        )
    write_text(folder / "labels.csv", text.getvalue())


def _jpeg(pixels: np.ndarray) -> bytes:
    """Return a color picture of (g, r, i) planes: i is red, g is blue."""
    file = io.BytesIO()
    picture = Image.fromarray(
        np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0)).astype(np.uint8)
    )
    picture.save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
