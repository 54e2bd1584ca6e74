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
from skysieve.train.flaws import jpeg, punch, spoil
from skysieve.train.views import View, blur, warp, window

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
        lens: Lens scenes whose arcs are shown.
        host: Lens scenes whose ordinary light is shown with them: the same or others.
        controls: How many of these, from the first, are shown a second time without arcs.
        nonlens: Scenes of other kinds.
    """

    lens: Int64[np.ndarray, " a"]
    host: Int64[np.ndarray, " a"]
    controls: int
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
        self.radius_arcsec = np.array(
            [fact["einstein_radius_arcsec"] for fact in corpus.facts["lens"]]
        )
        self.extent_pixels = (1.4 * self.radius_arcsec + 1.0) / instrument.pixel_scale_arcsec
        self.wide = self.radius_arcsec * plan.zoom[1] >= plan.min_einstein_radius_arcsec
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
                self._lenses(rng, pick, len(pick.lens), lensed=True),
                self._lenses(rng, pick, pick.controls, lensed=False),
                self._nonlenses(rng, pick),
            ]
        )
        labels = np.zeros(len(images), np.int64)
        labels[: len(pick.lens)] = 1
        return self._observe(rng, self._look(rng, images, pick, side)), labels

    def _pick(self, rng: np.random.Generator, size: int, side: int) -> Pick:
        usable = self.usable["lens"]
        bright = self.visibility * self.plan.max_arc_boost >= self.plan.min_arc_visibility
        fits = self.extent_pixels * self.plan.zoom[0] < side / 2
        lenses = size // 2
        lens = rng.choice(usable[(self.wide & bright & fits)[usable]], lenses)
        swapped = rng.random(lenses) < self.plan.swap_fraction
        controls = round((size - lenses) * self.plan.control_fraction)
        return Pick(
            lens=lens,
            host=np.where(swapped, rng.choice(usable, lenses), lens),
            controls=controls,
            nonlens=rng.choice(self.usable["nonlens"], size - lenses - controls),
        )

    def _lenses(self, rng: np.random.Generator, pick: Pick, count: int, *, lensed: bool) -> Images:
        """Return noise-free lenses, or their controls, as large as the corpus has them."""
        images = np.empty((count, len(self.noise), self.side, self.side), np.float32)
        for k in range(count):
            image = self._stack("lens", pick.host[k])[0].astype(np.float32)
            if lensed or rng.random() < self.plan.companion_fraction:
                light = self._stack("lens", pick.lens[k])[1 if lensed else 2]
                image += self._boost(rng, pick.lens[k]) * light
            images[k] = self._crowd(rng, "lens", image)
        return images

    def _nonlenses(self, rng: np.random.Generator, pick: Pick) -> Images:
        """Return noise-free scenes of other kinds, about as bright as lenses."""
        images = np.empty((len(pick.nonlens), len(self.noise), self.side, self.side), np.float32)
        for k, row in enumerate(pick.nonlens):
            image = self._stack("nonlens", row)[0].astype(np.float32)
            images[k] = self._crowd(rng, "nonlens", image * self._match(rng, image))
        return images

    def _look(
        self, rng: np.random.Generator, images: Images, pick: Pick, side: int
    ) -> Float32[np.ndarray, "n band side side"]:
        """Return the scenes as one camera or another would see them, still without noise.

        A control is looked at as its lens is.
        """
        n, reach, plan = len(pick.lens) + len(pick.nonlens), self.plan.shift_pixels, self.plan
        low, high = np.log(plan.zoom)
        zoom = np.exp(rng.uniform(low, high, n))
        lens = pick.lens
        least = plan.min_einstein_radius_arcsec / self.radius_arcsec[lens]
        zoom[: len(lens)] = np.clip(zoom[: len(lens)], least, side / 2 / self.extent_pixels[lens])
        view = View(
            angle=rng.uniform(0, 2 * np.pi, n),
            zoom=zoom,
            shift=rng.uniform(-reach, reach, (n, 2)),
            mirrored=rng.random(n) < 0.5,
        )
        same = np.arange(n)
        same = np.concatenate([same[: len(lens)], same[: pick.controls], same[len(lens) :]])
        seeing = rng.uniform(0, plan.blur_pixels, (n, 1))
        sigma = seeing * np.exp(rng.normal(0, 0.2, (n, images.shape[1])))
        seen = warp(images, View(*(part[same] for part in view)), side)
        return blur(seen, sigma[same])

    def _stack(
        self, name: Literal["lens", "nonlens"], row: np.int64
    ) -> Float[np.ndarray, "plane band y x"]:
        parts: tuple[np.ndarray, ...] = getattr(self.corpus, name)
        part, place = self.rows[name][row]
        return parts[part][place]

    def _crowd(
        self,
        rng: np.random.Generator,
        name: Literal["lens", "nonlens"],
        image: Float32[np.ndarray, "band y x"],
    ) -> Float32[np.ndarray, "band y x"]:
        """Return some images with another scene's ordinary light off the center.

        Beside early types stand early types: galaxies cluster (Dressler 1980, ApJ 236, 351).
        """
        if rng.random() >= self.plan.crowd_fraction[name]:
            return image
        stack = self._stack(name, rng.choice(self.usable[name]))[:1].astype(np.float32)
        distance, angle = rng.uniform(*PASSER_BY_PIXELS), rng.uniform(0, 2 * np.pi)
        shift = np.rint([distance * np.sin(angle), distance * np.cos(angle)]).astype(int)
        dark = window(stack, shift, self.side, fill="constant")
        return image + dark[0] * np.float32(np.exp(rng.uniform(-0.5, 1.5)))

    def _match(self, rng: np.random.Generator, image: Float[np.ndarray, "band y x"]) -> np.float32:
        """Return the factor that makes an object about as bright as the host of some lens."""
        target = self.brightness[rng.integers(len(self.brightness))]
        own = max(_central_counts(image), 1e-6)
        return np.float32(np.clip(target / own, *MATCH_RANGE))

    def _boost(self, rng: np.random.Generator, row: np.int64) -> np.float32:
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
            correlation=rng.uniform(0.0, plan.noise_correlation_pixels, n),
            rng=rng,
        )
        seen += (noise * rng.normal(0.4, 0.4, (n, 1)))[:, :, None, None].astype(np.float32)
        for k in np.flatnonzero(rng.random(n) < plan.artifact_fraction):
            spoil(rng, seen[k], noise[k])
        seen = self._show(rng, seen)
        for k in np.flatnonzero(rng.random(n) < plan.hole_fraction):
            punch(rng, seen[k])
        return seen

    def _show(self, rng: np.random.Generator, images: Images) -> Images:
        """Return each image as a color picture, scaled by band, or as flux in some unit."""
        plan, (n, bands) = self.plan, images.shape[:2]
        tint = np.exp(rng.normal(0, plan.color_spread, (n, bands)))
        pictures = humvi_picture(
            images,
            scales=self.scales * tint,
            q=HUMVI_Q * np.exp(rng.normal(0, 0.3, n)),
            alpha=HUMVI_ALPHA * np.exp(rng.normal(0, plan.contrast_spread, n)),
        )
        for k in np.flatnonzero(rng.random(n) < plan.jpeg_fraction):
            pictures[k] = jpeg(pictures[k], int(rng.integers(60, 98)))
        gamma = np.exp(rng.normal(0, plan.gamma_spread, n))[:, None, None, None]
        pictures = np.rint(255 * (pictures / 255) ** gamma).astype(np.float32)
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


def _central_counts(image: Float[np.ndarray, "band y x"]) -> float:
    """Return the light in the middle band within about 1.5 arcsec of the center."""
    y, x = image.shape[1] // 2, image.shape[2] // 2
    box = image[image.shape[0] // 2, y - 8 : y + 8, x - 8 : x + 8]
    return float(box.sum(dtype=np.float32))


def _locate(parts: tuple[np.ndarray, ...]) -> list[tuple[int, int]]:
    return [(p, k) for p, part in enumerate(parts) for k in range(len(part))]
