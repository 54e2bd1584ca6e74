"""Lenses that were put to a finder, the images without them, and which lenses were found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skysieve.core.errors import InputError, MismatchError
from skysieve.measure.intervals import wilson

AXES: Mapping[str, tuple[str, str]] = {
    "einstein_radius_arcsec": ("Einstein radius", "arcsec"),
    "einstein_radius_psf": ("Einstein radius", "PSF FWHM"),
    "arc_snr": ("signal to noise of the arcs", ""),
    "source_ab": ("source magnitude, unlensed", "AB"),
    "color": ("color of the arcs, g \N{MINUS SIGN} i", "AB"),
}
"""What completeness is measured against: its name for a person, and its unit."""
LOGARITHMIC = ("einstein_radius_arcsec", "einstein_radius_psf", "arc_snr")


@dataclass(frozen=True, eq=False, kw_only=True)
class Trials:
    """Lenses with the scores they got, and the scores of images without lenses.

    Args:
        p: What the finder gave each lens, in [0, 1].
        image: The image that each lens is in; lenses of one image are not independent.
        einstein_radius_arcsec: Of each lens, above 0.
        arc_snr: Matched-filter signal to noise of its arcs in the best band, above 0.
        psf_fwhm_arcsec: FWHM of the PSF, mean of the bands, above 0.
        source_ab: Unlensed magnitude of the source; NaN if it is not known.
        color: Color of the arcs, g - i; NaN if it is not known.
        weights: What makes the lenses those of a population; all 1 if they are.
        negative_p: What the finder gave each image without a lens.
        negative_image: Which image it is.

    Raises:
        MismatchError: The fields do not have the same length.
        InputError: A number that has to be there is not.
    """

    p: Float64[np.ndarray, " n"]
    image: Int64[np.ndarray, " n"]
    einstein_radius_arcsec: Float64[np.ndarray, " n"]
    arc_snr: Float64[np.ndarray, " n"]
    psf_fwhm_arcsec: Float64[np.ndarray, " n"]
    source_ab: Float64[np.ndarray, " n"]
    color: Float64[np.ndarray, " n"]
    weights: Float64[np.ndarray, " n"]
    negative_p: Float64[np.ndarray, " m"]
    negative_image: Int64[np.ndarray, " m"]

    def __post_init__(self) -> None:
        for name in ("image", *AXES, "psf_fwhm_arcsec", "weights"):
            if len(self.of(name)) != len(self.p):
                raise MismatchError(
                    f"There are {len(self.p)} scores of lenses but {len(self.of(name))} {name}",
                    "Give one for each lens",
                )
        if len(self.negative_p) != len(self.negative_image):
            raise MismatchError(
                "Images without lenses have another number of scores", "Give one for each"
            )
        for name in ("einstein_radius_arcsec", "arc_snr", "psf_fwhm_arcsec"):
            values = self.of(name)
            if not (np.isfinite(values) & (values > 0)).all():
                raise InputError(f"A lens has no {name} above 0", "Leave it out")
        if not np.isfinite(self.p).all() or not np.isfinite(self.negative_p).all():
            raise InputError("A score is not finite", "Leave out images that could not be scored")
        if not ((self.weights >= 0) & np.isfinite(self.weights)).all():
            raise InputError("A weight is no number of 0 or more", "Leave that lens out")

    def __len__(self) -> int:
        return len(self.p)

    def of(self, name: str) -> Float64[np.ndarray, " n"] | Int64[np.ndarray, " n"]:
        """Return a column, such as those of ``AXES``."""
        if name == "einstein_radius_psf":
            return self.einstein_radius_arcsec / self.psf_fwhm_arcsec
        return getattr(self, name)

    def found(self, threshold: float) -> Bool[np.ndarray, " n"]:
        """Return which lenses score at least this."""
        return self.p >= threshold


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of lenses that was found, with its interval.

    Args:
        value: The share.
        low: Lower end of the interval.
        high: Upper end.
        n: Lenses.
        n_found: Those found.
        n_effective: Independent lenses of equal weight that would tell as much.
        method: How the interval was made.
    """

    value: float
    low: float
    high: float
    n: int
    n_found: int
    n_effective: float
    method: str = "wilson"


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The lenses between two values of an axis.

    Args:
        low: The lower edge, which belongs to it.
        high: The upper edge, which belongs to the last bin alone.
        share: What of them was found, of those that were drawn.
        population: The same with the weights.
        surface: The fitted surface's mean over them; None if there is none.
    """

    low: float
    high: float
    share: Share
    population: Share
    surface: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        return {
            "from": self.low,
            "to": self.high,
            **vars(self.share),
            "population": vars(self.population),
            "surface": self.surface,
        }


def choose_threshold(
    p: Float64[np.ndarray, " m"], fpr: float, counts: Int64[np.ndarray, " m"] | None = None
) -> float:
    """Return the least probability that at most a share ``fpr`` of images without lenses reaches.

    Args:
        p: Of these images.
        fpr: In (0, 1).
        counts: How often each image counts; None for once.

    Raises:
        InputError: The rate is less than one of the images.
    """
    check_rate(len(p), fpr)
    counts = np.ones(len(p), np.int64) if counts is None else counts
    allowed = max(1, math.floor(fpr * int(counts.sum()) + 1e-9))  # a resample may be smaller
    order = np.argsort(-p, kind="stable")
    above = np.cumsum(counts[order])
    first_too_many = int(np.searchsorted(above, allowed, side="right"))
    if first_too_many == len(p):
        return float(p.min())
    return float(np.nextafter(p[order][first_too_many], np.inf))


def check_rate(n: int, fpr: float) -> None:
    """Refuse a false positive rate that so many images without lenses cannot tell.

    Raises:
        InputError: It is less than one of them, or no rate.
    """
    if not 0 < fpr < 1:
        raise InputError(f"{fpr:g} is no false positive rate", "Give a number between 0 and 1")
    if fpr * n < 1 - 1e-9:
        raise InputError(
            f"A false positive rate of {fpr:g} is less than one of {n:,} images without lenses, so "
            "that they cannot say the threshold",
            f"Give {math.ceil(1 / fpr):,} images or more, a larger --fpr, or the --threshold",
        )


def share_of(
    found: Bool[np.ndarray, " n"],
    image: Int64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
) -> Share:
    """Return a share with Wilson's interval for as many lenses as tell something of their own.

    Lenses in one image are found together more often than by chance, and some weigh more than
    others: both make fewer of them (Kish 1965, Survey Sampling, sections 8.2 and 11.7).

    Raises:
        InputError: There is no lens, or all weights are 0.
    """
    total = float(weights.sum())
    if not len(found) or total <= 0:
        raise InputError("There is no lens to take a share of", "Give at least one")
    value = float(np.clip(weights[found].sum() / total, 0, 1))
    _, numbers = np.unique(image, return_inverse=True)
    by_image = np.bincount(numbers, weights)
    least, most = (total**2 / float(np.square(w).sum()) for w in (by_image, weights))
    spread = np.bincount(numbers, weights * (found - value))
    variance = float(np.square(spread).sum()) / total**2
    effective = value * (1 - value) / variance if variance > 0 else least
    effective = float(np.clip(effective, least, max(most, least)))
    n = max(1, math.floor(effective + 1e-9))
    low, high = wilson(value * n, n)
    return Share(
        value=value,
        low=low,
        high=high,
        n=len(found),
        n_found=int(found.sum()),
        n_effective=effective,
    )
