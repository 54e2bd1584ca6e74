"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

IMAGES = "Images"
"""The panel of the help that tells of what the images do not say themselves."""
LABELS = "Labels"
"""That of what is known of them."""

BANDS = Annotated[
    str | None,
    typer.Option(
        metavar="B,B,...",
        help="The bands of images that do not name theirs, in the order of their planes "
        "(of a color picture: red, green, blue).",
        rich_help_panel=IMAGES,
        show_default=False,
    ),
]
KIND = Annotated[
    Literal["flux", "display"] | None,
    typer.Option(
        metavar="flux|display",
        help="Whether pixels are linear in the light, or stretched for the eye. "
        "Without it: [cyan]display[/] for 8-bit pictures, else [cyan]flux[/].",
        rich_help_panel=IMAGES,
        show_default=False,
    ),
]
MASK_VALUE = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="A pixel of exactly this value holds no data.",
        rich_help_panel=IMAGES,
        show_default=False,
    ),
]
PIXEL_SCALE = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        metavar="ARCSEC",
        help="The size of a pixel, where the files do not say.",
        rich_help_panel=IMAGES,
        show_default=False,
    ),
]
WHERE = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE",
        help="Use only the labels of rows like this; may be given more than once.",
        rich_help_panel=LABELS,
        show_default=False,
    ),
]
DEVICES = Annotated[
    int, typer.Option(min=1, metavar="N", help="GPUs to learn on, where there are any.")
]
CLASS_TABLE = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="A table with the columns id and label; without it the data say it.",
        show_default=False,
    ),
]


def band_names(text: str | None) -> tuple[str, ...] | None:
    """Return the names that an option such as ``--bands g,r,i`` lists."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise typer.BadParameter(
            f"{text!r} is no list of different names such as g,r,i", param_hint="--bands"
        )
    return names
