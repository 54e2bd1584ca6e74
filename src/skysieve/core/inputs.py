"""What a finder wants of an image."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

InputKind = Literal["flux", "display", "either"]


class InputSpec(BaseModel):
    """What a finder wants of an image; readers fit each cutout to it and say what they did.

    Args:
        bands: Names in the order of the network's channels.
        kind: Linear flux, display pictures, or either.
        pixel_scale_arcsec: The pixel size the finder was trained at.
        pixel_scale_range_arcsec: Sizes it was trained to bear; outside, a cutout is resampled.
        min_side: Fewest pixels a side; a smaller cutout is padded with NaN.
        max_side: Most pixels a side; a larger cutout is cropped about its center.
        side_step: A side is padded up to a multiple of this, so that few shapes are compiled.
        min_valid_fraction: A band with fewer valid pixels in its central half cannot be scored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: tuple[str, ...] = Field(min_length=1)
    kind: InputKind
    pixel_scale_arcsec: float = Field(gt=0)
    pixel_scale_range_arcsec: tuple[float, float]
    min_side: int = Field(ge=8)
    max_side: int = Field(ge=8, le=4096)
    side_step: int = Field(default=16, ge=1)
    min_valid_fraction: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.pixel_scale_range_arcsec
        if not low <= self.pixel_scale_arcsec <= high:
            raise ValueError("pixel_scale_arcsec lies outside pixel_scale_range_arcsec")
        if self.min_side > self.max_side:
            raise ValueError("min_side is larger than max_side")
        if self.min_side % self.side_step or self.max_side % self.side_step:
            raise ValueError("min_side and max_side must be multiples of side_step")
        return self

    def side(self, height: int, width: int) -> int:
        """Return the side of the square that a cutout of this size is fitted to, in pixels."""
        longest = max(height, width, self.min_side)
        return min(-(-longest // self.side_step) * self.side_step, self.max_side)
