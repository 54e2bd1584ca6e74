"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from skysieve.core.errors import InputError
from skysieve.core.labels import Labels
from skysieve.measure.performance import DRAWS, Draws
from skysieve.measure.rates import Known
from skysieve.measure.sections import OtherReport
from skysieve.measure.tables import Table
from skysieve.measure.thresholds import Intent

Row = Mapping[str, Any]
Picture = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportInput:
    """What a report is made of.

    Args:
        ranking: The ranking table of a run, best first.
        finder: What to say of the finder: ``name`` and anything else of its card.
        seconds: How long the run took; None if unknown.
        cutouts_per_s: Its rate; None if unknown.
        ignored: How many files of each ending were no images.
        pictures: The head of the ranking: each row with its picture, None if there is none.
        labels: What is known of some ids.
        labels_name: Where the labels came from, such as ``labels.csv, source=spacewarps``.
        prior: The share of lenses that ``p_survey`` was made for.
        survey_prior: The share to reckon with; None takes ``prior``.
        run_name: The name of the run.
        draws: How the intervals are made.
        kinds: A column of the labels, such as kind, and its value by id.
        intents: What thresholds are wanted for.
        fitted_prior: The share of positives that the calibration of each row of the ranking was
            fitted at; None leaves out what rests on it.
        known: Positives and negatives of the finder's calibration; None if it keeps none.
        others: Reports of other runs of the same finder, to stand beside.
        sha256: Of what the numbers are about, by name: ``run``, ``ranking``, ``labels``.

    Raises:
        InputError: The prior does not lie between 0 and 1.
    """

    ranking: Table
    finder: Row
    seconds: float | None = None
    cutouts_per_s: float | None = None
    ignored: Mapping[str, int] = field(default_factory=dict[str, int])
    pictures: Sequence[tuple[Row, Picture | None]] = ()
    labels: Labels | None = None
    labels_name: str = ""
    prior: float | None = None
    survey_prior: float | None = None
    run_name: str = ""
    draws: Draws = DRAWS
    kinds: tuple[str, Mapping[str, str]] | None = None
    intents: Sequence[Intent] = ()
    fitted_prior: Float64[np.ndarray, " n"] | None = None
    known: tuple[Known, Known] | None = None
    others: Sequence[OtherReport] = ()
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        for prior in (self.prior, self.survey_prior):
            if prior is not None and not 0 < prior < 1:
                raise InputError(f"The prior is {prior}", "Give a share between 0 and 1")
