"""From plans to networks."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skysieve.networks.convnet import ConvNet
from skysieve.networks.stretch import SkyStretch
from skysieve.recipe.networks import ConvNetPlan, StretchPlan


def build(plan: ConvNetPlan, stretch: StretchPlan, *, bands: int, classes: int) -> nn.Sequential:
    """Return an untrained network from raw pixels (n, band, y, x), NaN allowed, to logits."""
    return nn.Sequential(
        SkyStretch(stretch.softening, stretch.clip, stretch.kappa),
        ConvNet(bands + 1, classes, plan.width, plan.blocks, plan.dropout),
    )


class Ensemble(nn.Module):
    """The mean logits of networks over the eight symmetries of the square.

    Args:
        members: Networks from square raw pixels to logits.
        symmetric: Average over the dihedral group; the result is then exactly symmetric.
    """

    def __init__(self, members: list[nn.Module], *, symmetric: bool) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.symmetric = symmetric

    def forward(self, pixels: Float[Tensor, "n band side side"]) -> Float[Tensor, "n classes"]:
        """Return the mean logits."""
        views = dihedral_views(pixels) if self.symmetric else [pixels]
        logits = [member(view) for view in views for member in self.members]
        return torch.stack(logits).mean(0)


def dihedral_views(pixels: Float[Tensor, "n band side side"]) -> list[Tensor]:
    """Return the eight images of the square's symmetries, the unchanged one first."""
    turned = [pixels, pixels.transpose(2, 3)]
    return [torch.flip(view, dims) for view in turned for dims in ([], [2], [3], [2, 3])]
