"""Convolutions, pooling and two dense layers."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from skysieve.core.errors import RecipeError
from skysieve.recipe.networks import CnnPlan


class Cnn(nn.Module):
    """Blocks of convolution, batch norm, ReLU, pooling and dropout, then two dense layers.

    Args:
        planes: Planes of the input.
        classes: Logits of the output.
        side: Pixels a side of the input.
        plan: Widths and dropout.

    Raises:
        RecipeError: The blocks halve the field away.
    """

    def __init__(self, planes: int, classes: int, side: int, plan: CnnPlan) -> None:
        super().__init__()
        left = side >> len(plan.widths)
        if left < 1:
            raise RecipeError(
                f"{len(plan.widths)} blocks halve a field of {side} pixels away",
                "Give network.widths fewer numbers",
            )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Dropout2d(plan.block_dropout),
            )
            for before, after in pairwise((planes, *plan.widths))
        )
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(plan.dropout),
            nn.Linear(plan.widths[-1] * left * left, plan.dense),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Dropout(plan.dropout), nn.Linear(plan.dense, classes))

    def layers(self) -> list[nn.Module]:
        """Return the parts from the input to the head."""
        return [*self.blocks, self.dense, self.head]

    def forward(self, planes: Float[Tensor, "n plane side side"]) -> Float[Tensor, "n classes"]:
        """Return the logits of each field."""
        features = planes
        for block in self.blocks:
            features = block(features)
        return self.head(self.dense(features))
