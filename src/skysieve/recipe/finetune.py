"""Recipes that weigh anew what a finder's networks see, by a few labeled images."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from skysieve.recipe.simulation import Plan


class FinetuneRecipe(Plan):
    """How a finder is fitted to images of one's own.

    The networks stay as they are. The log odds of the finder become
    ``slope * log odds + offset + weights . features``, where the features are what the last layers of
    its finest networks are given. Before any image is seen, the slope is 1, the offset 0 and the weights
    0, each give or take what stands here.

    Args:
        kind: What makes this recipe one of this kind.
        name: Of the recipe.
        description: In a sentence.
        widths: How far all features together may move the log odds of an image, as the standard
            deviation of the prior; the evidence of the labeled images decides between these.
        slope_width: Standard deviation of the prior of the slope about 1.
        offset_width: Standard deviation of the prior of the offset about 0.
        lost: The share of the labeled positives that a coarser mesh may lose, in [0, 1).
        folds: Of the cross-validation.
        repeats: How often the cross-validation, and each point of the learning curve, is drawn.
        counts: Numbers of labeled images of which the learning curve tells.
        group: Column of the labels that names object, host or tile; None takes the usual ones.
        seed: Decides the draws.
    """

    kind: Literal["finetune"]
    name: str
    description: str
    widths: tuple[float, ...] = Field(default=(0.1, 0.3, 1.0, 3.0), min_length=1)
    slope_width: float = Field(default=0.5, gt=0)
    offset_width: float = Field(default=3.0, gt=0)
    lost: float = Field(default=0.05, ge=0, lt=1)
    folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=20, ge=1, le=1000)
    counts: tuple[int, ...] = (10, 30, 100)
    group: str | None = None
    seed: int = 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if min(self.widths) <= 0:
            raise ValueError("widths must be above 0")
        if min(self.counts, default=4) < 4:
            raise ValueError("counts must be 4 or more: two images of each class")
        return self
