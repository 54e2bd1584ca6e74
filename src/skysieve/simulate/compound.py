"""Images of ``compound``: kinds of lenses, each source plane and each lens apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from skysieve.core.errors import RecipeError
from skysieve.core.random import seed_of, stream
from skysieve.core.survey import survey
from skysieve.recipe.compound import Compound, CompoundKind
from skysieve.simulate.instrument import (
    COUNTS_ZERO_POINT_AB,
    arc_signal_to_noise,
    draw_psf,
    sky_noise,
)
from skysieve.simulate.lens_kinds import draw_system
from skysieve.simulate.observing import draw_level, observe, to_pictures
from skysieve.simulate.paint_systems import paint
from skysieve.simulate.scenario import Batch, Exposure, Fact
from skysieve.simulate.systems import BANDS, PLANES, Systems

TRIES = 20_000
"""Systems drawn for one image before the plan is called impossible."""
SIDE_LENGTH = 2**40
"""More images than any split has."""
ROUND = 1.25
"""Einstein radii that must lie within the field."""

TRUTH = ("lensed", "host", "neighbors", "source1", "source2", "arcs", "lenses")
FACTS = ("scene", "weight", "tries", "z_lens", "dispersion_km_s", "slope", "axis_ratio", "shear",
         "einstein_radius_arcsec", "einstein_radius_2_arcsec", "z_source", "z_source_2",
         "source_i_ab", "source_2_i_ab", "source_radius_arcsec", "source_2_radius_arcsec",
         "images", "separation_arcsec", "brightest_image_i_ab", "magnification", "arc_snr",
         "arc_2_snr", "arc_contrast", "depth")  # fmt: skip

Planes = Float32[np.ndarray, "band y x"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """A system as it looks without noise.

    Args:
        scene: Its number; no other image has it.
        kind: What it is.
        neighbors: What does not deflect.
        hosts: The light of each deflector, (band, y, x).
        lensed: The images of what lies in each source plane, (band, y, x).
        facts: What is true of it.
    """

    scene: int
    kind: CompoundKind
    neighbors: Planes
    hosts: tuple[Planes, ...]
    lensed: tuple[Planes, ...]
    facts: dict[str, Fact]


class CompoundSky:
    """Images of lenses of several kinds.

    Args:
        plan: What is simulated.
        seed: Decides every image, with the scenario's name and version.
    """

    truth = TRUTH

    def __init__(self, plan: Compound, seed: int) -> None:
        self.plan = plan
        self.seed = seed_of(seed, f"{plan.name}/{plan.version}")
        self.instrument = survey(plan.camera.survey)
        self.noise = sky_noise(self.instrument, plan.camera.bands)
        self.reach_arcsec = plan.camera.side / 2 * self.instrument.pixel_scale_arcsec
        parts = ("host", "lensed")
        self.facts = (*FACTS, *(f"{part}_{b}_ab" for part in parts for b in plan.camera.bands))

    def draw(self, split: str, rows: Sequence[int]) -> Batch:
        """Return these images of a split.

        Raises:
            RecipeError: The plan asks for lenses that its sources and camera do not give.
        """
        kinds = self.plan.kinds
        first = list(self.plan.splits).index(split) * SIDE_LENGTH
        shown = [self._system(first + row, kinds[row % len(kinds)]) for row in rows]
        levels = [
            draw_level(self.plan.noise, stream(self.seed, "noise", one.scene)) for one in shown
        ]
        pixels = np.stack(
            [
                observe(_all_light(one), self.noise, level, stream(self.seed, "grain", one.scene))
                for one, level in zip(shown, levels, strict=True)
            ]
        )
        if self.plan.pixels == "display":
            pixels = to_pictures(pixels, self.plan.camera.bands)
        classes = self.plan.classes
        return Batch(
            exposures=(Exposure(pixels=pixels, truth=self._truth(shown)),),
            labels=np.array([classes.index(one.kind) for one in shown], np.int64),
            kinds=tuple(one.kind for one in shown),
            facts=tuple(
                one.facts | self._magnitudes(one) | {"depth": level.depth}
                for one, level in zip(shown, levels, strict=True)
            ),
        )

    # ------------------------------------------------------------------------------- systems

    def _system(self, image: int, kind: CompoundKind) -> Seen:
        """Return the system of an image: the first of its tries that can be seen."""
        for scene, drawn in self._tries(image, kind):
            seen = self._render(scene, drawn)
            if self._can_be_seen(seen):
                return seen
        raise self._impossible(kind)

    def _tries(self, image: int, kind: CompoundKind) -> Iterator[tuple[int, Systems]]:
        """Draw the systems of an image, one after the other, but for those beyond the field."""
        for scene in range(image * TRIES, (image + 1) * TRIES):
            drawn = draw_system(kind, self.plan.population, seed=self.seed, index=scene)
            if drawn is None:
                continue
            facts = drawn.facts[0]
            span = max(facts["einstein_radius_arcsec"], facts.get("einstein_radius_2_arcsec", 0))
            if ROUND * span + facts.get("separation_arcsec", 0) / 2 < self.reach_arcsec:
                yield scene, drawn

    def _impossible(self, kind: CompoundKind) -> RecipeError:
        wants = self.plan.population
        return RecipeError(
            f"None of {TRIES:,} systems of kind {kind} reaches a signal to noise of "
            f"{wants.min_arc_snr:g} and a contrast of {wants.min_contrast:g} "
            f"within {self.plan.camera.side} pixels",
            "Lower population.min_arc_snr or min_contrast, or brighten population.source_i_ab",
        )

    def _render(self, scene: int, system: Systems) -> Seen:
        """Return what is seen of a system, with what is true of it."""
        camera = self.plan.camera
        stamps = draw_psf(camera, self.instrument, seed=self.seed, index=scene)
        painted = paint(
            system,
            side=camera.side,
            pixel_scale_arcsec=self.instrument.pixel_scale_arcsec,
            psf=stamps[None],
        )
        ordinary = painted.neighbors + sum(painted.hosts)
        judged = [arc_signal_to_noise(ordinary, one, self.noise) for one in painted.lensed]
        snr, contrast = ([float(one[0]) for one in part] for part in zip(*judged, strict=True))
        two = "z_source_2" in system.facts[0]
        known: dict[str, Fact] = {
            "scene": scene,
            "tries": scene % TRIES + 1,
            "arc_snr": snr[0],
            "arc_2_snr": snr[1] if two else None,
            "arc_contrast": min(contrast) if two else contrast[0],
        }
        if "images" not in system.facts[0]:
            light = system.sersics[0, 0, :, -BANDS:].sum() + system.disks[0, 0, :, -BANDS:].sum()
            known["magnification"] = float(painted.lensed[0].sum(dtype=np.float64) / light)
        return Seen(
            scene=scene,
            kind=system.kind[0],  # pyright: ignore[reportArgumentType]  systems carry plain names
            neighbors=painted.neighbors[0],
            hosts=tuple(one[0] for one in painted.hosts),
            lensed=tuple(one[0] for one in painted.lensed),
            facts={**dict.fromkeys(FACTS), **system.facts[0], **known},
        )

    def _can_be_seen(self, seen: Seen) -> bool:
        wants, facts = self.plan.population, seen.facts
        snr = [facts["arc_snr"], facts["arc_2_snr"]]
        least = min(float(one) for one in snr if one is not None)
        contrast = float(facts["arc_contrast"] or 0)
        return least >= wants.min_arc_snr and contrast >= wants.min_contrast

    # --------------------------------------------------------------------------------- truth

    def _truth(self, shown: Sequence[Seen]) -> dict[str, Float32[np.ndarray, "n plane y x"]]:
        """Return the planes of what is true of each pixel."""
        planes = {
            "lensed": [sum(one.lensed[1:], one.lensed[0]) for one in shown],
            "host": [sum(one.hosts[1:], one.hosts[0]) for one in shown],
            "neighbors": [one.neighbors for one in shown],
            "arcs": [self._masks(one.lensed) for one in shown],
            "lenses": [self._masks(one.hosts) for one in shown],
        }
        for k in range(PLANES):
            planes[f"source{k + 1}"] = [one.lensed[k] for one in shown]
        return {name: np.stack(planes[name]) for name in TRUTH}

    def _masks(self, instances: Sequence[Planes]) -> Float32[np.ndarray, "instance y x"]:
        """Return where each instance stands out of the survey's noise, as 0 and 1."""
        signal = [np.sqrt(np.square(one / self.noise[:, None, None]).sum(0)) for one in instances]
        return (np.stack(signal) > self.plan.mask_sigma).astype(np.float32)

    def _magnitudes(self, seen: Seen) -> dict[str, Fact]:
        """Return the magnitudes in the field, of all lenses and of all lensed light."""
        named: dict[str, Fact] = {}
        for part, planes in (("host", sum(seen.hosts)), ("lensed", sum(seen.lensed))):
            counts = np.asarray(planes).sum((1, 2), dtype=np.float64)
            for band, count in zip(self.plan.camera.bands, counts, strict=True):
                fainter = 2.5 * math.log10(count) if count > 0 else None
                named[f"{part}_{band}_ab"] = (
                    None if fainter is None else COUNTS_ZERO_POINT_AB - fainter
                )
        return named


def _all_light(seen: Seen) -> Planes:
    return np.asarray(seen.neighbors + sum(seen.hosts) + sum(seen.lensed), np.float32)
