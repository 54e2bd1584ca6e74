"""What every fit shares: a quiet Lightning, the average of weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def moving_average(decay: float, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """Return the moving average, which follows faster while it is young.

    References:
        Tarvainen & Valpola 2017, arXiv:1703.01780, with the ramp of TensorFlow's implementation.
    """
    decay = min(decay, (1 + int(count)) / (10 + int(count)))
    return average + (1 - decay) * (current - average)


def channels_last(pixels: Tensor) -> Tensor:
    """Return the pixels with the bands of a pixel side by side, which convolutions like best."""
    return pixels.contiguous(memory_format=torch.channels_last)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning from advertising and from warning of what is meant."""
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            _ignore_what_is_meant()
            yield
    finally:
        log.setLevel(level)


def _ignore_what_is_meant() -> None:
    # Lightning advises more loader processes than there are cores to run them.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory.*not empty.*")
    # Lightning 2.6 itself uses what torch will remove.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
