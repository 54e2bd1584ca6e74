"""Parts of a report that are there when they are asked for, each a value with tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.measure.performance import MetricRow

Cells = Sequence[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Grid:
    """A table of texts.

    Args:
        title: Above it; empty if the section's is enough.
        head: Names of the columns.
        rows: As many texts each; the first names the row.
    """

    head: Cells
    rows: Sequence[Cells]
    title: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Section:
    """A part of the report.

    Args:
        key: Its name in ``report.json`` and its anchor.
        title: Its heading.
        note: What it says, in a few sentences.
        grids: Its tables.
        figures: SVG by title.
        numbers: What ``report.json`` holds of it.
    """

    key: str
    title: str
    note: str
    grids: Sequence[Grid] = ()
    figures: Mapping[str, str] = field(default_factory=dict[str, str])
    numbers: Any = None


class OtherReport(BaseModel):
    """What is read of the report of another run of the same finder.

    Args:
        run: Its name.
        finder: What it says of the finder.
        labels: How its labels met its ranking; None if it had none.
        metrics: Its numbers by key.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str
    finder: dict[str, Any]
    labels: dict[str, Any] | None
    metrics: dict[str, dict[str, Any]]


def read_other(path: Path, sha256: str) -> OtherReport:
    """Return the report of another run.

    Args:
        path: Its ``report.json``.
        sha256: Of the finder that it must be about.

    Raises:
        MissingError: There is no such report.
        InputError: It is damaged, or was made without labels.
        MismatchError: It is about another finder.
    """
    fix = f"Write it first: skysieve report {path.parent} --labels FILE"
    if not path.is_file():
        raise MissingError(f"There is no report {path}", fix)
    try:
        found = OtherReport.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path} is no report of skysieve", fix) from error
    if not found.metrics:
        raise InputError(f"The report {path} has no measures", fix)
    if found.finder.get("sha256") != sha256:
        raise MismatchError(
            f"{path.parent} is a run of {found.finder.get('name')} "
            f"{found.finder.get('version')}, not of this very finder",
            "Put runs of one finder side by side; compare finders with skysieve evaluate",
        )
    return found


def side_by_side(metrics: Sequence[MetricRow], here: str, others: Sequence[OtherReport]) -> Section:
    """Return the measures of this run beside those of others, such as a simulated set.

    Args:
        metrics: Of this run.
        here: Its name.
        others: The others, in the order of the columns.
    """
    rows: list[Cells] = []
    counts = {here: _counts(metrics[0].measured.n_positive, metrics[0].measured.n_negative)}
    for other in others:
        labels = other.labels or {}
        counts[other.run] = _counts(labels.get("n_positive", 0), labels.get("n_negative", 0))
    for row in metrics:
        cells = [_interval(vars(row.measured))]
        cells += [_interval(other.metrics.get(row.key)) for other in others]
        rows.append([row.name, *cells])
    return Section(
        key="beside",
        title="Side by side",
        note="The same finder on other labeled sets: what is high on simulations alone is not yet "
        "shown for the sky. 95 % intervals; – where a set is too small to tell, or was not asked.",
        grids=(Grid(head=("metric", *(f"{name} ({n})" for name, n in counts.items())), rows=rows),),
        numbers={other.run: {"labels": other.labels, "metrics": other.metrics} for other in others},
    )


def _counts(n_positive: int, n_negative: int) -> str:
    return f"{n_positive:,} / {n_negative:,}"


def _interval(measured: Mapping[str, Any] | None) -> str:
    if measured is None or measured["value"] is None:
        return "–"
    return f"{measured['value']:.3g} ({measured['low']:.3g}–{measured['high']:.3g})"
