"""Figures of classifiers: what they say is measured, they are whole, and equal for equal input."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from skysieve.measure import training_figures as figures
from skysieve.measure.classification import measure_classes
from skysieve.measure.gallery import choose_examples, draw_gallery
from tests.measure.test_classification import predictions


def texts(figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(lambda each: hasattr(each, "get_text"))]


@pytest.mark.parametrize("k", [2, 3])
def test_every_figure_is_written_twice_and_the_same_twice(tmp_path, k):
    given = predictions(k=k)
    measured = measure_classes(given, resamples=20)
    for name, draw in (
        ("roc", lambda: figures.draw_class_roc(given, measured)),
        ("purity", lambda: figures.draw_class_purity(given, measured)),
        ("confusion", lambda: figures.draw_confusion(given)),
        ("reliability", lambda: figures.draw_reliability(given, measured)),
        ("finders", lambda: figures.draw_finders({"a": (given, measured)})),
    ):
        png, svg = figures.save_figure(draw(), tmp_path / name)
        first = png.read_bytes(), svg.read_bytes()
        figures.save_figure(draw(), tmp_path / name)
        assert first == (png.read_bytes(), svg.read_bytes())
        image = np.asarray(Image.open(png).convert("RGB"))
        assert (image[0] == 255).all(), "dark on white"
        assert image.shape[0] > 500


def test_the_legend_tells_the_measured_number():
    given = predictions()
    measured = measure_classes(given, resamples=20)
    auc = measured.by_class["cdm"]["auc"]
    told = f"cdm: {auc.value:.4f} ({auc.low:.4f}–{auc.high:.4f})"
    assert told in texts(figures.draw_class_roc(given, measured))


def test_the_confusion_figure_shows_counts_and_shares_of_the_true_class():
    given = predictions()
    counts = measure_classes(given, resamples=5).confusion
    share = 100 * counts[0, 1] / counts[0].sum()
    assert f"{counts[0, 1]}\n{share:.1f} %" in texts(figures.draw_confusion(given))


def test_a_class_may_be_called_anything():
    given = predictions(k=2)
    odd = type(given)(
        truth=given.truth,
        probabilities=given.probabilities,
        classes=("$a_b$ <x>", "_hidden"),
        positive="_hidden",
    )
    measured = measure_classes(odd, resamples=5)
    assert any(
        text.strip().startswith("_hidden: ")
        for text in texts(figures.draw_class_purity(odd, measured))
    )


def test_history_marks_phases_and_the_chosen_epoch(tmp_path):
    history = [
        {"epoch": e, "phase": 1 + (e > 3), "train_loss": 1 / e, "validation_auc": 1 - 0.1 / e}
        for e in range(1, 7)
    ]
    figure = figures.draw_history(history, monitor="validation_auc", chosen=5)
    assert {"phase 2", "chosen: epoch 5", "train loss", "validation AUC"} <= set(texts(figure))
    figures.save_figure(figure, tmp_path / "history")
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [1 / e for e in range(1, 7)])


def test_examples_are_the_best_and_worst_of_their_class_and_none_comes_twice():
    given = predictions(300)
    found = choose_examples(given, shown=6)
    assert len({each.row for each in found}) == len(found) == 3 * 3 * 6
    for c, name in enumerate(given.classes):
        p = np.sort(given.probabilities[given.truth == c, c])
        by_kind = {
            kind: [each.p for each in found if (each.kind, each.of_class) == (kind, name)]
            for kind in ("best", "worst", "random")
        }
        assert by_kind["best"] == p[::-1][:6].tolist()
        assert by_kind["worst"] == p[:6].tolist()
    assert [e.row for e in found] == [e.row for e in choose_examples(given, shown=6)]
    other = choose_examples(given, shown=6, seed=1)
    assert [e.row for e in found] != [e.row for e in other]


def test_a_gallery_names_id_class_and_p(tmp_path):
    given = predictions(60)
    mine = [each for each in choose_examples(given, shown=3) if each.of_class == "cdm"]
    ids = [f"object-{each.row}" for each in mine]
    pictures = [np.full((20, 20, 3), 40, np.uint8)] * len(mine)
    figure = draw_gallery(mine, ids, pictures)
    shown = "\n".join(texts(figure))
    for each, name in zip(mine, ids, strict=True):
        assert name in shown
        if 0.001 <= each.p <= 0.999:
            assert f"cdm  p = {each.p:.3f}" in shown
        if each.predicted != "cdm":
            assert f"taken for {each.predicted}" in shown
    figures.save_figure(figure, tmp_path / "gallery")
