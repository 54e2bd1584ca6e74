"""The scenario ``euclid``: one sky, seen by VIS and, in pixels three times as large, by NISP.

Light is rendered once, on the pixels of VIS and with the point spread function of each band; those
of NISP are sums of nine. So both cameras see the same sky to the last photon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from skysieve.core.random import seed_of, stream
from skysieve.core.survey import survey
from skysieve.recipe.artifacts import ArtifactPlan
from skysieve.recipe.camera import ObservingPlan
from skysieve.recipe.euclid import BINNED, EuclidScenario
from skysieve.simulate import casting
from skysieve.simulate.blemishes import Shot
from skysieve.simulate.camera import expose, sky_noise_counts
from skysieve.simulate.casting import SIDE_LENGTH, Cast, Drawn, Planes, Seen, Stage, judge
from skysieve.simulate.instances import instance_masks
from skysieve.simulate.instrument import COUNTS_ZERO_POINT_AB
from skysieve.simulate.placing import shifted
from skysieve.simulate.psf import draw_stamps
from skysieve.simulate.render import Parts, render_parts
from skysieve.simulate.roles import role_of
from skysieve.simulate.scenario import Batch, Exposure
from skysieve.simulate.scenes import Scenes
from skysieve.simulate.spectra import to_bands
from skysieve.simulate.spoiling import spoil

RENDERED = 16
"""Scenes rendered at once, always: the compiled kernels are for this number."""
PSF_SIDE = 33
"""Pixels of VIS a side of a point spread function; holds 99.9 % of NISP's light, 98 of VIS'."""

BANDS = ("VIS", "Y", "J", "H")
TRUTH = ("lensed", "host", "neighbors", "artifacts", "lensed-mask", "host-mask", "neighbor-numbers")
OFFSET = ("offset_x_arcsec", "offset_y_arcsec")
FACTS = (
    *casting.FACTS,
    *OFFSET,
    *(f"{part}_{band}_ab" for part in ("host", "lensed") for band in BANDS),
)


class EuclidSky:
    """Images of lenses and other objects as of Euclid.

    Args:
        plan: What is simulated.
        seed: Decides every image, with the scenario's name and version.
    """

    def __init__(self, plan: EuclidScenario, seed: int) -> None:
        self.plan = plan
        self.seed = seed_of(seed, f"{plan.name}/{plan.version}")
        self.scale_arcsec = survey(plan.vis.survey).pixel_scale_arcsec
        # A pixel of VIS holds a ninth of the light of one of NISP, and so a third of its noise.
        noise = np.concatenate([_sky(plan.vis), _sky(plan.nisp) / BINNED])
        self.cast = Cast(plan, self.seed, Stage(self._render, RENDERED, noise, plan.reach_arcsec))

    def draw(self, split: str, rows: Sequence[int]) -> Batch:
        """Return these images of a split.

        Raises:
            RecipeError: The plan asks for lenses that its sources and camera do not give.
        """
        roles = [role_of(self.plan, self.seed, split, row) for row in rows]
        shown = self.cast.show(roles)
        first = list(self.plan.splits).index(split) * SIDE_LENGTH
        images = [first + row for row in rows]
        return Batch(
            exposures=(self._vis(shown, images), self._nisp(shown, images)),
            labels=np.array([role.shows == "lens" for role in roles], np.int64),
            kinds=tuple(one.kind for one in shown),
            facts=tuple(
                one.facts | self._offset(one) | casting.magnitudes(one, BANDS, COUNTS_ZERO_POINT_AB)
                for one in shown
            ),
        )

    # ------------------------------------------------------------------------------- scenes

    def _render(self, drawn: Sequence[Drawn], lensing: bool) -> list[Seen]:
        """Return what is seen of some scenes, at most ``RENDERED``; empty places are filled up."""
        placed = [(number, self._placed(number, scene)) for number, scene in drawn]
        full = [*placed, *[placed[0]] * (self.cast.stage.rendered - len(placed))]
        stamps = {number: self._stamps(2 * number + lensing) for number, _ in placed}
        parts = render_parts(
            Scenes.stack([scene for _, scene in full]),
            side=self.plan.side,
            pixel_scale_arcsec=self.scale_arcsec,
            psf=np.stack([stamps[number] for number, _ in full]),
            lensing=lensing,
            compiled=self.plan.compiled,
        )
        sharp = Parts(*(part[:, :1] for part in parts))
        judged = judge(sharp, self.cast.stage.noise[:1]) if lensing else [{}] * len(full)
        return [
            Seen(
                scene=number,
                kind=scene.kind[0],
                parts=(parts.host[k], parts.neighbors[k], parts.lensed[k], parts.companions[k]),
                facts={
                    **dict.fromkeys(casting.FACTS),
                    "scene": number,
                    **scene.facts[0],
                    **judged[k],
                },
                tables=scene,
            )
            for k, (number, scene) in enumerate(placed)
        ]

    def _placed(self, number: int, scene: Scenes) -> Scenes:
        """Return a scene off the center, in the bands of Euclid."""
        lens = scene.kind[0] == "lens"
        purpose = "lens-offset" if lens else "offset"
        reach = self.plan.offset_arcsec
        x, y = stream(self.seed, purpose, number).uniform(-reach, reach, 2)
        facts = scene.facts[0] | dict(zip(OFFSET, (float(x), float(y)), strict=True))
        return replace(shifted(to_bands(scene, BANDS), float(x), float(y)), facts=(facts,))

    def _offset(self, seen: Seen) -> dict[str, casting.Fact]:
        return {name: seen.tables.facts[0][name] for name in OFFSET}

    def _stamps(self, index: int) -> Float32[np.ndarray, "band k k"]:
        """Return the point spread functions on the pixels of VIS."""
        stamps = np.concatenate(
            [
                draw_stamps(plan, seed=self.seed, index=index, pixel_scale_arcsec=self.scale_arcsec)
                for plan in (self.plan.vis, self.plan.nisp)
            ]
        )
        edge = (stamps.shape[1] - PSF_SIDE) // 2
        inner = stamps[:, edge : edge + PSF_SIDE, edge : edge + PSF_SIDE]
        return (inner / inner.sum((1, 2), keepdims=True)).astype(np.float32)

    # ------------------------------------------------------------------------------- images

    def _vis(self, shown: Sequence[Seen], images: Sequence[int]) -> Exposure:
        parts = [[part[:1] for part in seen.parts] for seen in shown]
        return self._exposure(self.plan.vis, self.plan.vis_artifacts, shown, parts, images)

    def _nisp(self, shown: Sequence[Seen], images: Sequence[int]) -> Exposure:
        side = self.plan.frames[1].side
        parts = [[binned(part[1:], side) for part in seen.parts] for seen in shown]
        return self._exposure(self.plan.nisp, self.plan.nisp_artifacts, shown, parts, images)

    def _exposure(
        self,
        camera: ObservingPlan,
        artifacts: ArtifactPlan | None,
        shown: Sequence[Seen],
        parts: Sequence[Sequence[Planes]],
        images: Sequence[int],
    ) -> Exposure:
        """Return the images of one camera with their truth."""
        scale = survey(camera.survey).pixel_scale_arcsec
        pixels, truth = [], []
        for seen, (host, neighbors, lensed, _), image in zip(shown, parts, images, strict=True):
            spoiled, mask = self._take(host + neighbors + lensed, camera, artifacts, image)
            masks = instance_masks(
                (lensed, host, neighbors),
                seen,
                threshold=self.plan.mask_sigmas * _sky(camera),
                pixel_scale_arcsec=scale,
            )
            pixels.append(spoiled)
            truth.append((lensed, host, neighbors, mask.astype(np.float32), *masks))
        return Exposure(
            pixels=np.stack(pixels),
            truth={
                name: np.stack(planes)
                for name, planes in zip(TRUTH, zip(*truth, strict=True), strict=True)
            },
        )

    def _take(
        self, light: Planes, camera: ObservingPlan, artifacts: ArtifactPlan | None, image: int
    ) -> tuple[Planes, np.ndarray]:
        """Return what a camera makes of light, and the mask of artifacts; both are the image's own."""
        fainter = np.float32(_fainter(camera))
        seed = seed_of(self.seed, camera.survey)
        seen, _ = expose(light * fainter, camera, seed=seed, index=image)
        mask = np.zeros(light.shape, np.uint16)
        if artifacts is not None:
            shot = Shot.of(camera, *light.shape[1:])
            seen, mask = spoil(seen, artifacts, shot, seed=seed, index=image)
        return (seen / fainter).astype(np.float32), mask


def binned(
    planes: Float32[np.ndarray, "band y x"], side: int
) -> Float32[np.ndarray, "band side side"]:
    """Return light on pixels three times as large, about the same middle; none is lost but at the edge."""
    edge = (planes.shape[1] - BINNED * side) // 2
    inner = planes[:, edge : edge + BINNED * side, edge : edge + BINNED * side]
    return inner.reshape(len(planes), side, BINNED, side, BINNED).sum((2, 4))


def _fainter(camera: ObservingPlan) -> float:
    """Return the survey's own counts in one count at zero point 30."""
    return 10 ** (-0.4 * (COUNTS_ZERO_POINT_AB - survey(camera.survey).zero_point_ab))


def _sky(camera: ObservingPlan) -> np.ndarray:
    """Return the standard deviation of the sky in a pixel, in counts at zero point 30."""
    return sky_noise_counts(camera) / _fainter(camera)
