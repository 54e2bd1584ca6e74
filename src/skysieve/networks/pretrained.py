"""Weights of a timm network from a local file, refused if they are another network's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from skysieve.core.errors import InputError, MissingError

_OWN = "body.model."
"""Before the names of a backbone's weights in a bundle of ours."""
_COMPUTED = ("relative_position_index", "attn_mask", "num_batches_tracked")
"""Ends of names that older files hold, or leave out, and that no training decides."""
_SHOWN = 5


def overlay_of(file: str, name: str) -> dict[str, Any]:
    """Return what makes timm take the weights of a file, adapted to its bands and size.

    The head's weights are left out: it is always new.

    Args:
        file: Safetensors, with timm's names or as a bundle of skysieve holds them.
        name: As timm calls the network.

    Raises:
        MissingError: There is no such file.
        InputError: It is no safetensors file, or another network's.
    """
    own = {key.removeprefix(_OWN): value for key, value in _read(file).items()}
    plain = timm.create_model(name, pretrained=False)
    known = timm.get_pretrained_cfg(name)
    heads = known.classifier if known is not None else None
    prefixes = tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads or ()))
    wanted = {key for key in plain.state_dict() if _counts(key, prefixes)}
    given = {key for key in own if _counts(key, prefixes)}
    if wanted != given:
        told = [
            f"{what} {', '.join(sorted(names)[:_SHOWN])}{' ...' if len(names) > _SHOWN else ''}"
            for what, names in (("lacks", wanted - given), ("also holds", given - wanted))
            if names
        ]
        raise InputError(
            f"{file} is not a file of {name}: it {' and '.join(told)}",
            "Give the weights of this very network in network.weights_file",
        )
    state = {key: value for key, value in own.items() if not key.startswith(prefixes)}
    stem = known.first_conv if known is not None else None
    overlay: dict[str, Any] = {"state_dict": state, "num_classes": -1}  # never the new head's
    if isinstance(stem, str) and f"{stem}.weight" in state:
        overlay["input_size"] = (state[f"{stem}.weight"].shape[1], 224, 224)
    return overlay


def _read(file: str) -> dict[str, Tensor]:
    if not Path(file).is_file():
        raise MissingError(f"there is no file {file}", "Set network.weights_file to one that is")
    try:
        return load_file(file)
    except SafetensorError as error:
        raise InputError(
            f"{file} is no safetensors file ({error})",
            "Convert it with safetensors.torch.save_file; pickles are not read",
        ) from error


def _counts(key: str, heads: tuple[str, ...]) -> bool:
    return not key.startswith(heads) and not key.endswith(_COMPUTED)
