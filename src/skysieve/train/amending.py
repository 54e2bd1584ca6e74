"""Letting a finder of simulated scenes say how sure it is, after it was made; its scores stay."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copyfile

import numpy as np
from jaxtyping import Float32, Float64

from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.bundle import load, save
from skysieve.finder.card import FinderCard, Stage
from skysieve.finder.doubt import fit_strangeness
from skysieve.finder.runtime import Network, cpu_precision, cpu_threads
from skysieve.recipe.training import Recipe
from skysieve.simulate.corpus import simulate
from skysieve.train.data import Mixer
from skysieve.train.doubting import STUDIED_ROWS, conformal_of, give_doubt
from skysieve.train.finder import Held, hold_out

BATCH = 64


def add_doubt(recipe: Recipe, bundle: Path, folder: Path, *, watch: Watch = ignore) -> FinderCard:
    """Write a bundle that says of doubt what a finder of its recipe can, with the same scores.

    Training scenes tell what features are usual; the validation images that calibrated the finder
    tell how strange a cutout may look and which classes it may have. Killed, the same call goes on.

    Args:
        recipe: What made the finder.
        bundle: Its folder.
        folder: Takes ``scenes/``, unless it holds those of the recipe, and the bundle ``finder/``.
        watch: Told how far it is.
    """
    finder = load(bundle)
    card = finder.card
    corpus = simulate(recipe.simulation, folder / "scenes", watch=watch)
    mixer = Mixer(corpus, recipe.mix, held_out=False, seed=recipe.simulation.seed)
    usual = Held([mixer.batch(k, BATCH) for k in range(-(-STUDIED_ROWS // BATCH))])
    held = hold_out(recipe, corpus)
    files: dict[str, bytes | Path] = {name: finder.folder / name for name in card.files}
    stages: list[Stage] = []
    for k, stage in enumerate(card.stages, start=1):
        graph = folder / stage.file
        copyfile(finder.folder / stage.file, graph)
        given = give_doubt(
            graph,
            lambda path, extras: _numbers(path, usual, card, extras),
            usual.labels,
            classes=len(card.classes),
            positive=card.positive_index,
        )
        found = _numbers(graph, held, card, ("strangeness",))[:, -1]
        update = {"spread": "spread" in given, "strangeness": fit_strangeness(found)}
        stages.append(stage.model_copy(update=update))
        files[stage.file] = graph
        watch(Progress("stages that say how sure they are", k, len(card.stages)))
    amended = card.model_copy(update={"stages": tuple(stages)})
    made = save(folder / "finder", amended, files)
    kept = conformal_of(made, _pixels(held), held.labels)
    return save(folder / "finder", amended.model_copy(update={"conformal": kept}), files).card


def _pixels(held: Held) -> Sequence[Float32[np.ndarray, "_ band _ _"]]:
    return [pixels for pixels, _ in held.batches]


def _numbers(
    graph: Path, held: Held, card: FinderCard, extras: tuple[str, ...]
) -> Float64[np.ndarray, "m number"]:
    network = Network(
        graph.read_bytes(),
        name=graph.name,
        bands=len(card.input.bands),
        classes=len(card.classes),
        batch=8,
        precision=cpu_precision(),
        threads=cpu_threads(),
        extras=extras,
    )
    with ThreadPoolExecutor(cpu_threads()) as pool:
        return np.concatenate(list(pool.map(network.numbers, _pixels(held)))).astype(np.float64)
