"""Training images from noise-free scenes: another depth, stretch, place and turn every time.

Both classes share hosts, neighbors, seeing, noise and stretch; only the lensing differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch.utils.data import Dataset

from skysieve.core.random import stream
from skysieve.core.survey import survey
from skysieve.recipe.training import MixPlan
from skysieve.simulate.corpus import Corpus
from skysieve.simulate.instrument import (
    HUMVI_ALPHA,
    HUMVI_Q,
    HUMVI_SCALES,
    add_noise,
    humvi_picture,
    sky_noise,
)

PASSER_BY_PIXELS = (28.0, 64.0)
"""How far from the center the object of another scene is put in a crowded field."""
MATCH_RANGE = (0.7, 6.0)
"""How far a non-lens is dimmed or brightened to be as bright as a lens: else brightness tells."""
HELD_OUT_EVERY = 10
"""Every tenth scene is kept for validation."""

Images = Float32[np.ndarray, "n band y x"]


@dataclass(frozen=True, eq=False)
class Pick:
    """Which scenes a batch is made of.

    Args:
        lens: Indices of scenes shown with their arcs.
        control: Indices of lens scenes shown without.
        nonlens: Indices of scenes of other kinds.
    """

    lens: Int64[np.ndarray, " a"]
    control: Int64[np.ndarray, " b"]
    nonlens: Int64[np.ndarray, " c"]


class Mixer:
    """Makes batches from a corpus; each depends on its seed, purpose and number alone.

    Args:
        corpus: The scenes.
        plan: How scenes become images.
        held_out: Take validation scenes instead of training scenes.
        seed: Of the batches.
    """

    def __init__(self, corpus: Corpus, plan: MixPlan, *, held_out: bool, seed: int) -> None:
        self.corpus = corpus
        self.plan = plan
        self.seed = seed
        self.purpose = "validation" if held_out else "training"
        camera = corpus.plan.camera
        self.side = camera.side
        instrument = survey(camera.survey)
        self.noise = sky_noise(instrument, camera.bands)
        self.scales = np.array([HUMVI_SCALES[band] for band in camera.bands])
        radius = np.array([fact["einstein_radius_arcsec"] for fact in corpus.facts["lens"]])
        self.extent_pixels = (1.4 * radius + 1.0) / instrument.pixel_scale_arcsec
        self.wide = radius >= plan.min_einstein_radius_arcsec
        self.visibility = np.array(
            [fact["arc_snr"] * fact["arc_contrast"] for fact in corpus.facts["lens"]]
        )
        self.brightness = np.concatenate(
            [[_central_counts(stack[0]) for stack in part] for part in corpus.lens]
        )
        self.rows = {name: _locate(getattr(corpus, name)) for name in ("lens", "nonlens")}
        index = {
            name: np.array([fact["index"] for fact in corpus.facts[name]])
            for name in ("lens", "nonlens")
        }
        self.usable = {
            name: np.flatnonzero((index[name] % HELD_OUT_EVERY == 0) == held_out) for name in index
        }

    def batch(
        self, number: int, size: int, side: int | None = None
    ) -> tuple[Images, Int64[np.ndarray, " n"]]:
        """Return raw pixels (NaN where there are none) and labels, 1 for a lens.

        Args:
            number: Which batch.
            size: Images in it; half are lenses.
            side: Pixels a side; None draws one of the plan's.
        """
        rng = stream(self.seed, self.purpose, number)
        side = side or int(rng.choice(self.plan.sides))
        pick = self._pick(rng, size, side)
        images = np.concatenate(
            [
                self._cut(rng, "lens", pick.lens, (0, 1), side),
                self._cut(rng, "lens", pick.control, (0, 2), side),
                self._cut(rng, "nonlens", pick.nonlens, (0,), side),
            ]
        )
        labels = np.zeros(len(images), np.int64)
        labels[: len(pick.lens)] = 1
        return self._observe(rng, images), labels

    def _pick(self, rng: np.random.Generator, size: int, side: int) -> Pick:
        usable = self.usable["lens"]
        bright = self.visibility * self.plan.max_arc_boost >= self.plan.min_arc_visibility
        inside = usable[(self.wide & bright & (self.extent_pixels < side / 2))[usable]]
        lenses = size // 2
        controls = round((size - lenses) * self.plan.control_fraction)
        return Pick(
            lens=rng.choice(inside, lenses),
            control=rng.choice(inside, controls),
            nonlens=rng.choice(self.usable["nonlens"], size - lenses - controls),
        )

    def _cut(
        self,
        rng: np.random.Generator,
        name: Literal["lens", "nonlens"],
        rows: Int64[np.ndarray, " n"],
        planes: tuple[int, ...],
        side: int,
    ) -> Images:
        """Return noise-free cutouts, shifted, turned and mirrored at random."""
        parts: tuple[np.ndarray, ...] = getattr(self.corpus, name)
        images = np.empty((len(rows), len(self.noise), side, side), np.float32)
        reach = self.plan.shift_pixels
        for k, row in enumerate(rows):
            part, place = self.rows[name][row]
            stack = _window(parts[part][place], rng.integers(-reach, reach + 1, 2), side)
            image = stack[0].astype(np.float32)
            if len(planes) > 1 and (planes[1] == 1 or rng.random() < self.plan.companion_fraction):
                image = image + self._boost(rng, int(row)) * stack[planes[1]]
            if name == "nonlens":
                image = image * self._match(rng, image)
            if rng.random() < self.plan.crowd_fraction[name]:
                image = image + self._passer_by(rng, name, side)
            images[k] = _turn(image, int(rng.integers(8)))
        return images

    def _passer_by(
        self, rng: np.random.Generator, name: Literal["lens", "nonlens"], side: int
    ) -> Float[np.ndarray, "band y x"]:
        """Return another scene's ordinary light, seen off the center: a crowded field.

        Beside early types stand early types: galaxies cluster (Dressler 1980, ApJ 236, 351).
        """
        parts: tuple[np.ndarray, ...] = getattr(self.corpus, name)
        part, place = self.rows[name][rng.choice(self.usable[name])]
        distance, angle = rng.uniform(*PASSER_BY_PIXELS), rng.uniform(0, 2 * np.pi)
        shift = np.rint([distance * np.sin(angle), distance * np.cos(angle)]).astype(int)
        stack = _window(parts[part][place][:1], shift, side, fill="constant")
        return stack[0] * np.float32(np.exp(rng.uniform(-0.5, 1.5)))

    def _match(self, rng: np.random.Generator, image: Float[np.ndarray, "band y x"]) -> np.float32:
        """Return the factor that makes an object about as bright as the host of some lens."""
        target = self.brightness[rng.integers(len(self.brightness))]
        own = max(_central_counts(image), 1e-6)
        return np.float32(np.clip(target / own, *MATCH_RANGE))

    def _boost(self, rng: np.random.Generator, row: int) -> np.float32:
        """Return the factor by which the arcs of a scene, or their stand-ins, are brightened."""
        factor = np.exp(rng.uniform(0, np.log(self.plan.max_arc_boost)))
        return np.float32(max(factor, self.plan.min_arc_visibility / self.visibility[row]))

    def _observe(self, rng: np.random.Generator, images: Images) -> Images:
        """Return what a survey would deliver: noise, artifacts, a stretch or a unit, holes."""
        plan, n = self.plan, len(images)
        bands = images.shape[1]
        depth = np.exp(rng.normal(plan.depth_mean, plan.depth_spread, n)).astype(np.float32)
        noise = self.noise * np.exp(rng.normal(-0.15, 0.12, (n, bands)))
        seen = add_noise(
            images * depth[:, None, None, None],
            noise,
            gain=np.exp(rng.uniform(np.log(5), np.log(300), n)),
            correlation=rng.uniform(0.1, 0.6, n),
            rng=rng,
        )
        seen += (noise * rng.normal(0.4, 0.4, (n, 1)))[:, :, None, None].astype(np.float32)
        for k in np.flatnonzero(rng.random(n) < plan.artifact_fraction):
            _spoil(rng, seen[k], noise[k])
        seen = self._show(rng, seen)
        for k in np.flatnonzero(rng.random(n) < plan.hole_fraction):
            _punch(rng, seen[k])
        return seen

    def _show(self, rng: np.random.Generator, images: Images) -> Images:
        """Return each image as a color picture, scaled by band, or as flux in some unit."""
        plan, (n, bands) = self.plan, images.shape[:2]
        tint = np.exp(rng.normal(0, plan.color_spread, (n, bands)))
        pictures = humvi_picture(
            images,
            scales=self.scales * tint,
            q=HUMVI_Q * np.exp(rng.normal(0, 0.3, n)),
            alpha=HUMVI_ALPHA * np.exp(rng.normal(0, 0.25, n)),
        ).astype(np.float32)
        unit = 10 ** rng.uniform(-6, 2, (n, 1)) * tint
        flux = images * unit[:, :, None, None].astype(np.float32)
        way = rng.random(n)
        display, scaled = plan.display_fraction, plan.band_scaled_fraction
        shown = np.where((way < display + scaled)[:, None, None, None], pictures, flux)
        by_band = (way >= display) & (way < display + scaled)
        low = shown.min((2, 3), keepdims=True)
        top = np.maximum(shown.max((2, 3), keepdims=True) - low, 1e-20)
        return np.where(by_band[:, None, None, None], (shown - low) / top, shown)


class Batches(Dataset):
    """Batches of a mixer as a map-style dataset, so that loading can be resumed at any number.

    Args:
        mixer: Makes them.
        first: Number of the first.
        count: How many.
        size: Images in each.
        side: Pixels a side, or None for the plan's choice.
    """

    def __init__(
        self, mixer: Mixer, first: int, count: int, size: int, side: int | None = None
    ) -> None:
        self.mixer, self.first, self.count, self.size, self.side = mixer, first, count, size, side

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        if index >= self.count:
            raise IndexError(index)
        images, labels = self.mixer.batch(self.first + index, self.size, self.side)
        return torch.from_numpy(images), torch.from_numpy(labels)


def _window(
    stack: Float[np.ndarray, "plane band y x"],
    shift: Int64[np.ndarray, "2"],
    side: int,
    fill: Literal["reflect", "constant"] = "reflect",
) -> Float[np.ndarray, "plane band side side"]:
    """Return a square about a point off the center; what lies outside is mirrored or dark."""
    full = stack.shape[-1]
    low = (full - side) // 2 + shift
    over = max(0, -int(low.min()), int(low.max()) + side - full)
    if over:
        stack = np.pad(stack, ((0, 0), (0, 0), (over, over), (over, over)), mode=fill)
        low = low + over
    return stack[:, :, low[0] : low[0] + side, low[1] : low[1] + side]


def _central_counts(image: Float[np.ndarray, "band y x"]) -> float:
    """Return the light in the middle band within about 1.5 arcsec of the center."""
    y, x = image.shape[1] // 2, image.shape[2] // 2
    box = image[image.shape[0] // 2, y - 8 : y + 8, x - 8 : x + 8]
    return float(box.sum(dtype=np.float32))


def _locate(parts: tuple[np.ndarray, ...]) -> list[tuple[int, int]]:
    return [(p, k) for p, part in enumerate(parts) for k in range(len(part))]


def _turn(image: Float[np.ndarray, "band y x"], which: int) -> Float[np.ndarray, "band y x"]:
    """Return one of the eight symmetries of the square; nothing is interpolated."""
    turned = np.rot90(image, which % 4, (1, 2))
    return turned[:, :, ::-1] if which >= 4 else turned


def _spoil(
    rng: np.random.Generator, image: Float32[np.ndarray, "band y x"], noise: np.ndarray
) -> None:
    """Add a satellite trail, a saturated column with its bleeding, or a glow, in place."""
    bands, side, _ = image.shape
    y, x = np.mgrid[:side, :side].astype(np.float32)
    way = rng.integers(3)
    if way == 0:
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.4, 0.4) * side
        across = (x - side / 2) * np.cos(angle) + (y - side / 2) * np.sin(angle) - offset
        band = rng.integers(bands)
        strength = noise[band] * np.exp(rng.uniform(0, 4))
        image[band] += strength * np.exp(-0.5 * (across / rng.uniform(1, 3)) ** 2)
    elif way == 1:
        column, width = int(rng.integers(side)), int(rng.integers(1, 5))
        for band in range(bands):
            if rng.random() < 0.7:
                image[band, :, column : column + width] = noise[band] * np.exp(rng.uniform(2, 7))
    else:
        cx, cy = rng.uniform(-0.5, 1.5, 2) * side
        glow = np.exp(-np.hypot(x - cx, y - cy) / rng.uniform(5, 25))
        for band in range(bands):
            image[band] += noise[band] * np.exp(rng.uniform(1, 6)) * glow


def _punch(rng: np.random.Generator, image: Float32[np.ndarray, "band y x"]) -> None:
    """Remove an edge, a block or a few pixels, in place: chip gaps, masks, a smaller field."""
    side = image.shape[-1]
    way = rng.integers(3)
    if way == 0:
        edge = int(rng.integers(1, side // 6))
        for window in (np.s_[:, :edge], np.s_[:, -edge:], np.s_[:, :, :edge], np.s_[:, :, -edge:]):
            if rng.random() < 0.7:
                image[window] = np.nan
    elif way == 1:
        y, x = rng.integers(0, side - 6, 2)
        height, width = rng.integers(2, side // 4, 2)
        if abs(y + height / 2 - side / 2) > side / 6 or abs(x + width / 2 - side / 2) > side / 6:
            image[:, y : y + height, x : x + width] = np.nan
    else:
        image[:, rng.random((side, side)) < 0.01] = np.nan
