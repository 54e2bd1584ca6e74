"""From a finder and a few labeled images to a finder of such images, and how much better it is."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import expit
from sklearn.model_selection import StratifiedGroupKFold

from skysieve.core.errors import InputError, RecipeError
from skysieve.core.files import claim, whole_file, write_text
from skysieve.core.random import seed_of, stream
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.bundle import save
from skysieve.finder.calibration import FieldSize, Platt
from skysieve.finder.card import FinderCard, Stage
from skysieve.finder.cascade import Finder
from skysieve.finder.doubt import LEAST_ROWS, Conformal, fit_conformal
from skysieve.measure.finetune_figures import draw_learning_curve
from skysieve.measure.intervals import Measured
from skysieve.measure.metrics import measure_ranking
from skysieve.measure.paired import Difference, compare_auc
from skysieve.measure.plotting import save_figure
from skysieve.measure.rare import roc_auc
from skysieve.recipe.finetune import FinetuneRecipe
from skysieve.train.examples import LEAST, Examples, read_examples
from skysieve.train.finetune_card import finetune_card
from skysieve.train.tapping import Extension
from skysieve.train.weighing import recalibrate, weigh

RECIPE, METRICS, EXAMPLES, CURVE = "finetune.json", "metrics.json", "examples.csv", "learning.csv"
FIGURES, FINDER = "figures", "finder"
ASKED = ("roc_auc", "average_precision", "completeness_at_fpr_0.1")
_LEAST_TESTED = 5  # of each class, of a draw of the learning curve

LogOdds = Float64[np.ndarray, " n"]


class Point(NamedTuple):
    """A draw of the learning curve: so many images taught, all others were ranked.

    Args:
        taught: How many taught.
        draw: Which draw, from 0.
        before: AUC of the finder as it was.
        after: AUC of the finder that was fitted.
        tested: How many images were ranked.
    """

    taught: int
    draw: int
    before: float
    after: float
    tested: int


class Finetuned(NamedTuple):
    """What a fine-tuning made.

    Args:
        card: Of the finder.
        metrics: Value, low and high end by name, of rows that did not teach what ranked them.
        taught: How many images taught.
    """

    card: FinderCard
    metrics: dict[str, tuple[float, float, float]]
    taught: int


def finetune(
    recipe: FinetuneRecipe,
    base: Finder,
    data: Sequence[Path],
    folder: Path,
    *,
    labels: Path | None = None,
    watch: Watch = ignore,
) -> Finetuned:
    """Fit a finder to labeled images; its networks stay as they are.

    Args:
        recipe: How.
        base: The finder to start from, of two classes.
        data: Folders, globs or files of labeled images.
        folder: Takes the finder, figures, and what was measured.
        labels: A table with the columns ``id`` and ``label``; None takes the data's own.
        watch: Told how far it is.

    Raises:
        RecipeError: The finder cannot be fitted.
        InputError: Images or labels cannot teach.
        MismatchError: The folder holds a fine-tuning with other settings, images or finder, or a
            class is not the finder's.
    """
    if len(base.card.classes) != 2:
        raise RecipeError(
            f"The finder {base.card.name} tells {len(base.card.classes)} classes apart",
            "Start from one that tells two",
        )
    examples = read_examples(base, data, labels=labels, group=recipe.group, watch=watch)
    decided = recipe.model_dump(mode="json") | {
        "from": base.card.name, "from_sha256": base.sha256, "images_sha256": examples.sha256,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder / RECIPE, json.dumps(decided, indent=1) + "\n", holds="a fine-tuning")
    for k, note in enumerate(examples.notes):
        watch(Progress("noticed", k + 1, len(examples.notes), note))
    ranked = cross_validate(examples, recipe, watch=watch)
    curve = list(learning_curve(examples, recipe, watch=watch))
    measured = _measure(examples, ranked)
    _write(folder, examples, ranked, curve)
    drawn = {n: [(p.before, p.after) for p in curve if p.taught == n] for n in recipe.counts}
    drawn = {count: pairs for count, pairs in drawn.items() if pairs}
    single = [roc_auc(examples.positive.astype(np.int64), each) for each in ranked]
    readme = finetune_card(base.card, recipe, examples.positive, measured, drawn, single)
    card = _export(recipe, base, examples, ranked.mean(axis=0), folder, readme)
    told = {name: asdict(each) for name, each in measured.items()}
    facts = {"finder": card.name, "from": base.card.name, "n": len(examples)} | told
    facts["roc_auc of each cross-validation"] = single
    write_text(folder / METRICS, json.dumps(facts, indent=1) + "\n")
    (folder / FIGURES).mkdir(exist_ok=True)
    ends = len(examples), measured["roc_auc before"].value, measured["roc_auc"].value
    save_figure(draw_learning_curve(drawn, ends), folder / FIGURES / "learning")
    numbers = {name: (each.value, each.low, each.high) for name, each in measured.items()}
    return Finetuned(card=card, metrics=numbers, taught=len(examples))


def cross_validate(
    examples: Examples, recipe: FinetuneRecipe, *, watch: Watch = ignore
) -> Float64[np.ndarray, "repeat n"]:
    """Return log odds of all rows, each ranked by a finder that its group did not teach.

    Raises:
        InputError: There are too few groups to leave some out.
    """
    found = np.empty((recipe.repeats, len(examples)))
    for repeat in range(recipe.repeats):
        for taught, left in _folds(examples, recipe, seed_of(recipe.seed, "folds", repeat)):
            found[repeat, left] = _after(examples, taught, left, recipe)
        watch(Progress("cross-validating", repeat + 1, recipe.repeats))
    return found


def learning_curve(
    examples: Examples, recipe: FinetuneRecipe, *, watch: Watch = ignore
) -> Iterator[Point]:
    """Draw some images that teach, rank all others, and tell the AUC before and after.

    A draw has the classes in about their share, two of each at least; counts that leave fewer than
    five of a class to be ranked are left out.
    """
    share = examples.positive.mean()
    for place, count in enumerate(recipe.counts):
        wanted = int(np.clip(round(share * count), LEAST, count - LEAST))
        for draw in range(recipe.repeats):
            rng = stream(recipe.seed, f"learning curve of {count}", draw)
            taught = _some(examples, wanted, count - wanted, rng)
            left = np.flatnonzero(~np.isin(examples.groups, examples.groups[taught]))
            truth = examples.positive[left]
            if len(taught) < count or min(truth.sum(), (~truth).sum()) < _LEAST_TESTED:
                break
            after = _after(examples, taught, left, recipe)
            yield Point(
                taught=count,
                draw=draw,
                before=roc_auc(truth.astype(np.int64), examples.log_odds[left]),
                after=roc_auc(truth.astype(np.int64), after),
                tested=len(left),
            )
        watch(Progress("learning curve", place + 1, len(recipe.counts)))


def _some(
    examples: Examples, positives: int, negatives: int, rng: np.random.Generator
) -> Int64[np.ndarray, " _"]:
    order = rng.permutation(len(examples))
    mine = examples.positive[order]
    return np.sort(np.concatenate([order[mine][:positives], order[~mine][:negatives]]))


def _folds(
    examples: Examples, recipe: FinetuneRecipe, seed: int
) -> Iterator[tuple[Int64[np.ndarray, " a"], Int64[np.ndarray, " b"]]]:
    truth = examples.positive.astype(np.int64)
    rarest = min(len(np.unique(examples.groups[truth == k])) for k in (0, 1))
    if rarest < LEAST:
        raise InputError(
            "All images of a class belong to one group", "Give images of two objects or more"
        )
    splitter = StratifiedGroupKFold(
        min(recipe.folds, rarest), shuffle=True, random_state=seed % 2**32
    )
    yield from splitter.split(truth, truth, examples.groups)


def _after(
    examples: Examples,
    taught: Int64[np.ndarray, " a"],
    left: Int64[np.ndarray, " b"],
    recipe: FinetuneRecipe,
) -> Float64[np.ndarray, " b"]:
    learned = weigh(
        examples.features[taught], examples.log_odds[taught], examples.positive[taught], recipe
    )
    return learned(examples.features[left], examples.log_odds[left])


def _measure(
    examples: Examples, ranked: Float64[np.ndarray, "repeat n"]
) -> dict[str, Measured | Difference]:
    """Return figures of what cross-validations said on average, and of the finder as it was."""
    truth = examples.positive.astype(np.int64)
    after = ranked.mean(axis=0)
    found: dict[str, Measured | Difference] = {}
    for name, log_odds in (("", after), (" before", examples.log_odds)):
        rows = {row.key: row.measured for row in measure_ranking(truth, expit(log_odds)).rows}
        found |= {f"{key}{name}": rows[key] for key in ASKED if key in rows}
    found["roc_auc gained"] = compare_auc(truth, examples.log_odds, after)
    return found


def _write(
    folder: Path, examples: Examples, ranked: Float64[np.ndarray, "repeat n"], curve: list[Point]
) -> None:
    """Write what was said of each labeled image, and the draws of the learning curve."""
    with (
        whole_file(folder / EXAMPLES) as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(["id", "positive", "group", "log_odds_before", "log_odds_cross_validated"])
        table.writerows(
            zip(examples.ids, examples.positive.astype(int), examples.groups,
                examples.log_odds.round(5), ranked.mean(axis=0).round(5), strict=True)
        )  # fmt: skip
    with whole_file(folder / CURVE) as path, path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(Point._fields)
        table.writerows(curve)


def _export(
    recipe: FinetuneRecipe,
    base: Finder,
    examples: Examples,
    said: LogOdds,
    folder: Path,
    readme: str,
) -> FinderCard:
    """Write the bundle: fitted to all images, its probabilities to those that did not teach them."""
    card, positive = base.card, base.card.positive_index
    prior = float(examples.positive.mean())
    *before, last = card.stages
    stages: list[Stage] = []
    files: dict[str, bytes | Path] = {
        name: base.folder / name for name in card.files if name != "README.md"
    }
    files |= {"README.md": readme.encode(), RECIPE: folder / RECIPE}
    passes, p = np.ones(len(examples), bool), np.empty(len(examples))
    for k, stage in enumerate(before):
        margins = examples.margins[:, k]
        slope, offset = recalibrate(margins, examples.positive, recipe)
        calibration = Platt(slope=slope, offset=offset, prior=prior)
        p[passes] = calibration(margins[passes])
        wanted = float(
            np.quantile(margins[passes & examples.positive], recipe.lost, method="lower")
        )
        limit = min(wanted, stage.pass_logit if stage.pass_logit is not None else wanted)
        passes &= margins >= limit
        others = passes[~examples.positive].mean()
        update = {"pass_logit": limit, "pass_fraction": float(others), "calibration": calibration}
        stages.append(stage.model_copy(update=update))
    slope, offset = recalibrate(said, examples.positive, recipe)
    p[passes] = Platt(slope=slope, offset=offset, prior=prior)(said[passes])
    stages.append(_weighed(recipe, base, examples, (slope, offset, prior), folder / last.file))
    files[last.file] = folder / last.file
    made = card.model_copy(
        update={
            "name": f"{card.name}-finetuned",
            "stages": tuple(stages),
            "conformal": _conformal(p, examples, positive),
        }
    )
    return save(folder / FINDER, made, files).card


def _weighed(
    recipe: FinetuneRecipe,
    base: Finder,
    examples: Examples,
    line: tuple[float, float, float],
    graph: Path,
) -> Stage:
    """Write the graph of the last stage with what it weighs anew, and return the stage."""
    last = base.card.stages[-1]
    learned = weigh(examples.features, examples.log_odds, examples.positive, recipe)
    own = learned.slope * examples.line[0]
    extension = Extension(base.folder / last.file)
    extension.reweigh(own, learned.weights, base.card.positive_index)
    extension.save(graph)
    slope, added, prior = line
    constant = learned.slope * examples.line[1] + learned.offset
    return last.model_copy(
        update={
            "calibration": Platt(slope=slope, offset=slope * constant + added, prior=prior),
            "field_size": FieldSize(
                reference_side=last.field_size.reference_side,
                margin_per_doubling=own * last.field_size.margin_per_doubling,
            ),
        }
    )


def _conformal(p: Float64[np.ndarray, " n"], examples: Examples, positive: int) -> Conformal | None:
    if len(p) < LEAST_ROWS:
        return None
    truth = np.where(examples.positive, positive, 1 - positive)
    return fit_conformal(np.column_stack([p, 1 - p] if positive == 0 else [1 - p, p]), truth)
