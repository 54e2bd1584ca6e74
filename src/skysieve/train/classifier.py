"""From labeled images and a recipe to a finder: split, learn, weigh, distill, calibrate, export."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from skysieve.core.errors import RecipeError
from skysieve.core.files import claim, write_text
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.bundle import save
from skysieve.finder.card import FinderCard, Stage
from skysieve.finder.doubt import LEAST_ROWS, fit_strangeness
from skysieve.networks.build import Ensemble, multiply_adds
from skysieve.networks.classifier import plain
from skysieve.recipe.classifier import ClassifierRecipe, MemberPlan
from skysieve.train.calibrate import Rescaled, calibrate, member_weights
from skysieve.train.classifier_card import classifier_card
from skysieve.train.doubting import conformal_of, give_doubt, usual_rows
from skysieve.train.export import to_onnx, weights
from skysieve.train.labeled import LabeledImages, read_labeled
from skysieve.train.learn import Learned, learn
from skysieve.train.scoring import logits_of, numbers_of, score_network
from skysieve.train.splits import Splits, settle_splits

RECIPE, SPLITS, FINDER = "recipe.json", "splits.csv", "finder"
ALONE = MemberPlan(name="network")
"""The one network of a recipe without members."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Taught:
    """A finder with what it was made from.

    Args:
        card: Of the bundle.
        images: What taught and will test it.
        splits: Which rows did what.
    """

    card: FinderCard
    images: LabeledImages
    splits: Splits


@dataclass(frozen=True, eq=False, kw_only=True)
class Mesh:
    """A network that is to become a stage.

    Args:
        network: From raw pixels to logits.
        members: What it is made of.
        plans: How they were made.
        pass_fraction: Share of the calibration negatives that it passes on; None for the last.
        shares: Of the members in its logits, summing to 1.
    """

    network: nn.Module
    members: tuple[nn.Module, ...]
    plans: tuple[MemberPlan, ...]
    pass_fraction: float | None = None
    shares: tuple[float, ...] = (1.0,)


def train_classifier(
    recipe: ClassifierRecipe,
    data: Sequence[Path],
    folder: Path,
    *,
    labels: Path | None = None,
    devices: int = 1,
    watch: Watch = ignore,
) -> Taught:
    """Make the finder that a recipe describes from labeled images; killed, the same call goes on.

    Only training rows teach; epochs and the members' weights are chosen on validation rows;
    probabilities and thresholds are fitted to calibration rows. Test rows are not looked at.

    Args:
        recipe: What to make.
        data: Folders or files of images.
        folder: Takes ``recipe.json``, ``splits.csv``, a folder for each network and ``finder/``.
        labels: A table that says the class of each image; None takes the data's own.
        devices: GPUs, where there are any.
        watch: Told how far it is.

    Raises:
        InputError: The images or labels cannot teach.
        MismatchError: The folder holds a training of another recipe or other images.
        RecipeError: A setting does not fit the images.
    """
    decided = recipe.model_dump_json(indent=1) + "\n"
    if (folder / RECIPE).exists():
        claim(folder / RECIPE, decided, holds="a training")
    images = read_labeled(
        data, recipe.data, folder / "data", classes=recipe.classes, task=recipe.task,
        labels=labels, positive=recipe.positive, watch=watch,
    )  # fmt: skip
    claim(folder / RECIPE, decided, holds="a training")  # not before the images are known to teach
    splits = settle_splits(images, recipe.data, folder / SPLITS)
    meshes = _meshes(recipe, images, splits, folder, devices, watch)
    card = _export(recipe, images, splits, meshes, folder, watch)
    return Taught(card=card, images=images, splits=splits)


def positive_of(recipe: ClassifierRecipe, classes: tuple[str, ...]) -> str:
    """Return the class that is looked for.

    Raises:
        RecipeError: The recipe names one that the images do not have.
    """
    if recipe.positive is None:
        return next((name for name in ("lens", "sphere") if name in classes), classes[-1])
    if recipe.positive not in classes:
        raise RecipeError(
            f"positive = {recipe.positive!r} is no class of these images",
            f"Their classes are {', '.join(classes)}: --set positive=NAME",
        )
    return recipe.positive


def _meshes(
    recipe: ClassifierRecipe,
    images: LabeledImages,
    splits: Splits,
    folder: Path,
    devices: int,
    watch: Watch,
) -> list[Mesh]:
    """Let all networks learn, and return the stages from the coarsest to the finest."""
    plans = tuple(recipe.member(plan) for plan in recipe.members or (ALONE,))
    learned: list[Learned] = []
    for k, plan in enumerate(plans, start=1):
        watch(Progress("member", k, len(plans), plan.name))
        learned.append(
            learn(
                plan, images, splits, folder / "members" / plan.name, devices=devices, watch=watch
            )
        )
    shares = np.full(len(plans), 1 / len(plans))
    if recipe.weighting == "validation" and len(plans) > 1:
        said = np.stack([each.validation_logits for each in learned]).astype(np.float64)
        shares = member_weights(said, images.labels[splits.validation])
    facts = {plan.name: float(share) for plan, share in zip(plans, shares, strict=True)}
    write_text(folder / "weights.json", json.dumps(facts, indent=1) + "\n")
    members = tuple(each.network for each in learned)
    finest = Mesh(
        network=Ensemble(
            list(members), symmetric=recipe.symmetric,
            weights=None if len(members) == 1 else shares.tolist(),
        ).eval(),
        members=members,
        plans=plans,
        shares=tuple(shares.tolist()),
    )  # fmt: skip
    if recipe.distill is None:
        return [finest]
    teacher = score_network(finest.network, images, splits.train, watch=watch)
    student = recipe.member(MemberPlan(name="student", network=recipe.distill.network))
    if recipe.distill.learn is not None:
        student = student.model_copy(update={"learn": recipe.distill.learn})
    taught = learn(
        student, images, splits, folder / "members" / student.name, teacher=teacher,
        distill=recipe.distill, devices=devices, watch=watch,
    )  # fmt: skip
    coarse = Mesh(
        network=Ensemble([taught.network], symmetric=False).eval(),
        members=(taught.network,),
        plans=(student,),
        pass_fraction=recipe.distill.pass_fraction,
    )
    return [coarse, finest]


def _export(
    recipe: ClassifierRecipe,
    images: LabeledImages,
    splits: Splits,
    meshes: list[Mesh],
    folder: Path,
    watch: Watch,
) -> FinderCard:
    """Write the bundle and return its card."""
    bands, side = images.pixels.shape[1:3]
    positive = positive_of(recipe, images.classes)
    files: dict[str, bytes | Path] = {"recipe.json": folder / RECIPE}
    stages: list[Stage] = []
    costs: list[int] = []
    for k, mesh in enumerate(meshes, start=1):
        costs.append(multiply_adds(plain(mesh.network), bands=bands, side=side))
        graph = folder / f"stage-{k}.onnx"
        to_onnx(mesh.network, graph, bands=bands, side=side)
        said = logits_of(graph, images, splits.calibration)
        truth = images.labels[splits.calibration]
        fitted = calibrate(
            said,
            truth,
            images.classes.index(positive),
            mesh.pass_fraction,
            recipe.calibration,
        )
        if fitted.scale is not None:
            rescaled = Rescaled(mesh.network, *fitted.scale).eval()
            to_onnx(rescaled, graph, bands=bands, side=side)
        stage = Stage(
            file=graph.name,
            calibration=fitted.calibration,
            pass_logit=fitted.pass_logit,
            pass_fraction=fitted.pass_fraction,
        )
        try:
            stage = _doubting(stage, graph, mesh, images, splits, images.classes.index(positive))
        except RecipeError as why:  # hours of fitting are not lost for it
            watch(Progress("noticed", k, len(meshes), f"{why.what}: no column says how strange"))
        stages.append(stage)
        files[graph.name] = graph
        for network in mesh.members:
            files[f"weights-{len(files)}.safetensors"] = weights(network)
        watch(Progress("exported", k, len(meshes)))
    card = FinderCard(
        name=recipe.name,
        version="1",
        task=recipe.task,
        classes=images.classes,
        positive=positive,
        input=images.spec,
        stages=tuple(stages),
        license="MIT",
    )
    files["README.md"] = classifier_card(recipe, images, splits, card, costs).encode()
    finder = save(folder / FINDER, card, files)
    rows, step = splits.calibration, finder.chunk_rows
    batches = (np.array(images.pixels[rows[k : k + step]]) for k in range(0, len(rows), step))
    kept = conformal_of(finder, batches, images.labels[rows])
    return save(folder / FINDER, card.model_copy(update={"conformal": kept}), files).card


def _doubting(
    stage: Stage, graph: Path, mesh: Mesh, images: LabeledImages, splits: Splits, positive: int
) -> Stage:
    """Let a stage's graph also say how sure it is, and return the stage with what this means."""
    rows = usual_rows(splits.train)
    given = give_doubt(
        graph,
        lambda path, extras: numbers_of(path, images, rows, extras),
        images.labels[rows],
        classes=len(images.classes),
        positive=positive,
        shares=mesh.shares,
    )
    stage = stage.model_copy(update={"spread": "spread" in given})
    if "strangeness" not in given or len(splits.calibration) < LEAST_ROWS:
        return stage
    numbers = numbers_of(graph, images, splits.calibration, ("strangeness",))
    return stage.model_copy(update={"strangeness": fit_strangeness(numbers[:, -1])})
