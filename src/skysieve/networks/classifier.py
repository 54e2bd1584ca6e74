"""A classifier: what prepares raw pixels, and the network behind it."""

from __future__ import annotations

import copy
from typing import Protocol, cast

from jaxtyping import Float
from torch import Tensor, nn


class Body(Protocol):
    """What every network has beside ``forward``."""

    def layers(self) -> list[nn.Module]:
        """Return the parts from the input to the head."""
        ...


class Classifier(nn.Module):
    """Raw pixels, NaN where there are none, to logits.

    Args:
        prepare: From raw pixels to planes; it learns nothing.
        body: From planes to logits.
    """

    def __init__(self, prepare: nn.Module, body: nn.Module) -> None:
        super().__init__()
        self.prepare = prepare
        self.body = body

    def forward(self, pixels: Float[Tensor, "n band side side"]) -> Float[Tensor, "n classes"]:
        """Return the logits of each image."""
        return self.body(self.prepare(pixels))


def layers(classifier: Classifier) -> list[nn.Module]:
    """Return the body's parts from the input to the head, the last.

    They share no parameter and together hold all of them.
    """
    return cast("Body", classifier.body).layers()


def plain(module: nn.Module) -> nn.Module:
    """Return a module of ordinary layers that is equal in evaluation; what is plain is kept.

    Every part that has a method ``plain`` is replaced by what it gives.
    """
    if not any(hasattr(part, "plain") for part in module.modules()):
        return module
    if hasattr(module, "plain"):
        return module.plain()  # pyright: ignore[reportCallIssue]
    copied = copy.deepcopy(module)
    for name, child in module.named_children():
        setattr(copied, name, plain(child))
    return copied.eval()
