"""Scenes rendered by lenstronomy, the independent check of ours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Profiles.sersic_utils import SersicUtil
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity
from scipy.special import gamma, gammaincinv

from skysieve.simulate.scenes import LIGHT, Scenes

Rows = list[dict[str, float]]


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
