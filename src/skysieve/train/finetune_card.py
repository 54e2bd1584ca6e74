"""The model card of a fine-tuned finder: what it started from, what taught it, what it gained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from skysieve.finder.card import FinderCard
from skysieve.measure.intervals import Measured
from skysieve.measure.paired import Difference
from skysieve.measure.plotting import told
from skysieve.recipe.finetune import FinetuneRecipe

_CARD = """\
# {name}-finetuned

The finder {name} {version}, fitted to {count:,} labeled images of its user ({positives:,} of class `{positive}`): its networks
are the same, what they see is weighed anew.

## What it gained

Each image was ranked by finders that neither it nor any image of its group had taught: the mean log odds of {repeats}
{folds}-fold cross-validations (seed {seed}; 95 % intervals). A single one has an AUC of {single:.3f} on average, give or take {spread:.3f}.

| | as it was | fine-tuned |
|---|---|---|
{rows}

AUC gained: {gained:+.3f} ({low:+.3f} to {high:+.3f}, DeLong).

| images that teach | draws | AUC as it was | AUC fine-tuned |
|---|---|---|---|
{curve}

## Limits

* It knows images like those that taught it; their labels are taken as true.
* Its probabilities are those of a sample in which {prior:.3f} are of class `{positive}`: give `find --prior` the rate of your
  survey.
* Sets of classes (`find --confidence`) rest on the same cross-validation: they hold the true class about as often as
  asked, without the guarantee of images kept apart.
* What the coarser meshes lose is lost: they let through all but a share of {lost:g} of the labeled `{positive}`.

`finetune.json` beside this card is the whole recipe.
"""


def finetune_card(
    base: FinderCard,
    recipe: FinetuneRecipe,
    positive: Bool[np.ndarray, " n"],
    measured: Mapping[str, Measured | Difference],
    drawn: Mapping[int, Sequence[tuple[float, float]]],
    single: Sequence[float],
) -> str:
    """Return the model card as Markdown.

    Args:
        base: Of the finder it started from.
        recipe: How it was fitted.
        positive: Which labeled images are of the class that is looked for.
        measured: Figures by name, those of the finder as it was with `` before`` behind it.
        drawn: AUC before and after of each draw, by how many images taught.
        single: AUC of each cross-validation.
    """
    gained = measured["roc_auc gained"]
    rows = [
        f"| {name} | {told(before)} | {told(after)} |"
        for name, after in measured.items()
        if isinstance(after, Measured)
        and isinstance(before := measured.get(f"{name} before"), Measured)
    ]
    curve = [
        f"| {count} | {len(pairs)} | {' | '.join(f'{value:.3f}' for value in np.mean(pairs, axis=0))} |"
        for count, pairs in drawn.items()
    ]
    return _CARD.format(
        name=base.name,
        version=base.version,
        count=len(positive),
        positives=int(positive.sum()),
        positive=base.positive,
        folds=recipe.folds,
        repeats=recipe.repeats,
        single=float(np.mean(single)),
        spread=float(np.std(single)),
        seed=recipe.seed,
        rows="\n".join(rows),
        gained=gained.value,
        low=gained.low,
        high=gained.high,
        curve="\n".join(curve),
        prior=float(positive.mean()),
        lost=recipe.lost,
    )
