"""Images of lenses with a smooth halo, with subhalos or with vortices, in torch.

The classes share lens, source, camera and the mass inside the Einstein radius; what differs is
how a few percent of that mass is spread.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

import caustics.lenses.func
import caustics.light.func
import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.interpolate import make_interp_spline
from scipy.special import ndtr
from torch import Tensor

from skysieve.core.errors import InputError, MissingError, RecipeError
from skysieve.core.random import stream
from skysieve.recipe.substructure import (
    FlatBackgroundPlan,
    SubstructureCameraPlan,
    SubstructureKind,
    SubstructurePlan,
    TruncatedNfwPlan,
)
from skysieve.simulate.clumps import (
    HALO,
    STRING,
    SYSTEM,
    draw_subhalos,
    draw_system,
    draw_vortices,
    reduced_radius,
)
from skysieve.simulate.render import MARGIN, SUPERSAMPLING, Grid, convolve, positions, ray_trace

BATCH = 8
"""Images computed at once; a batch is filled up, so that an image does not feel its mates."""
CHUNK = 4
"""Clumps computed at once."""
COARSE_ARCSEC = 0.05
"""Spacing at which the deflection by light NFW halos is computed; a cubic spline gives it between,
to less than 1e-3 of the peak of an image."""
HEAVY_ARCSEC2 = 5e-4
"""From this mass on, about 2e8 solar masses, halos are computed at every position."""
CIRCLE_POINTS = 4096
"""Points on the Einstein circle at which the deflection is summed to weigh what is inside."""

_lens: Any = caustics.lenses.func  # annotated for numbers, made for tensors
_light: Any = caustics.light.func

Deflect = Callable[..., tuple[Tensor, Tensor]]
Table = Float[np.ndarray, "_ column"]  # lenses have different numbers of clumps


@dataclass(frozen=True, eq=False, kw_only=True)
class SubstructureImages:
    """Simulated images of one class, with all that is known of them.

    Args:
        kind: The class.
        pixels: Electrons per second above the sky, with noise; or 0..1, if the plan scales.
        noise_free: Electrons per second above the sky, never scaled.
        parameters: Columns of numbers by name: those of ``SYSTEM``, ``smooth_radius`` (the
            Einstein radius of the smooth part), ``mass_inside`` (clumps inside the Einstein
            radius over all mass there), ``clumps`` (how many), ``log10_axion_mass_ev`` (NaN
            without vortices) and ``peak_snr`` (brightest pixel over its noise).
        clumps: For each image its subhalos (columns ``HALO``) or vortices (``STRING``).
    """

    kind: SubstructureKind
    pixels: Float32[np.ndarray, "n 1 y x"]
    noise_free: Float32[np.ndarray, "n 1 y x"]
    parameters: dict[str, Float[np.ndarray, " n"]]
    clumps: tuple[Table, ...]

    def __len__(self) -> int:
        return len(self.pixels)


def simulate_substructure(
    plan: SubstructurePlan,
    *,
    kind: SubstructureKind,
    seed: int,
    first: int,
    count: int,
    device: str = "cpu",
    compiled: bool = True,
) -> SubstructureImages:
    """Return the images ``first`` to ``first + count - 1`` of a class.

    An image depends on the plan, its class, the seed and its index; not on ``first`` or
    ``count``. On another device, or not compiled, it is the same to rounding.

    Args:
        plan: Population and camera.
        kind: The class.
        seed: Decides everything that is drawn.
        first: Index of the first image, 0 or more.
        count: How many images, 1 or more.
        device: Where torch computes, such as ``"cpu"`` or ``"cuda"``.
        compiled: Use ``torch.compile`` for the deflection by clumps.

    Raises:
        InputError: The class or the device is none, or there is nothing to make.
        MissingError: The device is not there.
        RecipeError: Clumps would hold all the mass of a lens.
    """
    _check(kind, first, count, device)
    indices = range(first, first + count)
    systems = np.stack([draw_system(plan, kind=kind, seed=seed, index=k) for k in indices])
    axion = np.full(count, np.nan)
    clumps = [np.zeros((0, len(HALO)))] * count
    if kind == "sphere":
        clumps = [
            draw_subhalos(plan, system, seed=seed, index=k)
            for k, system in zip(indices, systems, strict=True)
        ]
    elif kind == "vort":
        drawn = [
            draw_vortices(plan, system, seed=seed, index=k)
            for k, system in zip(indices, systems, strict=True)
        ]
        clumps, axion = [table for table, _ in drawn], np.array([mass for _, mass in drawn])
    deflect = _deflection(plan, kind)
    inside = np.concatenate(
        [
            mass_inside(systems[at : at + BATCH], clumps[at : at + BATCH], deflect)
            for at in range(0, count, BATCH)
        ]
    )
    column = dict(zip(SYSTEM, systems.T, strict=True))
    smooth = reduced_radius(column["einstein_radius"], column["q"], inside)
    if (smooth <= 0).any():
        raise RecipeError("Substructure outweighs a lens", "Lower its mass_fraction")
    fast = _compile(deflect) if compiled else deflect
    noise_free = np.concatenate(
        [
            _render(
                systems[at : at + BATCH], smooth[at : at + BATCH], clumps[at : at + BATCH],
                plan.camera, fast, torch.device(device), coarse=deflect is deflect_by_halos,
            )
            for at in range(0, count, BATCH)
        ]
    )  # fmt: skip
    pixels, snr = _expose(noise_free, column["exposure_s"], plan.camera, f"{kind}", seed, first)
    return SubstructureImages(
        kind=kind,
        pixels=_scaled(pixels) if plan.scaled else pixels,
        noise_free=noise_free,
        parameters=column
        | {
            "smooth_radius": smooth,
            "mass_inside": inside / column["einstein_radius"] ** 2,
            "clumps": np.array([float(len(table)) for table in clumps]),
            "log10_axion_mass_ev": axion,
            "peak_snr": snr,
        },
        clumps=tuple(clumps),
    )


def deflect_by_halos(
    halos: Float[Tensor, "batch clump 5"], x: Float[Tensor, "any y x"], y: Float[Tensor, "any y x"]
) -> tuple[Grid, Grid]:
    """Return the deflection by truncated NFW halos, in arcsec; columns as in ``HALO``.

    References:
        Baltz, Marshall & Oguri 2009, JCAP 01, 015, eqs. A.4 and A.11, through caustics.
    """
    x0, y0, mass, scale, tau = (halos[:, :, c, None, None] for c in range(len(HALO)))
    u, v = x[:, None] - x0, y[:, None] - y0
    r = torch.sqrt(u**2 + v**2) + 1e-5
    whole = _lens.M0_totmass_tnfw(mass, tau)
    pull = _lens.mass_enclosed_2d_tnfw(r, scale, tau, whole) / r**2
    return (pull * u).sum(1), (pull * v).sum(1)


def deflect_by_points(
    halos: Float[Tensor, "batch clump 5"], x: Float[Tensor, "any y x"], y: Float[Tensor, "any y x"]
) -> tuple[Grid, Grid]:
    """Return the deflection by point masses, in arcsec; columns as in ``HALO``."""
    x0, y0, mass = (halos[:, :, c, None, None] for c in range(3))
    ax, ay = _lens.reduced_deflection_angle_point(
        x0, y0, torch.sqrt(mass), x[:, None], y[:, None], s=1e-5
    )
    return ax.sum(1), ay.sum(1)


def deflect_by_strings(
    strings: Float[Tensor, "batch clump 6"],
    x: Float[Tensor, "any y x"],
    y: Float[Tensor, "any y x"],
) -> tuple[Grid, Grid]:
    """Return the deflection by straight strings of even density, in arcsec.

    Each element is a Plummer lens, whose deflection ``m r / (r^2 + s^2)`` is summed along the
    string in closed form; without the core the deflection would jump across the string.
    """
    x0, y0, mass, length, phi, core = (strings[:, :, c, None, None] for c in range(len(STRING)))
    cos, sin = torch.cos(phi), torch.sin(phi)
    u = (x[:, None] - x0) * cos + (y[:, None] - y0) * sin
    v = (y[:, None] - y0) * cos - (x[:, None] - x0) * sin
    width = torch.sqrt(v**2 + core**2)
    ahead, behind = u + length / 2, u - length / 2
    density = mass / length
    along = density / 2 * torch.log((ahead**2 + width**2) / (behind**2 + width**2))
    across = density * v / width * (torch.atan(ahead / width) - torch.atan(behind / width))
    return (along * cos - across * sin).sum(1), (along * sin + across * cos).sum(1)


def mass_inside(
    systems: Float[np.ndarray, "n 15"], clumps: list[Table], deflect: Deflect | None
) -> Float[np.ndarray, " n"]:
    """Return the mass of clumps inside the Einstein circle of each lens, in square arcsec.

    Points are counted; else the deflection through the circle says it (Gauss's theorem).
    """
    radius = systems[:, SYSTEM.index("einstein_radius")]
    if deflect is None:
        return np.zeros(len(systems))
    if deflect is deflect_by_points:
        return np.array(
            [
                table[np.hypot(table[:, 0] - row[0], table[:, 1] - row[1]) < r, 2].sum()
                for table, row, r in zip(clumps, systems, radius, strict=True)
            ]
        )
    angle = np.linspace(0, 2 * np.pi, CIRCLE_POINTS, endpoint=False)
    out = np.stack([np.cos(angle), np.sin(angle)])
    x, y = (systems[:, :2, None] + radius[:, None, None] * out).transpose(1, 0, 2)[:, :, None]
    ax, ay = _deflect_all(clumps, torch.as_tensor(x), torch.as_tensor(y), deflect)
    through = ax[:, 0].numpy() * out[0] + ay[:, 0].numpy() * out[1]
    return through.mean(1) * radius


def _render(
    systems: Float[np.ndarray, "n 15"],
    smooth: Float[np.ndarray, " n"],
    clumps: list[Table],
    camera: SubstructureCameraPlan,
    deflect: Deflect | None,
    device: torch.device,
    *,
    coarse: bool,
) -> Float32[np.ndarray, "n 1 y x"]:
    """Return images without noise of up to ``BATCH`` lenses."""
    there = len(systems)
    filled = np.concatenate([systems, np.repeat(systems[:1], BATCH - there, axis=0)])
    radius = np.concatenate([smooth, np.repeat(smooth[:1], BATCH - there)])
    tables = [*clumps, *([clumps[0][:0]] * (BATCH - there))]
    fine = camera.pixel_scale_arcsec / SUPERSAMPLING
    wide = (camera.side + 2 * MARGIN) * SUPERSAMPLING
    row = torch.as_tensor(filled, dtype=torch.float32, device=device)
    c = {name: row[:, k, None, None] for k, name in enumerate(SYSTEM)}
    mass = torch.zeros((BATCH, 1, 6), device=device)
    mass[:, 0, :5] = row[:, :5]
    mass[:, 0, 2] = torch.as_tensor(radius, dtype=torch.float32, device=device)
    with torch.no_grad(), torch.device(device):
        x, y = positions(wide, fine)
        u, v = ray_trace(mass, row[:, 5:7], x, y)
        if deflect is not None:
            ax, ay = _deflect_frame(tables, wide, fine, deflect, coarse=coarse)
            u, v = u - ax, v - ay
        image = torch.nn.functional.avg_pool2d(_source(c, u, v)[:, None], SUPERSAMPLING)
        image = image * camera.pixel_scale_arcsec**2
        kernel = torch.as_tensor(gaussian_psf(camera), dtype=torch.float32, device=device)
        seen = convolve(image, kernel.expand(BATCH, 1, -1, -1))[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    return seen[:there].cpu().numpy()


def _source(c: dict[str, Tensor], u: Grid, v: Grid) -> Grid:
    """Return the surface brightness of the source (Graham & Driver 2005, PASA 22, 118, eq. 4)."""
    n, radius, q = c["source_sersic"], c["source_radius"], c["source_q"]
    b = _light.k_sersic(n)
    norm = (
        2 * torch.pi * n * q * radius**2 * torch.exp(b) * b ** (-2 * n)
        * torch.exp(torch.lgamma(2 * n))
    )  # fmt: skip
    return _light.brightness_sersic(
        c["source_x"],
        c["source_y"],
        q,
        c["source_phi"],
        n,
        radius,
        c["source_flux"] / norm,
        u,
        v,
        b,
    )


def gaussian_psf(camera: SubstructureCameraPlan) -> Float[np.ndarray, "k k"]:
    """Return a Gaussian stamp that sums to 1, averaged over each pixel, out to 5 sigma."""
    sigma = camera.psf_fwhm_arcsec / 2.354820045 / camera.pixel_scale_arcsec
    half = min(int(np.ceil(5 * sigma)), camera.side // 2 - 1)
    edges = np.arange(-half, half + 2) - 0.5
    line = np.diff(ndtr(edges / sigma))
    line /= line.sum()
    return np.outer(line, line)


def _deflect_frame(
    clumps: list[Table], side: int, spacing: float, deflect: Deflect, *, coarse: bool
) -> tuple[Tensor, Tensor]:
    """Return the deflection by all clumps at the positions of a frame."""
    factor = COARSE_ARCSEC / spacing
    if not coarse or factor <= 1:
        return _deflect_all(clumps, *positions(side, spacing), deflect)
    heavy = [table[table[:, 2] >= HEAVY_ARCSEC2] for table in clumps]
    light = [table[table[:, 2] < HEAVY_ARCSEC2] for table in clumps]
    few = int(np.ceil((side - 1) / factor)) + 1
    step = (side - 1) * spacing / (few - 1)  # so that the outermost positions are the same
    between = torch.as_tensor(_spline(few, side), dtype=torch.float32)
    ax, ay = _deflect_all(heavy, *positions(side, spacing), deflect)
    dx, dy = _deflect_all(light, *positions(few, step), deflect)
    return ax + between @ dx @ between.T, ay + between @ dy @ between.T


@lru_cache(maxsize=8)
def _spline(few: int, many: int) -> Float[np.ndarray, "many few"]:
    """Return the matrix that interpolates an evenly spaced line by a cubic spline."""
    at = np.linspace(0, few - 1, many)
    return make_interp_spline(np.arange(few), np.eye(few), k=3)(at)


def _deflect_all(
    clumps: list[Table], x: Tensor, y: Tensor, deflect: Deflect
) -> tuple[Tensor, Tensor]:
    """Return the deflection by all clumps, a few at a time; missing ones have no mass."""
    columns = clumps[0].shape[1]
    most = max(len(table) for table in clumps)
    rows = np.zeros((len(clumps), -(-max(most, 1) // CHUNK) * CHUNK, columns))
    rows[:, :, 2:] = [0.0, *[1.0] * (columns - 3)]
    for k, table in enumerate(clumps):
        rows[k, : len(table)] = table
    tensor = torch.as_tensor(rows, dtype=x.dtype, device=x.device)
    ax, ay = deflect(tensor[:, :CHUNK], x, y)
    for at in range(CHUNK, rows.shape[1], CHUNK):
        dx, dy = deflect(tensor[:, at : at + CHUNK], x, y)
        ax, ay = ax + dx, ay + dy
    return ax, ay


def _expose(
    image: Float32[np.ndarray, "n 1 y x"],
    exposure_s: Float[np.ndarray, " n"],
    camera: SubstructureCameraPlan,
    kind: str,
    seed: int,
    first: int,
) -> tuple[Float32[np.ndarray, "n 1 y x"], Float[np.ndarray, " n"]]:
    """Return images with noise, and the signal to noise of their brightest pixels.

    Photons and read-out add their variances once. Photons are counted by the thousand or under a
    background of many electrons, so their Poisson noise is drawn as a Gaussian; unlike a Poisson
    draw it can't turn the rounding of another device into another image.
    """
    background = camera.background
    time = exposure_s[:, None, None, None]
    if isinstance(background, FlatBackgroundPlan):
        variance = np.full_like(time, background.rms**2)
    else:
        sky_ab = background.sky_ab_per_arcsec2 - camera.zero_point_ab
        sky = 10 ** (-0.4 * sky_ab) * camera.pixel_scale_arcsec**2
        variance = sky / time + background.exposures * (background.read_noise_electrons / time) ** 2
    sigma = np.sqrt(variance + np.maximum(image, 0) / time)
    white = np.stack(
        [
            stream(seed, f"substructure noise {kind}", first + k).standard_normal(image.shape[1:])
            for k in range(len(image))
        ]
    )
    snr = (image / sigma).max((1, 2, 3)).astype(np.float64)
    return (image + white * sigma).astype(np.float32), snr


def _scaled(pixels: Float32[np.ndarray, "n 1 y x"]) -> Float32[np.ndarray, "n 1 y x"]:
    low, high = pixels.min((1, 2, 3), keepdims=True), pixels.max((1, 2, 3), keepdims=True)
    return (pixels - low) / (high - low)


def _deflection(plan: SubstructurePlan, kind: SubstructureKind) -> Deflect | None:
    if kind == "no":
        return None
    if kind == "vort":
        return deflect_by_strings
    tnfw = isinstance(plan.subhalos.profile, TruncatedNfwPlan)
    return deflect_by_halos if tnfw else deflect_by_points


@lru_cache(maxsize=4)
def _compile(deflect: Deflect | None) -> Deflect | None:
    return None if deflect is None else torch.compile(deflect, dynamic=False)


def _check(kind: str, first: int, count: int, device: str) -> None:
    kinds = get_args(SubstructureKind)
    if kind not in kinds:
        near = difflib.get_close_matches(kind, kinds, n=1)
        fix = f"Did you mean {near[0]!r}" if near else f"Known are {', '.join(kinds)}"
        raise InputError(f"No class of substructure is called {kind!r}", fix)
    if first < 0 or count < 1:
        raise InputError(
            f"There are no {count} images from number {first} on",
            "Ask for 1 image or more, from number 0 or a later one",
        )
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"No device is called {device!r}", "Use 'cpu' or 'cuda'") from error
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise MissingError("No GPU is there for torch", "Use device 'cpu'")
