"""The report of a run: one HTML page that needs nothing else, and its numbers as JSON."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from skysieve.core.files import write_text
from skysieve.core.scores import Status
from skysieve.measure.intervals import LEVEL
from skysieve.measure.page import Page, Picture, ReportInput, compose_page

__all__ = ["ReportInput", "write_report"]

LARGEST_PICTURE = 256
"""Pixels a side; a larger picture is made smaller, so that the page stays light."""

FLAG_MEANINGS = {
    "bands_assumed": "the planes have no names; they were taken in the finder's order",
    "rgb": "a color picture: red, green and blue were taken as the finder's bands",
    "scale_assumed": "the pixel scale is unknown; the finder's was assumed",
    "resampled": "resampled to the finder's pixel scale",
    "cropped": "larger than the finder's field: only the middle was seen",
    "padded": "smaller than the finder's field: surrounded by no data",
    "masked": "some pixels hold no data",
    "mask_value": "a value that stands for no data was taken as such",
    "extra_bands": "has bands that the finder does not use",
    "duplicate_id": "another row has the same id",
}

FIGURE_NOTES = {
    "Scores": "How many cutouts got which score, on a logarithmic scale.",
    "ROC": "Completeness bought by letting non-lenses pass.",
    "ROC at low false positive rates": "The part that matters when lenses are one in thousands.",
    "Purity and completeness": "Purity depends on the share of lenses, which is larger here than "
    "on the sky.",
    "Completeness against number inspected": "What looking at the best so many brings.",
}


def write_report(folder: Path, given: ReportInput) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.json`` into a folder, and return their paths.

    Args:
        folder: Where to write; it must exist.
        given: What the report is made of.

    Raises:
        InputError: The ranking lacks a column.
        MismatchError: There are labels, but none names a row.
    """
    page = compose_page(given)
    html, numbers = folder / "report.html", folder / "report.json"
    write_text(html, render_html(page))
    write_text(numbers, json.dumps(page.as_json(), indent=2, allow_nan=False) + "\n")
    return html, numbers


def render_html(page: Page) -> str:
    """Return the page as HTML with everything inside: no script, no address, no file."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skysieve.measure", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(  # pyright: ignore[reportUnknownMemberType]  jinja2 leaves it open
        count=_show_count, number=_show_number, probability=_show_probability, degrees=_show_degrees
    )
    text = environment.get_template("report.html.j2").render(
        page=page,
        given=page.given,
        gallery=[(row, _data_uri(picture)) for row, picture in page.gallery],
        figures={title: Markup(svg) for title, svg in page.figures.items()},  # noqa: S704  our own
        notes=FIGURE_NOTES,
        flag_meanings=FLAG_MEANINGS,
        status_meanings={status.value: status.meaning for status in Status},
        resamples=page.given.draws.resamples,
        level=LEVEL,
    )
    # A file name that is no UTF-8 arrives as lone surrogates, which no page can hold.
    return text.encode("utf-8", "replace").decode("utf-8")


def _data_uri(picture: Picture | None) -> str | None:
    if picture is None:
        return None
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _show_count(value: int) -> str:
    return f"{value:,}"


def _show_number(value: float) -> str:
    """Return a metric with three digits after the point."""
    return f"{value:.3f}"


def _show_probability(value: Any) -> str:
    """Return a probability; one that only rounds to 0 or 1 is not shown as such."""
    if value is None or math.isnan(value):
        return "–"
    if 0 < value < 0.001:
        return "< 0.001"
    if 0.999 < value < 1:
        return "> 0.999"
    return f"{value:.3f}"


def _show_degrees(value: Any) -> str | None:
    return None if value is None or math.isnan(value) else f"{value:.5f}"
