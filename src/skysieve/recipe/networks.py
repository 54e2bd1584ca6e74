"""Plans of networks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from skysieve.recipe.simulation import Plan


class StretchPlan(Plan):
    """How raw pixels are scaled before the first convolution.

    Args:
        softening: Brightness, in standard deviations of the sky, above which the stretch turns
            from linear to logarithmic.
        clip: Rounds of clipping in the estimate of sky and noise.
        kappa: Standard deviations beyond which a pixel is no sky.
    """

    softening: float = Field(default=3.0, gt=0)
    clip: int = Field(default=5, ge=1)
    kappa: float = Field(default=2.5, gt=1)


class ConvNetPlan(Plan):
    """A residual network that takes any field from 32 pixels up.

    Args:
        kind: Always ``convnet``.
        width: Channels at half resolution; each further stage has twice as many.
        blocks: Residual blocks at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        dropout: Share of pooled features left out in training.
    """

    kind: Literal["convnet"] = "convnet"
    width: int = Field(default=24, ge=4)
    blocks: tuple[int, ...] = (1, 2, 2, 1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
