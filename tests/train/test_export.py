"""Export: every network's graph gives the logits of the network, in every runtime."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="export needs the extra [train]")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from skysieve.finder.cutting import split  # noqa: E402
from skysieve.finder.runtime import Network  # noqa: E402
from skysieve.networks.build import build_classifier  # noqa: E402
from skysieve.recipe.networks import (  # noqa: E402
    BackbonePlan,
    CnnPlan,
    ConvNetPlan,
    EquivariantPlan,
    MinMaxScalePlan,
    MultiScalePlan,
    PreparationPlan,
    RangeScalePlan,
)
from skysieve.train.export import to_onnx  # noqa: E402
from skysieve.train.tapping import find_heads  # noqa: E402

SKY = PreparationPlan()
RESIZED = PreparationPlan(scale=RangeScalePlan(high=5), crop=44, resize=64, normalize="imagenet")
SHRUNK = PreparationPlan(scale=MinMaxScalePlan(compress="asinh"), resize=32, normalize="half")
SIDE, BANDS = 48, 2


def case(network, prepare, *, slow=False):
    name = getattr(network, "name", network.kind)
    return pytest.param(network, prepare, id=name, marks=[pytest.mark.slow] if slow else [])


CASES = [
    case(ConvNetPlan(width=4, blocks=(1, 1)), SKY),
    case(CnnPlan(widths=(4, 8), dense=8), SHRUNK),
    case(MultiScalePlan(width=4, levels=2), RESIZED),
    case(EquivariantPlan(width=2, blocks=(1, 1)), SKY),
    case(BackbonePlan(name="resnet18", attention="cbam"), RESIZED),
    case(BackbonePlan(name="vit_tiny_patch16_224"), RESIZED),
    case(BackbonePlan(name="convnextv2_atto", attention="se"), SKY),
    *(
        case(BackbonePlan(name=name), RESIZED, slow=True)
        for name in (
            "convnextv2_tiny",
            "resnet34",
            "swin_tiny_patch4_window7_224",
            "mobilenetv2_100",
            "efficientnet_b0",
        )
    ),
]


def images(n, seed=0, side=SIDE):
    rng = np.random.default_rng(seed)
    pixels = rng.gamma(2, 1, (n, BANDS, side, side)).astype(np.float32)
    pixels[0, 0, 3:9, 4:40] = np.nan
    pixels[-1, 1] = np.nan
    return pixels


def lively(network, prepare, side=SIDE):
    """A classifier with statistics of these images, so that logits differ from row to row."""
    torch.manual_seed(5)
    classifier = build_classifier(network, prepare, bands=BANDS, classes=3, side=side).train()
    with torch.no_grad():
        for part in classifier.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.momentum = None  # a plain mean of all batches
        for seed in range(2):
            classifier(torch.from_numpy(images(8, seed, side)))
    return classifier.eval()


@pytest.mark.parametrize(("network", "prepare"), CASES)
def test_a_graph_gives_the_logits_of_its_network(tmp_path, network, prepare):
    classifier = lively(network, prepare)
    path = tmp_path / "graph.onnx"
    to_onnx(classifier, path, bands=BANDS, side=SIDE)
    session = onnxruntime.InferenceSession(str(path))
    runtime = Network(
        path.read_bytes(), name="it", bands=BANDS, classes=3, batch=4, precision="f32", threads=1
    )
    for count in (1, 5):
        pixels = images(count)
        with torch.no_grad():
            wanted = classifier(torch.from_numpy(pixels)).numpy()
        assert np.isfinite(wanted).all()
        (found,) = session.run(None, {"input": pixels})
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(runtime(pixels), wanted, rtol=1e-4, atol=1e-3)
    assert (wanted.std(0) > 1e-6).all()
    (head,) = find_heads(onnx.load(str(path)))  # where doubt is added
    assert len(head.features) == len(head.logits) == 1


@pytest.mark.parametrize(
    "network",
    [
        ConvNetPlan(width=4, blocks=(1, 1, 1)),
        CnnPlan(widths=(4, 8), dense=8),
        MultiScalePlan(width=4, levels=3),
        EquivariantPlan(width=2, blocks=(1, 1, 1)),
    ],
    ids=lambda network: network.kind,
)
@pytest.mark.parametrize("side", [50, 45])  # 25, 13, 7 and 23, 12, 6
def test_fields_that_do_not_halve_evenly_are_exported_too(tmp_path, network, side):
    classifier = lively(network, SKY, side)
    path = tmp_path / "graph.onnx"
    to_onnx(classifier, path, bands=BANDS, side=side)
    runtime = Network(
        path.read_bytes(), name="it", bands=BANDS, classes=3, batch=4, precision="f32", threads=1
    )
    pixels = images(5, side=side)
    with torch.no_grad():
        wanted = classifier(torch.from_numpy(pixels)).numpy()
    (found,) = onnxruntime.InferenceSession(str(path)).run(None, {"input": pixels})
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    np.testing.assert_allclose(runtime(pixels), wanted, atol=1e-3)


@pytest.mark.parametrize(("network", "prepare"), CASES)
def test_the_preparation_runs_in_float32_and_the_weights_behind_the_cut(tmp_path, network, prepare):
    classifier = lively(network, prepare)
    path = tmp_path / "graph.onnx"
    to_onnx(classifier, path, bands=BANDS, side=SIDE)
    runtime = Network(
        path.read_bytes(), name="it", bands=BANDS, classes=3, batch=4, precision="f32", threads=1
    )
    model = runtime._read()
    model.reshape([2, BANDS, SIDE, SIDE])
    (head, first), (body, second) = split(model)
    assert (first, second) == ("f32", "bf16")
    assert len(head.outputs) == 1  # one tensor crosses: what the first convolution sees
    with torch.no_grad():
        planes = classifier.prepare(torch.from_numpy(images(2)))
    assert list(head.outputs[0].shape) == list(planes.shape)
    kinds = {op.get_type_name() for op in body.get_ops()}
    assert kinds & {"Convolution", "MatMul"}


def test_an_equivariant_graph_is_one_of_ordinary_convolutions(tmp_path):
    classifier = lively(EquivariantPlan(width=2, blocks=(1, 1)), SHRUNK)
    path = tmp_path / "graph.onnx"
    to_onnx(classifier, path, bands=BANDS, side=SIDE)
    graph = onnx.load(str(path)).graph
    constants = {value.name for value in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 6  # the stem, two blocks of two, one short cut
    assert all(set(node.input[1:]) <= constants for node in convolutions)
    assert not {"BatchNormalization", "Transpose", "ReverseSequence"} & {
        node.op_type for node in graph.node
    }
    first = next(k for k, node in enumerate(graph.node) if node.op_type == "Conv")
    assert "Gather" not in {node.op_type for node in graph.node[first:]}


@pytest.mark.parametrize("plan", [ConvNetPlan(width=4), EquivariantPlan(width=2)], ids=str)
def test_a_graph_without_a_side_takes_any_multiple_of_16(tmp_path, plan):
    torch.manual_seed(0)
    classifier = build_classifier(plan, SKY, bands=1, classes=2, side=64).eval()
    path = tmp_path / "graph.onnx"
    to_onnx(classifier, path, bands=1)
    session = onnxruntime.InferenceSession(str(path))
    for side in (48, 96):
        pixels = np.random.default_rng(side).gamma(2, 1, (3, 1, side, side)).astype(np.float32)
        with torch.no_grad():
            wanted = classifier(torch.from_numpy(pixels)).numpy()
        (found,) = session.run(None, {"input": pixels})
        np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_graph_does_not_say_where_it_was_made(tmp_path):
    classifier = lively(CnnPlan(widths=(4,), dense=4), SKY)
    path = tmp_path / "graph.onnx"
    to_onnx(classifier, path, bands=BANDS, side=SIDE)
    assert b".py" not in path.read_bytes()
