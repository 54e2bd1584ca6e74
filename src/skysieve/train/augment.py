"""Changes of training images that leave their class: turns, shifts, zooms, gains, noise, holes.

Raw pixels go in and come out; NaN is no data. Image k of a batch is changed by its place k and the
random stream alone, whatever comes after it in the batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from skysieve.recipe.learning import AugmentPlan

Images = Float32[Tensor, "n band side side"]
Targets = Float32[Tensor, "n class"]
Numbers = Float64[np.ndarray, " n"]

SKY_SAMPLE = 1_024
"""About so many pixels of a plane tell the scatter of its sky."""

ERASED_AREA = (0.02, 0.2)
"""Share of the image that a hole takes; above it the middle object would often be gone."""

ERASED_ASPECT = 0.3
"""Smallest height over width of a hole, or width over height."""

_GAUSSIAN = 1.4826  # standard deviation over median absolute deviation


class Draws(NamedTuple):
    """Random numbers of each image, evenly from 0 to 1."""

    symmetry: Numbers
    mirror: Numbers
    flip: Numbers
    turn: Numbers
    shift_x: Numbers
    shift_y: Numbers
    zoom: Numbers
    gain: Numbers
    noise: Numbers
    erase: Numbers
    area: Numbers
    aspect: Numbers
    left: Numbers
    top: Numbers


def augment(pixels: Images, plan: AugmentPlan, rng: np.random.Generator) -> Images:
    """Return images changed as the plan says; those passed in are left alone.

    Turns by quarters, mirror images and, where nothing is turned or zoomed, shifts move whole pixels
    and lose nothing. The rest is interpolated linearly; a pixel of which less than half is covered
    by data has none. Where ``outside`` is ``zero``, what lies outside is no data, which a network
    sees as 0.

    Args:
        pixels: Raw, on any device; NaN where there is no data.
        plan: What is changed, and how far. ``mixup`` is not done here: see ``mix``.
        rng: Decides all of it.
    """
    n, bands = pixels.shape[:2]
    own, colors, grain = (  # so that no image's numbers depend on how many images follow it
        np.random.Generator(np.random.Philox(key=int(seed)))
        for seed in rng.integers(0, 2**63, size=3)
    )
    draws = Draws(*own.random((n, len(Draws._fields))).T)
    seen = _symmetric(pixels, plan, draws)
    seen = _moved(seen, plan, draws)
    seen = _brightened(seen, plan, draws, colors)
    if plan.noise > 0:
        drawn = grain.standard_normal((n, bands, *pixels.shape[2:]), np.float32)
        sigma = sky_scatter(seen) * _tensor(plan.noise * draws.noise, seen)[:, None]
        seen = seen + torch.from_numpy(drawn).to(seen.device) * sigma[:, :, None, None]
    seen = _with_holes(seen, plan, draws)
    return seen.clone() if seen is pixels else seen


def mix(
    pixels: Images, targets: Targets, alpha: float, rng: np.random.Generator
) -> tuple[Images, Targets]:
    """Return each image mixed with another of the batch, and its target likewise.

    A pixel has data where both have it.

    Args:
        pixels: Raw images.
        targets: The probability of each class.
        alpha: Parameter of the beta distribution of the shares; 0 mixes none.
        rng: Decides partners and shares.

    References:
        Zhang et al. 2018, arXiv:1710.09412, eq. 1.
    """
    if alpha <= 0:
        return pixels, targets
    share = _tensor(rng.beta(alpha, alpha, len(pixels)), pixels)
    other = torch.from_numpy(rng.permutation(len(pixels))).to(pixels.device)
    mixed = torch.lerp(pixels[other], pixels, share[:, None, None, None])
    return mixed, torch.lerp(targets[other], targets, share[:, None].to(targets))


def sky_scatter(pixels: Images) -> Float32[Tensor, "n band"]:
    """Return the robust scatter of each plane about its median: 1.48 median absolute deviations.

    It is taken over about ``SKY_SAMPLE`` pixels on a lattice; 0 where there is no data.
    """
    step = max(1, round(math.sqrt(pixels.shape[2] * pixels.shape[3] / SKY_SAMPLE)))
    sample = pixels[:, :, ::step, ::step].flatten(2)
    about = (sample - sample.nanmedian(dim=2, keepdim=True).values).abs()
    return torch.nan_to_num(_GAUSSIAN * about.nanmedian(dim=2).values, nan=0.0)


def _symmetric(pixels: Images, plan: AugmentPlan, draws: Draws) -> Images:
    """Mirror, then turn by quarters: whole pixels move, nothing is interpolated."""
    code = (draws.symmetry * 8).astype(int) if plan.dihedral else np.zeros(len(pixels), int)
    mirrored, turns = code // 4, code % 4
    for happens, half in ((draws.mirror < plan.mirror, 0), (draws.flip < plan.flip, 2)):
        turns = np.where(happens, (half - turns) % 4, turns)
        mirrored = np.where(happens, 1 - mirrored, mirrored)
    code = 4 * mirrored + turns
    if not code.any():
        return pixels
    seen = torch.empty_like(pixels)
    for k in np.unique(code):
        rows = torch.from_numpy(np.flatnonzero(code == k)).to(pixels.device)
        some = pixels[rows]
        seen[rows] = torch.rot90(some.flip(3) if k >= 4 else some, int(k % 4), (2, 3))
    return seen


def _moved(pixels: Images, plan: AugmentPlan, draws: Draws) -> Images:
    """Turn, zoom and shift."""
    straight = plan.rotation_deg == 0 and plan.zoom == (1.0, 1.0)
    if straight and plan.shift_pixels == 0:
        return pixels
    if straight and plan.shift_pixels >= 1:
        steps = 2 * math.floor(plan.shift_pixels) + 1
        x, y = (
            (draw * steps).astype(np.int64) - steps // 2 for draw in (draws.shift_x, draws.shift_y)
        )
        return _rolled(pixels, x, y, mirror=plan.outside == "mirror")
    grid = _grid(pixels, plan, draws)
    mirror = plan.outside == "mirror"
    lacking = torch.isnan(pixels)
    if mirror and not bool(lacking.any()):
        return _sampled(pixels, grid, mirror=True)
    there = (~lacking).to(pixels)
    covered = _sampled(there, grid, mirror=mirror)
    light = _sampled(torch.nan_to_num(pixels, nan=0.0), grid, mirror=mirror)
    nothing = torch.full_like(light, torch.nan)
    return torch.where(covered >= 0.5, light / covered.clamp(min=0.5), nothing)


def _rolled(
    pixels: Images, x: Int64[np.ndarray, " n"], y: Int64[np.ndarray, " n"], *, mirror: bool
) -> Images:
    """Shift each image by whole pixels to the right and down."""
    side = pixels.shape[-1]
    columns, rows = (np.arange(side)[None] - shift[:, None] for shift in (x, y))
    outside = None
    if not mirror:
        off_x, off_y = ((line < 0) | (line >= side) for line in (columns, rows))
        outside = torch.from_numpy(off_y[:, None, :, None] | off_x[:, None, None, :])
    at_x, at_y = (
        torch.from_numpy(_reflected(line, side)).to(pixels.device) for line in (columns, rows)
    )
    shape = pixels.shape
    seen = pixels.gather(2, at_y[:, None, :, None].expand(shape))
    seen = seen.gather(3, at_x[:, None, None, :].expand(shape))
    return seen if outside is None else seen.masked_fill(outside.to(seen.device), torch.nan)


def _reflected(line: Int64[np.ndarray, "n side"], side: int) -> Int64[np.ndarray, "n side"]:
    """Return positions within a line that is mirrored at its ends, time and again."""
    around = line % (2 * side)
    return np.minimum(around, 2 * side - 1 - around)


def _grid(pixels: Images, plan: AugmentPlan, draws: Draws) -> Float32[Tensor, "n side side 2"]:
    """Return where each pixel of the result lies in its image, from -1 to 1 at the edges."""
    angle = np.radians(plan.rotation_deg) * (2 * draws.turn - 1)
    zoom = _between(plan.zoom, draws.zoom)
    x, y = (plan.shift_pixels * (2 * draw - 1) for draw in (draws.shift_x, draws.shift_y))
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.empty((len(pixels), 2, 3), np.float32)
    matrix[:, 0, :2] = np.stack([cosine, -sine], 1)
    matrix[:, 1, :2] = np.stack([sine, cosine], 1)
    moved = -np.stack([cosine * x - sine * y, sine * x + cosine * y], 1)
    matrix[:, :, 2] = moved * (2 / pixels.shape[-1])
    shape = list(pixels.shape)
    affine = torch.from_numpy(matrix).to(pixels.device)
    return torch.nn.functional.affine_grid(affine, shape, align_corners=False)


def _sampled(pixels: Images, grid: Tensor, *, mirror: bool) -> Images:
    return torch.nn.functional.grid_sample(
        pixels, grid, padding_mode="reflection" if mirror else "zeros", align_corners=False
    )


def _brightened(
    pixels: Images, plan: AugmentPlan, draws: Draws, rng: np.random.Generator
) -> Images:
    """Multiply all bands by one factor, and each by one of its own."""
    if plan.gain == (1.0, 1.0) and plan.color_spread == 0:
        return pixels
    factor = _between(plan.gain, draws.gain)[:, None]
    if plan.color_spread > 0:
        own = rng.standard_normal((len(pixels), pixels.shape[1]))
        factor = factor * np.exp(plan.color_spread * own)
    return pixels * _tensor(factor, pixels)[:, :, None, None]


def _with_holes(pixels: Images, plan: AugmentPlan, draws: Draws) -> Images:
    """Blank a rectangle of some images: no band has data there."""
    if plan.erase == 0:
        return pixels
    side = pixels.shape[-1]
    area = _between(ERASED_AREA, draws.area) * side**2
    aspect = np.exp(math.log(ERASED_ASPECT) * (2 * draws.aspect - 1))
    height, width = np.sqrt(area * aspect), np.sqrt(area / aspect)
    line = np.arange(side) + 0.5
    down = _within(line, draws.top * (side - height), height)
    across = _within(line, draws.left * (side - width), width)
    hole = down[:, :, None] & across[:, None, :] & (draws.erase < plan.erase)[:, None, None]
    return pixels.masked_fill(torch.from_numpy(hole)[:, None].to(pixels.device), torch.nan)


def _within(
    line: Float64[np.ndarray, " side"], start: Numbers, length: Numbers
) -> Bool[np.ndarray, "n side"]:
    return (line >= start[:, None]) & (line < (start + length)[:, None])


def _between(ends: tuple[float, float], draw: Numbers) -> Numbers:
    """Return numbers between two; evenly in their logarithm where both are above 0."""
    low, high = ends
    return low * (high / low) ** draw if low > 0 else low + (high - low) * draw


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(like.device)
