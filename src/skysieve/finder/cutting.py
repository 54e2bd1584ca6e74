"""Cutting a graph into parts of one precision each: the stretch, the network, and doubt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

Precision = Literal["bf16", "f32"]

_HEAVY = {"Convolution", "GroupConvolution", "MatMul", "FakeQuantize"}


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Hide openvino-telemetry, which comes with OpenVINO and would call home on import.

    OpenVINO falls back to a stub of its own when the package is not there.
    """
    name = "openvino_telemetry"
    present = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # makes the import fail
    try:
        yield
    finally:
        if present is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = present


with no_telemetry():
    import openvino as ov
    from openvino import opset13, passes

_Model: Any = ov.Model  # the types that OpenVINO ships contradict themselves


def split(model: Any) -> list[tuple[Any, Precision]]:
    """Cut a graph of fixed shapes before its first weights; what comes before runs in float32.

    With a bf16 hint OpenVINO computes the stretch in bf16 too, which has 8 bits of mantissa: on
    linear flux over a sky of 1000 counts nothing but rounding would be left.
    """
    fold = passes.Manager()
    fold.register_pass(passes.ConstantFolding())  # shapes become constants: none crosses the cut
    fold.run_passes(model)
    crossing = _crossing(model)
    if not crossing:
        return [(model, "f32")]
    parameters, ports = [], []
    for port, targets in crossing:
        parameter = opset13.parameter(port.get_partial_shape(), port.get_element_type())
        for target in targets:
            target.replace_source_output(parameter.output(0))
        parameters.append(parameter)
        ports.append(port)
    head = _Model(ports, model.get_parameters(), "stretch")
    return [(head, "f32"), (_Model(model.get_results(), parameters, "network"), "bf16")]


def cut_tail(model: Any, *, guard: bool) -> tuple[Any, Any]:
    """Cut a graph behind what the logits are made of: logits and what crosses, then the extras.

    Args:
        model: Of fixed shapes, with the logits first.
        guard: Keep the bits of logits in bf16. OpenVINO leaves in float32 what comes behind the last
            products, and products that are themselves given: so features are given through another
            product, with ones, and products through another shape.
    """
    logits, *extras = model.get_results()
    needed: set[str] = set()
    waiting = [logits]
    while waiting:
        node = waiting.pop()
        if node.get_name() not in needed:
            needed.add(node.get_name())
            waiting += [port.get_source_output().get_node() for port in node.inputs()]
    parameters, ports = [], []
    for node in model.get_ordered_ops():
        if node.get_name() not in needed or node.get_type_name() == "Constant":
            continue
        for port in node.outputs():
            targets = [
                into
                for into in port.get_target_inputs()
                if into.get_node().get_name() not in needed
            ]
            if targets:
                given = _guarded(port, needed) if guard else port
                parameter = opset13.parameter(given.get_partial_shape(), given.get_element_type())
                shape = opset13.constant(np.array(port.get_shape()))
                taken = opset13.reshape(parameter, shape, False).output(0)
                for target in targets:
                    target.replace_source_output(taken)
                parameters.append(parameter)
                ports.append(given)
    head = _Model([logits.input(0).get_source_output(), *ports], model.get_parameters(), "network")
    return head, _Model(extras, parameters, "doubt")


def _guarded(port: Any, needed: set[str]) -> Any:
    """Return an output with the same numbers, (n, columns) or (1, n, columns)."""
    behind = [into.get_node() for into in port.get_target_inputs()]
    if any(node.get_type_name() in _HEAVY and node.get_name() in needed for node in behind):
        ones = opset13.constant(np.eye(port.get_shape()[1], dtype=np.float32))
        return opset13.matmul(port, ones, False, False).output(0)
    return opset13.unsqueeze(port, opset13.constant(np.array([0]))).output(0)


def _crossing(model: Any) -> list[tuple[Any, list[Any]]]:
    """Return the outputs of the stretch and, for each, the inputs behind the cut it feeds."""
    stretch: set[str] = set()
    behind: set[str] = set()
    for node in model.get_ordered_ops():
        name = node.get_name()  # unique within a model
        before = {port.get_source_output().get_node().get_name() for port in node.inputs()}
        if before & behind or (before & stretch and node.get_type_name() in _HEAVY):
            behind.add(name)
        elif before & stretch or node.get_type_name() == "Parameter":
            stretch.add(name)
    found = []
    for node in model.get_ordered_ops():
        for port in node.outputs() if node.get_name() in stretch else ():
            targets = [
                into for into in port.get_target_inputs() if into.get_node().get_name() in behind
            ]
            if targets:
                found.append((port, targets))
    return found
