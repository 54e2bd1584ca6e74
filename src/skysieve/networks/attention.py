"""Attention over channels, or channels and places, before the head's pooling."""

from __future__ import annotations

from timm.layers.cbam import CbamModule
from timm.layers.squeeze_excite import SEModule
from torch import nn


def attention_of(kind: str, channels: int) -> nn.Module:
    """Return squeeze-and-excitation, block attention or nothing, for feature maps (n, c, y, x).

    References:
        Hu, Shen & Sun 2018, CVPR, arXiv:1709.01507: ``se``.
        Woo et al. 2018, ECCV, arXiv:1807.06521: ``cbam``.
    """
    if kind == "se":
        return SEModule(channels)
    if kind == "cbam":
        return CbamModule(channels)
    return nn.Identity()
