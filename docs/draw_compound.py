"""Draw docs/images/compound.jpg: ``python docs/draw_compound.py``; needs the extra [train]."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skysieve.recipe.compound import KINDS, Compound
from skysieve.recipe.settings import change
from skysieve.simulate.scenario import open_scenario

PICTURE = Path(__file__).parent / "images" / "compound.jpg"
SEED = 4
COLUMNS = 4


def draw_picture() -> Image.Image:
    """Return a contact sheet: a row for each kind, the first images of the split ``test``."""
    plan = change(Compound(), ["pixels=display"])
    assert isinstance(plan, Compound)  # noqa: S101  a change keeps the type
    side = plan.camera.side
    images = open_scenario(plan, SEED).draw("test", range(len(KINDS) * COLUMNS)).exposures[0].pixels
    sheet = Image.new("RGB", (COLUMNS * (side + 4), len(KINDS) * (side + 18)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for k, image in enumerate(images):
        column, row = divmod(k, len(KINDS))
        x, y = column * (side + 4), row * (side + 18)
        # Red, green and blue are i, r and g; north is up.
        picture = image[::-1, ::-1].transpose(1, 2, 0).astype(np.uint8)
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (x, y + 14))
        if column == 0:
            pen.text((x + 2, y), KINDS[row], fill="black", font=font)
    return sheet


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    draw_picture().save(PICTURE, quality=92, subsampling=0)
    print(f"wrote {PICTURE}")
