"""Doubt is added to finders of both kinds, from rows as they come, and scores stay."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")
pytest.importorskip("lightning", reason="training needs the extra [train]")

from skysieve.finder.bundle import load  # noqa: E402
from skysieve.finder.card import Stage  # noqa: E402
from skysieve.recipe.recipe import read_recipe  # noqa: E402
from skysieve.train import amending, classifier  # noqa: E402
from skysieve.train.finder import Held  # noqa: E402
from skysieve.train.labeled import LabeledImages  # noqa: E402
from skysieve.train.splits import Splits  # noqa: E402
from tests.finder.test_cascade import pixels  # noqa: E402
from tests.finder.test_doubt import reading  # noqa: E402
from tests.finder.tiny import tiny_card, tiny_finder, tiny_graph  # noqa: E402

LABELS = np.arange(64) % 2


def test_a_finder_is_amended_and_keeps_its_scores(tmp_path, monkeypatch):
    """Scenes are taken for granted: test_finder.py makes them."""

    class Mixer:
        def __init__(self, *_, **__):
            pass

        def batch(self, number, size):
            return np.roll(pixels(size, 64 if number % 2 else 32), number, axis=0), LABELS

    monkeypatch.setattr(amending, "simulate", lambda *_, **__: None)
    monkeypatch.setattr(amending, "Mixer", Mixer)
    monkeypatch.setattr(amending, "STUDIED_ROWS", 128)
    held = Held([(pixels(64, side), LABELS) for side in (32, 64)])
    monkeypatch.setattr(amending, "hold_out", lambda *_: held)
    before = tiny_finder(tmp_path / "bundle", stages=2)
    (tmp_path / "out").mkdir()
    card = amending.add_doubt(read_recipe("lens-gri"), tmp_path / "bundle", tmp_path / "out")
    after = load(tmp_path / "out" / "finder")
    assert card == after.card
    assert [stage.spread for stage in card.stages] == [False, False]
    assert [stage.strangeness.count for stage in card.stages] == [128, 128]
    assert [sample.count for sample in card.conformal.samples] == [64, 64]
    images = reading(pixels(50))
    np.testing.assert_array_equal(
        after.score(images).probabilities, before.score(images).probabilities
    )
    assert np.isfinite(after.score(images).ood).all()
    assert set(after.card.files) == set(before.card.files)


@pytest.mark.parametrize(("calibrating", "says"), [(60, True), (20, False)])
def test_a_classifier_stage_says_how_strange_rows_are_if_enough_rows_calibrate_it(
    tmp_path, calibrating, says
):
    graph = tmp_path / "stage-1.onnx"
    graph.write_bytes(tiny_graph())
    n = 200
    images = LabeledImages(
        ids=tuple(str(k) for k in range(n)),
        classes=("nonlens", "lens"),
        labels=np.arange(n) % 2,
        pixels=pixels(n, 32),
        named=("",) * n,
        groups=np.arange(n),
        columns={},
        spec=tiny_card().input,
        sha256="",
    )
    none = np.empty(0, np.int64)
    splits = Splits(
        train=np.arange(100), validation=none, calibration=np.arange(100, 100 + calibrating),
        test=none, sha256="",
    )  # fmt: skip
    network = torch.nn.Identity()
    mesh = classifier.Mesh(network=network, members=(network,), plans=())
    stage = classifier._doubting(Stage(file=graph.name), graph, mesh, images, splits, 1)
    assert (stage.strangeness is not None) == says
    assert stage.extras == (("strangeness",) if says else ())
