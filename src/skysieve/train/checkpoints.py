"""Checkpoints as safetensors: tensors and a tree of plain values beside them, nothing to unpickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from skysieve.core.errors import InputError
from skysieve.core.files import whole_file

TREE = "tree"
"""The key of the tree among the metadata of the file."""


class WholeCheckpoints(CheckpointIO):
    """How Lightning keeps a checkpoint: whole or not at all, so that a kill costs an epoch at most."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        del storage_options
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, onto the processor; whoever takes its tensors moves them."""
        del map_location, weights_only
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values, nested in any way, whole or not at all.

    Raises:
        TypeError: A value is none that JSON and safetensors can hold.
    """
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_packed(checkpoint, tensors))
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata={TREE: tree})


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds.

    Raises:
        InputError: The file is no checkpoint, or is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return _unpacked(json.loads(file.metadata()[TREE]), file)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as a checkpoint", "Delete it, and the fit begins again"
        ) from error


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a value as JSON can hold it; what JSON has no word for becomes ``{kind: content}``."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.generic():
            return value.item()
        case Tensor():
            name = str(len(tensors))
            tensors[name] = value.detach().cpu().contiguous().clone()
            last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
            return {"channels_last" if last else "tensor": name}
        case dict():
            return {"dict": [[_packed(k, tensors), _packed(v, tensors)] for k, v in value.items()]}
        case tuple():
            return {"tuple": [_packed(each, tensors) for each in value]}
        case list():
            return [_packed(each, tensors) for each in value]
        case _:
            raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _unpacked(value: Any, file: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(each, file) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            return file.get_tensor(content)
        case "channels_last":
            return file.get_tensor(content).contiguous(memory_format=torch.channels_last)
        case "tuple":
            return tuple(_unpacked(each, file) for each in content)
        case _:
            return {_unpacked(k, file): _unpacked(v, file) for k, v in content}
