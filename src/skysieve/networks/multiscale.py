"""Residual blocks that see several scales side by side."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skysieve.networks.convnet import HalvingPool
from skysieve.recipe.networks import MultiScalePlan


class MultiScale(nn.Module):
    """Levels of multi-scale blocks, then the mean and the maximum over the field.

    Args:
        planes: Planes of the input.
        classes: Logits of the output.
        plan: Width, levels and kernels.

    References:
        Szegedy et al. 2015, CVPR, arXiv:1409.4842: convolutions of several sizes side by side.
    """

    def __init__(self, planes: int, classes: int, plan: MultiScalePlan) -> None:
        super().__init__()
        widths = [plan.width * 2**level for level in range(plan.levels)]
        self.stem = nn.Sequential(
            nn.Conv2d(planes, plan.width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(plan.width),
            nn.ReLU(),
        )
        self.levels = nn.ModuleList()
        before = plan.width
        for level, width in enumerate(widths):
            halve = HalvingPool(2) if level else nn.Identity()
            blocks = ManyScales(before, width, plan.kernels), ManyScales(width, width, plan.kernels)
            self.levels.append(nn.Sequential(halve, *blocks))
            before = width
        self.head = nn.Sequential(nn.Dropout(plan.dropout), nn.Linear(2 * widths[-1], classes))

    def layers(self) -> list[nn.Module]:
        """Return the parts from the input to the head."""
        return [self.stem, *self.levels, self.head]

    def forward(self, planes: Float[Tensor, "n plane y x"]) -> Float[Tensor, "n classes"]:
        """Return the logits of each field."""
        features = self.stem(planes)
        for level in self.levels:
            features = level(features)
        return self.head(torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1))


class ManyScales(nn.Module):
    """Convolutions of several sizes side by side and one that joins them, beside a short cut."""

    def __init__(self, before: int, after: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        shares = [(after + k) // len(kernels) for k in range(len(kernels))]  # together ``after``
        self.branches = nn.ModuleList(
            nn.Conv2d(before, share, side, padding=side // 2, bias=False)
            for share, side in zip(shares, kernels, strict=True)
            if share
        )
        self.join = nn.Sequential(
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.short = (
            nn.Identity()
            if before == after
            else nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))
        )

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d y x"]:
        """Return the block's output."""
        seen = torch.cat([branch(x) for branch in self.branches], 1)
        return torch.relu(self.join(seen) + self.short(x))
