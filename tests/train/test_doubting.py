"""Doubt in graphs: what is added gives what the formulas say and leaves the logits their bits."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="export needs the extra [train]")
pytest.importorskip("onnx", reason="export needs the extra [train]")

from scipy.special import logsumexp  # noqa: E402

from skysieve.core.errors import RecipeError  # noqa: E402
from skysieve.finder.runtime import Network  # noqa: E402
from skysieve.networks.build import Ensemble, dihedral_views  # noqa: E402
from skysieve.recipe.networks import (  # noqa: E402
    CnnPlan,
    ConvNetPlan,
    EquivariantPlan,
    PreparationPlan,
    RangeScalePlan,
)
from skysieve.train.doubting import fit_distance  # noqa: E402
from skysieve.train.export import to_onnx  # noqa: E402
from skysieve.train.tapping import FEATURES, Extension  # noqa: E402
from tests.train.test_export import BANDS, SIDE, images, lively  # noqa: E402

CLASSES, POSITIVE = 3, 1
SHARES = (0.7, 0.3)
RANGE = PreparationPlan(scale=RangeScalePlan(high=5))


def network(path, extras=(), precision="f32", batch=4):
    return Network(
        path.read_bytes(), name=path.name, bands=BANDS, classes=CLASSES, batch=batch,
        precision=precision, threads=1, extras=extras,
    )  # fmt: skip


@pytest.fixture(scope="module")
def members():
    return [
        lively(ConvNetPlan(width=4, blocks=(1, 1)), RANGE),
        lively(CnnPlan(widths=(4, 8), dense=8), RANGE),
    ]


@pytest.fixture(scope="module")
def graph(members, tmp_path_factory):
    """An ensemble over all orientations, before anything is added to it."""
    path = tmp_path_factory.mktemp("graph") / "graph.onnx"
    ensemble = Ensemble(members, symmetric=True, weights=list(SHARES)).eval()
    to_onnx(ensemble, path, bands=BANDS, side=SIDE)
    return path


@pytest.fixture(scope="module")
def studied(graph):
    """Features of rows with classes, and the distances fitted to them."""
    extension = Extension(graph)
    extension.give_features()
    extension.save(graph.with_name("features.onnx"))
    pixels = np.concatenate([images(24, seed) for seed in range(10, 16)])
    runtime = network(graph.with_name("features.onnx"), (FEATURES,))
    features = runtime.numbers(pixels)[:, CLASSES:].astype(np.float64)
    truth = np.arange(len(pixels)) % CLASSES
    ends = np.cumsum([head.width for head in extension.heads])[:-1]
    parts = np.split(features, ends, axis=1)
    return parts, truth, tuple(fit_distance(part, truth) for part in parts)


@pytest.fixture(scope="module")
def doubting(graph, studied):
    extension = Extension(graph)
    extension.give_strangeness(studied[2])
    extension.give_spread(POSITIVE, CLASSES, SHARES)
    extension.save(graph.with_name("doubting.onnx"))
    return graph.with_name("doubting.onnx")


def test_features_are_what_the_last_layer_is_given(members, graph, studied):
    given = []
    pixels = torch.from_numpy(images(24, 10))
    for member in members:
        body = member.body
        hook = body.head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
        with torch.no_grad():
            for view in dihedral_views(pixels):
                member(view)
        hook.remove()
    for part, views in zip(studied[0], (given[:8], given[8:]), strict=True):
        wanted = torch.stack(views).mean(0).numpy()
        np.testing.assert_allclose(part[:24], wanted, rtol=1e-3, atol=1e-3)


def test_spread_is_the_deviation_of_the_members_margins(members, doubting):
    pixels = images(6, 3)
    margins = []
    with torch.no_grad():
        for member, share in zip(members, SHARES, strict=True):
            views = dihedral_views(torch.from_numpy(pixels))
            logits = torch.stack([member(view) for view in views]).mean(0).numpy() * share * 2
            others = np.delete(logits, POSITIVE, axis=1)
            margins.append(logits[:, POSITIVE] - logsumexp(others, axis=1))
    found = network(doubting, ("spread",)).numbers(pixels)[:, CLASSES]
    np.testing.assert_allclose(found, np.std(margins, axis=0, ddof=1), rtol=1e-3, atol=1e-3)


def test_strangeness_is_the_distance_of_mahalanobis_to_the_nearest_class(graph, studied, doubting):
    pixels = images(6, 4)
    tapped = network(graph.with_name("features.onnx"), (FEATURES,)).numbers(pixels)
    ends = np.cumsum([part.shape[1] for part in studied[0]])[:-1]
    wanted = []
    for part, known, distance in zip(
        np.split(tapped[:, CLASSES:].astype(np.float64), ends, axis=1), studied[0], studied[2],
        strict=True,
    ):  # fmt: skip
        # Undo the whitening: its pseudo-inverse gives the covariance that was fitted.
        precision = distance.whiten @ distance.whiten.T
        means = [known[studied[1] == k].mean(0) for k in range(CLASSES)]
        off = [part - mean for mean in means]
        squared = [np.einsum("ni,ij,nj->n", each, precision, each) for each in off]
        wanted.append(np.min(squared, axis=0) / distance.whiten.shape[1])
    found = network(doubting, ("strangeness",)).numbers(pixels)[:, CLASSES]
    np.testing.assert_allclose(found, np.mean(wanted, axis=0), rtol=1e-3)


def test_rows_that_were_studied_lie_at_a_distance_of_about_one():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 3000)
    mix = (np.eye(20) + 0.1 * rng.normal(size=(20, 20))) * np.geomspace(0.01, 100, 20)
    features = (rng.normal(size=(3000, 20)) + 5 * truth[:, None]) @ mix
    distance = fit_distance(features, truth)

    def squared(rows):
        white = (rows - distance.center) @ distance.whiten
        apart = white[:, None] - distance.means
        return (apart**2).mean(2).min(1)

    assert squared(features).mean() == pytest.approx(0.95, abs=0.07)  # shrinking keeps it below 1
    strange = (rng.normal(size=(500, 20)) * 3) @ mix  # the same directions, three times as far
    assert squared(strange).mean() > 5


def test_a_graph_whose_logits_come_from_no_linear_layer_is_refused_by_name(tmp_path):
    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.nn.Conv2d(BANDS, CLASSES, 3)

        def forward(self, pixels):
            return self.last(pixels).mean(dim=(2, 3))

    to_onnx(Pooled().eval(), tmp_path / "graph.onnx", bands=BANDS, side=SIDE)
    with pytest.raises(RecipeError, match="Conv, not from a linear layer"):
        Extension(tmp_path / "graph.onnx")


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_what_is_added_leaves_the_logits_their_bits(graph, doubting, precision):
    pixels = images(7, 8)
    before = network(graph, precision=precision)(pixels)
    after = network(doubting, ("spread", "strangeness"), precision)(pixels)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_doubt_does_not_depend_on_what_else_is_in_the_batch(doubting, precision):
    pixels = images(9, 8)
    runtime = network(doubting, ("spread", "strangeness"), precision)
    together = runtime.numbers(pixels)
    assert np.isfinite(together).all()
    assert together.shape == (9, CLASSES + 2)
    alone = np.concatenate([runtime.numbers(pixels[k : k + 1]) for k in range(9)])
    np.testing.assert_array_equal(alone, together)


def test_doubt_is_computed_in_float32_from_what_the_logits_are_made_of(doubting):
    runtime = network(doubting, ("spread", "strangeness"), "bf16")
    steps = runtime._program(SIDE).steps
    hints = [str(step.get_property("INFERENCE_PRECISION_HINT")) for step in steps]
    assert ["bfloat16" in hint for hint in hints] == [False, True, False]


def test_a_graph_without_a_linear_head_is_refused(tmp_path):
    class Pooled(torch.nn.Module):
        def forward(self, pixels):
            return torch.nan_to_num(pixels).mean((2, 3))

    path = tmp_path / "graph.onnx"
    to_onnx(Pooled(), path, bands=BANDS, side=SIDE)
    with pytest.raises(RecipeError, match=r"last layer|linear"):
        Extension(path)


def test_an_equivariant_network_is_as_strange_whichever_way_it_is_turned(tmp_path):
    path = tmp_path / "graph.onnx"
    to_onnx(lively(EquivariantPlan(width=2, blocks=(1, 1)), RANGE), path, bands=BANDS, side=SIDE)
    extension = Extension(path)
    extension.give_features()
    extension.save(path)
    runtime = network(path, (FEATURES,))
    pixels = images(4, 9)
    turned = np.ascontiguousarray(np.rot90(pixels, 1, (2, 3)))
    np.testing.assert_allclose(
        runtime.numbers(turned), runtime.numbers(pixels), rtol=1e-3, atol=1e-3
    )
