"""A corpus: noise-free scenes on disk, in parts that are whole or absent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from skysieve.core.errors import MissingError
from skysieve.core.files import claim, whole_file, write_text
from skysieve.core.survey import survey
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.recipe.simulation import SimulationPlan
from skysieve.simulate.instrument import arc_signal_to_noise, draw_psf, sky_noise
from skysieve.simulate.populations import draw_lens, draw_nonlens
from skysieve.simulate.render import render
from skysieve.simulate.scenes import Scenes

PART = 256
"""Scenes in a part."""
RENDERED = 64
"""Scenes rendered at once, always: the compiled kernels are for this number."""
PLANES = {"lens": ("ordinary", "lensed", "companions"), "nonlens": ("ordinary",)}


@dataclass(frozen=True, eq=False)
class Corpus:
    """Noise-free images of scenes, memory-mapped.

    Args:
        plan: What was simulated.
        lens: Parts of float16 counts at zero point 30, each (n, 3 planes, band, y, x): ordinary
            light, lensed light, companions.
        nonlens: The same with ordinary light only, each (n, 1, band, y, x).
        facts: Facts of each kept scene, by the same two names, in the order of the parts.
    """

    plan: SimulationPlan
    lens: tuple[np.ndarray, ...]
    nonlens: tuple[np.ndarray, ...]
    facts: dict[str, list[dict]]


def simulate(plan: SimulationPlan, folder: Path, *, watch: Watch = ignore) -> Corpus:
    """Simulate what is not in the folder yet, and return the corpus.

    Raises:
        MismatchError: The folder holds a corpus of another plan.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder / "plan.json", plan.model_dump_json(indent=1), holds="scenes")
    todo = list(_parts(plan))
    for done, (name, start, stop) in enumerate(todo):
        if not _part(folder, name, start).exists():
            _simulate_part(plan, folder, name, start, stop)
        watch(Progress("simulating scenes", (done + 1) * PART, len(todo) * PART))
    return open_corpus(folder)


def open_corpus(folder: Path) -> Corpus:
    """Return the corpus in a folder.

    Raises:
        MissingError: It is not complete.
    """
    plan_file = folder / "plan.json"
    if not plan_file.exists():
        raise MissingError(f"{folder} holds no simulated scenes", "Simulate them first")
    plan = SimulationPlan.model_validate_json(plan_file.read_text())
    pixels: dict[str, list[np.ndarray]] = {"lens": [], "nonlens": []}
    facts: dict[str, list[dict]] = {"lens": [], "nonlens": []}
    for name, start, _ in _parts(plan):
        part = _part(folder, name, start)
        if not part.exists():
            raise MissingError(f"{part} is absent", "Run the same command again to go on")
        pixels[name].append(np.load(part, mmap_mode="r", allow_pickle=False))
        facts[name] += json.loads(part.with_suffix(".json").read_text())
    return Corpus(plan, tuple(pixels["lens"]), tuple(pixels["nonlens"]), facts)


def render_scenes(
    scenes: Scenes, plan: SimulationPlan, *, first: int, purpose: str
) -> tuple[Float[np.ndarray, "n band y x"], ...]:
    """Return the noise-free planes of scenes, each seen through its own PSF."""
    camera = plan.camera
    instrument = survey(camera.survey)
    psf = np.stack(
        [
            draw_psf(camera, instrument, seed=plan.seed, index=_camera_index(purpose, first + k))
            for k in range(len(scenes))
        ]
    )
    return render(
        scenes,
        side=camera.side,
        pixel_scale_arcsec=instrument.pixel_scale_arcsec,
        psf=psf,
    )


def _simulate_part(plan: SimulationPlan, folder: Path, name: str, start: int, stop: int) -> None:
    draw: Callable[[int], Scenes] = {
        "lens": lambda index: draw_lens(plan.lens, seed=plan.seed, index=index),
        "nonlens": lambda index: draw_nonlens(plan.nonlens, seed=plan.seed, index=index),
    }[name]
    kept: list[np.ndarray] = []
    facts: list[dict] = []
    for first in range(start, stop, RENDERED):
        scenes = Scenes.stack([draw(first + k) for k in range(RENDERED)])
        planes = render_scenes(scenes, plan, first=first, purpose=name)
        keep, more = _worth_keeping(plan, name, planes)
        stack = np.stack([planes[k] for k in range(len(PLANES[name]))], 1)
        kept.append(np.clip(stack[keep], -6e4, 6e4).astype(np.float16))
        facts += [
            {"index": first + int(k), "kind": scenes.kind[k], **scenes.facts[k], **more[k]}
            for k in np.flatnonzero(keep)
        ]
    part = _part(folder, name, start)
    write_text(part.with_suffix(".json"), json.dumps(facts))
    with whole_file(part) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(kept), allow_pickle=False)


def _worth_keeping(
    plan: SimulationPlan, name: str, planes: tuple[np.ndarray, ...]
) -> tuple[Bool[np.ndarray, " n"], list[dict[str, float]]]:
    """Return which scenes show what they are labeled as, and how well."""
    count = len(planes[0])
    if name == "nonlens":
        return np.ones(count, bool), [{} for _ in range(count)]
    noise = sky_noise(survey(plan.camera.survey), plan.camera.bands)
    snr, contrast = arc_signal_to_noise(planes[0], planes[1], noise)
    keep = (snr >= plan.lens.min_arc_snr) & (contrast >= plan.lens.min_contrast)
    more = [
        {"arc_snr": float(s), "arc_contrast": float(c)} for s, c in zip(snr, contrast, strict=True)
    ]
    return keep, more


def _parts(plan: SimulationPlan) -> list[tuple[str, int, int]]:
    """Return (name, first scene, last scene + 1) of each part; whole parts only."""
    counts = {"lens": plan.lenses, "nonlens": plan.nonlenses}
    return [
        (name, start, start + PART)
        for name, count in counts.items()
        for start in range(0, count, PART)
    ]


def _part(folder: Path, name: str, start: int) -> Path:
    return folder / f"{name}-{start:07d}.npy"


def _camera_index(purpose: str, index: int) -> int:
    """Return an index of the PSF stream that no other scene has."""
    return 2 * index + (purpose == "lens")
