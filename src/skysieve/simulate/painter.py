"""From scenes to noise-free images, fast: what ``render`` does, with every pixel averaged.

Only light that is there is painted, where it reaches, and as finely as it needs; a light is painted
once for all bands; rays are traced only where they can meet a source.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from skysieve.simulate.arcs import Masses, paint_arcs
from skysieve.simulate.disks import paint_disks
from skysieve.simulate.kernels import TILE
from skysieve.simulate.lights import Painted, lights_of, paint_lights, peaks
from skysieve.simulate.render import Parts
from skysieve.simulate.scenes import DISK, LIGHT, Scenes
from skysieve.simulate.tiles import Grid, add_up

MARGIN = 16
"""Pixels painted beyond each edge, so that light is convolved in from outside."""
SCENES = 64
"""Scenes painted at once: enough to fill the kernels' blocks, few enough for the cache."""

HOST, NEIGHBORS, LENSED, COMPANIONS = range(4)
Planes = tuple[int, int, int | None, int | None]
"""Which plane each part goes to; None is left out."""


class Layer(NamedTuple):
    """Painted tiles with where they belong.

    Args:
        painted: The tiles.
        scene: Which scene each light is in.
        plane: Which plane it belongs to.
        flux: Its counts in each band.
    """

    painted: Painted
    scene: Int[np.ndarray, " row"]
    plane: Int[np.ndarray, " row"]
    flux: Float[np.ndarray, "row band"]


def paint_parts(
    scenes: Scenes,
    *,
    side: int,
    pixel_scale_arcsec: float,
    psf: Float[np.ndarray, "n band k k"],
    lensing: bool = True,
    compiled: bool = True,
) -> Parts:
    """Return noise-free images of scenes, by where their light comes from.

    Every pixel holds the light that falls on it, convolved with the point spread function. An image
    is the same in any batch.

    Args:
        scenes: What to draw.
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
        psf: The point spread function of each scene and band; k odd, each summing to 1.
        lensing: False leaves out sources and companions.
        compiled: Use ``torch.compile``; the same numbers to rounding, several times as fast.
    """
    planes: Planes = (HOST, NEIGHBORS, None, None)
    if lensing:
        planes = (HOST, NEIGHBORS, LENSED, COMPANIONS)
    images = _paint(scenes, side, pixel_scale_arcsec, psf, planes, compiled=compiled)
    if not lensing:
        images = np.concatenate([images, np.zeros_like(images)], 1)
    return Parts(*(images[:, k] for k in range(4)))


def paint_whole(
    scenes: Scenes,
    *,
    side: int,
    pixel_scale_arcsec: float,
    psf: Float[np.ndarray, "n band k k"],
    compiled: bool = True,
) -> Float32[np.ndarray, "n band y x"]:
    """Return noise-free images of lenses as a camera sees them: all parts but the companions.

    The arguments are those of ``paint_parts``; where the parts are not wanted, it costs less.
    """
    return _paint(scenes, side, pixel_scale_arcsec, psf, (0, 0, 0, None), compiled=compiled)[:, 0]


def _paint(
    scenes: Scenes,
    side: int,
    pixel_scale_arcsec: float,
    psf: np.ndarray,
    planes: Planes,
    *,
    compiled: bool,
) -> Float32[np.ndarray, "n plane band y x"]:
    grid = frame(side, pixel_scale_arcsec, psf)
    count = 1 + max(plane for plane in planes if plane is not None)
    parts = []
    for start in range(0, len(scenes), SCENES):
        some = slice(start, start + SCENES)
        layers = _layers(scenes, some, planes, grid, compiled=compiled)
        light = assemble(layers, grid, len(psf[some]), count)
        parts.append(blur(light, psf[some])[..., inner(grid), inner(grid)])
    return np.concatenate(parts)


def frame(side: int, pixel_scale_arcsec: float, psf: Float[np.ndarray, "n band k k"]) -> Grid:
    """Return the frame about an image in which light is painted and convolved."""
    wide = -(-max(side + 2 * MARGIN, psf.shape[-1]) // (2 * TILE)) * 2 * TILE
    return Grid(wide, (wide - side) // 2, side, pixel_scale_arcsec)


def inner(grid: Grid) -> slice:
    """Return the image within its frame, in x and in y."""
    return slice(grid.edge, grid.edge + grid.image)


def _layers(
    scenes: Scenes, some: slice, planes: Planes, grid: Grid, *, compiled: bool
) -> list[Layer]:
    """Return all that is to be painted of some scenes."""
    hosts = np.array(scenes.hosts[some])
    tables, owners, places = [], [], []
    for table, own in ((scenes.light, None), (scenes.companions, planes[COMPANIONS])):
        scene, row = _there(table[some], len(LIGHT))
        if own is None and table is scenes.companions:
            continue
        tables.append(table[some][scene, row])
        owners.append(scene)
        ordinary = np.where(row < hosts[scene], planes[0], planes[1])
        places.append(ordinary if own is None else np.full(len(scene), own))
    table, scene, plane = (np.concatenate(parts) for parts in (tables, owners, places))
    lights, flux = lights_of(table, grid), table[:, len(LIGHT) :]
    peak = peaks(lights) * flux.max(1)
    brightest = np.zeros(len(hosts))
    np.maximum.at(brightest, scene, peak)
    layers = [
        Layer(painted, scene, plane, flux)
        for painted in paint_lights(lights, brightest[scene] / peak, grid, compiled=compiled)
    ]
    scene, row = _there(scenes.disks[some], len(DISK))
    if len(scene):
        rows = scenes.disks[some][scene, row]
        plane = np.full(len(scene), planes[HOST])
        layers.append(Layer(paint_disks(rows, grid, compiled=compiled), scene, plane,
                            rows[:, len(DISK) :]))  # fmt: skip
    if planes[LENSED] is not None:
        layers.append(_lensed(scenes, some, planes[LENSED] or 0, grid, compiled=compiled))
    return layers


def _there(table: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scene and row of what shines."""
    scene, row = np.nonzero(table[..., first:].any(2))
    return scene, row


def _lensed(scenes: Scenes, some: slice, plane: int, grid: Grid, *, compiled: bool) -> Layer:
    scene, row = _there(scenes.source[some], len(LIGHT))
    rows = scenes.source[some][scene, row]
    centered = grid._replace(edge=0, image=1)  # source planes count from the middle
    masses = scenes.deflectors[some].copy()
    masses[..., [0, 1, 2, 5]] /= grid.pixel_scale_arcsec
    painted = paint_arcs(
        lights_of(rows, centered),
        scene,
        Masses(masses, scenes.shear[some]),
        grid,
        compiled=compiled,
    )
    return Layer(painted, scene, np.full(len(scene), plane), rows[:, len(LIGHT) :])


def assemble(
    layers: list[Layer], grid: Grid, n: int, count: int
) -> Float32[np.ndarray, "n plane band y x"]:
    """Return all layers of n scenes added up, in this number of planes."""
    tiles = grid.tiles
    values, targets, fluxes = [], [], []
    for painted, scene, plane, flux in layers:
        row = painted.row
        values.append(painted.values)
        targets.append((scene[row] * count + plane[row]) * tiles**2 + painted.tile)
        fluxes.append(flux[row] * painted.factor[:, None])
    whole = add_up(
        np.concatenate(values),
        np.concatenate(targets),
        np.concatenate(fluxes),
        n * count * tiles**2,
    )
    shaped = whole.reshape(len(whole), n, count, tiles, tiles, TILE, TILE)
    return shaped.transpose(1, 2, 0, 3, 5, 4, 6).reshape(n, count, -1, grid.side, grid.side)


def blur(
    canvas: Float32[np.ndarray, "n plane band y x"], psf: Float[np.ndarray, "n band k k"]
) -> Float32[np.ndarray, "n plane band y x"]:
    """Return images convolved with the point spread functions, as on a torus.

    Two planes go as the real and imaginary part of one: a real kernel keeps them apart. Each scene is
    transformed by itself, so that its bits do not depend on the batch.
    """
    n, count, bands, side, _ = canvas.shape
    pairs, k = -(-count // 2), psf.shape[-1]
    out = np.empty_like(canvas)
    kernel = torch.zeros((bands, side, side))
    light = torch.zeros((pairs, bands, side, side), dtype=torch.complex64)
    parts = torch.view_as_real(light).numpy()
    middle = slice(side // 2 - k // 2, side // 2 - k // 2 + k)
    for image in range(n):
        for plane in range(count):
            parts[plane // 2, ..., plane % 2] = canvas[image, plane]
        kernel[:, middle, middle] = torch.from_numpy(np.asarray(psf[image], np.float32))
        spectrum = torch.fft.fft2(torch.fft.ifftshift(kernel, (-2, -1)))
        blurred = torch.view_as_real(torch.fft.ifft2(torch.fft.fft2(light) * spectrum)).numpy()
        for plane in range(count):
            out[image, plane] = blurred[plane // 2, ..., plane % 2]
    return out
