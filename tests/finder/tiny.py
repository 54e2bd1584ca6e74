"""A finder that is small enough to be made in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from skysieve.core.inputs import InputSpec
from skysieve.finder.bundle import FinderCard, Platt, Stage, save
from skysieve.finder.cascade import Finder

BANDS = ("g", "r", "i")


def tiny_graph(*, seed: int = 0, bands: int = 3, classes: int = 2, bias: float = 0.0) -> bytes:
    """Return a graph: NaN to 0, scaling by each cutout's own mean and noise, one convolution."""
    rng = np.random.default_rng(seed)
    shapes = {"kernel": (8, bands, 3, 3), "weight": (8, classes)}
    constants = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    constants |= {"zero": np.zeros(()), "small": np.full((), 1e-12)}
    constants |= {"bias": np.append(np.zeros(classes - 1), bias)}
    step = helper.make_node
    nodes = [
        step("IsNaN", ["input"], ["no_data"]),
        step("Where", ["no_data", "zero", "input"], ["clean"]),
        step("ReduceMean", ["clean"], ["mean"], axes=[1, 2, 3], keepdims=1),
        step("Sub", ["clean", "mean"], ["centered"]),
        step("Mul", ["centered", "centered"], ["squared"]),
        step("ReduceMean", ["squared"], ["variance"], axes=[1, 2, 3], keepdims=1),
        step("Sqrt", ["variance"], ["noise"]),
        step("Max", ["noise", "small"], ["scale"]),
        step("Div", ["centered", "scale"], ["scaled"]),
        step("Conv", ["scaled", "kernel"], ["features"], pads=[1, 1, 1, 1]),
        step("Relu", ["features"], ["active"]),
        step("GlobalAveragePool", ["active"], ["pooled"]),
        step("Flatten", ["pooled"], ["flat"]),
        step("Gemm", ["flat", "weight", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", bands, "y", "x"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tiny_card(*, stages: int = 1, classes: tuple[str, ...] = ("nonlens", "lens")) -> FinderCard:
    """Return the card of a tiny finder of three bands, for cutouts of 32 to 128 pixels."""
    return FinderCard(
        name="tiny",
        version="1",
        task="lens",
        classes=classes,
        positive=classes[-1],
        input=InputSpec(
            bands=BANDS,
            kind="either",
            pixel_scale_arcsec=0.2,
            pixel_scale_range_arcsec=(0.1, 0.4),
            min_side=32,
            max_side=128,
        ),
        stages=tuple(
            Stage(
                file=f"stage-{k}.onnx",
                pass_logit=None if k == stages else 0.0,
                calibration=Platt(slope=0.5 + 0.25 * k, offset=-1.0, prior=0.2),
            )
            for k in range(1, stages + 1)
        ),
        license="MIT",
    )


def tiny_finder(folder: Path, *, stages: int = 1) -> Finder:
    """Write a tiny finder into a folder and load it."""
    files = {f"stage-{k}.onnx": tiny_graph(seed=k) for k in range(1, stages + 1)}
    return save(folder, tiny_card(stages=stages), files | {"README.md": b"A tiny finder.\n"})
