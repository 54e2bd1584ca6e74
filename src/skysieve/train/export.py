"""From fitted networks to a finder bundle: graphs, calibration, weights and a model card."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from jaxtyping import Float32
from safetensors.torch import save as safetensors_bytes
from torch import nn

from skysieve.finder.runtime import no_telemetry
from skysieve.networks.classifier import plain

with no_telemetry():
    import nncf

SIDE_STEP = 16
"""A network that halves its field four times takes sides that are multiples of this."""


def to_onnx(network: nn.Module, path: Path, *, bands: int, side: int | None = None) -> None:
    """Write a network as an ONNX graph of any batch.

    The graph takes ``input``, raw pixels (n, band, y, x) with NaN for no data, and gives
    ``logits`` (n, class): stretch and NaN handling are inside.

    Args:
        network: From raw pixels to logits.
        path: The graph's file.
        bands: Of the pixels.
        side: Pixels a side of the images; None takes any side that is a multiple of 16.
    """
    example = torch.zeros(2, bands, side or 64, side or 64)
    count = torch.export.Dim("n", min=1, max=65536)
    steps = torch.export.Dim("steps", min=2, max=256)
    sides = {2: SIDE_STEP * steps, 3: SIDE_STEP * steps} if side is None else {}
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            plain(network.eval()).to(memory_format=torch.contiguous_format),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["input"],
            output_names=["logits"],
            dynamic_shapes=({0: count, **sides},),
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    program.save(path, external_data=False)
    _forget_source(path)


def _forget_source(path: Path) -> None:
    """Take out of a graph which lines of which files made it: it is the same on any machine."""
    model = onnx.load(str(path))
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del part.metadata_props[:]
    for part in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
    onnx.save(model, str(path))


def to_int8(path: Path, images: list[Float32[np.ndarray, "n band y x"]]) -> None:
    """Quantize a graph's convolutions to eight bits, in place; the stretch stays in float32.

    Args:
        path: An ONNX graph as ``to_onnx`` writes it.
        images: Batches that show the range of activations; validation rows.

    References:
        NNCF post-training quantization, with min-max statistics and bias correction.
    """
    with _quietly():
        graph = onnx.load(str(path))
        data = nncf.Dataset(images, lambda batch: {"input": batch})
        convolutions = {"Conv", "Gemm", "Relu", "AveragePool"}
        stretch = sorted({node.op_type for node in _before_weights(graph)} - convolutions)
        scope = nncf.IgnoredScope(types=stretch, validate=False)
        quantized = nncf.quantize(graph, data, subset_size=len(images), ignored_scope=scope)
        onnx.save(quantized, str(path))


def _before_weights(graph: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes before the first convolution, in the order of the graph: the stretch."""
    nodes = list(graph.graph.node)
    first = next(k for k, node in enumerate(nodes) if node.op_type == "Conv")
    return nodes[:first]


def weights(network: nn.Module) -> bytes:
    """Return the weights as safetensors, to go on training from; never needed to find."""
    return safetensors_bytes(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep exporters from printing about opset versions and passes."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
