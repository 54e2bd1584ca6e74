"""More outputs, or other logits, for a graph that is finished: nodes are added behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from jaxtyping import Float64
from onnx import NodeProto, TensorProto, helper, numpy_helper

from skysieve.core.errors import RecipeError

_PREFIX = "doubt."
FEATURES = "doubt.features"
"""The name of an output; no tensor of an exported network has it."""
_make_node: Any = helper.make_node  # its types know no attributes
_AFTER_HEADS = {
    "Add", "Concat", "DequantizeLinear", "Div", "Identity", "Mean", "Mul", "QuantizeLinear",
    "ReduceMean", "ReduceSum", "Reshape", "Squeeze", "Sum", "Unsqueeze",
}  # fmt: skip
"""What an ensemble does to the logits of its networks."""
_OF_EIGHT_BITS = {"DequantizeLinear", "Identity", "QuantizeLinear"}


class Head(NamedTuple):
    """The last layer of one network, which may see an image in several orientations.

    Args:
        weight: The name of its weights.
        features: What it is given, a tensor for each orientation.
        logits: What it gives for each.
        width: How many features.
    """

    weight: str
    features: tuple[str, ...]
    logits: tuple[str, ...]
    width: int


class Distance(NamedTuple):
    """How far features lie from the nearest class.

    Args:
        center: Taken from the features before anything else.
        whiten: Then they are multiplied by it: unit noise in all directions.
        means: Of the classes, after both.
    """

    center: Float64[np.ndarray, " feature"]
    whiten: Float64[np.ndarray, "feature direction"]
    means: Float64[np.ndarray, "class direction"]


def find_heads(model: onnx.ModelProto) -> tuple[Head, ...]:
    """Return the last layers of the networks of a graph, in their order.

    Raises:
        RecipeError: What gives the logits is no linear layer.
    """
    nodes = list(model.graph.node)
    giver = {name: node for node in nodes for name in node.output}
    shapes = {value.name: list(value.dims) for value in model.graph.initializer}
    found: list[NodeProto] = []
    seen: set[str] = set()
    waiting = ["logits"]
    while waiting:
        name = waiting.pop()
        node = giver.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.op_type == "Gemm":
            found.append(node)
        elif node.op_type in _AFTER_HEADS:
            waiting += node.input
        else:
            raise RecipeError(f"The logits come from a {node.op_type}, not from a linear layer")
    ordered = [node for node in nodes if any(node is one for one in found)]
    weight_of = {node.output[0]: _stored(node.input[1], giver) for node in ordered}
    weights = list(dict.fromkeys(weight_of.values()))
    if not weights or any(len(shapes.get(weight, ())) != 2 for weight in weights):
        raise RecipeError("The last layer of the graph has no weights of its own")
    heads = []
    for weight in weights:
        own = [node for node in ordered if weight_of[node.output[0]] == weight]
        turned = any(a.name == "transB" and a.i for a in own[0].attribute)
        heads.append(
            Head(
                weight=weight,
                features=tuple(node.input[0] for node in own),
                logits=tuple(node.output[0] for node in own),
                width=shapes[weight][1 if turned else 0],
            )
        )
    return tuple(heads)


def _stored(name: str, giver: Mapping[str, NodeProto]) -> str:
    """Return the tensor that weights are made of: eight-bit ones come through a node or two."""
    while name in giver and giver[name].op_type in _OF_EIGHT_BITS:
        name = giver[name].input[0]
    return name


class Extension:
    """A graph that gets nodes and outputs.

    Args:
        path: An ONNX graph as ``to_onnx`` writes it.
    """

    def __init__(self, path: Path) -> None:
        self.model = onnx.load(str(path))
        self.heads = find_heads(self.model)
        self._opset = next(one.version for one in self.model.opset_import if not one.domain)
        taken = {node.name for node in self.model.graph.node}
        taken |= {value.name for value in self.model.graph.initializer}
        self._count = sum(name.startswith(_PREFIX) for name in taken)

    def save(self, path: Path) -> None:
        """Check and write it."""
        onnx.checker.check_model(self.model)
        onnx.save(self.model, str(path))

    def give_features(self) -> None:
        """Give the output ``FEATURES`` (n, all features), averaged over orientations."""
        means = [self._mean(head.features) for head in self.heads]
        self._give(FEATURES, self._add("Concat", means, axis=1), sum(h.width for h in self.heads))

    def reweigh(
        self, slope: float, weights: Float64[np.ndarray, " feature"], positive: int
    ) -> None:
        """Let the margin of a graph of two classes be its own times a slope, plus weighed features.

        Args:
            slope: Of the graph's own logits.
            weights: Of all features, in the order of ``FEATURES``.
            positive: The class that is looked for.
        """
        own = f"{_PREFIX}own-logits"
        for node in self.model.graph.node:
            node.output[:] = [own if name == "logits" else name for name in node.output]
            node.input[:] = [own if name == "logits" else name for name in node.input]
        features = self._add("Concat", [self._mean(head.features) for head in self.heads], axis=1)
        halves = np.where(np.arange(2) == positive, 0.5, -0.5)
        moved = self._add("MatMul", [features, self._constant(np.outer(weights, halves))])
        scaled = self._add("Mul", [own, self._number(slope)])
        self.model.graph.node.append(
            helper.make_node("Add", [scaled, moved], ["logits"], name=f"{_PREFIX}logits")
        )

    def give_spread(self, positive: int, classes: int, shares: tuple[float, ...]) -> None:
        """Give the output ``spread`` (n, 1): the standard deviation of the networks' margins.

        Args:
            positive: The class that is looked for.
            classes: How many there are.
            shares: Of the networks in the logits; a network's logits are multiplied by its share
                over the mean share, as they count.
        """
        margins = []
        for head, share in zip(self.heads, shares, strict=True):
            logits = self._add("Mul", [self._mean(head.logits), self._number(share * len(shares))])
            margins.append(self._margin(logits, positive, classes))
        joined = self._add("Concat", margins, axis=1)
        off = self._add("Sub", [joined, self._reduce("ReduceMean", joined, 1)])
        total = self._reduce("ReduceSum", self._add("Mul", [off, off]), 1)
        mean = self._add("Div", [total, self._number(len(shares) - 1)])
        self._give("spread", self._add("Sqrt", [mean]), 1)

    def give_strangeness(self, distances: tuple[Distance, ...]) -> None:
        """Give the output ``strangeness`` (n, 1): the mean over networks of their distances.

        The distance of a network is squared, to the nearest class, by direction: about 1 for rows
        like those it was fitted to.
        """
        found = []
        for head, distance in zip(self.heads, distances, strict=True):
            off = self._add("Sub", [self._mean(head.features), self._constant(distance.center)])
            white = self._add("MatMul", [off, self._constant(distance.whiten)])
            apart = self._add("Unsqueeze", [white, self._constant(np.array([1]))])
            apart = self._add(
                "Sub", [apart, self._constant(distance.means.reshape(1, *distance.means.shape))]
            )
            squared = self._reduce("ReduceMean", self._add("Mul", [apart, apart]), 2, keep=False)
            found.append(self._reduce("ReduceMin", squared, 1))
        self._give("strangeness", self._mean(tuple(found)), 1)

    def _margin(self, logits: str, positive: int, classes: int) -> str:
        others = np.array([k for k in range(classes) if k != positive])
        mine = self._add("Gather", [logits, self._constant(np.array([positive]))], axis=1)
        rest = self._add("Gather", [logits, self._constant(others)], axis=1)
        if len(others) > 1:
            top = self._reduce("ReduceMax", rest, 1)
            above = self._add("Exp", [self._add("Sub", [rest, top])])
            total = self._add("Log", [self._reduce("ReduceSum", above, 1)])
            rest = self._add("Add", [top, total])
        return self._add("Sub", [mine, rest])

    def _mean(self, tensors: tuple[str, ...]) -> str:
        return tensors[0] if len(tensors) == 1 else self._add("Mean", list(tensors))

    def _number(self, value: float) -> str:
        return self._constant(np.array(value, np.float64))

    def _constant(self, value: np.ndarray) -> str:
        """Keep a constant, float32 or int64, and return its name."""
        self._count += 1
        name = f"{_PREFIX}{self._count}"
        kind = np.int64 if value.dtype.kind == "i" else np.float32
        self.model.graph.initializer.append(numpy_helper.from_array(value.astype(kind), name))
        return name

    def _reduce(self, kind: str, tensor: str, axis: int, *, keep: bool = True) -> str:
        """Reduce an axis, which is an input since opset 18, and of a sum since 13."""
        if self._opset >= (13 if kind == "ReduceSum" else 18):
            axes = self._constant(np.array([axis]))
            return self._add(kind, [tensor, axes], keepdims=int(keep))
        return self._add(kind, [tensor], axes=[axis], keepdims=int(keep))

    def _add(self, kind: str, inputs: list[str], **attributes: int | list[int]) -> str:
        self._count += 1
        name = f"{_PREFIX}{self._count}"
        self.model.graph.node.append(_make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _give(self, name: str, tensor: str, columns: int) -> None:
        self.model.graph.node.append(helper.make_node("Identity", [tensor], [name], name=name))
        self.model.graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", columns])
        )
