"""Systems: lenses with one or two source planes as numbers, without pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from jaxtyping import Float

from skysieve.simulate.mass import POWER_LAW
from skysieve.simulate.scenes import DISK, LIGHT

BANDS = 3
PLANES = 2
"""Source planes, the nearer one first where its mass counts."""
LIGHTS, DEFLECTORS, SERSICS, ARMED, POINTS = 34, 6, 9, 1, 5
"""How many rows a table has: of light in front, of deflectors, and for each source plane of Sersic
components, of disks with arms and of images of a point."""
OWNERS = 3
"""To whom light in front belongs: the neighbors, the first deflector, the second one."""

Row = Float[np.ndarray, " _"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Systems:
    """Lenses; positions and lengths in arcsec from the center, angles in rad.

    Rows that a system does not need are zero. Fluxes are in counts at zero point 30 (AB).

    Args:
        light: Sersic components in front, with a flux per band behind the columns of ``LIGHT``:
            first those of the neighbors, then of the first deflector, then of the second.
        deflectors: Columns as in ``mass.POWER_LAW``.
        shear: External shear.
        reach: Deflection for each source plane over that for the first.
        near: The mass of the nearer source; columns as in ``mass.POWER_LAW``.
        sersics: Sersic components in each source plane, columns as those of ``light``.
        disks: Disks with arms in each source plane, with fluxes behind the columns of ``DISK``.
        points: Images of a quasar in each source plane: x, y as seen, and magnified fluxes.
        kind: What each is.
        facts: What is true of each, by name.
    """

    light: Float[np.ndarray, "n light owned"]
    deflectors: Float[np.ndarray, "n deflector 10"]
    shear: Float[np.ndarray, "n 2"]
    reach: Float[np.ndarray, "n plane"]
    near: Float[np.ndarray, "n one 10"]
    sersics: Float[np.ndarray, "n plane sersic column"]
    disks: Float[np.ndarray, "n plane disk diskcolumn"]
    points: Float[np.ndarray, "n plane point 5"]
    kind: tuple[str, ...]
    facts: tuple[dict[str, float], ...]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def stack(cls, systems: Sequence[Self]) -> Self:
        """Return all the systems as one."""
        columns = {}
        for field in fields(cls):
            parts = [getattr(system, field.name) for system in systems]
            joined = isinstance(parts[0], tuple)
            columns[field.name] = sum(parts, ()) if joined else np.concatenate(parts)
        return cls(**columns)


class Draft:
    """The tables of one system while it is being drawn; rows beyond the last are dropped.

    ``light`` is that of the neighbors, ``owned`` that of the deflectors with its owner.
    """

    def __init__(self) -> None:
        self.light: list[Row] = []
        self.owned: list[tuple[int, Row]] = []
        self.deflectors: list[Row] = []
        self.shear = np.zeros(2)
        self.reach = np.ones(PLANES)
        self.near: list[Row] = []
        self.sersics: list[list[Row]] = [[] for _ in range(PLANES)]
        self.disks: list[list[Row]] = [[] for _ in range(PLANES)]
        self.points: list[list[Row]] = [[] for _ in range(PLANES)]
        self.facts: dict[str, float] = {}

    def system(self, kind: str) -> Systems:
        """Return the system, each table padded with zeros to its fixed number of rows."""
        rows = [*self.owned, *((0, row) for row in self.light)]  # what deflects is never dropped
        wide = [np.concatenate([row[:6], *_of(owner, row[6:])]) for owner, row in rows]
        return Systems(
            light=_table(wide, LIGHTS, len(LIGHT) + OWNERS * BANDS)[None],
            deflectors=_table(self.deflectors, DEFLECTORS, len(POWER_LAW))[None],
            shear=self.shear[None],
            reach=self.reach[None],
            near=_table(self.near, 1, len(POWER_LAW))[None],
            sersics=_tables(self.sersics, SERSICS, len(LIGHT) + BANDS),
            disks=_tables(self.disks, ARMED, len(DISK) + BANDS),
            points=_tables(self.points, POINTS, 2 + BANDS),
            kind=(kind,),
            facts=(self.facts,),
        )


def light_row(
    place: tuple[float, float], radius: float, sersic: float, shape: tuple[float, float], flux: Row
) -> Row:
    """Return a Sersic component; the shape is axis ratio and position angle."""
    return np.array([*place, radius, sersic, *shape, *flux], np.float64)


def _of(owner: int, flux: Row) -> list[Row]:
    """Return the fluxes in the columns of their owner."""
    return [flux if owner == k else np.zeros_like(flux) for k in range(OWNERS)]


def _table(rows: Sequence[Row], count: int, columns: int) -> Float[np.ndarray, "row column"]:
    table = np.zeros((count, columns))
    for k, row in enumerate(rows[:count]):
        table[k] = row
    return table


def _tables(
    planes: Sequence[Sequence[Row]], count: int, columns: int
) -> Float[np.ndarray, "1 plane row column"]:
    return np.stack([_table(rows, count, columns) for rows in planes])[None]
