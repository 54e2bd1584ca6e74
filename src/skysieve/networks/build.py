"""From plans to networks."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from skysieve.core.errors import RecipeError
from skysieve.networks.backbone import Backbone
from skysieve.networks.classifier import Classifier
from skysieve.networks.cnn import Cnn
from skysieve.networks.convnet import ConvNet
from skysieve.networks.equivariant import Equivariant
from skysieve.networks.multiscale import MultiScale
from skysieve.networks.prepare import Preparation, planes_of, side_of
from skysieve.networks.stretch import SkyStretch
from skysieve.recipe.networks import (
    BackbonePlan,
    CnnPlan,
    ConvNetPlan,
    EquivariantPlan,
    MultiScalePlan,
    NetworkPlan,
    PreparationPlan,
    SkyScalePlan,
    StretchPlan,
)


def build(plan: ConvNetPlan, stretch: StretchPlan, *, bands: int, classes: int) -> nn.Sequential:
    """Return an untrained network from raw pixels (n, band, y, x), NaN allowed, to logits."""
    return nn.Sequential(
        SkyStretch(stretch.softening, stretch.clip, stretch.kappa),
        ConvNet(bands + 1, classes, plan.width, plan.blocks, plan.dropout),
    )


def build_classifier(
    network: NetworkPlan, prepare: PreparationPlan, *, bands: int, classes: int, side: int
) -> Classifier:
    """Return a classifier of raw pixels (n, band, side, side), NaN allowed, to logits (n, class).

    Args:
        network: Its architecture; only a backbone may start with weights that were learned.
        prepare: What happens to pixels before it.
        bands: Of the pixels.
        classes: Logits.
        side: Pixels a side.

    Raises:
        RecipeError: The plans cannot be had at this side.
        MissingError: A backbone's weights cannot be had.
        InputError: The file of weights is another network's.
    """
    _check(network, prepare, side)
    symmetric = isinstance(network, EquivariantPlan)
    prepared = Preparation(prepare, bands=bands, symmetric=symmetric)
    planes, left = planes_of(prepare, bands), side_of(prepare, side)
    match network:
        case ConvNetPlan():
            body = ConvNet(planes, classes, network.width, network.blocks, network.dropout)
        case CnnPlan():
            body = Cnn(planes, classes, left, network)
        case MultiScalePlan():
            body = MultiScale(planes, classes, network)
        case EquivariantPlan():
            body = Equivariant(planes, classes, left, network)
        case BackbonePlan():
            body = Backbone(network, bands=bands, planes=planes, classes=classes, side=left)
    return Classifier(prepared, body)


def multiply_adds(module: nn.Module, *, bands: int, side: int) -> int:
    """Return how many multiplications with an addition one image costs, as PyTorch counts them.

    Convolutions and matrix products count, what is done number by number does not.
    """
    training = module.training
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module.eval()(torch.zeros(1, bands, side, side))
    module.train(training)
    return counter.get_total_flops() // 2


def _check(network: NetworkPlan, prepare: PreparationPlan, side: int) -> None:
    if prepare.crop is not None and prepare.crop > side:
        raise RecipeError(
            f"prepare.crop = {prepare.crop} is more than the {side} pixels of the images",
            "Give a smaller one, or none",
        )
    if (
        isinstance(network, EquivariantPlan)
        and prepare.crop is not None
        and (side - prepare.crop) % 2
    ):
        raise RecipeError(
            f"{prepare.crop} of {side} pixels have no center about which to turn an image",
            f"Set prepare.crop = {prepare.crop - 1}",
        )
    if (
        isinstance(network, BackbonePlan)
        and network.pretrained
        and prepare.normalize == "none"
        and not isinstance(prepare.scale, SkyScalePlan)
    ):
        raise RecipeError(
            f"the published weights of {network.name} expect normalized pixels, not 0..1",
            "Set prepare.normalize to imagenet, or to half for networks that were trained so",
        )


class Ensemble(nn.Module):
    """The mean logits of networks over the eight symmetries of the square.

    Args:
        members: Networks from square raw pixels to logits.
        symmetric: Average over the dihedral group; the result is then exactly symmetric.
        weights: Of each member in the mean, summing to 1; None weighs them alike.
    """

    def __init__(
        self, members: list[nn.Module], *, symmetric: bool, weights: list[float] | None = None
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.symmetric = symmetric
        self.weights = weights

    def forward(self, pixels: Float[Tensor, "n band side side"]) -> Float[Tensor, "n classes"]:
        """Return the mean logits."""
        views = dihedral_views(pixels) if self.symmetric else [pixels]
        if self.weights is None:
            logits = [member(view) for view in views for member in self.members]
            return torch.stack(logits).mean(0)
        shares = zip(self.weights, self.members, strict=True)
        said = [
            share * torch.stack([member(view) for view in views]).mean(0)
            for share, member in shares
        ]
        return torch.stack(said).sum(0)


def dihedral_views(pixels: Float[Tensor, "n band side side"]) -> list[Tensor]:
    """Return the eight images of the square's symmetries, the unchanged one first."""
    turned = [pixels, pixels.transpose(2, 3)]
    return [torch.flip(view, dims) for view in turned for dims in ([], [2], [3], [2, 3])]
