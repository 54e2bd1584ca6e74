"""From raw pixels to what a network sees: scaled, cut out, resized, normalized.

All of it is a part of the network, so that training, finding and inspecting cannot disagree.
Nothing here multiplies matrices or convolves: what runs before the first weights runs in float32.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from skysieve.networks.stretch import SMALLEST, STRIDE, SkyStretch
from skysieve.recipe.networks import (
    MinMaxScalePlan,
    PreparationPlan,
    RangeScalePlan,
    ScalePlan,
    SkyScalePlan,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SPREAD = (0.229, 0.224, 0.225)
"""Of the red, green and blue of ImageNet's training images, as torchvision publishes them."""
_COMPRESSION = 10.0
_LARGEST = 3e38


class Preparation(nn.Module):
    """Raw pixels, NaN where there are none, to the planes that the first convolution sees.

    Args:
        plan: What happens, in this order: scale, crop, resize, normalize.
        bands: Bands of the pixels.
        symmetric: Measure the sky in all pixels instead of every second, so that a turned image
            is prepared as the image is, and then turned.
    """

    def __init__(self, plan: PreparationPlan, *, bands: int, symmetric: bool = False) -> None:
        super().__init__()
        self.scale = scale_of(plan.scale, symmetric=symmetric)
        self.crop = plan.crop
        self.resize = plan.resize
        self.normalize = normalize_of(plan.normalize, bands)

    def forward(self, pixels: Float[Tensor, "n band y x"]) -> Float[Tensor, "n plane v u"]:
        """Return the planes; those of a pixel without data are what zero is normalized to."""
        planes = self.scale(pixels)
        if self.crop is not None:
            planes = crop(planes, self.crop)
        if self.resize is not None:
            planes = resize(planes, self.resize)
        return self.normalize(planes)


def planes_of(plan: PreparationPlan, bands: int) -> int:
    """Return how many planes come out: one a band, and with ``sky`` one of validity."""
    return bands + isinstance(plan.scale, SkyScalePlan)


def side_of(plan: PreparationPlan, side: int) -> int:
    """Return how many pixels a side come out."""
    return plan.resize or plan.crop or side


def scale_of(plan: ScalePlan, *, symmetric: bool = False) -> nn.Module:
    """Return the module that does what a scale plan says."""
    match plan:
        case SkyScalePlan():
            stride = 1 if symmetric else STRIDE
            limits = plan.softening, plan.clip, plan.kappa
            return SkyStretch(*limits, stride=stride, least=SMALLEST)
        case RangeScalePlan():
            return RangeScale(plan.low, plan.high)
        case MinMaxScalePlan():
            return MinMaxScale(plan.per, plan.compress)


def normalize_of(kind: str, bands: int) -> nn.Module:
    """Return the module that takes numbers of 0..1 to what a network expects.

    With another number of bands than three, ``imagenet`` follows what timm does to the weights of
    the first convolution: one band takes the mean of the three colors' values, others repeat them.
    """
    if kind == "none":
        return nn.Identity()
    if kind == "half":
        return Normalize((0.5,) * bands, (0.5,) * bands)
    if bands == 1:
        return Normalize((float(np.mean(IMAGENET_MEAN)),), (float(np.mean(IMAGENET_SPREAD)),))
    colors = [band % 3 for band in range(bands)]
    mean = tuple(IMAGENET_MEAN[color] for color in colors)
    return Normalize(mean, tuple(IMAGENET_SPREAD[color] for color in colors))


class RangeScale(nn.Module):
    """One range of values to 0..1, without a limit beyond it; pixels without data are 0."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, pixels: Float[Tensor, "n band y x"]) -> Float[Tensor, "n band y x"]:
        """Return the scaled pixels."""
        scaled = (pixels - self.low) / (self.high - self.low)
        return torch.where(torch.isnan(pixels), torch.zeros_like(pixels), scaled)


class MinMaxScale(nn.Module):
    """The least to the greatest value of an image or band to 0..1; pixels without data are 0."""

    def __init__(self, per: str, compress: str) -> None:
        super().__init__()
        self.axes = (1, 2, 3) if per == "image" else (2, 3)
        self.compress = compress

    def forward(self, pixels: Float[Tensor, "n band y x"]) -> Float[Tensor, "n band y x"]:
        """Return the scaled pixels, 0 everywhere in an image of one value."""
        valid = ~torch.isnan(pixels)
        far = torch.full_like(pixels, _LARGEST)
        low = torch.where(valid, pixels, far).amin(self.axes, keepdim=True)
        high = torch.where(valid, pixels, -far).amax(self.axes, keepdim=True)
        # Halved, since the range of float32 numbers may be no float32 number.
        span = (high / 2 - low / 2).clamp_min(SMALLEST)
        known = torch.where(valid, pixels, low)
        return self._compressed(((known / 2 - low / 2) / span).clamp(0, 1))

    def _compressed(self, x: Float[Tensor, "n band y x"]) -> Float[Tensor, "n band y x"]:
        if self.compress == "sqrt":
            return x.sqrt()
        if self.compress == "log":
            return torch.log1p(_COMPRESSION * x) / math.log1p(_COMPRESSION)
        if self.compress == "asinh":  # spelled out, as OpenVINO is slow with the operator
            size = _COMPRESSION * x
            return torch.log(size + torch.sqrt(size * size + 1)) / math.asinh(_COMPRESSION)
        return x


class Normalize(nn.Module):
    """Each band less its mean, over its spread."""

    mean: Tensor
    spread: Tensor

    def __init__(self, mean: tuple[float, ...], spread: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(spread).reshape(1, -1, 1, 1), persistent=False)

    def forward(self, planes: Float[Tensor, "n band y x"]) -> Float[Tensor, "n band y x"]:
        """Return the normalized planes."""
        return (planes - self.mean) / self.spread


def crop(planes: Float[Tensor, "n plane y x"], side: int) -> Float[Tensor, "n plane {side} {side}"]:
    """Return the pixels about the center."""
    top, left = (planes.shape[2] - side) // 2, (planes.shape[3] - side) // 2
    return planes[:, :, top : top + side, left : left + side]


def resize(
    planes: Float[Tensor, "n plane y x"], side: int
) -> Float[Tensor, "n plane {side} {side}"]:
    """Return planes interpolated linearly; what gets smaller is smoothed, so that nothing aliases.

    It is torch's antialiased bilinear interpolation, written as sums of weighted rows, since
    OpenVINO has no such operator.
    """
    for axis in (2, 3):
        places, weights = _taps(planes.shape[axis], side)
        shape = [-1, 1] if axis == 2 else [-1]
        total = None
        for place, weight in zip(places, weights, strict=True):
            factor = torch.as_tensor(weight, device=planes.device).reshape(shape)
            row = planes.index_select(axis, torch.as_tensor(place, device=planes.device))
            total = row * factor if total is None else total + row * factor
        planes = planes if total is None else total
    return planes


@cache
def _taps(
    before: int, after: int
) -> tuple[Int64[np.ndarray, "tap after"], Float32[np.ndarray, "tap after"]]:
    """Return which old pixels make a new one, and their weights: a triangle about its center."""
    step = before / after
    reach = max(step, 1.0)
    centers = (np.arange(after) + 0.5) * step
    first = np.floor(centers - reach).astype(int)
    places = first + np.arange(int(2 * reach) + 2)[:, None]
    weights = np.clip(1 - np.abs(places + 0.5 - centers) / reach, 0, None)
    weights[(places < 0) | (places >= before)] = 0
    used = weights.any(1)
    weights = weights[used] / weights.sum(0)
    return np.clip(places[used], 0, before - 1), weights.astype(np.float32)
