"""The model card of a classifier: what taught it, how it was chosen, what it cannot know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skysieve.finder.card import FinderCard
from skysieve.recipe.classifier import ClassifierRecipe
from skysieve.train.labeled import LabeledImages
from skysieve.train.splits import Splits

_CARD = """\
# {name}

{description}.

| | |
|---|---|
| task | {task}: {classes}; `{positive}` is looked for |
| bands, in order | {bands} |
| field | {side} pixels a side |
| pixel scale | {scale:g} arcsec{assumed} |
| networks | {networks} |
| multiply-adds of an image | {costs} |
| license | {license} |

## Data

{rows} labeled images, split by object (SHA-256 of the split {splits}):

| | {class_heads} |
|---|{class_lines}
{counts}

Training rows teach; validation rows choose the epoch{weighting}; calibration rows fit the probabilities{thresholds},
at a prior of {prior:.4f}: give `find --prior` the rate of your survey. Test rows did none of these.

How good it is stands in `metrics.json` of the training's folder and in what `skysieve evaluate` prints. It knows
images like those that taught it: another survey, seeing or selection wants its own figures.

`recipe.json` beside this card is the whole recipe; `skysieve train` with it and the same images makes a finder like this
one again.
"""


def classifier_card(
    recipe: ClassifierRecipe,
    images: LabeledImages,
    splits: Splits,
    card: FinderCard,
    multiply_adds: Sequence[int],
) -> str:
    """Return the model card as Markdown.

    Args:
        recipe: What made the finder.
        images: What taught it.
        splits: Which rows did what.
        card: What the runtime reads.
        multiply_adds: Of one image, by stage.
    """
    parts = {
        "training": splits.train,
        "validation": splits.validation,
        "calibration": splits.calibration,
        "test": splits.test,
    }
    counts = [
        f"| {name} | "
        + " | ".join(
            f"{count:,}" for count in np.bincount(images.labels[rows], minlength=len(card.classes))
        )
        + " |"
        for name, rows in parts.items()
    ]
    members = len(recipe.members) or 1
    networks = f"{members} of kind {recipe.network.kind}" if members == 1 else f"{members} members"
    if recipe.distill is not None:
        networks = f"a distilled {recipe.distill.network.kind} before {networks}"
    spec = card.input
    low, high = spec.pixel_scale_range_arcsec
    return _CARD.format(
        name=card.name,
        description=recipe.description,
        task=card.task,
        classes=", ".join(card.classes),
        positive=card.positive,
        bands=", ".join(spec.bands),
        side=spec.max_side,
        scale=spec.pixel_scale_arcsec,
        assumed=f"; {low:g} to {high:g} as they are",
        networks=networks,
        costs=", then ".join(f"{cost / 1e6:,.1f} million" for cost in multiply_adds),
        license=card.license,
        rows=f"{len(images.ids):,}",
        splits=splits.sha256[:16],
        class_heads=" | ".join(card.classes) + " |",
        class_lines="---|" * len(card.classes),
        counts="\n".join(counts),
        weighting=" and the members' weights" if recipe.weighting == "validation" else "",
        thresholds=" and what passes to the next stage" if recipe.distill is not None else "",
        prior=card.stages[-1].calibration.prior,
    )
