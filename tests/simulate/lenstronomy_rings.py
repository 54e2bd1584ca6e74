"""Lenses with substructure as lenstronomy draws them, for tests and benchmarks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import fftconvolve

from skysieve.simulate.render import SUPERSAMPLING
from skysieve.simulate.ring_light import gaussian_psf


def rows(images):
    names = images.parameters
    return [dict(zip(names, row, strict=True)) for row in zip(*names.values(), strict=True)]


def lenstronomy_lens(row, clumps, *, main: float, tnfw: bool):
    """Return lenstronomy's model of a lens whose smooth part has the Einstein radius ``main``."""
    models = pytest.importorskip("lenstronomy.LensModel.lens_model")
    from lenstronomy.Util.param_util import phi_q2_ellipticity

    e1, e2 = phi_q2_ellipticity(row["phi"], row["q"])
    place = {"center_x": row["x"], "center_y": row["y"]}
    numbers = [
        {"theta_E": main, "e1": e1, "e2": e2} | place,
        {"gamma1": row["gamma1"], "gamma2": row["gamma2"], "ra_0": 0, "dec_0": 0},
    ]
    for x, y, mass, scale, tau in clumps:
        if not tnfw:
            numbers.append({"theta_E": np.sqrt(mass), "center_x": x, "center_y": y})
            continue
        t2 = tau**2  # Baltz et al. 2009, eq. A.4: of all mass to that of the scale radius
        whole = t2 / (t2 + 1) ** 2 * ((t2 - 1) * np.log(tau) + np.pi * tau - (t2 + 1))
        pull = mass / whole * (1 + np.log(0.5)) / scale
        numbers.append(
            {"Rs": scale, "alpha_Rs": pull, "r_trunc": tau * scale, "center_x": x, "center_y": y}
        )
    name = "TNFW" if tnfw else "POINT_MASS"
    return models.LensModel(["SIE", "SHEAR", *[name] * len(clumps)]), numbers


def lenstronomy_image(row, model, numbers, camera):
    from lenstronomy.Data.imaging_data import ImageData
    from lenstronomy.Data.psf import PSF
    from lenstronomy.ImSim.image_model import ImageModel
    from lenstronomy.LightModel.light_model import LightModel
    from lenstronomy.Util.param_util import phi_q2_ellipticity

    side, scale = camera.side, camera.pixel_scale_arcsec
    corner = -(side - 1) / 2 * scale
    data = ImageData(
        np.zeros((side, side)), background_rms=1, exposure_time=1, ra_at_xy_0=corner,
        dec_at_xy_0=corner, transform_pix2angle=np.eye(2) * scale,
    )  # fmt: skip
    light = LightModel(["SERSIC_ELLIPSE"])
    n, q = row["source_sersic"], row["source_q"]
    e1, e2 = phi_q2_ellipticity(row["source_phi"], q)
    # lenstronomy approximates b(n) otherwise; this radius gives the same profile.
    precise = 2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2) + 131 / (1148175 * n**3)
    radius = row["source_radius"] * np.sqrt(q) * ((1.9992 * n - 0.3271) / precise) ** n
    source = {
        "amp": 1.0, "R_sersic": radius, "n_sersic": n, "e1": e1, "e2": e2,
        "center_x": row["source_x"], "center_y": row["source_y"],
    }  # fmt: skip
    source["amp"] = row["source_flux"] / light.total_flux([source])[0]
    image = ImageModel(
        data, PSF("NONE"), model, light,
        kwargs_numerics={"supersampling_factor": SUPERSAMPLING, "supersampling_convolution": False},
    )  # fmt: skip
    return fftconvolve(image.image(numbers, [source], None, None), gaussian_psf(camera), "same")
