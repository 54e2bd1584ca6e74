# pyright: standard
"""Figures of a selection function: completeness against each axis, and as a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from skysieve.measure.plotting import COLORS, GRAY, new_axes, plain, styled
from skysieve.measure.recovery import Recovery
from skysieve.measure.trials import AXES, LOGARITHMIC

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_SHOWN = 3000  # more dots than that hide the map
_GRID = 160


@styled
def draw_axes(found: Recovery, names: Sequence[str]) -> Figure:
    """Return completeness against some axes, with intervals and what the surface says.

    Args:
        found: What was found.
        names: Of axes with bins.
    """
    figure, axes = new_axes(len(names), (5.6, 2.3 * len(names)))
    for axis, name in zip(axes, names, strict=True):
        bins = found.bins[name]
        low, high = (np.array([getattr(b, end) for b in bins]) for end in ("low", "high"))
        middle = np.sqrt(low * high) if name in LOGARITHMIC else (low + high) / 2
        value = np.array([b.share.value for b in bins])
        ends = np.array([[b.share.low for b in bins], [b.share.high for b in bins]])
        axis.errorbar(
            middle, value, xerr=(middle - low, high - middle), yerr=np.abs(ends - value),
            fmt="o", ms=3.5, lw=1, color=COLORS[0], label="found",
        )  # fmt: skip
        if found.selection is not None:
            axis.plot(
                middle,
                np.array([b.surface for b in bins], float),
                "--",
                color=COLORS[1],
                label="fitted surface",
            )
        if (found.trials.weights != found.trials.weights[0]).any():
            axis.plot(
                middle, [b.population.value for b in bins], "x", ms=5, color=COLORS[2],
                label="weighted to the population",
            )  # fmt: skip
        title, unit = AXES[name]
        axis.set(xlabel=f"{title} ({unit})" if unit else title, ylabel="completeness")
        axis.set_ylim(-0.03, 1.03)
        if name in LOGARITHMIC:
            axis.set_xscale("log")
            _plain_ticks(axis.xaxis)
    axes[0].legend(loc="best")
    return figure


@styled
def draw_map(found: Recovery) -> Figure:
    """Return the surface over Einstein radius and signal to noise, within the lenses it was made of.

    Raises:
        ValueError: There is no surface.
    """
    selection = found.selection
    if selection is None:
        raise ValueError(found.why_not)
    figure, (axis,) = new_axes(1, (5.6, 4.2))
    trials, hit = found.trials, found.trials.found(found.threshold)
    radius = trials.einstein_radius_arcsec / trials.psf_fwhm_arcsec * selection.psf_fwhm_arcsec
    across = np.geomspace(radius.min(), radius.max(), _GRID)
    up = np.geomspace(trials.arc_snr.min(), trials.arc_snr.max(), _GRID)
    surface = selection(*np.meshgrid(across, up))
    shades = axis.pcolormesh(
        across, up, surface, cmap="cividis", vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    figure.colorbar(shades, ax=axis, label="completeness")
    for rows, mark, color, label in (
        (hit, ".", "white", "found"), (~hit, ".", "black", "missed")
    ):  # fmt: skip
        shown = np.flatnonzero(rows)[:_SHOWN]
        axis.plot(
            radius[shown], trials.arc_snr[shown], mark, ms=1.6, color=color, alpha=0.5, lw=0,
            label=label, rasterized=True,
        )  # fmt: skip
    with np.errstate(invalid="ignore"):
        told = [level for level in LEVELS if np.nanmin(surface) < level < np.nanmax(surface)]
    if told:
        lines = axis.contour(across, up, surface, levels=told, colors=COLORS[1], linewidths=1.4)
        axis.clabel(lines, fmt=lambda level: f"{level:g}", fontsize=8)
    axis.set(xscale="log", yscale="log", facecolor="#e4e6ea")
    axis.set_xlabel(f"Einstein radius (arcsec, at a PSF of {selection.psf_fwhm_arcsec:.2f} arcsec)")
    axis.set_ylabel("signal to noise of the arcs")
    _plain_ticks(axis.xaxis)
    _plain_ticks(axis.yaxis)
    axis.grid(False)
    axis.legend(
        loc="lower right", frameon=True, facecolor=GRAY, framealpha=0.8, labelcolor="white",
        markerscale=4,
    )  # fmt: skip
    return figure


def _plain_ticks(axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_formatter(NullFormatter())
