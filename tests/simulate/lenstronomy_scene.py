"""Scenes rendered by lenstronomy, the independent check of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Profiles.sersic_utils import SersicUtil
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity
from scipy.signal import fftconvolve
from scipy.special import gamma, gammaincinv

from skysieve.core.survey import survey
from skysieve.recipe.scenarios import scenario_plan
from skysieve.simulate.galaxies import flux
from skysieve.simulate.instrument import draw_psf
from skysieve.simulate.populations import draw_lens
from skysieve.simulate.scenes import LIGHT, Scenes

Rows = list[dict[str, float]]

DEEPEST = 16
"""How often a pixel is halved at most."""
CHUNK = 100_000
"""Points that go to lenstronomy at a time."""


def sersic(row: np.ndarray, counts: float) -> dict[str, float]:
    """Return lenstronomy's numbers of a Sersic component; its b is rounded, so its radius differs."""
    x, y, radius, n, q, phi = row[:6]
    b = gammaincinv(2 * n, 0.5)
    theirs = SersicUtil().b_n(n)
    flux = 2 * np.pi * n * q * radius**2 * b ** (-2 * n) * gamma(2 * n)
    e1, e2 = phi_q2_ellipticity(phi, q)
    return {
        "amp": counts / flux * np.exp(-theirs),
        "R_sersic": radius * np.sqrt(q) * (theirs / b) ** n,
        "n_sersic": n,
        "e1": e1,
        "e2": e2,
        "center_x": x,
        "center_y": y,
    }


def sersics(table: np.ndarray, band: int) -> Rows:
    """Return all that shines in a table of Sersic components."""
    first = len(LIGHT)
    return [sersic(row, row[first + band]) for row in table if row[first:].any() and row[2] > 0]


def lens_of(scenes: Scenes, k: int) -> tuple[LensModel, Rows]:
    """Return the mass of a scene."""
    rows: Rows = []
    for x, y, radius, q, phi, _ in scenes.deflectors[k]:
        if radius > 0:
            e1, e2 = phi_q2_ellipticity(phi, q)
            rows.append({"theta_E": radius, "e1": e1, "e2": e2, "center_x": x, "center_y": y})
    names = ["SIE"] * len(rows)
    gamma1, gamma2 = scenes.shear[k]
    rows.append({"gamma1": gamma1, "gamma2": gamma2, "ra_0": 0, "dec_0": 0})
    return LensModel([*names, "SHEAR"]), rows


def camera(side: int, scale: float, kernel: np.ndarray) -> tuple[ImageData, PSF]:
    """Return a square of sky about the middle and its point spread function."""
    edge = -(side - 1) / 2 * scale
    data = ImageData(
        image_data=np.zeros((side, side)),
        ra_at_xy_0=edge,
        dec_at_xy_0=edge,
        transform_pix2angle=np.eye(2) * scale,
        background_rms=1.0,
        exposure_time=1.0,
    )
    return data, PSF("PIXEL", kernel_point_source=kernel)


def model_of(
    scenes: Scenes, k: int, *, side: int, scale: float, kernel: np.ndarray, numerics: dict[str, Any]
) -> tuple[ImageModel, Rows]:
    """Return the model of a scene and the numbers of its lens; its lights are asked for by band."""
    lens, masses = lens_of(scenes, k)
    names = "SERSIC_ELLIPSE"
    light, source = sersics(scenes.light[k], 0), sersics(scenes.source[k], 0)
    model = ImageModel(
        *camera(side, scale, kernel),
        lens_model_class=lens,
        source_model_class=LightModel([names] * len(source)),
        lens_light_model_class=LightModel([names] * len(light)),
        kwargs_numerics=numerics,
    )
    return model, masses


def render_band(
    scenes: Scenes,
    k: int,
    band: int,
    *,
    side: int,
    scale: float,
    kernel: np.ndarray,
    supersampling: int,
    margin: int = 16,
) -> np.ndarray:
    """Return one band of a scene; stars and disks are left out."""
    numerics = {"supersampling_factor": supersampling, "supersampling_convolution": False}
    wide = side + 2 * margin
    model, masses = model_of(scenes, k, side=wide, scale=scale, kernel=kernel, numerics=numerics)
    image = model.image(
        kwargs_lens=masses,
        kwargs_source=sersics(scenes.source[k], band),
        kwargs_lens_light=sersics(scenes.light[k], band),
    )
    return image[margin:-margin, margin:-margin]


class Split(NamedTuple):
    """A scene ready to be rendered by lenstronomy in all bands, in its two ways.

    Args:
        models: A model for each band.
        masses: Of all bands.
        light: Of each band.
        source: Of each band.
    """

    models: list[ImageModel]
    masses: Rows
    light: list[Rows]
    source: list[Rows]

    def by_band(self) -> np.ndarray:
        """Return the bands, each rendered as an image of its own."""
        lights = zip(self.models, self.light, self.source, strict=True)
        return np.stack(
            [
                model.image(kwargs_lens=self.masses, kwargs_source=source, kwargs_lens_light=light)
                for model, light, source in lights
            ]
        )

    def shared(self) -> np.ndarray:
        """Return the bands, with rays traced and profiles evaluated once for all of them."""
        model = self.models[0]
        x, y = model.ImageNumerics.coordinates_evaluate
        lens, light, source = model.LensModel, model.LensLightModel, model.SourceModel
        shapes = light.functions_split(x, y, self.light[0])[0]
        if self.source[0]:
            u, v = lens.ray_shooting(x, y, self.masses)
            shapes = [*shapes, *source.functions_split(u, v, self.source[0])[0]]
        shapes = np.asarray(shapes)
        bands = []
        for one, light_rows, source_rows in zip(self.models, self.light, self.source, strict=True):
            amplitudes = np.array([row["amp"] for row in (*light_rows, *source_rows)])
            bands.append(one.ImageNumerics.re_size_convolve(amplitudes @ shapes))
        return np.stack(bands)


def split_of(
    scenes: Scenes, k: int, *, side: int, scale: float, psf: np.ndarray, supersampling: int
) -> Split:
    """Return a scene with models of all its bands."""
    numerics = {"supersampling_factor": supersampling, "supersampling_convolution": False}
    made = [
        model_of(scenes, k, side=side, scale=scale, kernel=kernel, numerics=numerics)
        for kernel in psf
    ]
    bands = range(len(psf))
    return Split(
        models=[model for model, _ in made],
        masses=made[0][1],
        light=[sersics(scenes.light[k], band) for band in bands],
        source=[sersics(scenes.source[k], band) for band in bands],
    )


def draw_comparable(count: int, seed: int) -> tuple[Scenes, np.ndarray]:
    """Return lenses of ``lens-gri`` that lenstronomy can render, with a disk, and their PSF.

    They have no companions, stars and cores of mass; neighbors are drawn for a field twice as wide
    and moved to half their distance.
    """
    plan = scenario_plan("lens-gri")
    drawn = []
    for index in range(count):
        scene = draw_lens(plan.lens, seed=seed, index=index)
        light, host = scene.light.copy(), scene.hosts[0]
        light[0, host:, :2] /= 2
        light[light[..., 2] <= 0] = 0
        light[0, -1] = [0.2, -0.1, 1.3, 1.0, 0.6, 0.8, *flux(20.5, 0.9, 0.6)]
        deflectors = scene.deflectors.copy()
        deflectors[..., 5] = 0  # lenstronomy's core is another
        bare = np.zeros_like(scene.companions)
        drawn.append(replace(scene, light=light, deflectors=deflectors, companions=bare))
    stamps = [
        draw_psf(plan.camera, survey("cfhtls"), seed=seed, index=index) for index in range(count)
    ]
    return Scenes.stack(drawn), np.stack(stamps)


class Brightness:
    """The surface brightness of a scene by lenstronomy, in all bands, in counts per square pixel.

    Stars and disks are left out. ``points`` counts where it was asked for.
    """

    def __init__(self, scenes: Scenes, k: int, *, bands: int, scale: float) -> None:
        self.scale, self.points = scale, 0
        self.light = [sersics(scenes.light[k], band) for band in range(bands)]
        self.source = [sersics(scenes.source[k], band) for band in range(bands)]
        self.lens, self.masses = lens_of(scenes, k)
        self.front = LightModel(["SERSIC_ELLIPSE"] * len(self.light[0]))
        self.behind = LightModel(["SERSIC_ELLIPSE"] * len(self.source[0]))
        self.amplitudes = np.array(
            [
                [row["amp"] for row in (*light, *source)]
                for light, source in zip(self.light, self.source, strict=True)
            ]
        )

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the brightness in each band at points, in pixels from the middle."""
        self.points += len(x)
        parts = [
            self._some(x[start : start + CHUNK] * self.scale, y[start : start + CHUNK] * self.scale)
            for start in range(0, len(x), CHUNK)
        ]
        return np.concatenate(parts, 1)

    def _some(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        shapes = self.front.functions_split(x, y, self.light[0])[0]
        if self.source[0]:
            u, v = self.lens.ray_shooting(x, y, self.masses)
            shapes = [*shapes, *self.behind.functions_split(u, v, self.source[0])[0]]
        return self.amplitudes @ np.asarray(shapes) * self.scale**2


def average(
    brightness: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    side: int,
    psf: np.ndarray,
    tolerance: float,
    margin: int = 16,
) -> np.ndarray:
    """Return a scene in all bands, each pixel averaged as finely as it takes, and convolved.

    A cell is quartered until its middle and the two by two points of Gauss and Legendre, which
    then stand for it, agree to the tolerance, of the peak, that halves at each step. The finest
    cells are taken as they are: a cusp is never settled, but holds next to nothing by then. A fixed
    grid of 20 by 20 points a pixel would miss 1e-2 of the peak at cusps.
    """
    wide = side + 2 * margin
    line = np.arange(wide) - (wide - 1) / 2
    x, y = (axis.ravel() for axis in np.meshgrid(line, line))
    pixel, width, allowed = np.arange(wide**2), 1.0, np.zeros((len(psf), 1))
    image = np.zeros((len(psf), wide**2))
    for depth in range(DEEPEST + 1):
        middle, held = _cells(brightness, x, y, width)
        if depth == 0:
            allowed = tolerance * _blurred(held, psf, margin).max((1, 2))[:, None]
        bad = (np.abs(middle - held) > allowed).any(0) & (depth < DEEPEST)
        for plane, values in zip(image, held[:, ~bad], strict=True):
            np.add.at(plane, pixel[~bad], values)
        width, allowed, pixel = width / 2, allowed / 2, np.repeat(pixel[bad], 4)
        if not bad.any():
            break
        x = (x[bad][:, None] + np.array([-1, 1, -1, 1]) * width / 2).ravel()
        y = (y[bad][:, None] + np.array([-1, -1, 1, 1]) * width / 2).ravel()
    return _blurred(image, psf, margin)


def _cells(
    brightness: Callable[[np.ndarray, np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    width: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts in square cells, in each band, by the middle and by four points."""
    step = width / 2 / np.sqrt(3)
    offsets = [(0.0, 0.0), *((a * step, b * step) for a in (-1, 1) for b in (-1, 1))]
    px, py = (np.concatenate([line + dx[k] for dx in offsets]) for k, line in enumerate((x, y)))
    found = brightness(px, py).reshape(-1, len(offsets), len(x)) * width**2
    return found[:, 0], found[:, 1:].mean(1)


def _blurred(flat: np.ndarray, psf: np.ndarray, margin: int) -> np.ndarray:
    wide = round(flat.shape[1] ** 0.5)
    images = flat.reshape(len(psf), wide, wide)
    blurred = [fftconvolve(*pair, mode="same") for pair in zip(images, psf, strict=True)]
    inner = slice(margin, margin + wide - 2 * margin)
    return np.stack(blurred)[:, inner, inner]
