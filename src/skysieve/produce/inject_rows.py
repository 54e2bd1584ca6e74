"""What is known of each image of a set of injected arcs, as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from skysieve.core.scores import Status
from skysieve.images.sources import ImageError
from skysieve.produce.inject_plan import InjectPlan
from skysieve.produce.painting import Painted
from skysieve.produce.parts import RUN_ID
from skysieve.produce.sight import Sight
from skysieve.recipe.injection import PAINTABLE
from skysieve.simulate.injection import System
from skysieve.simulate.scenes import LIGHT

FACTS = ("host_x_arcsec", "host_y_arcsec", "host_axis_ratio", "host_angle_rad",
         "einstein_radius_arcsec", "mass_axis_ratio", "mass_angle_rad", "shear_1", "shear_2",
         "z_lens", "z_source", "dispersion_km_s", "source_g_ab", "magnification", "arc_snr",
         "arc_contrast", "pixel_scale_arcsec")  # fmt: skip
"""Numbers of an image; null where they make no sense for it."""
BAND_FACTS = ("host_{}_ab", "lensed_{}_ab", "sky_noise_{}", "psf_fwhm_{}_arcsec", "psf_stars_{}",
              "zero_point_{}_ab", "gain_{}_electrons")  # fmt: skip
"""Numbers of an image in a band."""
SOURCE_COLUMNS = (*LIGHT, *PAINTABLE)
"""What ``source_light`` holds of each component, one after the other."""

Facts = dict[str, float | list[float]]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One image of the set, or an input row that gave none.

    Args:
        number: Of the input row; images of one row share it.
        origin: The name of the image that was painted.
        source: Where it lay.
        row: Its row there.
        ra_deg: Right ascension of its center (ICRS); NaN if unknown.
        dec_deg: Declination of its center (ICRS); NaN if unknown.
        label: 1 with arcs, 0 without; None if there is no image.
        copy: Which version it is; 0 for the control.
        status: ``ok``, or why there is no image.
        message: What is wrong and what to do; empty if nothing is.
        facts: Numbers.
        flags: What was assumed of the image.
    """

    number: int
    origin: str
    source: str
    row: int
    ra_deg: float = math.nan
    dec_deg: float = math.nan
    label: int | None = None
    copy: int = 0
    status: str = Status.OK
    message: str = ""
    facts: Facts = field(default_factory=Facts)
    flags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its name in the set: the number comes first, so that no name comes twice."""
        role = {1: f"-lens{self.copy}", 0: "-control"}.get(-1 if self.label is None else self.label)
        return f"{self.number:06}-{self.origin}{role or ''}"

    def at(self, ra_deg: float, dec_deg: float) -> Record:
        """Return the same with a place on the sky."""
        return replace(self, ra_deg=ra_deg, dec_deg=dec_deg)

    def flagged(self, flags: tuple[str, ...]) -> Record:
        """Return the same with what was assumed of the image."""
        return replace(self, flags=flags)

    def failed(self, error: ImageError) -> Record:
        """Return the row as one that gave no image."""
        return replace(self, status=error.status, message=str(error))

    def without_arc(self, copy: int, status: str, message: str) -> Record:
        """Return a version that could not be painted."""
        return replace(self, copy=copy, status=status, message=message)

    def with_arcs(self, copy: int, facts: Facts) -> Record:
        """Return a version with arcs."""
        return replace(self, label=1, copy=copy, facts=facts)

    def control(self, facts: Facts) -> Record:
        """Return the image as it was."""
        return replace(self, label=0, facts=facts)


def describe(sight: Sight, bands: tuple[str, ...], painted: Painted | None) -> Facts:
    """Return the numbers of an image, with those of its arcs if it has any."""
    facts: Facts = {
        "host_x_arcsec": sight.host.x_arcsec,
        "host_y_arcsec": sight.host.y_arcsec,
        "host_axis_ratio": sight.host.axis_ratio,
        "host_angle_rad": sight.host.angle_rad,
        "pixel_scale_arcsec": sight.pixel_scale_arcsec,
    }
    for k, band in enumerate(bands):
        values = (
            sight.host_ab[k],
            math.nan if painted is None else _magnitude(painted, sight, k),
            sight.noise[k],
            sight.fwhm_arcsec[k],
            float(sight.stars[k]),
            sight.zero_point_ab[k],
            sight.gain_electrons[k],
        )
        facts |= {name.format(band): v for name, v in zip(BAND_FACTS, values, strict=True)}
    if painted is not None:
        facts |= _system_facts(painted.system)
        facts |= {"arc_snr": painted.arc_snr, "arc_contrast": painted.arc_contrast}
        facts["magnification"] = _magnification(sight, bands, painted)
    return facts


def system_of(row: dict[str, Any]) -> System:
    """Return the system of a row of the table, to be seen by another camera.

    Args:
        row: Of ``scenes.parquet``, with arcs.
    """
    columns = ("host_x_arcsec", "host_y_arcsec", "einstein_radius_arcsec", "mass_axis_ratio",
               "mass_angle_rad")  # fmt: skip
    return System(
        deflector=np.array([*(row[name] for name in columns), 0.0]),
        shear=np.array([row["shear_1"], row["shear_2"]]),
        source=np.array(row["source_light"]).reshape(-1, len(SOURCE_COLUMNS)),
        source_g_ab=row["source_g_ab"],
        z_lens=row["z_lens"],
        z_source=row["z_source"],
    )


def to_table(records: list[Record], plan: InjectPlan) -> pa.Table:
    """Return a row for each record."""
    columns: dict[str, pa.Array] = {
        "id": pa.array([one.id for one in records], pa.string()),
        "label": pa.array([one.label for one in records], pa.int8()),
        "class": pa.array([_CLASS[one.label] for one in records], pa.string()),
        "kind": pa.array([_KIND[one.label] for one in records], pa.string()),
        "status": pa.array([str(one.status) for one in records], pa.string()),
        "message": pa.array([one.message for one in records], pa.string()),
        "flags": pa.array([list(one.flags) for one in records], pa.list_(pa.string())),
        "scene": pa.array([one.number for one in records], pa.int64()),
        "copy": pa.array([one.copy for one in records], pa.int64()),
        "origin": pa.array([one.origin for one in records], pa.string()),
        "source": pa.array([one.source for one in records], pa.string()),
        "row": pa.array([one.row for one in records], pa.int64()),
        "ra": pa.array([one.ra_deg for one in records], pa.float64()),
        "dec": pa.array([one.dec_deg for one in records], pa.float64()),
        "psf": pa.array([_psf(one, plan) for one in records], pa.string()),
    }
    bands = plan.injection.bands
    for name in (*FACTS, *(name.format(band) for band in bands for name in BAND_FACTS)):
        values = [_known(one.facts.get(name)) for one in records]
        columns[name] = pa.array(values, pa.float64())
    lights = [one.facts.get("source_light") for one in records]
    columns["source_light"] = pa.array(lights, pa.list_(pa.float64()))
    return pa.table(columns).replace_schema_metadata({RUN_ID: plan.run_id.encode()})


_CLASS = {1: "lens", 0: "nonlens", None: None}
_KIND = {1: "injected", 0: "control", None: None}


def _psf(record: Record, plan: InjectPlan) -> str | None:
    """Return where the seeing of an image is from; ``stars`` if those of any band said it."""
    if record.label is None:
        return None
    bands, psf = plan.injection.bands, plan.injection.psf
    if psf.kind != "stars":
        return psf.kind
    return "stars" if any(record.facts.get(f"psf_stars_{band}") for band in bands) else "survey"


def _known(value: float | list[float] | None) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) else None


def _system_facts(system: System) -> Facts:
    shining: Float[np.ndarray, "source column"] = system.source[system.source[:, len(LIGHT)] > 0]
    return {
        "einstein_radius_arcsec": system.einstein_radius_arcsec,
        "mass_axis_ratio": float(system.deflector[3]),
        "mass_angle_rad": float(system.deflector[4]),
        "shear_1": float(system.shear[0]),
        "shear_2": float(system.shear[1]),
        "z_lens": system.z_lens,
        "z_source": system.z_source,
        "dispersion_km_s": system.dispersion_km_s,
        "source_g_ab": system.source_g_ab,
        "source_light": [float(value) for value in shining.ravel()],
    }


def _magnitude(painted: Painted, sight: Sight, k: int) -> float:
    counts = float(painted.light[k].sum(dtype=np.float64))
    return float(sight.zero_point_ab[k]) - 2.5 * math.log10(counts) if counts > 0 else math.nan


def _magnification(sight: Sight, bands: tuple[str, ...], painted: Painted) -> float:
    """Return the light of all images over that of the source, in the first band."""
    seen = float(painted.light[0].sum(dtype=np.float64)) / float(sight.counts_of_30[0])
    return seen / float(painted.system.fluxes(bands)[:, 0].sum())
