"""Which scenes the images of a lens scenario show, and what is seen of each without noise.

A control is the sky of a lens (host, neighbors, PSF, depth and level of noise) without its arcs, or
with galaxies in their place that have exactly their light in every band.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from skysieve.core.errors import RecipeError
from skysieve.core.random import stream
from skysieve.simulate.instrument import arc_signal_to_noise
from skysieve.simulate.populations import draw_lens, draw_nonlens
from skysieve.simulate.render import Parts
from skysieve.simulate.roles import LensScenarioPlan, Role
from skysieve.simulate.scenario import Fact
from skysieve.simulate.scenes import Scenes

CANDIDATES = 1000
"""Scenes drawn for one lens before the plan is called impossible."""
SIDE_LENGTH = 2**40
"""More images than any side of a set has."""

FACTS = ("scene", "z_lens", "z_source", "einstein_radius_arcsec", "source_g_ab", "arc_snr",
         "arc_contrast", "companions", "brightened")  # fmt: skip

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
        tables: The scene as numbers.
    """

    scene: int
    kind: str
    parts: tuple[Planes, Planes, Planes, Planes]
    facts: dict[str, Fact]
    tables: Scenes

    @property
    def nothing(self) -> Planes:
        """An image without light."""
        return np.zeros_like(self.parts[0])


class Stage(NamedTuple):
    """How scenes are made into light.

    Args:
        render: From some scenes, at most ``rendered``, to what is seen of each; with lensing or not.
        rendered: Scenes rendered at once.
        noise: Standard deviation of the sky in a pixel, for each band, in the counts of the light.
        reach_arcsec: How far from the lens arcs may lie.
    """

    render: Callable[[Sequence[Drawn], bool], list[Seen]]
    rendered: int
    noise: Float[np.ndarray, " band"]
    reach_arcsec: float


class Cast:
    """The scenes that the images of a lens scenario show.

    Args:
        plan: What is simulated.
        seed: Decides every scene.
        stage: How scenes are made into light.
    """

    def __init__(self, plan: LensScenarioPlan, seed: int, stage: Stage) -> None:
        self.plan, self.seed, self.stage = plan, seed, stage
        self.matches = plan.match_range != (1.0, 1.0)

    def show(self, roles: Sequence[Role]) -> list[Seen]:
        """Return what the images of some roles show.

        Raises:
            RecipeError: The plan asks for lenses that its sources and camera do not give.
        """
        others = [role for role in roles if role.shows == "other"]
        wanted = {_base(role.side, role.number) for role in roles if role.shows != "other"}
        if self.matches:
            wanted |= {_base(role.side, role.like) for role in others}
        lenses = self._lenses(sorted(wanted))
        found = self._others(sorted({_base(role.side, role.number) for role in others}))
        return [self._show(role, lenses, found) for role in roles]

    def _lenses(self, bases: Sequence[int]) -> dict[int, Seen]:
        """Return the lens of each base: the first of its candidates that can be seen."""
        waiting = {base: self._candidates(base) for base in bases}
        found: dict[int, Seen] = {}
        while waiting:
            tries: list[tuple[int, Drawn]] = []
            for base, draws in islice(waiting.items(), self.stage.rendered):
                drawn = next(draws, None)
                if drawn is None:
                    raise self._impossible()
                tries.append((base, drawn))
            rendered = self.stage.render([drawn for _, drawn in tries], True)
            for (base, _), seen in zip(tries, rendered, strict=True):
                if self._can_be_seen(seen):
                    found[base] = seen
                    del waiting[base]
        return found

    def _candidates(self, base: int) -> Iterator[Drawn]:
        """Draw the candidates of a lens whose arcs lie in the field."""
        for scene in range(base, base + CANDIDATES):
            drawn = draw_lens(self.plan.lens, seed=self.seed, index=scene)
            if drawn.facts[0]["einstein_radius_arcsec"] * 1.4 < self.stage.reach_arcsec:
                yield scene, drawn

    def _impossible(self) -> RecipeError:
        lens = self.plan.lens
        return RecipeError(
            f"None of {CANDIDATES:,} lenses reaches a signal to noise of {lens.min_arc_snr:g} and "
            f"a contrast of {lens.min_contrast:g} within {self.stage.reach_arcsec:.0f} arcsec",
            "Lower lens.min_arc_snr or lens.min_contrast, or brighten lens.source_g_ab",
        )

    def _others(self, bases: Sequence[int]) -> dict[int, Seen]:
        drawn = [
            (base, draw_nonlens(self.plan.nonlens, seed=self.seed, index=base)) for base in bases
        ]
        seen = chain.from_iterable(
            self.stage.render(drawn[start : start + self.stage.rendered], False)
            for start in range(0, len(drawn), self.stage.rendered)
        )
        return dict(zip(bases, seen, strict=True))

    def _can_be_seen(self, seen: Seen) -> bool:
        snr, contrast = seen.facts["arc_snr"] or 0.0, seen.facts["arc_contrast"] or 0.0
        return snr >= self.plan.lens.min_arc_snr and contrast >= self.plan.lens.min_contrast

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
            tables=lens.tables,
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
        return float((light.sum((1, 2), dtype=np.float64) / self.stage.noise).sum())


def judge(parts: Parts, noise: Float[np.ndarray, " band"]) -> list[dict[str, Fact]]:
    """Return how well the arcs of each scene can be seen."""
    snr, contrast = arc_signal_to_noise(parts.host + parts.neighbors, parts.lensed, noise)
    return [
        {"arc_snr": float(s), "arc_contrast": float(c)} for s, c in zip(snr, contrast, strict=True)
    ]


def magnitudes(seen: Seen, bands: Sequence[str], zero_point_ab: float) -> dict[str, Fact]:
    """Return the magnitudes in the field, of the host and of the lensed light."""
    named: dict[str, Fact] = {}
    for part, planes in (("host", seen.parts[0]), ("lensed", seen.parts[2])):
        for band, plane in zip(bands, planes, strict=True):
            counts = float(plane.sum(dtype=np.float64))
            magnitude = zero_point_ab - 2.5 * math.log10(counts) if counts > 0 else None
            named[f"{part}_{band}_ab"] = magnitude
    return named


def _base(side: int, number: int) -> int:
    """Return the number of the first candidate of a scene."""
    return (side * SIDE_LENGTH + number) * CANDIDATES


def _alike(companions: Planes, arcs: Planes) -> Planes:
    """Return companions with the light of the arcs in each band."""
    mine, theirs = companions.sum((1, 2), keepdims=True), arcs.sum((1, 2), keepdims=True)
    return companions * np.where(mine > 0, theirs / np.where(mine > 0, mine, 1), 0)
