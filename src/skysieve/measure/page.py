"""What the report says, as a value; HTML and JSON are two ways to show it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skysieve.core.labels import UNKNOWN, Labels
from skysieve.measure.believed import believe_rate
from skysieve.measure.doubt_summary import summarize_doubt
from skysieve.measure.figures import NO_LABEL, draw_curves, draw_histogram, draw_inspected
from skysieve.measure.metrics import RankingMetrics, measure_ranking
from skysieve.measure.performance import (
    Draws,
    MetricRow,
    measure_curves,
    measure_inspected,
)
from skysieve.measure.rare import Truth, Values
from skysieve.measure.report_counts import doubt_section, kinds_section
from skysieve.measure.report_input import Picture, ReportInput, Row
from skysieve.measure.report_sections import (
    expected_thresholds_section,
    rate_above,
    reliability_section,
    survey_section,
    thresholds_section,
)
from skysieve.measure.sections import Section, side_by_side
from skysieve.measure.tables import (
    Ranking,
    Table,
    doubt_columns,
    read_ranking,
    take_ids,
    take_rows,
)

BINS = 40
LISTED = 8
Mask = Bool[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True)
class LabelCounts:
    """How labels and ranking met.

    Args:
        name: Where the labels came from.
        n_labels: Labels in all.
        n_positive: Scored rows known to be positive.
        n_negative: Scored rows known to be negative.
        n_positive_unscored: Positives that have a row but no score: in no metric.
        n_negative_unscored: The same for negatives.
        n_unknown: Labels that say that the class is not known.
        n_orphans: Labels that name no row.
    """

    name: str
    n_labels: int
    n_positive: int
    n_negative: int
    n_positive_unscored: int
    n_negative_unscored: int
    n_unknown: int
    n_orphans: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Page:
    """What a report says.

    Args:
        given: What it was made of.
        ranking: The ranking, counted.
        positive: The positive class.
        labels: How labels and ranking met; None without labels.
        measured: What the labels say of the ranking; None if no labeled row has a score.
        figures: SVG by title.
        truth: The known label of an id of the head, 1 or 0.
        surprises: Rows that the ranking and the labels disagree on most, by title.
        sections: Further parts, in their order.
    """

    given: ReportInput
    ranking: Ranking
    positive: str
    labels: LabelCounts | None
    measured: RankingMetrics | None
    figures: Mapping[str, str]
    truth: Mapping[str, int]
    surprises: Mapping[str, Sequence[Row]]
    sections: Sequence[Section]

    @property
    def metrics(self) -> tuple[MetricRow, ...]:
        """The metrics that the labels allow."""
        return () if self.measured is None else self.measured.rows

    @property
    def n_scored(self) -> int:
        """How many rows have a score."""
        return int(np.isfinite(self.ranking.p).sum())

    @property
    def gallery(self) -> list[tuple[Row, Picture | None]]:
        """The rows to show: those of the head that have a score."""
        return [(row, picture) for row, picture in self.given.pictures if row["p"] is not None]

    def passing(self, threshold: float) -> int:
        """Return how many rows have a probability of at least the threshold."""
        return int((self.ranking.p >= threshold).sum())

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of the page."""
        given = self.given
        return {
            "run": given.run_name,
            "finder": {name: _plain(value) for name, value in given.finder.items()},
            "counts": {
                "read": len(self.ranking),
                "scored": self.n_scored,
                "status": self.ranking.status,
                "flags": self.ranking.flags,
                "ignored_files": dict(given.ignored),
            },
            "rate": {
                "seconds": _plain(given.seconds),
                "cutouts_per_s": _plain(given.cutouts_per_s),
            },
            "prior": given.prior,
            "labels": None if self.labels is None else vars(self.labels),
            **(self.measured.as_json() if self.measured else {"metrics": {}, "confusion": None}),
            "draws": vars(given.draws),
            "sha256": dict(given.sha256),
        } | {section.key: section.numbers for section in self.sections}


def compose_page(given: ReportInput) -> Page:
    """Measure and draw all that a report shows.

    Args:
        given: What the report is made of.

    Raises:
        InputError: The ranking lacks a column.
        MismatchError: No label names a row.
    """
    ranking = read_ranking(given.ranking, given.labels)
    positive = str(given.finder.get("positive", "lens"))
    scored = np.isfinite(ranking.p)
    known = scored & (ranking.truth >= 0)
    measured = None
    if known.any():
        measured = measure_ranking(ranking.truth[known], ranking.p[known], given.draws)
    labels = given.labels
    return Page(
        given=given,
        ranking=ranking,
        positive=positive,
        labels=None if labels is None else _count_labels(ranking, labels, given.labels_name),
        measured=measured,
        figures=_draw(ranking, scored, known, positive, given.draws),
        truth=_truth_of_head(given),
        surprises=_surprises(given.ranking, ranking, known, positive),
        sections=_sections(given, ranking, () if measured is None else measured.rows),
    )


def _sections(
    given: ReportInput, ranking: Ranking, metrics: tuple[MetricRow, ...]
) -> list[Section]:
    found: list[Section] = []
    prior = given.prior if given.survey_prior is None else given.survey_prior
    scored = np.isfinite(ranking.p)
    known = scored & (ranking.truth >= 0)
    truth, p, seed = ranking.truth[known], ranking.p[known], given.draws.seed
    both = 0 < (truth == 1).sum() < len(truth)
    rows = int(scored.sum())
    if both:
        found.append(
            thresholds_section(truth, p, given.intents, prior=prior, rows=rows, draws=given.draws)
        )
    if both and given.kinds is not None:
        column, by_id = given.kinds
        ids = take_ids(given.ranking, np.flatnonzero(known))
        found.append(kinds_section(truth, p, [by_id.get(name, "") for name in ids], column))
    if metrics and given.others:
        found.append(side_by_side(metrics, given.run_name or "this run", given.others))
    if given.fitted_prior is None or not rows:
        return found
    fitted = given.fitted_prior
    if both:
        found.append(reliability_section(truth, p, fitted[known], seed))
    p, fitted = ranking.p[scored], fitted[scored]
    rate, _ = believe_rate(p, fitted, given.known, seed=seed)
    basis = prior if prior is not None else rate
    if given.intents and not both and (prior is not None or rate.value):
        found.append(expected_thresholds_section(p, fitted, given.intents, basis, seed))
    found.append(survey_section(p, fitted, (rate, rate_above(p, given.known, seed)), prior, seed))
    doubt = summarize_doubt(scored=scored, **doubt_columns(given.ranking))
    if doubt.abstained is not None:
        found.append(doubt_section(doubt))
    return found


def _count_labels(ranking: Ranking, labels: Labels, name: str) -> LabelCounts:
    scored = np.isfinite(ranking.p)
    lens, other = ranking.truth == 1, ranking.truth == 0
    return LabelCounts(
        name=name,
        n_labels=len(labels),
        n_positive=int((lens & scored).sum()),
        n_negative=int((other & scored).sum()),
        n_positive_unscored=int((lens & ~scored).sum()),
        n_negative_unscored=int((other & ~scored).sum()),
        n_unknown=int((labels.values == UNKNOWN).sum()),
        n_orphans=ranking.n_orphans,
    )


def _draw(
    ranking: Ranking,
    scored: Mask,
    known: Mask,
    positive: str,
    draws: Draws,
) -> dict[str, str]:
    if not scored.any():
        return {}
    edges, counts = _histogram(ranking.truth[scored], ranking.p[scored], positive)
    figures = {"Scores": draw_histogram(edges, counts, positive)}
    truth, p = ranking.truth[known], ranking.p[known]
    n_positive, n_negative = int((truth == 1).sum()), int((truth == 0).sum())
    inspected: dict[str, Any] = {}
    if n_positive and n_negative:
        curves = measure_curves(truth, p, draws)
        figures |= draw_curves(curves, n_positive, n_negative)
        inspected["labeled cutouts only"] = curves.inspected
    if 0 < n_positive < scored.sum() and (scored & ~known).any():
        found = (ranking.truth[scored] == 1).astype(np.int8)
        inspected["whole ranking"] = measure_inspected(found, ranking.p[scored], draws)
    if inspected:
        figures["Completeness against number inspected"] = draw_inspected(inspected)
    return figures


def _histogram(
    truth: Truth, p: Values, positive: str
) -> tuple[Float64[np.ndarray, " edge"], dict[str, Int64[np.ndarray, " bin"]]]:
    edges = np.linspace(0, 1, BINS + 1)
    names = {1: positive, 0: f"non-{positive}", -1: NO_LABEL}
    held = {name: p[truth == value] for value, name in names.items()}
    if not (truth >= 0).any():
        held = {"all": p}
    counts = {
        name: np.histogram(values, edges)[0].astype(np.int64)
        for name, values in held.items()
        if len(values)
    }
    return edges, counts


def _truth_of_head(given: ReportInput) -> dict[str, int]:
    if given.labels is None:
        return {}
    ids = [str(row["id"]) for row, _ in given.pictures]
    values = given.labels.of(ids).tolist()
    return {name: value for name, value in zip(ids, values, strict=True) if value >= 0}


def _surprises(
    table: Table, ranking: Ranking, known: Mask, positive: str
) -> dict[str, list[dict[str, Any]]]:
    """Return the positives ranked last and the negatives ranked first."""
    order = np.argsort(-ranking.p, kind="stable")
    order = order[known[order]]
    missed = order[ranking.truth[order] == 1][::-1][:LISTED]
    false = order[ranking.truth[order] == 0][:LISTED]
    named = {f"Known {positive}, ranked last": missed, f"Known non-{positive}, ranked first": false}
    return {title: take_rows(table, rows) for title, rows in named.items() if len(rows)}


def _plain(value: object) -> Any:
    """Return a value that JSON can hold; what is not finite is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | bool | None):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in cast("Row", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    return str(value)
