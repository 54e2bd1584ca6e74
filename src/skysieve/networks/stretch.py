"""From raw pixels to numbers a network likes: sky at 0, noise at 1, brightness compressed.

The stretch is a part of the network, so that training, finding and inspecting cannot disagree.
Linear flux in any unit and display pictures come out alike, because both are measured against
their own sky and noise.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

SMALLEST = 1e-30
STRIDE = 2
"""Every second pixel each way is enough to know the sky."""
FLOOR = 2e-3
"""Least noise as a share of the brightest pixel; a display may show a sky cut to pure black."""


class SkyStretch(nn.Module):
    """Raw pixels, NaN where there are none, to stretched planes and a plane of validity.

    Args:
        softening: In standard deviations of the sky.
        clip: Rounds of sigma clipping.
        kappa: Standard deviations beyond which a pixel is no sky.
        stride: The sky is measured in every so-many-th pixel each way; only 1 makes the stretch
            of a turned image exactly that of the image, turned.
        least: Noise is never taken to be less. At 0 nothing guards a band of one value in an
            exported graph: the exporter drops the sum with ``SMALLEST``, as no different from
            zero. The released finder was made so, and its recipe must make it again.
    """

    def __init__(
        self, softening: float, clip: int, kappa: float, *, stride: int = STRIDE, least: float = 0.0
    ) -> None:
        super().__init__()
        self.softening = softening
        self.clip = clip
        self.kappa = kappa
        self.stride = stride
        self.least = least

    def forward(self, pixels: Float[Tensor, "n band y x"]) -> Float[Tensor, "n plane y x"]:
        """Return a plane per band, about asinh(flux / noise / softening), and one of validity.

        Invalid pixels are 0, the sky. Multiplying a band by a factor or adding a constant to it
        changes nothing.

        References:
            Lupton, Gunn & Szalay 1999, AJ 118, 1406: the inverse hyperbolic sine.
        """
        valid = ~torch.isnan(pixels)
        known = torch.where(valid, pixels, torch.zeros_like(pixels))
        weight = valid.to(pixels.dtype)
        step = self.stride
        sky, noise = self._sky(known[:, :, ::step, ::step], weight[:, :, ::step, ::step])
        bright = (known - sky) * weight
        top = bright.amax((2, 3), keepdim=True)
        noise = torch.maximum(noise, FLOOR * top) + SMALLEST
        if self.least > 0:
            noise = noise.clamp_min(self.least)
        planes = _asinh(bright / (noise * self.softening))
        return torch.cat([planes, weight.amin(1, keepdim=True)], 1)

    def _sky(
        self, pixels: Float[Tensor, "n band y x"], weight: Float[Tensor, "n band y x"]
    ) -> tuple[Float[Tensor, "n band 1 1"], Float[Tensor, "n band 1 1"]]:
        """Return the level and standard deviation of each band's sky, by sigma clipping."""
        keep = weight
        mean, deviation = _moments(pixels, keep)
        for _ in range(self.clip):
            near = (pixels - mean).abs() <= self.kappa * deviation
            keep = weight * near.to(weight.dtype)
            mean, deviation = _moments(pixels, keep)
        return mean, deviation


def _asinh(x: Float[Tensor, "n band y x"]) -> Float[Tensor, "n band y x"]:
    """Return the inverse hyperbolic sine, to 1e-6, of numbers up to 1e6.

    Spelled out, since OpenVINO computes the operator of that name one number at a time.
    """
    size = x.abs().clamp_max(1e6)
    return torch.sign(x) * torch.log(size + torch.sqrt(size * size + 1))


def _moments(
    pixels: Float[Tensor, "n band y x"], weight: Float[Tensor, "n band y x"]
) -> tuple[Float[Tensor, "n band 1 1"], Float[Tensor, "n band 1 1"]]:
    count = weight.sum((2, 3), keepdim=True).clamp_min(1.0)
    mean = (pixels * weight).sum((2, 3), keepdim=True) / count
    variance = ((pixels - mean).square() * weight).sum((2, 3), keepdim=True) / count
    return mean, variance.sqrt()
