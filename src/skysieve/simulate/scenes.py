"""Scenes: simulated pieces of sky as numbers, without pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from jaxtyping import Float

LIGHT = ("x", "y", "radius", "sersic", "q", "phi")
"""Columns of a Sersic component, before its fluxes; radius is the effective radius."""

DISK = (*LIGHT, "arms", "winding", "arm_phase", "arm_strength", "ring_radius", "ring_width",
        "ring_strength", "ring_phase", "ring_lopsided")  # fmt: skip
"""Columns of a disk with arms or a ring; radius is the scale length, lengths are in units of it."""

DEFLECTOR = ("x", "y", "radius", "q", "phi", "core")
"""Columns of a singular (or cored) isothermal ellipsoid; radius is the Einstein radius."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenes:
    """Simulated pieces of sky; positions and lengths in arcsec from the center, angles in rad.

    Rows that a scene does not need are zero. Fluxes are in counts at zero point 30 (AB).

    Args:
        light: Sersic components, with a flux per band behind the columns of ``LIGHT``.
        disks: Disks, with a flux per band behind the columns of ``DISK``.
        deflectors: The mass in front of the source; columns as in ``DEFLECTOR``.
        shear: External shear, gamma 1 and gamma 2.
        source: Sersic components behind the lens, in the source plane, as ``light``.
        companions: Ordinary galaxies with the source's total apparent light, as ``light``; a
            control shows these where the lens shows its arcs.
        kind: What the scene shows, such as ``lens`` or ``spiral``.
        facts: Redshifts, Einstein radius and magnitudes, by name.
        hosts: How many rows of ``light``, from the first, belong to the object in the middle; the
            rest are its neighbors. Disks always belong to it.
    """

    light: Float[np.ndarray, "n light column"]
    disks: Float[np.ndarray, "n disk diskcolumn"]
    deflectors: Float[np.ndarray, "n deflector 6"]
    shear: Float[np.ndarray, "n 2"]
    source: Float[np.ndarray, "n source column"]
    companions: Float[np.ndarray, "n companion column"]
    kind: tuple[str, ...]
    facts: tuple[dict[str, float], ...]
    hosts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def stack(cls, scenes: Sequence[Self]) -> Self:
        """Return all the scenes as one."""
        columns = {}
        for field in fields(cls):
            parts = [getattr(scene, field.name) for scene in scenes]
            if isinstance(parts[0], tuple):
                columns[field.name] = tuple(entry for part in parts for entry in part)
            else:
                columns[field.name] = np.concatenate(parts)
        return cls(**columns)
