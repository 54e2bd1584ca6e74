"""Lenses among other objects: the scenarios ``lens-gri``, ``deeplense-lens`` and ``survey``.

A control is the sky of a lens (host, neighbors, PSF, depth and level of noise) without its arcs, or
with galaxies in their place that have exactly their light in every band.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from jaxtyping import Float32

from skysieve.core.errors import RecipeError
from skysieve.core.random import seed_of, stream
from skysieve.core.survey import survey
from skysieve.recipe.lens_scenarios import DeeplenseLens
from skysieve.simulate.instrument import (
    COUNTS_ZERO_POINT_AB,
    arc_signal_to_noise,
    draw_psf,
    sky_noise,
)
from skysieve.simulate.observing import Images, Level, draw_level, observe, to_pictures, to_unit
from skysieve.simulate.populations import draw_lens, draw_nonlens
from skysieve.simulate.render import Parts, render_parts
from skysieve.simulate.roles import LensScenarioPlan, Role, role_of
from skysieve.simulate.scenario import Batch, Exposure, Fact
from skysieve.simulate.scenes import Scenes

RENDERED = 64
"""Scenes rendered at once, always: the compiled kernels are for this number."""
CANDIDATES = 1000
"""Scenes drawn for one lens before the plan is called impossible."""
SIDE_LENGTH = 2**40
"""More images than any side of a set has."""

TRUTH = ("lensed", "host", "neighbors")
FACTS = ("scene", "z_lens", "z_source", "einstein_radius_arcsec", "source_g_ab", "arc_snr",
         "arc_contrast", "companions", "brightened", "depth")  # fmt: skip

Planes = Float32[np.ndarray, "band y x"]
Drawn = tuple[int, Scenes]
"""A scene and its number."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """A scene as it looks without noise.

    Args:
        scene: Its number; no scene of another side has it.
        kind: What it shows.
        parts: One image each, (band, y, x).
        facts: What is true of it.
    """

    scene: int
    kind: str
    parts: tuple[Planes, Planes, Planes, Planes]
    facts: dict[str, Fact]

    @property
    def nothing(self) -> Planes:
        """An image without light."""
        return np.zeros_like(self.parts[0])


class LensSky:
    """Images of lenses and other objects.

    Args:
        plan: What is simulated.
        seed: Decides every image, with the scenario's name and version.
    """

    def __init__(self, plan: LensScenarioPlan, seed: int) -> None:
        self.plan = plan
        self.seed = seed_of(seed, f"{plan.name}/{plan.version}")
        self.instrument = survey(plan.camera.survey)
        self.noise = sky_noise(self.instrument, plan.camera.bands)
        self.matches = plan.match_range != (1.0, 1.0)
        self.reach_arcsec = plan.camera.side / 2 * self.instrument.pixel_scale_arcsec - 1

    def draw(self, split: str, rows: Sequence[int]) -> Batch:
        """Return these images of a split.

        Raises:
            RecipeError: The plan asks for lenses that its sources and camera do not give.
        """
        roles = [role_of(self.plan, self.seed, split, row) for row in rows]
        others = [role for role in roles if role.shows == "other"]
        wanted = {_base(role.side, role.number) for role in roles if role.shows != "other"}
        if self.matches:
            wanted |= {_base(role.side, role.like) for role in others}
        lenses = self._lenses(sorted(wanted))
        found = self._others(sorted({_base(role.side, role.number) for role in others}))
        shown = [self._show(role, lenses, found) for role in roles]
        levels = [self._level(one) for one in shown]
        first = list(self.plan.splits).index(split) * SIDE_LENGTH
        seen = [
            self._observe(one, level, first + row)
            for one, level, row in zip(shown, levels, rows, strict=True)
        ]
        host, neighbors, lensed, _ = (
            np.stack(planes) for planes in zip(*(one.parts for one in shown), strict=True)
        )
        truth = {"lensed": lensed, "host": host, "neighbors": neighbors}
        return Batch(
            exposures=(Exposure(pixels=self._finish(np.stack(seen)), truth=truth),),
            labels=np.array([role.shows == "lens" for role in roles], np.int64),
            kinds=tuple(one.kind for one in shown),
            facts=tuple(
                one.facts | self._magnitudes(one) | {"depth": level.depth}
                for one, level in zip(shown, levels, strict=True)
            ),
        )

    # ------------------------------------------------------------------------------- scenes

    def _lenses(self, bases: Sequence[int]) -> dict[int, Seen]:
        """Return the lens of each base: the first of its candidates that can be seen.

        Which candidates are rendered together changes nothing; filling every batch with further
        candidates saves time.
        """
        waiting = {base: self._candidates(base) for base in bases}
        found: dict[int, Seen] = {}
        while waiting:
            turns = (
                (base, drawn)
                for _ in range(RENDERED)
                for base, draws in waiting.items()
                if (drawn := next(draws, None))
            )
            tries = list(islice(turns, RENDERED))
            if not tries:
                raise self._impossible()
            rendered = self._render([drawn for _, drawn in tries], lens=True)
            for (base, _), seen in zip(tries, rendered, strict=True):
                if base in waiting and self._can_be_seen(seen):
                    found[base] = seen
                    del waiting[base]
        return found

    def _candidates(self, base: int) -> Iterator[Drawn]:
        """Draw the candidates of a lens whose arcs lie in the field."""
        for scene in range(base, base + CANDIDATES):
            drawn = draw_lens(self.plan.lens, seed=self.seed, index=scene)
            if drawn.facts[0]["einstein_radius_arcsec"] * 1.4 < self.reach_arcsec:
                yield scene, drawn

    def _impossible(self) -> RecipeError:
        lens = self.plan.lens
        return RecipeError(
            f"None of {CANDIDATES:,} lenses reaches a signal to noise of {lens.min_arc_snr:g} and "
            f"a contrast of {lens.min_contrast:g} within {self.plan.camera.side} pixels",
            "Lower lens.min_arc_snr or lens.min_contrast, or brighten lens.source_g_ab",
        )

    def _others(self, bases: Sequence[int]) -> dict[int, Seen]:
        drawn = [
            (base, draw_nonlens(self.plan.nonlens, seed=self.seed, index=base)) for base in bases
        ]
        seen = chain.from_iterable(
            self._render(drawn[start : start + RENDERED], lens=False)
            for start in range(0, len(drawn), RENDERED)
        )
        return dict(zip(bases, seen, strict=True))

    def _render(self, drawn: Sequence[Drawn], *, lens: bool) -> list[Seen]:
        """Return what is seen of some scenes, at most ``RENDERED``; empty places are filled up."""
        full = [*drawn, *[drawn[0]] * (RENDERED - len(drawn))]
        camera, scenes = self.plan.camera, Scenes.stack([scene for _, scene in full])
        stamps = {
            number: draw_psf(camera, self.instrument, seed=self.seed, index=2 * number + lens)
            for number, _ in drawn
        }
        parts = render_parts(
            scenes,
            side=camera.side,
            pixel_scale_arcsec=self.instrument.pixel_scale_arcsec,
            psf=np.stack([stamps[number] for number, _ in full]),
            lensing=lens,
            compiled=self.plan.compiled,
        )
        judged = self._judge(parts) if lens else [{}] * len(full)
        return [
            Seen(
                scene=number,
                kind=scenes.kind[k],
                parts=(parts.host[k], parts.neighbors[k], parts.lensed[k], parts.companions[k]),
                facts={**dict.fromkeys(FACTS), "scene": number, **scenes.facts[k], **judged[k]},
            )
            for k, (number, _) in enumerate(drawn)
        ]

    def _judge(self, parts: Parts) -> list[dict[str, Fact]]:
        snr, contrast = arc_signal_to_noise(parts.host + parts.neighbors, parts.lensed, self.noise)
        return [
            {"arc_snr": float(s), "arc_contrast": float(c)}
            for s, c in zip(snr, contrast, strict=True)
        ]

    def _can_be_seen(self, seen: Seen) -> bool:
        snr, contrast = seen.facts["arc_snr"] or 0.0, seen.facts["arc_contrast"] or 0.0
        return snr >= self.plan.lens.min_arc_snr and contrast >= self.plan.lens.min_contrast

    # ------------------------------------------------------------------------------- images

    def _show(self, role: Role, lenses: dict[int, Seen], others: dict[int, Seen]) -> Seen:
        """Return what an image shows of its scene."""
        base = _base(role.side, role.number)
        match role.shows:
            case "lens":
                host, neighbors, lensed, nothing = *lenses[base].parts[:3], lenses[base].nothing
                return replace(lenses[base], parts=(host, neighbors, lensed, nothing))
            case "control":
                return self._control(lenses[base])
            case "other":
                like = lenses[_base(role.side, role.like)] if self.matches else None
                return self._matched(others[base], like)

    def _control(self, lens: Seen) -> Seen:
        """Return the sky of a lens without its arcs, or with other galaxies in their place."""
        host, neighbors, lensed, companions = lens.parts
        rng = stream(self.seed, "control", lens.scene)
        instead = bool(rng.random() < self.plan.companion_fraction)
        if instead:
            neighbors = neighbors + _alike(companions, lensed)
        known = {"scene": lens.scene, "z_lens": lens.facts["z_lens"], "companions": int(instead)}
        return Seen(
            scene=lens.scene,
            kind="control",
            parts=(host, neighbors, lens.nothing, lens.nothing),
            facts={**dict.fromkeys(FACTS), **known},
        )

    def _matched(self, seen: Seen, like: Seen | None) -> Seen:
        """Return another object about as bright as a lens with its arcs, in all bands together."""
        host, neighbors, *rest = seen.parts
        factor = 1.0
        if like is not None:
            wanted = self._brightness(like.parts[0] + like.parts[2])
            own = max(self._brightness(host), 1e-6)
            factor = float(np.clip(wanted / own, *self.plan.match_range))
        parts = (host * np.float32(factor), neighbors, rest[0], rest[1])
        return replace(seen, parts=parts, facts=seen.facts | {"brightened": factor})

    def _brightness(self, light: Planes) -> float:
        """Return the light of an image in units of each band's noise."""
        return float((light.sum((1, 2), dtype=np.float64) / self.noise).sum())

    def _level(self, seen: Seen) -> Level:
        """Return the level of noise of a scene; a lens and its control share it."""
        purpose = "lens-noise" if seen.kind in ("lens", "control") else "noise"
        return draw_level(self.plan.noise, stream(self.seed, purpose, seen.scene))

    def _observe(self, seen: Seen, level: Level, image: int) -> Planes:
        """Return an image with noise; its grain is its own."""
        light = sum(seen.parts[1:], seen.parts[0])
        return observe(light, self.noise, level, stream(self.seed, "grain", image))

    def _finish(self, seen: Images) -> Images:
        """Return the images in the numbers that the plan wants."""
        if isinstance(self.plan, DeeplenseLens):
            return to_unit(seen, self.plan.scaling)
        return seen if self.plan.pixels == "flux" else to_pictures(seen, self.plan.camera.bands)

    def _magnitudes(self, seen: Seen) -> dict[str, Fact]:
        """Return the magnitudes in the field, of the host and of the lensed light."""
        named: dict[str, Fact] = {}
        for part, planes in (("host", seen.parts[0]), ("lensed", seen.parts[2])):
            for band, plane in zip(self.plan.camera.bands, planes, strict=True):
                counts = float(plane.sum(dtype=np.float64))
                magnitude = COUNTS_ZERO_POINT_AB - 2.5 * math.log10(counts) if counts > 0 else None
                named[f"{part}_{band}_ab"] = magnitude
        return named


def _base(side: int, number: int) -> int:
    """Return the number of the first candidate of a scene."""
    return (side * SIDE_LENGTH + number) * CANDIDATES


def _alike(companions: Planes, arcs: Planes) -> Planes:
    """Return companions with the light of the arcs in each band."""
    mine, theirs = companions.sum((1, 2), keepdims=True), arcs.sum((1, 2), keepdims=True)
    return companions * np.where(mine > 0, theirs / np.where(mine > 0, mine, 1), 0)
