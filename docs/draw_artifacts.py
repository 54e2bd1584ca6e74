"""Draw docs/images/artifacts.png: ``python docs/draw_artifacts.py``; needs the extra [train]."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skysieve.core.survey import survey
from skysieve.recipe.artifacts import (
    ArtifactPlan,
    BadPixelPlan,
    BleedPlan,
    ChipGapPlan,
    CosmicRayPlan,
    GhostPlan,
    HolePlan,
    MissingBandPlan,
    TrailPlan,
)
from skysieve.recipe.camera import ObservingPlan, PicturePlan
from skysieve.recipe.simulation import LensPlan
from skysieve.simulate.artifacts import draw_artifacts
from skysieve.simulate.blemishes import Shot
from skysieve.simulate.camera import expose, lupton_picture, sky_noise_counts
from skysieve.simulate.populations import draw_lens
from skysieve.simulate.psf import draw_stamps
from skysieve.simulate.render import render
from skysieve.simulate.spoiling import apply_artifacts

PICTURE = Path(__file__).parent / "images" / "artifacts.png"
SIDE = 96
SEED = 12
NONE = ArtifactPlan.none()
ONLY_TRAILS = TrailPlan(rate=3, satellites=0, glints=0)
PANELS: Mapping[str, ArtifactPlan] = {
    "as it should be": NONE,
    "cosmic rays": NONE.model_copy(update={"cosmic_rays": CosmicRayPlan(surviving=1.0)}),
    "satellites": NONE.model_copy(
        update={"trails": ONLY_TRAILS.model_copy(update={"satellites": 1.0, "rate": 2})}
    ),
    "glints": NONE.model_copy(update={"trails": ONLY_TRAILS.model_copy(update={"glints": 1.0})}),
    "asteroids": NONE.model_copy(
        update={"trails": ONLY_TRAILS.model_copy(update={"brightness": (30, 100)})}
    ),
    "bleeding star": NONE.model_copy(update={"bleeds": BleedPlan(rate=2, outside=(0.3, 0.5))}),
    "ghosts": NONE.model_copy(update={"ghosts": GhostPlan(rate=2, radius_arcsec=(5, 9))}),
    "bad pixels": NONE.model_copy(
        update={"bad_pixels": BadPixelPlan(hot=1e-3, dead=1e-3, columns=2)}
    ),
    "chip gap": NONE.model_copy(update={"chip_gaps": ChipGapPlan(rate=2, width_arcsec=(2, 5))}),
    "holes": NONE.model_copy(update={"holes": HolePlan(rate=4)}),
    "missing band": NONE.model_copy(update={"missing_band": MissingBandPlan(rate=1)}),
    "all, far too often": ArtifactPlan(
        cosmic_rays=CosmicRayPlan(surviving=0.3),
        trails=TrailPlan(rate=0.4),
        bleeds=BleedPlan(rate=0.2),
        ghosts=GhostPlan(rate=0.2),
        bad_pixels=BadPixelPlan(hot=4e-4, dead=4e-4, columns=0.1),
        chip_gaps=ChipGapPlan(rate=0.2),
        missing_band=MissingBandPlan(rate=0.05),
        holes=HolePlan(rate=0.4),
    ),
}
COLUMNS = 4


def draw_picture() -> Image.Image:
    """Return a contact sheet with each kind of artifact in simulated CFHTLS images."""
    rows = -(-len(PANELS) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (SIDE + 4), rows * (SIDE + 18)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for k, (title, plan) in enumerate(PANELS.items()):
        x, y = k % COLUMNS * (SIDE + 4), k // COLUMNS * (SIDE + 18)
        sheet.paste(Image.fromarray(_panel(plan, k)), (x, y + 14))
        pen.text((x + 2, y), title, fill="black", font=font)
    return sheet


def _panel(plan: ArtifactPlan, index: int) -> np.ndarray:
    """Return the picture of one group's lens, spoiled with the first draw that holds anything."""
    shown = PicturePlan(scales=(0.4, 0.6, 1.7), stretch=25, softening=6, black=-1)
    observing = ObservingPlan(survey="cfhtls", bands=("g", "r", "i"), delivery=shown)
    planes = render(
        draw_lens(LensPlan(), seed=SEED, index=index),
        side=SIDE,
        pixel_scale_arcsec=survey("cfhtls").pixel_scale_arcsec,
        psf=draw_stamps(observing, seed=SEED, index=index)[None],
        compiled=False,
    )
    seen, _ = expose((planes[0] + planes[1])[0], observing, seed=SEED, index=index)
    shot = Shot.of(observing, SIDE, SIDE)
    draws = (draw_artifacts(plan, shot, seed=SEED, index=k) for k in range(1000))
    blemishes = () if plan == NONE else next(filter(None, draws))
    spoiled, _ = apply_artifacts(seen, blemishes, shot, visible=plan.visible)
    return lupton_picture(spoiled, observing.bands, sky_noise_counts(observing), shown)[::-1]


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    draw_picture().save(PICTURE, optimize=True)
    print(f"wrote {PICTURE}")
