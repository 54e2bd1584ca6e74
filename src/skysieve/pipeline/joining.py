"""Scenes and scores, row by row: from tables on the disk to lenses that were put to a finder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64

from skysieve.core.errors import MismatchError
from skysieve.measure.trials import Trials
from skysieve.recipe.injection import InjectionPlan

NONLENS = "nonlens"
Columns = dict[str, list[Any]]


class Made(NamedTuple):
    """Lenses on the disk, and what their table does not say.

    Args:
        images: What they were painted into, or the scenario.
        sha256: Of the plan.
        population: What the weights make of them.
        psf_fwhm_arcsec: From rows of lenses to the FWHM of each, mean of the bands.
        weights: From rows of lenses to their weights.
    """

    images: str
    sha256: str
    population: str
    psf_fwhm_arcsec: Callable[[Columns], Float64[np.ndarray, " n"]]
    weights: Callable[[Columns], Float64[np.ndarray, " n"]]


def join_trials(
    scenes: Path, scored: pa.Table, made: Made, finder: str
) -> tuple[Trials, dict[str, int]]:
    """Join scenes and scores by id; leave out what could not be scored, and count it.

    Args:
        scenes: The table of the set.
        scored: What the finder says of its images.
        made: What the table does not say.
        finder: Its name, for a message.

    Raises:
        MismatchError: No image could be scored, or none holds a lens.
    """
    table = pq.read_table(scenes)
    p = dict(zip(scored["id"].to_pylist(), scored["p"].to_pylist(), strict=True))
    status = scored["status"].to_pylist()
    unscored = Counter(one for one in status if one != "ok")
    if "status" in table.column_names:  # of images that could not be painted
        unscored.update(one for one in table["status"].to_pylist() if one != "ok")
    kept = [
        k
        for k, (name, label) in enumerate(
            zip(table["id"].to_pylist(), table["class"].to_pylist(), strict=True)
        )
        if label is not None and p.get(name) is not None
    ]
    if not kept:
        worst = unscored.most_common(1)[0][0] if unscored else "none was made"
        told = [m for m in scored["message"].to_pylist() if m]
        raise MismatchError(
            f"{finder} can score none of the images ({worst}{': ' + told[0] if told else ''})",
            "Give images that skysieve find can score with it",
        )
    table = table.take(kept)
    negative = np.array([label == NONLENS for label in table["class"].to_pylist()])
    without, lenses = (table.filter(pa.array(rows)).to_pydict() for rows in (negative, ~negative))
    if not lenses["id"] or "einstein_radius_arcsec" not in lenses:
        raise MismatchError(
            f"There is no lens with an Einstein radius among the {len(kept):,} images",
            "Ask for more, or for another scenario",
        )
    return (
        Trials(
            p=np.array([p[name] for name in lenses["id"]], np.float64),
            image=np.array(lenses["scene"], np.int64),
            einstein_radius_arcsec=numbers(lenses, "einstein_radius_arcsec"),
            arc_snr=_own_snr(lenses),
            psf_fwhm_arcsec=made.psf_fwhm_arcsec(lenses),
            source_ab=numbers(lenses, "source_g_ab" if "source_g_ab" in lenses else "source_i_ab"),
            color=numbers(lenses, "lensed_g_ab") - numbers(lenses, "lensed_i_ab"),
            weights=made.weights(lenses),
            negative_p=np.array([p[name] for name in without["id"]], np.float64),
            negative_image=np.array(without["scene"], np.int64),
        ),
        dict(sorted(unscored.items())),
    )


def _own_snr(rows: Columns) -> Float64[np.ndarray, " n"]:
    """Return the signal to noise of arcs against the sky of their own image.

    A scenario tells it against the survey's sky, and how much deeper than that the image is.
    """
    snr = numbers(rows, "arc_snr")
    return snr * numbers(rows, "depth") if "depth" in rows else snr


def numbers(rows: Mapping[str, list[Any]], name: str) -> Float64[np.ndarray, " n"]:
    """Return a column; NaN where it is not known."""
    values = rows.get(name, [None] * len(rows["id"]))
    return np.array([np.nan if value is None else value for value in values], np.float64)


def number_counts(rows: Columns, drawn: InjectionPlan, slope: float) -> Float64[np.ndarray, " n"]:
    """Return the weights that make magnitudes drawn about evenly those of number counts.

    A magnitude was drawn within limits of its own: those of the plan, and those at which the arcs
    have the signal to noise asked for. The weight is the density wanted over that drawn from.
    """
    magnitude, snr = numbers(rows, "source_g_ab"), numbers(rows, "arc_snr")
    low, high = drawn.arc_snr
    bright = np.maximum(drawn.source_g_ab[0], magnitude - 2.5 * np.log10(high / snr))
    faint = np.minimum(drawn.source_g_ab[1], magnitude + 2.5 * np.log10(snr / low))
    even = drawn.source_count_slope
    middle = float(np.median(magnitude))  # so that no power of ten grows too large
    width = 10 ** (even * (faint - middle)) - 10 ** (even * (bright - middle))
    weights = 10 ** ((slope - even) * (magnitude - middle)) * np.maximum(width, 0)
    return weights / weights.max()
