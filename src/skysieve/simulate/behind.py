"""What lies in a source plane, as it is seen through any mass before it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from skysieve.simulate import kernels
from skysieve.simulate.disks import shapes_of
from skysieve.simulate.lights import form, height, lights_of, steepness
from skysieve.simulate.mass import Mass, trace
from skysieve.simulate.quadrature import Line, Seen
from skysieve.simulate.scenes import DISK, LIGHT
from skysieve.simulate.tiles import Grid

NOTHING = 1e-5
"""Light against a source's center that is not painted."""
STRETCH = 1.5
"""How far in the source plane the corner of a cell may lie from its middle, in widths of the cell."""
ARM_LENGTHS, END_LENGTHS = 0.3, 13.0
"""Size of the middle of a disk with arms, and its end, in scale lengths."""
AT_MASSES_PIXELS = 0.25
"""Room of a cell at a deflector, where a small step in the sky is a large one behind it."""


class Behind:
    """Sersic profiles and disks with arms behind a lens; lengths in pixels from the middle.

    Args:
        sersics: Columns as those of ``Systems.sersics``, in arcsec; rows without flux are left out.
        disks: As those of ``Systems.disks``.
        mass: What lenses them, of one system.
        plane: Which of its source planes they are in.
        pixel_scale_arcsec: Size of a pixel.
    """

    def __init__(
        self,
        sersics: Float[np.ndarray, "sersic column"],
        disks: Float[np.ndarray, "disk diskcolumn"],
        mass: Mass,
        plane: int,
        pixel_scale_arcsec: float,
    ) -> None:
        self.mass = mass._replace(reach=mass.reach[:, : plane + 1])
        self.grid = Grid(0, 0, 1, pixel_scale_arcsec)  # it counts from the middle
        sersics = sersics[sersics[:, len(LIGHT) :].any(1)]
        disks = disks[disks[:, len(DISK) :].any(1)]
        self.fluxes = np.concatenate([sersics[:, len(LIGHT) :], disks[:, len(DISK) :]]).T
        lights = lights_of(sersics, self.grid)
        self.sersics = np.stack(
            [-lights.x, -lights.y, *form(lights), np.full(len(sersics), 1e-12),
             0.5 / lights.n, steepness(lights.n), height(lights)], 1)  # fmt: skip
        places = disks[:, :2] / pixel_scale_arcsec
        self.disks = np.concatenate([-places, shapes_of(disks, self.grid)], 1)
        scale, q = (disks[:, DISK.index(name)] for name in ("radius", "q"))
        scale = scale / pixel_scale_arcsec
        ends = lights.radius * (-np.log(NOTHING) / steepness(lights.n)) ** lights.n
        self.places = np.concatenate([np.stack([lights.x, lights.y], 1), places])
        self.size = np.concatenate([lights.radius * lights.q, ARM_LENGTHS * scale * q])
        self.end = np.concatenate([ends, END_LENGTHS * scale])
        rows = mass.deflectors[0].numpy()
        self.masses = rows[rows[:, 2] > 0, :2] / pixel_scale_arcsec

    def __call__(self, x: Line, y: Line) -> Seen:
        """Return what is seen at points of the sky; the room where all is dark is infinite."""
        scale = self.grid.pixel_scale_arcsec
        points = (torch.as_tensor(at * scale, dtype=torch.float32)[None, None] for at in (x, y))
        with torch.no_grad():
            u, v = (at[0] / scale for at in trace(self.mass, *points)[-1])
            shapes = [
                kernel(torch.as_tensor(numbers, dtype=torch.float32), u, v)
                for kernel, numbers in (
                    (kernels.sersic, self.sersics),
                    (kernels.disk, self.disks),
                )
                if len(numbers)
            ]
            light = torch.as_tensor(self.fluxes, dtype=torch.float32) @ torch.cat(shapes)
        return Seen(light.numpy().astype(np.float64), self._room(x, y, u.numpy(), v.numpy()))

    def _room(self, x: Line, y: Line, u: np.ndarray, v: np.ndarray) -> Line:
        """Return the width of cells that are as small as what may lie in them."""
        away = np.hypot(u - self.places[:, :1], v - self.places[:, 1:])
        size = self.size[:, None]
        room = np.maximum(size, (away - size) / STRETCH).min(0)
        for place in self.masses:
            near = np.hypot(x - place[0], y - place[1]) / 2
            room = np.minimum(room, np.maximum(near, AT_MASSES_PIXELS))
        dark = (away > self.end[:, None] + STRETCH).all(0)
        return np.where(dark, np.inf, room)
