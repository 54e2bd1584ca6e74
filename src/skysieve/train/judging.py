"""What a new finder is worth on its test rows: scored once, with intervals and figures."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64

from skysieve.core.cutouts import Cutouts
from skysieve.core.files import whole_file, write_text
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.bundle import load
from skysieve.finder.cascade import Finder
from skysieve.measure.classification import Classification, measure_classes
from skysieve.measure.gallery import choose_examples, draw_gallery
from skysieve.measure.intervals import Measured
from skysieve.measure.pictures import color_picture
from skysieve.measure.plotting import save_figure
from skysieve.measure.predictions import Predictions
from skysieve.measure.training_figures import (
    draw_class_purity,
    draw_class_roc,
    draw_confusion,
    draw_history,
    draw_reliability,
)
from skysieve.recipe.learning import LearnPlan
from skysieve.train.classifier import FINDER, Taught
from skysieve.train.course import Course, read_history
from skysieve.train.labeled import LabeledImages

METRICS, PREDICTIONS, FIGURES = "metrics.json", "predictions.parquet", "figures"
CHUNK = 256

Index = int | np.integer
Interval = tuple[float, float, float]


def judge(taught: Taught, folder: Path, *, watch: Watch = ignore) -> dict[str, Interval]:
    """Score the test rows of a training with its finder, measure, draw, and return the headline.

    The test rows are scored once: where ``metrics.json`` is of this very finder, it is read.

    Args:
        taught: The finder with its images and splits.
        folder: The training's folder; takes ``predictions.parquet``, ``metrics.json``,
            ``metrics.csv`` and ``figures/``.
        watch: Told how far it is.

    Returns:
        Value, low and high end of the interval, by name.
    """
    finder = load(folder / FINDER)
    path = folder / METRICS
    if path.exists():
        known = json.loads(path.read_text("utf-8"))
        if known["finder_sha256"] == finder.sha256:
            return {name: tuple(values) for name, values in known["headline"].items()}
    images, rows = taught.images, taught.splits.test
    probabilities = _score(finder, images, rows, watch)
    given = Predictions(
        truth=images.labels[rows],
        probabilities=probabilities,
        classes=images.classes,
        positive=taught.card.positive,
        groups=images.groups[rows],
    )
    _write_predictions(folder / PREDICTIONS, taught, probabilities)
    watch(Progress("measuring", 0, 1))
    found = measure_classes(given)
    headline = {name: _interval(each) for name, each in found.headline.items()}
    watch(Progress("drawing", 0, 1))
    _draw(folder, taught, given, found)
    _write_table(folder / "metrics.csv", found)
    facts = {
        "finder": taught.card.name,
        "finder_sha256": finder.sha256,
        "splits_sha256": taught.splits.sha256,
        "n_test": len(rows),
        "headline": headline,
        "overall": {name: asdict(each) for name, each in found.overall.items()},
        "by_class": {
            name: {key: asdict(each) for key, each in measured.items()}
            for name, measured in found.by_class.items()
        },
        "confusion": {"classes": list(found.classes), "rows": found.confusion.tolist()},
    }
    write_text(path, json.dumps(facts, indent=1) + "\n")
    return headline


def _interval(measured: Measured) -> Interval:
    return measured.value, measured.low, measured.high


def _score(
    finder: Finder, images: LabeledImages, rows: np.ndarray, watch: Watch
) -> Float64[np.ndarray, "n class"]:
    """Return the probabilities that ``find`` would give."""
    said: list[np.ndarray] = []
    spec = finder.card.input
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        cutouts = Cutouts(
            ids=tuple(images.ids[row] for row in some),
            pixels=np.array(images.pixels[some]),
            bands=spec.bands,
            kind="display" if spec.kind == "display" else "flux",
            pixel_scale_arcsec=spec.pixel_scale_arcsec,
        )
        said.append(finder(cutouts).probabilities.astype(np.float64))
        watch(Progress("testing", min(start + CHUNK, len(rows)), len(rows)))
    return np.concatenate(said)


def _write_predictions(path: Path, taught: Taught, probabilities: np.ndarray) -> None:
    images, rows = taught.images, taught.splits.test
    columns = {
        "id": [images.ids[row] for row in rows],
        "class": [images.classes[images.labels[row]] for row in rows],
        **{f"p_{name}": probabilities[:, k] for k, name in enumerate(images.classes)},
    }
    with whole_file(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def _write_table(path: Path, found: Classification) -> None:
    groups = {"": found.overall, **found.by_class}
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "metric", "value", "low", "high", "n_positive", "n_negative"])
        for of, measured in groups.items():
            for name, each in measured.items():
                writer.writerow([of, name, each.value, each.low, each.high,
                                 each.n_positive, each.n_negative])  # fmt: skip


def _draw(folder: Path, taught: Taught, given: Predictions, found: Classification) -> None:
    """Draw the figures of a training: its fits, its test rows, and what it gets right and wrong."""
    out = folder / FIGURES
    out.mkdir(exist_ok=True)
    for path in sorted((folder / "members").glob("*/metrics.csv")):
        history = read_history(path)
        plan = LearnPlan.model_validate(
            json.loads((path.parent / "plan.json").read_text("utf-8"))["member"]["learn"]
        )
        course = Course(plan, path.parent)
        kept = history[-1] if plan.keep == "last" else max(history, key=course.figure)
        column = "validation_loss" if plan.monitor == "loss" else plan.monitor
        figure = draw_history(history, monitor=column, chosen=kept["epoch"])
        save_figure(figure, out / f"history-{path.parent.name}")
    save_figure(draw_class_roc(given, found), out / "roc")
    save_figure(draw_class_purity(given, found), out / "purity")
    save_figure(draw_confusion(given), out / "confusion")
    save_figure(draw_reliability(given, found), out / "calibration")
    images, rows = taught.images, taught.splits.test
    examples = choose_examples(given)
    for c, name in enumerate(given.classes):
        mine = [each for each in examples if given.truth[each.row] == c]
        pictures = [_picture(images, rows[each.row]) for each in mine]
        ids = [images.ids[rows[each.row]] for each in mine]
        save_figure(draw_gallery(mine, ids, pictures), out / f"gallery-{name}")


def _picture(images: LabeledImages, row: Index) -> np.ndarray:
    kind = "display" if images.spec.kind == "display" else "flux"
    return color_picture(np.array(images.pixels[row]), kind, images.spec.bands)
