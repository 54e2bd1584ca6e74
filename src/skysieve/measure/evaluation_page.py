"""The page of an evaluation: ``evaluation.html``, ``evaluation.json`` and its figures."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from skysieve.core.files import write_text
from skysieve.measure.evaluation import Evaluation, Standing
from skysieve.measure.html import render
from skysieve.measure.intervals import LEVEL
from skysieve.measure.plotting import save_figure
from skysieve.measure.training_figures import (
    draw_class_purity,
    draw_class_roc,
    draw_confusion,
    draw_finders,
    draw_reliability,
)

HTML, JSON = "evaluation.html", "evaluation.json"

HEADINGS = {
    "auc": "AUC",
    "average_precision": "average precision",
    "completeness_at_fpr_0.01": "completeness at FPR 0.01",
    "completeness_at_fpr_0.001": "completeness at FPR 0.001",
    "completeness_at_fpr_0.0001": "completeness at FPR 0.0001",
    "tpr0": "TPR0",
    "tpr10": "TPR10",
    "completeness": "completeness",
    "purity": "purity",
    "f1": "F1",
    "accuracy": "accuracy",
    "micro_auc": "AUC, all pairs",
    "calibration_error": "calibration error",
    "brier": "Brier score",
}
"""The names of measures for a person."""

CUTS = {
    "argmax": "called its own class",
    "fpr_0.01": "called {} at FPR 0.01",
    "fpr_0.001": "called {} at FPR 0.001",
}


def write_evaluation(folder: Path, found: Evaluation) -> tuple[Path, Path]:
    """Write the page, its numbers, the figure of all finders, and those of each in its folder.

    Args:
        folder: Where to write; it must exist.
        found: What to show.
    """
    curves = {each.name: (each.entrant.predictions, each.measured) for each in found.standings}
    shown = {"": _embed(save_figure(draw_finders(curves), folder / "roc")[1])}
    for each in found.standings:
        own = folder / each.name
        own.mkdir(exist_ok=True)
        shown |= {f"{each.name}/{name}": uri for name, uri in _figures(own, each).items()}
    html, numbers = folder / HTML, folder / JSON
    write_text(html, render_html(found, shown))
    write_text(numbers, json.dumps(found.as_json(), indent=2, allow_nan=False) + "\n")
    return html, numbers


def render_html(found: Evaluation, figures: dict[str, str]) -> str:
    """Return the page with everything inside.

    Args:
        found: What to show.
        figures: Addresses that hold a figure: ``""`` of all finders, ``FINDER/NAME`` of one.
    """
    columns = list(
        dict.fromkeys(name for each in found.standings for name in each.measured.headline)
    )
    return render(
        "evaluation.html.j2",
        found=found,
        given=found.first.entrant.predictions,
        columns=columns,
        headings=HEADINGS,
        cuts=CUTS,
        figures=figures,
        level=LEVEL,
    )


def _figures(folder: Path, each: Standing) -> dict[str, str]:
    given, measured = each.entrant.predictions, each.measured
    drawn = {
        "roc": draw_class_roc(given, measured),
        "precision-recall": draw_class_purity(given, measured),
        "confusion": draw_confusion(given),
        "calibration": draw_reliability(given, measured),
    }
    return {name: _embed(save_figure(figure, folder / name)[1]) for name, figure in drawn.items()}


def _embed(svg: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii")
