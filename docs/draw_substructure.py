"""Draw docs/images/substructure.jpg: ``python docs/draw_substructure.py``; needs the extra [train].

A row for each lens: the three classes as they are delivered, then what subhalos and vortex change
in the image without noise, then their convergence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from skysieve.recipe.scenarios import scenario_plan
from skysieve.recipe.settings import change
from skysieve.simulate.scenario import open_scenario

PICTURE = Path(__file__).parent / "images" / "substructure.jpg"
SEED, ROWS, SIDE, GAP, HEAD = 5, 4, 150, 4, 22
TITLES = (
    "no",
    "sphere",
    "vort",
    "sphere - no",
    "vort - no",
    "mass: sphere",
    "mass: vort",
)
STRONG = 0.25
"""The difference, over the peak of the smooth image, that has the full color."""
DENSE = 0.3
"""The convergence that is white."""


def draw(model: str) -> Image.Image:
    """Return the sheet of a model."""
    plan = change(scenario_plan("substructure"), [f"model={model}", "compiled=false"])
    batch = open_scenario(plan, SEED).draw("train", range(3 * ROWS))
    seen = batch.exposures[0].pixels[:, 0]
    lensed, mass = (batch.exposures[0].truth[name][:, 0] for name in ("lensed", "convergence"))
    width = len(TITLES) * (SIDE + GAP) - GAP
    sheet = Image.new("RGB", (width, HEAD + ROWS * (SIDE + GAP) - GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(TITLES):
        place = (column * (SIDE + GAP) + SIDE / 2, HEAD / 2)
        pen.text(place, title, fill="black", anchor="mm", font=ImageFont.load_default(14))
    for row in range(ROWS):
        no, sphere, vort = range(3 * row, 3 * row + 3)
        peak = lensed[no].max()
        panels = [
            *(colormaps["inferno"](seen[k]) for k in (no, sphere, vort)),
            *(_difference((lensed[k] - lensed[no]) / peak) for k in (sphere, vort)),
            *(colormaps["gray"](np.sqrt(np.clip(mass[k] / DENSE, 0, 1))) for k in (sphere, vort)),
        ]
        for column, panel in enumerate(panels):
            picture = Image.fromarray((panel[::-1, :, :3] * 255).astype(np.uint8))
            place = (column * (SIDE + GAP), HEAD + row * (SIDE + GAP))
            sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.NEAREST), place)
    return sheet


def _difference(share: np.ndarray) -> np.ndarray:
    return colormaps["RdBu_r"](np.clip(share / STRONG / 2 + 0.5, 0, 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="I", choices=["I", "II", "III"])
    parser.add_argument("--out", type=Path, default=PICTURE)
    asked = parser.parse_args()
    draw(asked.model).save(asked.out, quality=88, optimize=True)
    print(f"wrote {asked.out}")
