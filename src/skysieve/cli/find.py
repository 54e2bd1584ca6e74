"""``skysieve find``: rank images of the sky."""

from __future__ import annotations

import math
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import typer

from skysieve.cli.options import (
    BANDS,
    KIND,
    MASK_VALUE,
    PIXEL_SCALE,
    band_names,
)
from skysieve.cli.show import resumable_bar
from skysieve.cli.summary import show_summary
from skysieve.core.errors import MissingError

RUN = "Run"
"""A panel of the help."""


def find(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES...",
            help="Folders, globs or files: FITS, npy, npz, PNG, JPEG, TIFF, Parquet shards.",
            show_default=False,
        ),
    ],
    finder: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR",
            help="A shipped finder ([cyan]skysieve list finders[/]) or the folder of your own.",
            rich_help_panel=RUN,
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="RUN",
            help="The folder to write. If it holds this very run half done, it goes on.",
            rich_help_panel=RUN,
            show_default=False,
        ),
    ],
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="P|auto",
            help="The share of lenses you expect; adds the column [cyan]p_survey[/]. "
            "[cyan]auto[/] lets the scores tell it, where they are like those of the calibration rows.",
            rich_help_panel=RUN,
            show_default=False,
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="C",
            help="Adds the column [cyan]conformal[/]: classes that hold the true one this often.",
            rich_help_panel=RUN,
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes. One already uses all cores to score; more help slow reading.",
            rich_help_panel=RUN,
        ),
    ] = 1,
    bands: BANDS = None,
    pixel_scale: PIXEL_SCALE = None,
    kind: KIND = None,
    mask_value: MASK_VALUE = None,
) -> None:
    """Rank images: every input row gets a probability, or a reason why it has none.

    Writes [cyan]ranking.parquet[/], best first, and [cyan]report.html[/] into the run folder.
    A run that was stopped goes on when the same command is given again.
    """
    from skysieve import pipeline
    from skysieve.images.sources import ReadOptions

    options = ReadOptions(
        bands=band_names(bands),
        pixel_scale_arcsec=pixel_scale,
        kind=kind,
        mask_value=mask_value,
    )
    share = _prior(prior)
    _check_finder(finder)
    with resumable_bar() as watch:
        summary = pipeline.find(
            images,
            finder,
            out,
            options=options,
            prior=share,
            confidence=confidence,
            workers=workers,
            watch=watch,
        )
    show_summary(out, summary)


def _prior(text: str | None) -> float | Literal["auto"] | None:
    """Return the share of lenses that an option says."""
    if text is None or text == "auto":
        return text
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise typer.BadParameter(
            f"{text!r} is neither a share between 0 and 1 nor auto", param_hint="--prior"
        )
    return share


def _check_finder(named: str) -> None:
    """Refuse a finder that is not there before any file is read, and name the nearest one.

    Raises:
        MissingError: There is neither a shipped finder nor a bundle of that name.
    """
    from skysieve.finder.bundle import find_bundle, list_finders

    try:
        find_bundle(named)
    except MissingError as error:
        near = get_close_matches(named, [card.name for card in list_finders()], n=1, cutoff=0.5)
        if not near:
            raise
        raise MissingError(error.what, f"Did you mean {near[0]}? {error.fix}") from None
