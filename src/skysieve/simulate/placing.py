"""Moving scenes across the field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from skysieve.simulate.scenes import Scenes


def shifted(scenes: Scenes, x_arcsec: float, y_arcsec: float) -> Scenes:
    """Return scenes whose every image lies elsewhere in the field, and is otherwise the same.

    The shear is about the origin and not about the lens, so the source moves by less than the lens:
    what the shear deflects at the lens' new place is subtracted.

    Args:
        scenes: Any.
        x_arcsec: How far, in x.
        y_arcsec: How far, in y.
    """
    far = np.array((x_arcsec, y_arcsec))
    gamma1, gamma2 = scenes.shear[:, 0], scenes.shear[:, 1]
    sheared = np.stack(
        [gamma1 * far[0] + gamma2 * far[1], gamma2 * far[0] - gamma1 * far[1]], axis=1
    )
    return replace(
        scenes,
        light=_moved(scenes.light, far),
        disks=_moved(scenes.disks, far),
        deflectors=_moved(scenes.deflectors, far),
        source=_moved(scenes.source, far - sheared[:, None, :]),
        companions=_moved(scenes.companions, far),
    )


def _moved(
    table: Float[np.ndarray, "n row column"], far: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "n row column"]:
    """Return a table, whose first columns are x and y, with its rows elsewhere."""
    moved = table.copy()
    moved[..., :2] += far
    return moved
