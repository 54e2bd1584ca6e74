"""Group convolutions: an image that is turned or mirrored gives the same logits.

A feature is a field on the group: for each element g of the group, an image. Turning the input by
u turns every image and moves the one of g to u g. A convolution keeps this when the filter for the
output at g is the filter of the unit turned by g, with its inputs in the order g^-1 h.

References:
    Cohen & Welling 2016, ICML, arXiv:1602.07576, equations 10 and 11: group convolutions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skysieve.recipe.networks import EquivariantPlan

_Act = Callable[[Tensor], Tensor]


def symmetries(group: str) -> list[_Act]:
    """Return how each element of ``c4`` or ``d4`` acts on the last two axes, the unit first."""

    def act(mirror: int, turns: int) -> _Act:
        def turned(x: Tensor) -> Tensor:
            return torch.rot90(x.flip(-1) if mirror else x, turns, (-2, -1))

        return turned

    return [act(mirror, turns) for mirror in range(2 if group == "d4" else 1) for turns in range(4)]


@cache
def _order(group: str) -> tuple[tuple[int, ...], ...]:
    """Return for each g the places of g^-1 h, over all h."""
    acts = symmetries(group)
    probe = torch.arange(9.0).reshape(3, 3)
    index = {tuple(act(probe).flatten().tolist()): k for k, act in enumerate(acts)}
    product = [[index[tuple(g(h(probe)).flatten().tolist())] for h in acts] for g in acts]
    return tuple(tuple(row.index(h) for h in range(len(acts))) for row in product)


class GroupConv(nn.Module):
    """A convolution from images, or from fields on the group, to fields on the group.

    Channels are in the order (field, element of the group).

    Args:
        before: Planes, or fields on the group.
        after: Fields on the group.
        side: Of the filters.
        group: ``c4`` or ``d4``.
        lift: The input is planes.
        stride: Two with a filter of even side keeps the symmetry of a field of even side, two with
            an odd one that of an odd field.
    """

    def __init__(
        self, before: int, after: int, side: int, *, group: str, lift: bool = False, stride: int = 1
    ) -> None:
        super().__init__()
        self.group = group
        self.lift = lift
        self.stride = stride
        self.padding = (side - 1) // 2
        elements = 1 if lift else len(_order(group))
        self.weight = nn.Parameter(torch.empty(after, before, elements, side, side))
        nn.init.normal_(self.weight, std=(2 / (before * elements * side * side)) ** 0.5)

    def filters(self) -> Float[Tensor, "d c side side"]:
        """Return the filters of the plain convolution that this is: each turned every way."""
        turned = []
        for act, order in zip(symmetries(self.group), _order(self.group), strict=True):
            weight = self.weight if self.lift else self.weight[:, :, list(order)]
            turned.append(act(weight))
        stacked = torch.stack(turned, 1)  # (after, g, before, h, side, side)
        return stacked.flatten(2, 3).flatten(0, 1)

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d v u"]:
        """Return the fields."""
        return nn.functional.conv2d(x, self.filters(), stride=self.stride, padding=self.padding)


class GroupNorm(nn.Module):
    """Batch norm whose statistics all elements of the group share."""

    def __init__(self, fields: int, group: str) -> None:
        super().__init__()
        self.elements = len(_order(group))
        self.norm = nn.BatchNorm2d(fields)

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n c y x"]:
        """Return the normalized fields."""
        n, channels, y, width = x.shape
        fields = x.reshape(n, channels // self.elements, self.elements * y, width)
        return self.norm(fields).reshape(n, channels, y, width)


class NormedConv(nn.Module):
    """A group convolution and its norm; ``plain`` gives both as one ordinary convolution."""

    def __init__(self, conv: GroupConv) -> None:
        super().__init__()
        self.conv = conv
        self.norm = GroupNorm(conv.weight.shape[0], conv.group)

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d v u"]:
        """Return the normalized fields."""
        return self.norm(self.conv(x))

    @torch.no_grad()
    def plain(self) -> nn.Conv2d:
        """Return an ordinary convolution that is equal in evaluation."""
        norm, filters = self.norm.norm, self.conv.filters()
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise ValueError("a norm without running statistics cannot be folded")
        factor = (norm.weight / torch.sqrt(variance + norm.eps)).repeat_interleave(
            self.norm.elements
        )
        center = mean.repeat_interleave(self.norm.elements)
        shift = norm.bias.repeat_interleave(self.norm.elements) - center * factor
        after, before, side, _ = filters.shape
        conv = nn.Conv2d(before, after, side, stride=self.conv.stride, padding=self.conv.padding)
        state = {"weight": filters * factor[:, None, None, None], "bias": shift}
        conv.load_state_dict(state)
        return conv


class Halve(nn.Module):
    """The mean of neighbors at half the resolution, symmetric for even and odd sides."""

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n c v u"]:
        """Return the halved fields; an odd side of 2 k + 1 becomes k + 1."""
        if x.shape[-1] % 2 == 0:
            return nn.functional.avg_pool2d(x, 2)
        return nn.functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


class EquivariantResidual(nn.Module):
    """Two 3x3 group convolutions beside a short cut (He et al. 2016, arXiv:1603.05027, fig. 4a)."""

    def __init__(self, before: int, after: int, *, group: str, halve: bool = False) -> None:
        super().__init__()
        self.halve = Halve() if halve else nn.Identity()
        self.branch = nn.Sequential(
            NormedConv(GroupConv(before, after, 3, group=group)),
            nn.ReLU(),
            NormedConv(GroupConv(after, after, 3, group=group)),
        )
        self.short = (
            nn.Identity()
            if before == after
            else NormedConv(GroupConv(before, after, 1, group=group))
        )

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d v u"]:
        """Return the block's output."""
        x = self.halve(x)
        return torch.relu(self.branch(x) + self.short(x))


class Equivariant(nn.Module):
    """Residual group convolutions, pooled over field and group, then a linear layer.

    Args:
        planes: Planes of the input.
        classes: Logits of the output.
        side: Pixels a side of the input; another side must be even or odd alike.
        plan: Group, width and blocks.
    """

    def __init__(self, planes: int, classes: int, side: int, plan: EquivariantPlan) -> None:
        super().__init__()
        group = plan.group
        widths = [plan.width * min(2**k, 6) for k in range(len(plan.blocks))]
        self.parity = side % 2
        self.elements = len(_order(group))
        conv = GroupConv(planes, widths[0], 6 - self.parity, group=group, lift=True, stride=2)
        self.stem = nn.Sequential(NormedConv(conv), nn.ReLU())
        blocks: list[nn.Module] = []
        for k, (before, after) in enumerate(pairwise([widths[0], *widths])):
            blocks.append(EquivariantResidual(before, after, group=group, halve=k > 0))
            rest = range(plan.blocks[k] - 1)
            blocks += [EquivariantResidual(after, after, group=group) for _ in rest]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(nn.Dropout(plan.dropout), nn.Linear(2 * widths[-1], classes))

    def layers(self) -> list[nn.Module]:
        """Return the parts from the input to the head."""
        return [self.stem, *self.blocks, self.head]

    def forward(self, planes: Float[Tensor, "n plane side side"]) -> Float[Tensor, "n classes"]:
        """Return the logits of each field."""
        if planes.shape[-1] % 2 != self.parity:
            raise ValueError("this network was built for sides of the other parity")
        features = self.stem(planes)
        for block in self.blocks:
            features = block(features)
        fields = features.unflatten(1, (-1, self.elements))
        pooled = torch.cat([fields.mean((2, 3, 4)), fields.amax((2, 3, 4))], 1)
        return self.head(pooled)
