"""The share of positives that a run's own scores tell, and the probabilities at it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from skysieve.core.odds import at_prior
from skysieve.finder.card import FinderCard
from skysieve.measure.rates import estimate_rate

NONE_NEEDED = "the scores are likeliest with {share} of the rows positive"


class SurveyRate(BaseModel):
    """The share of positives among the scored rows of a run, as their probabilities tell it.

    Args:
        value: What ``p_survey`` was made for; None if it could not be told.
        low: Lower end of the 95 % interval, if only the share shifted since the calibration.
        high: Upper end.
        n: Scored rows.
        method: How: the likelihood of the calibrated probabilities, where EM ends.
        why: Why it could not be told; empty if it could.
    """

    model_config = ConfigDict(frozen=True)

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str = "em"
    why: str = ""


def fill_survey(table: pa.Table, card: FinderCard) -> tuple[pa.Table, SurveyRate]:
    """Return a run's rows with ``p_survey`` at the share of positives that they tell.

    Where they cannot tell it, or nothing but 0 or 1, the column stays null and the rate says why.

    Args:
        table: All rows of the parts, with ``p`` and ``stage``.
        card: Of the finder: it knows the prior of each stage's calibration.
    """
    p = np.array(table["p"].to_numpy(), np.float64)
    scored = np.isfinite(p)
    if not scored.any():
        return table, SurveyRate(value=None, low=None, high=None, n=0, why="no row has a score")
    priors = np.array([0.5] + [stage.calibration.prior for stage in card.stages])
    fitted = priors[table["stage"].to_numpy()]
    found = estimate_rate(p[scored], fitted[scored], draws=1)
    rate = SurveyRate(value=found.value, low=found.low, high=found.high, n=found.n, why=found.why)
    if found.value in (0.0, 1.0):
        share = "none" if found.value == 0 else "all"
        return table, rate.model_copy(
            update={"value": None, "why": NONE_NEEDED.format(share=share)}
        )
    if found.value is None:
        return table, rate
    survey = pa.array(at_prior(p, fitted, found.value), pa.float64(), from_pandas=True)
    return table.set_column(table.schema.get_field_index("p_survey"), "p_survey", survey), rate
