"""Lenses among other objects: the scenarios ``lens-gri``, ``deeplense-lens`` and ``survey``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt16

from skysieve.core.random import seed_of, stream
from skysieve.core.survey import survey
from skysieve.recipe.lens_scenarios import DeeplenseLens
from skysieve.simulate.blemishes import Shot
from skysieve.simulate.casting import (
    FACTS,
    SIDE_LENGTH,
    Cast,
    Drawn,
    Planes,
    Seen,
    Stage,
    judge,
    magnitudes,
)
from skysieve.simulate.instrument import COUNTS_ZERO_POINT_AB, sky_noise
from skysieve.simulate.observing import Images, Level, draw_level, observe, to_pictures, to_unit
from skysieve.simulate.painter import paint_parts
from skysieve.simulate.psf import draw_wide_stamps
from skysieve.simulate.roles import GroundPlan, role_of
from skysieve.simulate.scenario import Batch, Exposure
from skysieve.simulate.scenes import Scenes
from skysieve.simulate.spoiling import spoil

RENDERED = 64
"""Scenes rendered at once, at most; how many, changes no bit of any."""

TRUTH = ("lensed", "host", "neighbors", "artifacts")


def facts_of(bands: Sequence[str]) -> tuple[str, ...]:
    """Return the names of what is known of an image in some bands."""
    named = (f"{part}_{band}_ab" for part in ("host", "lensed") for band in bands)
    return (*FACTS, "depth", *named)


class LensSky:
    """Images of lenses and other objects.

    Args:
        plan: What is simulated.
        seed: Decides every image, with the scenario's name and version.
    """

    def __init__(self, plan: GroundPlan, seed: int) -> None:
        self.plan = plan
        self.seed = seed_of(seed, f"{plan.name}/{plan.version}")
        self.instrument = survey(plan.camera.survey)
        self.noise = sky_noise(self.instrument, plan.camera.bands)
        reach_arcsec = plan.camera.side / 2 * self.instrument.pixel_scale_arcsec - 1
        self.cast = Cast(plan, self.seed, Stage(self._render, RENDERED, self.noise, reach_arcsec))

    def draw(self, split: str, rows: Sequence[int]) -> Batch:
        """Return these images of a split.

        Raises:
            RecipeError: The plan asks for lenses that its sources and camera do not give.
        """
        roles = [role_of(self.plan, self.seed, split, row) for row in rows]
        shown = self.cast.show(roles)
        levels = [self._level(one) for one in shown]
        first = list(self.plan.splits).index(split) * SIDE_LENGTH
        seen, masks = zip(
            *(
                self._observe(one, level, first + row)
                for one, level, row in zip(shown, levels, rows, strict=True)
            ),
            strict=True,
        )
        host, neighbors, lensed, _ = (
            np.stack(planes) for planes in zip(*(one.parts for one in shown), strict=True)
        )
        artifacts = np.stack(masks).astype(np.float32)
        truth = {"lensed": lensed, "host": host, "neighbors": neighbors, "artifacts": artifacts}
        bands = self.plan.camera.bands
        return Batch(
            exposures=(Exposure(pixels=self._finish(np.stack(seen)), truth=truth),),
            labels=np.array([role.shows == "lens" for role in roles], np.int64),
            kinds=tuple(one.kind for one in shown),
            facts=tuple(
                one.facts | magnitudes(one, bands, COUNTS_ZERO_POINT_AB) | {"depth": level.depth}
                for one, level in zip(shown, levels, strict=True)
            ),
        )

    def _render(self, drawn: Sequence[Drawn], lensing: bool) -> list[Seen]:
        """Return what is seen of some scenes, at most ``RENDERED``."""
        camera, scenes = self.plan.camera, Scenes.stack([scene for _, scene in drawn])
        stamps = [
            draw_wide_stamps(camera, self.instrument, seed=self.seed, index=2 * number + lensing)
            for number, _ in drawn
        ]
        parts = paint_parts(
            scenes,
            side=camera.side,
            pixel_scale_arcsec=self.instrument.pixel_scale_arcsec,
            psf=np.stack(stamps),
            lensing=lensing,
            compiled=self.plan.compiled,
        )
        judged = judge(parts, self.noise) if lensing else [{}] * len(drawn)
        return [
            Seen(
                scene=number,
                kind=scene.kind[0],
                parts=(parts.host[k], parts.neighbors[k], parts.lensed[k], parts.companions[k]),
                facts={**dict.fromkeys(FACTS), "scene": number, **scene.facts[0], **judged[k]},
                tables=scene,
            )
            for k, (number, scene) in enumerate(drawn)
        ]

    def _level(self, seen: Seen) -> Level:
        """Return the level of noise of a scene; a lens and its control share it."""
        purpose = "lens-noise" if seen.kind in ("lens", "control") else "noise"
        return draw_level(self.plan.noise, stream(self.seed, purpose, seen.scene))

    def _observe(
        self, seen: Seen, level: Level, image: int
    ) -> tuple[Planes, UInt16[np.ndarray, "band y x"]]:
        """Return an image with noise and artifacts, and the mask of these; both are its own."""
        light = sum(seen.parts[1:], seen.parts[0])
        noisy = observe(light, self.noise, level, stream(self.seed, "grain", image))
        if self.plan.artifacts is None:
            return noisy, np.zeros(noisy.shape, np.uint16)
        return spoil(noisy, self.plan.artifacts, self._shot(level), seed=self.seed, index=image)

    def _shot(self, level: Level) -> Shot:
        """Return what artifacts must know of an image."""
        bands = [self.instrument.band(name) for name in self.plan.camera.bands]
        fainter = 10 ** (-0.4 * (COUNTS_ZERO_POINT_AB - self.instrument.zero_point_ab))
        return Shot(
            height=self.plan.camera.side,
            width=self.plan.camera.side,
            pixel_scale_arcsec=self.instrument.pixel_scale_arcsec,
            noise=self.noise / level.depth,
            electrons_per_count=np.array(
                [self.instrument.electrons_per_count(band.name) * fainter for band in bands]
            ),
            exposure_s=np.array([band.total_exposure_s for band in bands], np.float64),
        )

    def _finish(self, seen: Images) -> Images:
        """Return the images in the numbers that the plan wants."""
        if isinstance(self.plan, DeeplenseLens):
            return to_unit(seen, self.plan.scaling)
        return seen if self.plan.pixels == "flux" else to_pictures(seen, self.plan.camera.bands)
