"""A small residual network at the cutout's own pixel size."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ConvNet(nn.Module):
    """Residual convolutions, then the mean and the maximum over the field, then a linear layer.

    Fully convolutional: a field of any size from 32 pixels up is used whole. The maximum finds an
    arc wherever it lies; the mean says what surrounds it.

    Args:
        planes: Planes of the input.
        classes: Logits of the output.
        width: Channels at half resolution.
        blocks: Residual blocks at 1/2, 1/4, 1/8 ... of the resolution.
        dropout: Share of pooled features left out in training.
    """

    def __init__(
        self, planes: int, classes: int, width: int, blocks: tuple[int, ...], dropout: float
    ) -> None:
        super().__init__()
        widths = [width * min(2**k, 6) for k in range(len(blocks))]
        self.stem = nn.Sequential(
            nn.Conv2d(planes, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        layers: list[nn.Module] = [Residual(width, width) for _ in range(blocks[0])]
        for (before, after), count in zip(pairwise(widths), blocks[1:], strict=True):
            layers.append(Residual(before, after, stride=2))
            layers += [Residual(after, after) for _ in range(count - 1)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], classes))

    def layers(self) -> list[nn.Module]:
        """Return the parts from the input to the head."""
        return [self.stem, *self.body, self.head]

    def forward(self, planes: Float[Tensor, "n plane y x"]) -> Float[Tensor, "n classes"]:
        """Return the logits of each field."""
        features = self.body(self.stem(planes))
        return self.head(torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1))


class HalvingPool(nn.AvgPool2d):
    """The mean of neighbors, as many as a convolution of the same stride gives.

    The last row and column of an odd field are the mean of what is there.
    """

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n c v u"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the pooled field."""
        if x.shape[2] % 2 or x.shape[3] % 2:
            return nn.functional.avg_pool2d(x, self.kernel_size, ceil_mode=True)
        return super().forward(x)


class Residual(nn.Module):
    """Two 3x3 convolutions beside a short cut (He et al. 2016, arXiv:1603.05027, fig. 4a)."""

    def __init__(self, before: int, after: int, *, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.short = (
            nn.Identity()
            if before == after and stride == 1
            else nn.Sequential(
                HalvingPool(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(before, after, 1, bias=False),
                nn.BatchNorm2d(after),
            )
        )

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d u v"]:
        """Return the block's output."""
        return torch.relu(self.branch(x) + self.short(x))
