"""Plans of networks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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


class CnnPlan(Plan):
    """Blocks of convolution, batch norm, ReLU, pooling and dropout, then two dense layers.

    Args:
        kind: Always ``cnn``.
        widths: Channels of each block, which halves the field.
        dense: Units between the two dense layers.
        block_dropout: Share of channels left out after each block in training.
        dropout: Share of units left out before each dense layer.
    """

    kind: Literal["cnn"] = "cnn"
    widths: tuple[int, ...] = Field(default=(32, 64, 128), min_length=1)
    dense: int = Field(default=128, ge=1)
    block_dropout: float = Field(default=0.25, ge=0, lt=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)


class MultiScalePlan(Plan):
    """Residual blocks whose branches see several scales side by side.

    Args:
        kind: Always ``multiscale``.
        width: Channels at half resolution; each further level has twice as many.
        levels: Levels, each at half the resolution of the one before.
        kernels: Sides of the convolutions beside each other, in pixels, all odd.
        dropout: Share of pooled features left out in training.
    """

    kind: Literal["multiscale"] = "multiscale"
    width: int = Field(default=24, ge=4)
    levels: int = Field(default=3, ge=1)
    kernels: tuple[int, ...] = Field(default=(3, 5, 7), min_length=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)

    @model_validator(mode="after")
    def _have_centers(self) -> Self:
        if any(side < 1 or side % 2 == 0 for side in self.kernels):
            raise ValueError("kernels are odd, such as 3, 5 and 7")
        return self


class EquivariantPlan(Plan):
    """Residual group convolutions: a turned image gives turned features, and the same logits.

    Args:
        kind: Always ``equivariant``.
        group: ``c4`` the four turns, ``d4`` these and their mirror images.
        width: Fields at half resolution; each holds an image for every element of the group.
        blocks: Residual blocks at 1/2, 1/4, 1/8 ... of the resolution.
        dropout: Share of pooled features left out in training.
    """

    kind: Literal["equivariant"] = "equivariant"
    group: Literal["c4", "d4"] = "d4"
    width: int = Field(default=6, ge=2)
    blocks: tuple[int, ...] = Field(default=(1, 1, 1, 1), min_length=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)


class BackbonePlan(Plan):
    """A network of timm with a new head; its first convolution takes any number of bands.

    Args:
        kind: Always ``backbone``.
        name: As timm calls it, such as ``resnet34`` or ``vit_tiny_patch16_224``.
        pretrained: Fetch its published weights, which needs a network; never done silently.
        weights_file: Start from weights in this safetensors file instead.
        attention: Attention over channels, or channels and places, before the head's pooling.
        dropout: Share of pooled features left out in training.
        drop_path: Share of residual branches left out in training.
    """

    kind: Literal["backbone"] = "backbone"
    name: str
    pretrained: bool = False
    weights_file: str | None = None
    attention: Literal["none", "se", "cbam"] = "none"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.pretrained and self.weights_file:
            raise ValueError("give either pretrained or weights_file")
        return self


NetworkPlan = Annotated[
    ConvNetPlan | CnnPlan | MultiScalePlan | EquivariantPlan | BackbonePlan,
    Field(discriminator="kind"),
]


class SkyScalePlan(StretchPlan):
    """Each band against its own sky and noise, compressed; adds a plane of validity."""

    kind: Literal["sky"] = "sky"


class RangeScalePlan(Plan):
    """From one range of values, the same for all images and bands, to 0..1.

    Args:
        kind: Always ``range``.
        low: Becomes 0.
        high: Becomes 1.
    """

    kind: Literal["range"] = "range"
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _is_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self


class MinMaxScalePlan(Plan):
    """From the least and greatest value of each image to 0..1, then compressed.

    Args:
        kind: Always ``minmax``.
        per: Over all bands of an image, which keeps its colors, or each band by itself.
        compress: ``log`` is ``log(1 + 10 x) / log(11)``, ``asinh`` is ``asinh(10 x) / asinh(10)``.
    """

    kind: Literal["minmax"] = "minmax"
    per: Literal["image", "band"] = "image"
    compress: Literal["none", "sqrt", "log", "asinh"] = "none"


ScalePlan = Annotated[SkyScalePlan | RangeScalePlan | MinMaxScalePlan, Field(discriminator="kind")]


class PreparationPlan(Plan):
    """What happens to raw pixels before the first convolution, inside the network.

    Args:
        scale: From raw pixels to numbers of order 1; pixels without data become 0.
        crop: Take this many pixels a side about the center; None takes all.
        resize: Then interpolate to this many pixels a side; None leaves them.
        normalize: ``half`` takes 0..1 to -1..1; ``imagenet`` subtracts and divides by the mean and
            spread of ImageNet's colors, which backbones that were pretrained on it expect. Both
            are for pixels of 0..1, which ``sky`` does not give.
    """

    scale: ScalePlan = SkyScalePlan()
    crop: int | None = Field(default=None, ge=8)
    resize: int | None = Field(default=None, ge=16)
    normalize: Literal["none", "half", "imagenet"] = "none"

    @model_validator(mode="after")
    def _normalizes_a_range(self) -> Self:
        if self.normalize != "none" and isinstance(self.scale, SkyScalePlan):
            raise ValueError("normalize needs pixels of 0..1: set scale.kind to range or minmax")
        return self
