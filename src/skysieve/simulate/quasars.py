"""Lensed quasars: their images as points, and the galaxy around them as a source."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from skysieve.recipe.compound import PopulationPlan
from skysieve.simulate.galaxies import flux
from skysieve.simulate.lens_draws import Behind, Rng
from skysieve.simulate.lens_light import Lens
from skysieve.simulate.mass import POWER_LAW, Mass
from skysieve.simulate.point_images import point_images
from skysieve.simulate.source_light import draw_source
from skysieve.simulate.systems import Draft

FIELD = 3.5
"""Half the field that is searched for images, in Einstein radii."""
MERGING = 100.0
"""Magnification beyond which an image is on a critical curve, and its position not to be trusted."""


def quad_reach(lens: Lens, shear: Float[np.ndarray, "2"]) -> float:
    """Return a radius, in Einstein radii, that holds the diamond caustic within which are quads."""
    return float(min(1.0, 0.1 + 1.1 * (1 - lens.q) + 2.5 * np.hypot(*shear)))


def add_quasar(
    draft: Draft,
    rng: Rng,
    plan: PopulationPlan,
    behind: Behind,
    place: tuple[float, float],
    *,
    quad: bool,
) -> bool:
    """Add the images of a quasar and its galaxy, if it has as many as wanted and they can be told.

    References:
        Oguri & Marshall 2010, MNRAS 405, 2579, section 3.1: the third image of a quad and the
        fainter one of a double must be seen, and the largest separation be resolved.
    """
    images = lensed_points(draft, place)
    bright = images[np.abs(images[:, 2]) > 0.05]
    if (len(bright) >= 4) != quad or len(bright) < 2 or np.abs(bright[:, 2]).max() > MERGING:
        return False
    magnitudes = behind.i_ab - 2.5 * np.log10(np.abs(bright[:, 2]))
    offsets = bright[:, None, :2] - bright[None, :, :2]
    separation = float(np.hypot(offsets[..., 0], offsets[..., 1]).max())
    if magnitudes[2 if quad else 1] > plan.faintest_image_i_ab:
        return False
    if separation < plan.min_separation_arcsec:
        return False
    # Colors of quasars at redshifts 1 to 3 (Richards et al. 2001, AJ 121, 2308, rounded).
    light = flux(behind.i_ab, 0.15 + rng.normal(0, 0.12), 0.12 + rng.normal(0, 0.1))
    draft.points[0] += [np.array([x, y, *(light * abs(m))]) for x, y, m in bright]
    draft.facts |= {
        "images": len(bright),
        "separation_arcsec": separation,
        "brightest_image_i_ab": float(magnitudes.min()),
    }
    _add_galaxy(draft, rng, behind, place)
    return True


def lensed_points(draft: Draft, place: tuple[float, float]) -> Float[np.ndarray, "image 3"]:
    """Return the images of a point in the first source plane: x, y and signed magnification."""
    table = torch.as_tensor(np.array(draft.deflectors).reshape(1, -1, len(POWER_LAW)))
    mass = Mass(table, torch.as_tensor(draft.shear[None]), torch.ones(1, 1).double(), table[:, :0])
    half = FIELD * float(table[0, 0, 2])
    return point_images(mass, place, half_field_arcsec=half)


def _add_galaxy(draft: Draft, rng: Rng, behind: Behind, place: tuple[float, float]) -> None:
    """Add the galaxy around the quasar: 1.5 to 4 mag fainter (Dunlop et al. 2003, MNRAS 340, 1095)."""
    magnitude = behind.i_ab + float(rng.uniform(1.5, 4.0))
    galaxy = draw_source(rng, magnitude, behind.redshift, place)
    draft.sersics[0] += galaxy.sersics
    draft.disks[0] += galaxy.disks
    draft.facts["source_radius_arcsec"] = galaxy.radius_arcsec
