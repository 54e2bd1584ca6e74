"""Networks on the processor, through OpenVINO.

A graph runs in fixed shapes, a batch of one size for each side, and each batch on one thread:
a cutout's logits then have the same bits whatever else was in its batch, however the rows were
cut into parts, and however many cores there are.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float32

from skysieve.core.errors import InputError
from skysieve.finder.cutting import Precision, cut_tail, no_telemetry, split

_KEPT_SIDES = 8  # compiled graphs kept; a survey has one or two sizes
_MOST_THREADS = 16
_compiling = threading.Lock()
"""One thread compiles, and makes the first run: OpenVINO's bindings make what they need at the
first touch of a tensor, and two threads that touch their first one at once wait for each other
forever (seen in 2026.4: one holds the interpreter's lock, the other that of a C++ static)."""


with no_telemetry():
    import openvino as ov

_Model: Any = ov.Model  # the types that OpenVINO ships contradict themselves


@cache
def _core() -> Any:
    return ov.Core()


@cache
def cpu_precision() -> Precision:
    """Return ``bf16`` where the processor computes in it, else ``f32``."""
    return "bf16" if "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def cpu_threads() -> int:
    """Return how many cores this process may use, and can keep busy.

    One thread reads for all of them, so that more of them help only in more processes.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _MOST_THREADS)


def runtime_name(precision: Precision) -> str:
    """Return what decides the last bits of a score: program, version and precision."""
    return f"openvino {ov.__version__.split('-')[0]} {precision}"


@dataclass(frozen=True)
class _Program:
    """A graph compiled for one side, and the requests that are free to run it.

    Args:
        batch: Cutouts of a run.
        steps: Compiled parts; the outputs of each are the inputs of the next.
        skipped: For each step, how many outputs of the one before are not for it, but for all to
            see: the logits, which come first.
        free: Requests, one per step.
    """

    batch: int
    steps: tuple[Any, ...]
    skipped: tuple[int, ...]
    free: queue.SimpleQueue[tuple[Any, ...]] = field(default_factory=queue.SimpleQueue)

    @contextmanager
    def borrow(self) -> Iterator[tuple[Any, ...]]:
        """Lend requests, one per step."""
        try:
            requests = self.free.get_nowait()
        except queue.Empty:
            requests = tuple(step.create_infer_request() for step in self.steps)
            for (before, after), skip in zip(pairwise(requests), self.skipped[1:], strict=True):
                for k in range(len(after.input_tensors)):
                    after.set_input_tensor(k, before.output_tensors[skip + k])
        yield requests
        self.free.put(requests)  # not after an error: such a request is left to be forgotten


class Network:
    """A stage's graph, ready to run; safe to call from several threads.

    Args:
        graph: An ONNX file: ``input`` float32 (n, band, y, x) to ``logits`` (n, class).
        name: For messages.
        bands: How many bands it must take.
        classes: How many logits it must give.
        extras: Other outputs (n, columns) that are wanted. What only they need is computed in
            float32, from the very tensors that the logits are made of.
        batch: Cutouts per run for sides up to 64 pixels; fewer for larger ones.
        precision: Of the convolutions and matrix products; what comes before the first of
            them (stretch, scaling, the NaN mask) is always float32.
        threads: How many calls can run at once.

    Raises:
        InputError: The graph cannot be read, or takes or gives something else.
    """

    def __init__(  # noqa: PLR0913  what a graph must be, and how it is to run
        self,
        graph: bytes,
        *,
        name: str,
        bands: int,
        classes: int,
        batch: int,
        precision: Precision,
        threads: int,
        extras: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.bands = bands
        self.classes = classes
        self.extras = extras
        self.precision: Precision = precision
        self.threads = threads
        self._graph = graph
        self._batch = batch
        self._programs: OrderedDict[int, _Program] = OrderedDict()
        self._read()

    def __call__(
        self, pixels: Float32[np.ndarray, "n band side side"]
    ) -> Float32[np.ndarray, "n class"]:
        """Return the logits of each cutout; NaN pixels are no data."""
        return self.numbers(pixels)[:, : self.classes]

    def numbers(
        self, pixels: Float32[np.ndarray, "n band side side"]
    ) -> Float32[np.ndarray, "n number"]:
        """Return the logits of each cutout, then the columns of the extras in their order."""
        return self._run(self._program(pixels.shape[-1]), pixels)

    def _run(
        self, program: _Program, pixels: Float32[np.ndarray, "n band side side"]
    ) -> Float32[np.ndarray, "n number"]:
        numbers = np.empty((len(pixels), self._width), np.float32)
        with program.borrow() as requests:
            image = requests[0].input_tensors[0].data
            for start in range(0, len(pixels), program.batch):
                rows = pixels[start : start + program.batch]
                image[: len(rows)] = rows
                image[len(rows) :] = rows[-1]  # the rest of the last batch: computed, not used
                for request in requests:
                    request.infer()
                found = [tensor.data for tensor in requests[-1].output_tensors]
                if self.extras:  # else the last step is the one that gives the logits
                    found.insert(0, requests[-2].output_tensors[0].data)
                numbers[start : start + len(rows)] = np.concatenate(found, 1)[: len(rows)]
        return numbers

    def _program(self, side: int) -> _Program:
        with _compiling:
            if side not in self._programs:
                self._programs[side] = self._compile(side)
                if len(self._programs) > _KEPT_SIDES:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(side)
            return self._programs[side]

    def _compile(self, side: int) -> _Program:
        batch = min(self._batch, max(1, self._batch * 64**2 // side**2))
        model = self._read()
        model.reshape([batch, self.bands, side, side])
        tail = cut_tail(model, guard=self.precision == "bf16") if self.extras else None
        network = model if tail is None else tail[0]
        plain: list[tuple[Any, Precision]] = [(network, self.precision)]
        steps = plain if self.precision == "f32" else split(network)
        skipped = [0] * len(steps)
        if tail is not None:
            steps.append((tail[1], "f32"))
            skipped.append(1)
        compiled = tuple(self._compile_step(part, kind) for part, kind in steps)
        program = _Program(batch, compiled, tuple(skipped))
        self._run(program, np.zeros((1, self.bands, side, side), np.float32))
        return program

    def _compile_step(self, model: Any, precision: Precision) -> Any:
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": self.threads,
            "INFERENCE_NUM_THREADS": self.threads,  # one thread a stream
            "ENABLE_CPU_PINNING": False,  # several processes would sit on the same cores
        }
        return _core().compile_model(model, "CPU", settings)

    def _read(self) -> Any:
        fix = "Export the finder again"
        try:
            model = _core().read_model(self._graph)
        except RuntimeError as error:
            raise InputError(f"{self.name} is not a graph that OpenVINO reads", fix) from error
        takes = [str(port.partial_shape) for port in model.inputs]
        shape = model.inputs[0].partial_shape
        if len(takes) != 1 or shape.rank.get_length() != 4 or not _fits(shape[1], self.bands):
            raise InputError(f"{self.name} takes {takes}, not (n, {self.bands}, y, x)", fix)
        logits = [port for port in model.outputs if "logits" in port.get_names()]
        if not logits or not _fits(logits[0].partial_shape[1], self.classes):
            raise InputError(f"{self.name} gives no logits of {self.classes} classes", fix)
        wanted = [logits[0], *(self._extra(model, name) for name in self.extras)]
        self._width = sum(port.partial_shape[1].get_length() for port in wanted[1:]) + self.classes
        # A map or another output is dropped here, and with it what only it needs.
        return _Model(wanted, model.get_parameters(), self.name)

    def _extra(self, model: Any, name: str) -> Any:
        found = [port for port in model.outputs if name in port.get_names()]
        if not found or found[0].partial_shape.rank.get_length() != 2:
            raise InputError(f"{self.name} gives no {name} (n, columns)", "Export the finder again")
        return found[0]


def _fits(dimension: Any, wanted: int) -> bool:
    return dimension.is_dynamic or dimension.get_length() == wanted
