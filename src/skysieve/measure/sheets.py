"""Contact sheets: many cutouts of one class side by side, all stretched by the same rule."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

Picture = UInt8[np.ndarray, "_ _ 3"]

LARGEST_SIDE = 128
"""Pixels a side of a picture on a sheet; a larger one is made smaller."""
GAP = 2
BEHIND = (24, 27, 34)


def fit_picture(picture: Picture) -> Picture:
    """Return a picture no larger than a sheet shows it."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return np.asarray(image)


def make_sheet(pictures: Sequence[Picture]) -> Image.Image:
    """Return pictures in rows, about one and a half times as wide as high; small ones enlarged."""
    columns = max(1, round(math.sqrt(1.5 * len(pictures))))
    rows = max(1, math.ceil(len(pictures) / columns))
    step = LARGEST_SIDE + GAP
    sheet = Image.new("RGB", (columns * step + GAP, rows * step + GAP), BEHIND)
    for k, picture in enumerate(pictures):
        image = Image.fromarray(np.ascontiguousarray(picture))
        zoom = LARGEST_SIDE / max(image.size)
        if zoom > 1:  # whole pixels stay visible, so that the grain of the noise can be compared
            size = (round(image.width * zoom), round(image.height * zoom))
            image = image.resize(size, Image.Resampling.NEAREST)
        x, y = GAP + k % columns * step, GAP + k // columns * step
        sheet.paste(image, (x + (LARGEST_SIDE - image.width) // 2, y))
    return sheet


def sheet_name(number: int, name: str) -> str:
    """Return the file of a class's sheet; a class may be called anything."""
    return f"sheet-{number}-{re.sub('[^A-Za-z0-9_-]+', '_', name)[:40]}.png"
