"""What networks and exported graphs say of labeled images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import nn

from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.runtime import Network, cpu_precision, cpu_threads
from skysieve.train.labeled import LabeledImages

BATCH = 128
GRAPH_BATCH = 16

Rows = Int64[np.ndarray, " n"]


def score_network(
    network: nn.Module, images: LabeledImages, rows: Rows, *, watch: Watch = ignore
) -> Float32[np.ndarray, "n class"]:
    """Return the probabilities that a network gives to the classes, by a softmax over them.

    Args:
        network: From raw pixels to logits; put into evaluation mode.
        images: What there is.
        rows: Which of them, in the order of the result.
        watch: Told how far it is.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).eval()
    said: list[np.ndarray] = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            pixels = torch.from_numpy(np.array(images.pixels[rows[start : start + BATCH]]))
            said.append(torch.softmax(network(pixels.to(device)).float(), 1).cpu().numpy())
            watch(Progress("asking the ensemble", min(start + BATCH, len(rows)), len(rows)))
    network.cpu()
    return np.concatenate(said)


def logits_of(graph: Path, images: LabeledImages, rows: Rows) -> Float64[np.ndarray, "n class"]:
    """Return the logits of an exported graph, by the runtime that will find with it."""
    return numbers_of(graph, images, rows)


def numbers_of(
    graph: Path, images: LabeledImages, rows: Rows, extras: tuple[str, ...] = ()
) -> Float64[np.ndarray, "n number"]:
    """Return logits and other outputs of an exported graph, by the runtime that will find with it.

    Args:
        graph: An ONNX file.
        images: What there is.
        rows: Which of them, in the order of the result.
        extras: Outputs beside the logits, in the order of the columns behind them.
    """
    network = Network(
        graph.read_bytes(),
        name=graph.name,
        bands=images.pixels.shape[1],
        classes=len(images.classes),
        batch=GRAPH_BATCH,
        precision=cpu_precision(),
        threads=cpu_threads(),
        extras=extras,
    )
    steps = range(0, len(rows), 4 * GRAPH_BATCH)
    chunks = (np.array(images.pixels[rows[k : k + 4 * GRAPH_BATCH]]) for k in steps)
    with ThreadPoolExecutor(cpu_threads()) as pool:
        return np.concatenate(list(pool.map(network.numbers, chunks))).astype(np.float64)
