"""A share of lenses is believed only where rows of the calibration explain the scores."""

from __future__ import annotations

from dataclasses import replace

from skysieve.measure.intervals import LEVEL
from skysieve.measure.rare import Values
from skysieve.measure.rates import Known, Misfit, Rate, estimate_rate, measure_misfit

NOTHING_KEPT = "the finder keeps no calibration rows, so nothing could tell whether these images are like those"
NONE_NEEDED = "the scores are likeliest with {share} of the rows positive"


def believe_rate(
    p: Values,
    fitted_prior: Values,
    known: tuple[Known, Known] | None,
    *,
    seed: int = 0,
) -> tuple[Rate, Misfit | None]:
    """Return the share of positives among rows, undefined where it is not to be believed.

    Args:
        p: Calibrated, in [0, 1], of all scored rows of the survey.
        fitted_prior: The share of positives that each was calibrated at.
        known: Positives and negatives of the calibration; None if the finder keeps none.
        seed: Decides the draws.

    Raises:
        InputError: There are no rows, or a probability does not lie in [0, 1].
    """
    if known is None:
        return Rate(value=None, low=None, high=None, level=LEVEL, n=len(p), method="em",
                    why=NOTHING_KEPT), None  # fmt: skip
    found = estimate_rate(p, fitted_prior, seed=seed)
    if found.value is None:
        return found, None
    if found.value in (0.0, 1.0):
        share = "none" if found.value == 0 else "all"
        why = NONE_NEEDED.format(share=share)
        return replace(found, value=None, why=why, draws=found.draws[:0]), None
    misfit = measure_misfit(p, found.value, *known)
    if misfit.fits:
        return found, misfit
    why = _unlike(misfit)
    return replace(found, value=None, low=None, high=None, why=why, draws=found.draws[:0]), misfit


def _unlike(misfit: Misfit) -> str:
    return (
        "no share of lenses among the calibration's rows gives such scores (they differ by "
        f"{misfit.distance:.2g}, chance by {misfit.limit:.2g}): these images are not like those"
    )
