"""What the plans of all scenarios are made of: splits, grids of pixels, noise."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from skysieve.core.survey import PixelKind, survey
from skysieve.recipe.simulation import CameraPlan, Plan, Range

Splits = dict[str, Annotated[int, Field(ge=0)]]
"""How many images each part of a set has; parts never share a scene."""


def _positive(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] <= 0:
        raise ValueError("it must be more than 0")
    return pair


Positive = Annotated[Range, AfterValidator(_positive)]


def sized(splits: Splits, count: int) -> Splits:
    """Return splits that hold so many images in all, in the same proportions.

    None that had images is left without one, unless there are fewer images than splits.
    """
    total = sum(splits.values())
    exact = {name: count * share / total for name, share in splits.items()}
    result = {name: max(int(share), int(share > 0)) for name, share in exact.items()}
    # The largest split takes what rounding left over, one after the other if it has none to give.
    by_size = sorted(result, key=lambda name: -exact[name])
    result[by_size[0]] += max(count - sum(result.values()), 0)
    while sum(result.values()) > count:
        fullest = max(by_size, key=lambda name: result[name])
        result[fullest] -= 1
    return result


class Frame(Plan):
    """A grid of pixels that every image of a scenario has.

    Args:
        name: Tells the frames of one scenario apart; empty if there is one.
        bands: Names of its planes.
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
        kind: Whether pixels are linear in the light or a display stretch.
        zero_point_ab: AB magnitude of one count; None where pixels are no counts.
    """

    name: str = ""
    bands: tuple[str, ...]
    side: int
    pixel_scale_arcsec: float
    kind: PixelKind = "flux"
    zero_point_ab: float | None = None


class NoisePlan(Plan):
    """The noise of an image; a lens and its control share what is drawn.

    Args:
        depth: Positive of signal over noise against the survey's own, drawn in its logarithm.
        photons_per_count: Positive of the gain at zero point 30, drawn in its logarithm.
        correlation_pixels: Range of the width of the kernel that resampling laid over the noise.
        background: Range of what the subtraction of the sky left, in units of its noise.
    """

    depth: Positive = (0.8, 1.25)
    photons_per_count: Positive = (30.0, 300.0)
    correlation_pixels: Range = (0.0, 0.6)
    background: Range = (0.0, 0.8)


def camera_frame(camera: CameraPlan, kind: PixelKind, *, counts: bool = True) -> Frame:
    """Return the grid of pixels of a survey's camera; without counts there is no zero point."""
    return Frame(
        bands=camera.bands,
        side=camera.side,
        pixel_scale_arcsec=survey(camera.survey).pixel_scale_arcsec,
        kind=kind,
        zero_point_ab=30.0 if counts and kind == "flux" else None,
    )


def check_gri(camera: CameraPlan) -> None:
    """Raise unless a camera has g, r and i, in this order, and its survey has them.

    Raises:
        ValueError: It has others; a plan's validator turns it into an error of the recipe.
    """
    there = [band.name for band in survey(camera.survey).bands]
    if missing := [band for band in camera.bands if band not in there]:
        raise ValueError(
            f"{camera.survey} has no band {missing[0]}; its bands are {', '.join(there)}"
        )
    if camera.bands != ("g", "r", "i"):
        raise ValueError("galaxies are drawn in g, r and i only, in this order")
