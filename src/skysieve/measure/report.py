"""The report of a run: one HTML page that needs nothing else, and its numbers as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from markupsafe import Markup

from skysieve.core.files import write_text
from skysieve.core.scores import Status
from skysieve.measure.html import data_uri, render
from skysieve.measure.intervals import LEVEL
from skysieve.measure.page import Page, compose_page
from skysieve.measure.report_input import ReportInput

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
    "unusual": "looks stranger to the finder than all but one in a thousand calibration rows",
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
    return render(
        "report.html.j2",
        page=page,
        given=page.given,
        gallery=[
            (row, None if picture is None else data_uri(picture, LARGEST_PICTURE))
            for row, picture in page.gallery
        ],
        figures={title: Markup(svg) for title, svg in page.figures.items()},  # noqa: S704  our own
        notes=FIGURE_NOTES,
        flag_meanings=FLAG_MEANINGS,
        status_meanings={status.value: status.meaning for status in Status},
        resamples=page.given.draws.resamples,
        level=LEVEL,
    )
