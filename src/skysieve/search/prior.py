"""The share of positives that a run's own scores tell, and the probabilities at it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from skysieve.core.errors import MismatchError
from skysieve.core.odds import at_prior
from skysieve.finder.card import FinderCard
from skysieve.measure.believed import believe_rate
from skysieve.measure.rates import Known


class SurveyRate(BaseModel):
    """The share of positives among the scored rows of a run, as their probabilities tell it.

    Args:
        value: What ``p_survey`` was made for; None if it could not be told.
        low: Lower end of the 95 % interval, if only the share shifted since the calibration.
        high: Upper end.
        n: Scored rows.
        method: How: the likelihood of the calibrated probabilities, where EM ends.
        distance: The largest difference between the distribution of the scores and that of a mixture
            of calibration rows; None where no share was found.
        limit: What chance exceeds once in a hundred: beyond it the share is not believed.
        why: Why it could not be told; empty if it could.
    """

    model_config = ConfigDict(frozen=True)

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str = "em"
    distance: float | None = None
    limit: float | None = None
    why: str = ""


def fill_survey(table: pa.Table, card: FinderCard) -> tuple[pa.Table, SurveyRate]:
    """Return a run's rows with ``p_survey`` at the share of positives that they tell.

    Where they cannot tell it, or nothing but 0 or 1, or where no mixture of the calibration's rows
    has such scores, the column stays null and the rate says why.

    Args:
        table: All rows of the parts, with ``p`` and ``stage``.
        card: Of a finder of two classes that keeps its calibration rows.

    Raises:
        MismatchError: The finder is not.
    """
    positives, negatives = known_rows(card)
    p = np.array(table["p"].to_numpy(), np.float64)
    scored = np.isfinite(p)
    if not scored.any():
        return table, SurveyRate(value=None, low=None, high=None, n=0, why="no row has a score")
    priors = np.array([0.5] + [stage.calibration.prior for stage in card.stages])
    fitted = priors[table["stage"].to_numpy()]
    found, misfit = believe_rate(p[scored], fitted[scored], (positives, negatives))
    rate = SurveyRate(value=found.value, low=found.low, high=found.high, n=found.n, why=found.why)
    if misfit is not None:
        rate = rate.model_copy(update={"distance": misfit.distance, "limit": misfit.limit})
    if found.value is None:
        return table, rate
    survey = pa.array(at_prior(p, fitted, found.value), pa.float64(), from_pandas=True)
    return table.set_column(table.schema.get_field_index("p_survey"), "p_survey", survey), rate


def known_rows(card: FinderCard) -> tuple[Known, Known]:
    """Return what a finder keeps of its positive and of its negative calibration rows.

    Raises:
        MismatchError: It keeps none, or knows other than two classes.
    """
    if card.conformal is None or len(card.classes) != 2:
        raise MismatchError(
            f"{card.name} keeps no calibration rows of two classes, so nothing could tell whether "
            "the images are like those",
            "Give the share of lenses you expect, such as --prior 0.001",
        )
    positive = card.positive_index
    kept = card.conformal.samples
    if not all(sample.count for sample in kept):
        raise MismatchError(f"{card.name} keeps no calibration rows of a class", "Give --prior")
    own = [np.array(kept[k].values) for k in (positive, 1 - positive)]
    below = [(np.array(kept[k].ranks) - 0.5) / kept[k].count for k in (positive, 1 - positive)]
    counts = [kept[k].count for k in (positive, 1 - positive)]
    return (
        Known(p=own[0], share=below[0], count=counts[0]),
        Known(p=1 - own[1][::-1], share=1 - below[1][::-1], count=counts[1]),
    )
