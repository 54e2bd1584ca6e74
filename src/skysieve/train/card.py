"""The model card of a finder: what it was made from, how good it is, what it cannot do."""

from __future__ import annotations

from skysieve.core.survey import survey
from skysieve.finder.card import FinderCard
from skysieve.recipe.training import Recipe
from skysieve.simulate.corpus import Corpus

_CARD = """\
# {name}

{description}.

| | |
|---|---|
| task | {task}: {classes} |
| bands, in order | {bands} |
| pixel scale | {scale} arcsec; {low} to {high} as they are, others are resampled |
| field | {min_side} to {max_side} pixels a side, all of it used; smaller is padded, larger cropped |
| pixels | linear flux in any unit, or display pictures (R, G, B taken as i, r, g) |
| license | {license} |

## Data

Only simulated images: {lenses} lenses and {nonlenses} other scenes (spirals, rings, companions,
pairs, edge-on disks, stars, plain galaxies), as the recipe beside this card describes them, seen by
a {survey} camera. Controls share their host, neighbors, seeing and noise with a lens; only the
lensing differs. A scene counts as a lens if its arcs have a signal to noise of at least
{min_snr:g}. No real image was used in training.

## Validation

On {rows} images of held-out simulated scenes, half of them lenses, in the precision that is
shipped. The non-lenses are the hard kinds above: figures on a real sky differ.

| stage | graph | passes on | validation AUC |
|---|---|---|---|
{stages}

The probabilities are calibrated on these rows, at a prior of {prior:.2f}: give `find --prior` the
lens rate of your survey. `recipe.toml` beside this card makes a finder like this one again, not
bit for bit on another processor:
`python -m skysieve.train {name} --out FOLDER`.

Figures on real images stand in the project's README, each beside the command that makes it.

## Limits

* Arcs blended with the light of their lens (Einstein radius below about 1 arcsec) are missed.
* Lensed quasars and red arcs are rare in the simulations, and so in what it finds.
* Face-on spirals with a red bulge, ring galaxies and blue companions are its false candidates.
* Display pictures are taken to be stretched about as those of Space Warps.
"""


def model_card(
    recipe: Recipe, corpus: Corpus, card: FinderCard, facts: list[dict[str, float]], rows: int
) -> str:
    """Return the model card as Markdown.

    Args:
        recipe: What made the finder.
        corpus: The scenes that were kept.
        card: What the runtime reads.
        facts: For each stage, its ``auc`` on the validation rows.
        rows: How many validation rows there are.
    """
    low, high = card.input.pixel_scale_range_arcsec
    lines = [
        f"| {k} | `{stage.file}` | "
        f"{'all scores' if stage.pass_logit is None else f'{stage.pass_fraction:.1%} of non-lenses'}"
        f" | {fact['auc']:.4f} |"
        for k, (stage, fact) in enumerate(zip(card.stages, facts, strict=True), start=1)
    ]
    return _CARD.format(
        name=card.name,
        description=recipe.description,
        task=card.task,
        classes=", ".join(card.classes),
        bands=", ".join(card.input.bands),
        scale=card.input.pixel_scale_arcsec,
        low=low,
        high=high,
        min_side=card.input.min_side,
        max_side=card.input.max_side,
        license=card.license,
        lenses=len(corpus.facts["lens"]),
        nonlenses=len(corpus.facts["nonlens"]),
        survey=survey(recipe.simulation.camera.survey).name.upper(),
        min_snr=recipe.simulation.lens.min_arc_snr,
        rows=rows,
        stages="\n".join(lines),
        prior=card.stages[-1].calibration.prior,
    )
