"""The sample survey that comes with the package: a few lenses among many ordinary objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8

from skysieve.core.cutouts import Cutouts
from skysieve.core.random import stream
from skysieve.core.survey import survey
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.recipe.lens_scenarios import ORDINARY
from skysieve.recipe.simulation import SimulationPlan
from skysieve.simulate.corpus import RENDERED, render_scenes
from skysieve.simulate.instrument import (
    HUMVI_ALPHA,
    HUMVI_Q,
    HUMVI_SCALES,
    add_noise,
    arc_signal_to_noise,
    humvi_picture,
    sky_noise,
)
from skysieve.simulate.populations import draw_lens, draw_nonlens
from skysieve.simulate.scenes import Scenes


@dataclass(frozen=True, eq=False)
class SampleSurvey:
    """Simulated cutouts with what they show.

    Args:
        cutouts: Display pictures, 0..255.
        labels: 1 for a lens, 0 for any other.
        kinds: What each shows.
        einstein_radius_arcsec: NaN where there is no lens.
    """

    cutouts: Cutouts
    labels: Int8[np.ndarray, " n"]
    kinds: tuple[str, ...]
    einstein_radius_arcsec: Float32[np.ndarray, " n"]


def sample_survey(
    plan: SimulationPlan, *, count: int, lenses: int, side: int, watch: Watch = ignore
) -> SampleSurvey:
    """Return a simulated survey, its lenses at random places in it.

    Args:
        plan: For the lenses, the camera and the seed.
        count: Cutouts in all.
        lenses: How many of them are lenses; each clears the plan's signal to noise and fits.
        side: Pixels a side.
        watch: Told how far it is.
    """
    found, facts, first = _draw_lenses(plan, lenses, side, watch)
    images, kinds = [found], [str(fact["kind"]) for fact in facts]
    radii = [float(fact["einstein_radius_arcsec"]) for fact in facts]
    for start in range(0, count - lenses, RENDERED):
        batch = Scenes.stack(
            [draw_nonlens(ORDINARY, seed=plan.seed, index=start + k) for k in range(RENDERED)]
        )
        images.append(render_scenes(batch, plan, first=first + start, purpose="nonlens")[0])
        kinds += batch.kind
        watch(Progress("simulating objects", start + RENDERED, count - lenses))
    pictures = _observe(plan, np.concatenate(images)[:count], side)
    order = stream(plan.seed, "order").permutation(count)
    labels = (np.arange(count) < lenses).astype(np.int8)
    einstein = np.full(count, np.nan, np.float32)
    einstein[:lenses] = radii
    return SampleSurvey(
        cutouts=Cutouts(
            ids=tuple(f"sim-{k:04d}" for k in range(count)),
            pixels=pictures[order],
            bands=plan.camera.bands,
            kind="display",
            pixel_scale_arcsec=survey(plan.camera.survey).pixel_scale_arcsec,
        ),
        labels=labels[order],
        kinds=tuple(kinds[k] for k in order),
        einstein_radius_arcsec=einstein[order],
    )


def _draw_lenses(
    plan: SimulationPlan, lenses: int, side: int, watch: Watch
) -> tuple[Float32[np.ndarray, "n band y x"], list[dict[str, float | str]], int]:
    """Return images and facts of lenses that can be seen, and the number of scenes drawn."""
    instrument = survey(plan.camera.survey)
    noise = sky_noise(instrument, plan.camera.bands)
    reach = side / 2 * instrument.pixel_scale_arcsec - 1
    images: list[np.ndarray] = []
    facts: list[dict[str, float | str]] = []
    first = 0
    while len(images) < lenses:
        batch = Scenes.stack(
            [draw_lens(plan.lens, seed=plan.seed, index=first + k) for k in range(RENDERED)]
        )
        ordinary, lensed, _ = render_scenes(batch, plan, first=first, purpose="lens")
        snr, contrast = arc_signal_to_noise(ordinary, lensed, noise)
        good = (snr >= plan.lens.min_arc_snr) & (contrast >= plan.lens.min_contrast)
        for k in np.flatnonzero(good):
            if batch.facts[k]["einstein_radius_arcsec"] * 1.4 < reach:
                images.append(ordinary[k] + lensed[k])
                facts.append({"kind": "lens", **batch.facts[k]})
        first += RENDERED
        watch(Progress("simulating lenses", min(len(images), lenses), lenses))
    return np.stack(images[:lenses]), facts[:lenses], first


def _observe(
    plan: SimulationPlan, images: Float32[np.ndarray, "n band y x"], side: int
) -> Float32[np.ndarray, "n band side side"]:
    """Return color pictures with noise, cut to the side."""
    edge = (plan.camera.side - side) // 2
    images = images[:, :, edge : edge + side, edge : edge + side]
    n, rng = len(images), stream(plan.seed, "noise")
    noise = sky_noise(survey(plan.camera.survey), plan.camera.bands)
    seen = add_noise(
        images,
        np.tile(noise, (n, 1)),
        gain=np.full(n, 100.0),
        correlation=np.full(n, 0.3),
        rng=rng,
    )
    seen += 0.5 * noise[None, :, None, None].astype(np.float32)
    scales = np.array([HUMVI_SCALES[band] for band in plan.camera.bands])
    return humvi_picture(
        seen,
        scales=np.tile(scales, (n, 1)),
        q=np.full(n, HUMVI_Q),
        alpha=np.full(n, HUMVI_ALPHA),
    ).astype(np.float32)
