"""Draw docs/images/sky.png: ``python docs/draw_sky.py``; needs the extra [train].

Simulated lenses and other objects, in the stretch of the color pictures of Space Warps. With
``--beside FOLDER`` (holding lens/ and nonlens/ with pictures of 64 pixels or more) it writes a sheet
with those of the folder below them, to look at and not to publish.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from skysieve.recipe.scenarios import scenario_plan
from skysieve.recipe.settings import change
from skysieve.simulate.scenario import open_scenario

PICTURE = Path(__file__).parent / "images" / "sky.png"
SEED, SIDE, COLUMNS, ROWS = 11, 64, 8, 3
BORDER = 90


def draw_sheet(pictures: list[np.ndarray]) -> np.ndarray:
    """Return pictures of one size side by side, twice as large."""
    framed = [np.pad(one, ((1, 1), (1, 1), (0, 0)), constant_values=BORDER) for one in pictures]
    lines = [np.concatenate(framed[k : k + COLUMNS], 1) for k in range(0, len(framed), COLUMNS)]
    return np.concatenate(lines, 0).repeat(2, 0).repeat(2, 1)


def simulated() -> np.ndarray:
    """Return lenses, then other objects, of ``lens-gri``."""
    plan = change(scenario_plan("lens-gri"), ["pixels=display", "compiled=false"])
    count, cycle = COLUMNS * ROWS, len(plan.cycle)
    every = [k for k in range(count * cycle) if plan.cycle[k % cycle] == "lens"][:count]
    others = [k for k in range(count * cycle) if plan.cycle[k % cycle] == "other"][:count]
    seen = open_scenario(plan, SEED).draw("train", [*every, *others]).exposures[0].pixels
    red_first = seen[:, ::-1].transpose(0, 2, 3, 1).astype(np.uint8)
    return draw_sheet(list(red_first))


def of_folder(folder: Path) -> np.ndarray:
    """Return pictures of a folder, cut to the side of the simulated ones."""
    pictures: list[np.ndarray] = []
    for name in ("lens", "nonlens"):
        paths = sorted((folder / name).glob("*.png"))
        chosen = np.random.default_rng(SEED).permutation(len(paths))[: COLUMNS * ROWS]
        for k in chosen:
            pixels = np.array(Image.open(paths[k]).convert("RGB"))
            y, x = ((length - SIDE) // 2 for length in pixels.shape[:2])
            pictures.append(pixels[y : y + SIDE, x : x + SIDE])
    return draw_sheet(pictures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--beside", type=Path, help="folder of real pictures, for a look")
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    sheets = [simulated()] + ([of_folder(given.beside)] if given.beside else [])
    if given.beside and given.out == PICTURE:
        parser.error("real pictures stay out of the docs: give --out too")
    given.out.parent.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(sheets, 0)).save(given.out, optimize=True)
    print(f"wrote {given.out}")
