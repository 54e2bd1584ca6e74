"""From a recipe to a finder bundle: simulate, fit, quantize, calibrate, save."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn

from skysieve.core.errors import RecipeError
from skysieve.core.inputs import InputSpec
from skysieve.core.random import seed_of
from skysieve.core.survey import survey
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.bundle import save
from skysieve.finder.calibration import FieldSize, Platt, margin
from skysieve.finder.card import FinderCard, Stage
from skysieve.finder.runtime import Network, cpu_precision, cpu_threads
from skysieve.networks.build import Ensemble
from skysieve.recipe.networks import ConvNetPlan
from skysieve.recipe.training import Recipe
from skysieve.simulate.corpus import Corpus, simulate
from skysieve.train.card import model_card
from skysieve.train.data import Mixer
from skysieve.train.export import SIDE_STEP, to_int8, to_onnx, weights
from skysieve.train.loop import fit_network

CLASSES = ("nonlens", "lens")
CALIBRATION_BATCHES, CALIBRATION_FIRST = 48, 1_000_000
"""Batches of validation scenes, numbered apart from those that fitting looked at."""
QUANTIZATION_BATCHES = 12
SCALE_RANGE = (0.75, 1.5)
"""Pixel sizes borne without resampling, over the size of training."""


@dataclass(frozen=True, eq=False)
class Held:
    """Validation images that no fit has looked at.

    Args:
        batches: Raw pixels and labels; a batch has one side.
    """

    batches: list[tuple[Float32[np.ndarray, "_ band _ _"], Int64[np.ndarray, " _"]]]

    @property
    def labels(self) -> Int64[np.ndarray, " m"]:
        """All labels, in order."""
        return np.concatenate([labels for _, labels in self.batches])

    @property
    def sides(self) -> Int64[np.ndarray, " m"]:
        """Pixels a side of each image, in order."""
        return np.concatenate(
            [np.full(len(labels), pixels.shape[-1]) for pixels, labels in self.batches]
        )


def train_finder(
    recipe: Recipe, folder: Path, *, recipe_toml: str, watch: Watch = ignore
) -> FinderCard:
    """Make the finder that a recipe describes; killed, the same call goes on.

    Args:
        recipe: What to make.
        folder: Takes ``scenes/``, a folder for each network and the bundle ``finder/``.
        recipe_toml: The recipe as text, kept in the bundle.
        watch: Told how far it is.
    """
    corpus = simulate(recipe.simulation, folder / "scenes", watch=watch)
    files: dict[str, bytes | Path] = {"recipe.toml": recipe_toml.encode()}
    held = hold_out(recipe, corpus)
    stages: list[Stage] = []
    facts: list[dict[str, float]] = []
    fitted = _fit_all(recipe, corpus, folder, watch)
    for network in itertools.chain.from_iterable(fitted.values()):
        files[f"weights-{len(files)}.safetensors"] = weights(network)
    for k, plan in enumerate(recipe.stages, start=1):
        members = fitted[plan.network or recipe.network][: plan.members]
        network = Ensemble(members, symmetric=plan.symmetric).eval()
        graph = folder / f"stage-{k}.onnx"
        to_onnx(network, graph, bands=len(corpus.plan.camera.bands))
        if plan.int8:
            watch(Progress("quantizing", k, len(recipe.stages)))
            to_int8(graph, [pixels[:16] for pixels, _ in held.batches[:QUANTIZATION_BATCHES]])
        margins = margins_of(graph, held, bands=len(corpus.plan.camera.bands))
        last = k == len(recipe.stages)
        stage, evened = _stage(graph.name, margins, held, None if last else recipe.pass_fraction)
        stages.append(stage)
        facts.append({"auc": float(roc_auc_score(held.labels, evened))})
        files[graph.name] = graph
        watch(Progress("exported", k, len(recipe.stages), f"validation AUC {facts[-1]['auc']:.4f}"))
    card = _card(recipe, corpus, tuple(stages))
    files["README.md"] = model_card(recipe, corpus, card, facts, len(held.labels)).encode()
    return save(folder / "finder", card, files).card


def hold_out(recipe: Recipe, corpus: Corpus) -> Held:
    """Return the validation images that calibrate the finder."""
    mixer = Mixer(corpus, recipe.mix, held_out=True, seed=recipe.simulation.seed)
    return Held([mixer.batch(CALIBRATION_FIRST + k, 64) for k in range(CALIBRATION_BATCHES)])


def margins_of(graph: Path, held: Held, *, bands: int) -> Float64[np.ndarray, " m"]:
    """Return the margins that an exported graph gives, by the runtime that will find with it."""
    network = Network(
        graph.read_bytes(),
        name=graph.name,
        bands=bands,
        classes=len(CLASSES),
        batch=8,
        precision=cpu_precision(),
        threads=cpu_threads(),
    )
    with ThreadPoolExecutor(cpu_threads()) as pool:
        logits = np.concatenate(list(pool.map(network, (pixels for pixels, _ in held.batches))))
    return margin(logits.astype(np.float64), CLASSES.index("lens"))


def _fit_all(
    recipe: Recipe, corpus: Corpus, folder: Path, watch: Watch
) -> dict[ConvNetPlan, list[nn.Module]]:
    """Fit as many networks of each architecture as the stages need, the coarsest first."""
    counts: dict[ConvNetPlan, int] = {}
    for stage in recipe.stages:
        plan = stage.network or recipe.network
        counts[plan] = max(counts.get(plan, 0), stage.members)
    return {
        plan: [
            fit_network(
                recipe,
                plan,
                corpus,
                folder / f"network-{k}-{m}",
                seed=seed_of(recipe.fit.seed, f"network-{k}", m) % 2**31,
                watch=watch,
            ).network
            for m in range(1, count + 1)
        ]
        for k, (plan, count) in enumerate(counts.items(), start=1)
    }


def _stage(
    file: str,
    margins: Float64[np.ndarray, " m"],
    held: Held,
    pass_fraction: float | None,
) -> tuple[Stage, Float64[np.ndarray, " m"]]:
    """Return a calibrated stage, and the margins evened out over field sizes."""
    labels, sides = held.labels, held.sides
    reference = int(sides.min())
    doublings = np.log2(sides / reference)
    line = LogisticRegression(C=np.inf).fit(np.stack([margins, doublings], 1), labels)
    slope, per_doubling = line.coef_[0]
    if slope <= 0:
        raise RecipeError(
            f"{file} ranks validation lenses no higher than non-lenses", "Fit it longer"
        )
    field_size = FieldSize(
        reference_side=reference, margin_per_doubling=float(per_doubling / slope)
    )
    evened = margins + field_size.margin_per_doubling * doublings
    platt = Platt(slope=float(slope), offset=float(line.intercept_[0]), prior=float(labels.mean()))
    if pass_fraction is None:
        return Stage(file=file, field_size=field_size, calibration=platt), evened
    nonlenses = evened[labels == 0]
    threshold = float(np.quantile(nonlenses, 1 - pass_fraction))
    stage = Stage(
        file=file,
        field_size=field_size,
        calibration=platt,
        pass_logit=threshold,
        pass_fraction=float((nonlenses >= threshold).mean()),
    )
    return stage, evened


def _card(recipe: Recipe, corpus: Corpus, stages: tuple[Stage, ...]) -> FinderCard:
    camera = corpus.plan.camera
    scale = survey(camera.survey).pixel_scale_arcsec
    spec = InputSpec(
        bands=camera.bands,
        kind="either",
        pixel_scale_arcsec=scale,
        pixel_scale_range_arcsec=(round(scale * SCALE_RANGE[0], 3), round(scale * SCALE_RANGE[1], 3)),
        min_side=min(recipe.mix.sides),
        max_side=corpus.plan.camera.side,
        side_step=SIDE_STEP,
    )  # fmt: skip
    return FinderCard(
        name=recipe.name,
        version="1",
        task="lens",
        classes=CLASSES,
        positive="lens",
        input=spec,
        stages=stages,
        license="MIT",
    )
