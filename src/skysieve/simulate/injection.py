"""Drawing lens systems about real galaxies: mass where the light is, a source behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from skysieve.core.random import stream
from skysieve.recipe.injection import PAINTABLE, InjectionPlan
from skysieve.recipe.simulation import LensPlan
from skysieve.simulate.galaxies import (
    REFERENCE_DISPERSION_KM_S,
    colors,
    einstein_radius_arcsec,
    red_magnitude_i,
)
from skysieve.simulate.populations import draw_source
from skysieve.simulate.scenes import LIGHT

BEHIND = 0.2
"""Least redshift between lens and source."""
DRAWS = 200
"""Source redshifts drawn before the farthest is taken."""
FARTHEST = 3.5
_REDSHIFTS = np.linspace(0.05, 1.2, 116)
_RED_SCATTER = {("g", "r"): 0.07, ("r", "i"): 0.05}
"""Scatter of the colors of red galaxies, as they are drawn in ``populations``."""

_BRIGHTNESS_SCATTER = 0.8
"""Scatter of the magnitude of a lens: a fifth in velocity dispersion, which goes in as 10 log."""

Rng = np.random.Generator


class Host(NamedTuple):
    """The galaxy that becomes a lens.

    Args:
        x_arcsec: Of its center from the middle of the frame.
        y_arcsec: The same.
        axis_ratio: Of its light.
        angle_rad: From x to the major axis of its light.
        redshift: Guessed from its colors; NaN if they are not known.
    """

    x_arcsec: float
    y_arcsec: float
    axis_ratio: float
    angle_rad: float
    redshift: float


@dataclass(frozen=True, eq=False, kw_only=True)
class System:
    """A lens without its light, and what is behind it.

    Args:
        deflector: Columns as in ``scenes.DEFLECTOR``, in arcsec from the middle of the frame.
        shear: External shear about the deflector.
        source: Sersic components in the source plane, in arcsec from the deflector, with their
            fluxes in g, r, i in counts at zero point 30 behind the columns of ``scenes.LIGHT``.
        source_g_ab: Unlensed magnitude of the source.
        z_lens: Redshift of the lens.
        z_source: Redshift of the source.
    """

    deflector: Float[np.ndarray, "6"]
    shear: Float[np.ndarray, "2"]
    source: Float[np.ndarray, "source column"]
    source_g_ab: float
    z_lens: float
    z_source: float

    @property
    def einstein_radius_arcsec(self) -> float:
        """Radius of the circle that holds the mass of critical density."""
        return float(self.deflector[2])

    @property
    def dispersion_km_s(self) -> float:
        """Velocity dispersion that an isothermal sphere of this Einstein radius has."""
        unit = einstein_radius_arcsec(1.0, self.z_lens, self.z_source)
        return math.sqrt(self.einstein_radius_arcsec / unit)

    def fluxes(self, bands: tuple[str, ...]) -> Float[np.ndarray, "source band"]:
        """Return the fluxes of the source's components in some bands."""
        return self.source[:, [len(LIGHT) + PAINTABLE.index(band) for band in bands]]

    def brightened(self, source_g_ab: float) -> System:
        """Return the same system with a source of another magnitude."""
        source = self.source.copy()
        source[:, len(LIGHT) :] *= 10 ** (-0.4 * (source_g_ab - self.source_g_ab))
        return replace(self, source=source, source_g_ab=source_g_ab)


def draw_system(
    plan: InjectionPlan, host: Host, *, seed: int, name: str, copy: int, turn: int = 0
) -> System:
    """Return the system that is painted about a host; its magnitude is still to be chosen.

    It depends on the plan, the host, the seed, the name and the copy alone: not on the PSF, the
    noise or the pixels.

    Args:
        plan: What is drawn.
        host: The lens' light.
        seed: Of the run.
        name: Of the image.
        copy: Which version of the image, from 1.
        turn: Which attempt, from 0.
    """
    rng = stream(seed, f"inject/{name}/{copy}", turn)
    radius = float(rng.uniform(*plan.einstein_radius_arcsec))
    scattered = host.axis_ratio + rng.normal(0, plan.axis_ratio_scatter)
    angle = host.angle_rad + rng.normal(0, plan.angle_scatter_rad)
    strength, direction = abs(rng.normal(0, plan.shear)), rng.uniform(0, 2 * np.pi)
    drawn = float(np.clip(rng.gamma(6.0, 0.082), 0.12, 1.2))  # as lenses are in ``populations``
    z_lens = drawn if math.isnan(host.redshift) else host.redshift
    z_source = _behind(rng, z_lens)
    lens = LensPlan(source_g_ab=plan.source_g_ab, source_count_slope=plan.source_count_slope)
    source, magnitude = draw_source(lens, radius, z_source, rng)
    ratio = float(np.clip(scattered, 0.4, 0.98))
    return System(
        deflector=np.array([host.x_arcsec, host.y_arcsec, radius, ratio, angle, 0.0]),
        shear=min(strength, 0.3) * np.array([np.cos(direction), np.sin(direction)]),
        source=source,
        source_g_ab=magnitude,
        z_lens=z_lens,
        z_source=z_source,
    )


def draw_magnitude(
    plan: InjectionPlan,
    limits: tuple[float, float],
    *,
    seed: int,
    name: str,
    copy: int,
) -> float:
    """Return the magnitude of a source within limits, by number counts.

    As long as the limits do not bind, it is the same for every PSF and noise.
    """
    share = float(stream(seed, f"inject-magnitude/{name}", copy).random())
    bright, faint = limits
    slope = plan.source_count_slope * math.log(10)
    if abs(slope) < 1e-9:
        return bright + share * (faint - bright)
    return bright + math.log1p(share * math.expm1(slope * (faint - bright))) / slope


def guess_redshift(magnitudes: dict[str, float]) -> float:
    """Return the redshift at which a massive red galaxy looks like this; NaN without a color.

    The colors say it where they are clear, the brightness where they are not.

    Args:
        magnitudes: AB, by band; NaN where the host is not seen.
    """
    misfit: Float64[np.ndarray, " z"] = np.zeros(len(_REDSHIFTS))
    known = 0
    for k, ((blue, red), scatter) in enumerate(_RED_SCATTER.items()):
        color = magnitudes.get(blue, math.nan) - magnitudes.get(red, math.nan)
        if math.isfinite(color):
            track = np.array([colors("red", float(z))[k] for z in _REDSHIFTS])
            misfit += ((color - track) / scatter) ** 2
            known += 1
    brightness = magnitudes.get("i", math.nan)
    if math.isfinite(brightness):
        track = [red_magnitude_i(float(z), REFERENCE_DISPERSION_KM_S) for z in _REDSHIFTS]
        misfit += ((brightness - np.array(track)) / _BRIGHTNESS_SCATTER) ** 2
    return float(_REDSHIFTS[int(np.argmin(misfit))]) if known else math.nan


def _behind(rng: Rng, z_lens: float) -> float:
    """Return the redshift of a source, distributed as in ``populations`` but behind the lens."""
    for redshift in np.clip(rng.gamma(5.0, 0.36, DRAWS), 0.5, FARTHEST):
        if redshift > z_lens + BEHIND:
            return float(redshift)
    return FARTHEST
