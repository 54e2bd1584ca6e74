"""From a finished run to its head and its report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from jaxtyping import Float32, Float64, UInt8

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.files import sha256_of
from skysieve.core.survey import PixelKind
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.images import Source, read_span
from skysieve.measure.labels import read_label_table
from skysieve.measure.pictures import color_picture
from skysieve.measure.rates import Known
from skysieve.measure.report import ReportInput, write_report
from skysieve.measure.sections import read_other
from skysieve.measure.thresholds import Intent
from skysieve.search.merge import RANKING
from skysieve.search.plan import Plan, read_plan
from skysieve.search.prior import known_rows
from skysieve.search.run import RunSummary, read_summary

Picture = UInt8[np.ndarray, "_ _ 3"]

_compute: Any = pyarrow.compute  # its functions are made when it is imported; no checker sees them

REPORT, NUMBERS = "report.html", "report.json"
GALLERY = 60
"""Pictures that a report shows."""


class ReportPaths(NamedTuple):
    """Where a report lies.

    Args:
        html: The page.
        json: Its numbers.
    """

    html: Path
    json: Path


class ReportWants(NamedTuple):
    """What a report says when it is asked for.

    Args:
        by: A column of the labels, such as kind: what passes and what is missed, kind by kind.
        intents: What thresholds are wanted for.
        prior: The share of lenses in the survey; None takes the run's, if it has one.
        beside: Other runs of the same finder whose measures are shown beside, such as one of a
            simulated set; they have a report with labels.
    """

    by: str | None = None
    intents: Sequence[Intent] = ()
    prior: float | None = None
    beside: Sequence[str | Path] = ()


def rank(run: str | Path, n: int = 20, for_class: str | None = None) -> pa.Table:
    """Return the head of a ranking, best first.

    Args:
        run: A finished run.
        n: How many rows.
        for_class: Rank by the probability of this class; None for the positive one.

    Raises:
        InputError: The run is not finished.
        MismatchError: The finder has no such class.
    """
    run = Path(run)
    plan = read_plan(run)
    read_summary(run)
    if for_class is None or for_class == plan.card.positive:
        return _read_head(run, n)
    if for_class not in plan.card.classes:
        raise MismatchError(
            f"{plan.finder} has no class {for_class!r}",
            f"Its classes are {', '.join(plan.card.classes)}",
        )
    table = _read_ranking(run)
    keys = [(f"p_{for_class}", "descending"), ("id", "ascending")]
    order = _compute.sort_indices(table, sort_keys=keys)
    table = table.take(order[:n])
    scored = _compute.is_valid(table["p"])
    ranks = _compute.if_else(scored, pa.array(range(1, table.num_rows + 1)), None)
    return table.set_column(0, "rank", ranks)


def report(
    run: str | Path,
    labels: str | Path | None = None,
    where: str | Iterable[str] | None = None,
    wants: ReportWants = ReportWants(),  # noqa: B008  it is frozen
    *,
    watch: Watch = ignore,
) -> ReportPaths:
    """Write ``report.html`` and ``report.json`` into a run's folder.

    Args:
        run: A finished run.
        labels: A table with the columns id and label; adds measures with their intervals.
        where: Conditions such as ``source=spacewarps`` on which rows of the labels count.
        wants: What else the report is to say.
        watch: Called with the progress.

    Raises:
        InputError: The run is not finished, or the labels are not usable.
        MissingError: There is no run or no labels file.
        MismatchError: A run beside is of another finder.
    """
    run = Path(run).absolute()
    plan, summary = read_plan(run), read_summary(run)
    conditions = [where] if isinstance(where, str) else list(where or ())
    table = None if labels is None else read_label_table(labels, conditions)
    if wants.by is not None and table is None:
        raise InputError(f"The column {wants.by!r} is one of the labels", "Give labels too")
    ranking = _read_ranking(run)
    given = ReportInput(
        ranking=ranking,
        finder=_describe(plan),
        seconds=summary.seconds,
        cutouts_per_s=summary.cutouts_per_s,
        ignored=plan.listing.ignored,
        pictures=_gallery(plan, ranking.slice(0, GALLERY).to_pylist(), watch),
        labels=None if table is None else table.labels,
        kinds=None if wants.by is None or table is None else (wants.by, table.column(wants.by)),
        labels_name="" if labels is None else ", ".join([Path(labels).name, *conditions]),
        prior=_prior(plan, summary),
        survey_prior=wants.prior,
        intents=tuple(wants.intents),
        fitted_prior=_fitted_prior(plan, ranking),
        known=_known(plan),
        run_name=run.name,
        others=[read_other(Path(each) / NUMBERS, plan.finder_sha256) for each in wants.beside],
        sha256=_digests(run, plan, labels),
    )
    watch(Progress("report", 0, None))
    return ReportPaths(*write_report(run, given))


def _fitted_prior(plan: Plan, ranking: pa.Table) -> Float64[np.ndarray, " n"]:
    """Return the share of positives that each row's probability was calibrated at."""
    priors = np.array([0.5] + [stage.calibration.prior for stage in plan.card.stages])
    return priors[_compute.fill_null(ranking["stage"], 0).to_numpy()]


def _known(plan: Plan) -> tuple[Known, Known] | None:
    try:
        return known_rows(plan.card)
    except MismatchError:  # then no share of lenses is believed, and the page says why
        return None


def _digests(run: Path, plan: Plan, labels: str | Path | None) -> dict[str, str]:
    """Return the SHA-256 of what decides the numbers."""
    files = {"ranking": run / RANKING} | ({"labels": Path(labels)} if labels else {})
    found = {name: sha256_of(path) for name, path in files.items()}
    return {"run": plan.run_id, "finder": plan.finder_sha256, **found}


def _prior(plan: Plan, summary: RunSummary) -> float | None:
    if isinstance(plan.prior, float):
        return plan.prior
    return None if summary.rate is None else summary.rate.value


def _read_ranking(run: Path) -> pa.Table:
    return pq.read_table(run / RANKING, page_checksum_verification=True)


def _read_head(run: Path, n: int) -> pa.Table:
    with pq.ParquetFile(run / RANKING, page_checksum_verification=True) as file:
        table = file.schema_arrow.empty_table()
        for group in range(file.num_row_groups):
            if table.num_rows >= n:
                break
            table = pa.concat_tables([table, file.read_row_group(group)])
    return table.slice(0, n)


def _describe(plan: Plan) -> dict[str, Any]:
    card = plan.card
    return {
        "name": card.name,
        "version": card.version,
        "task": card.task,
        "classes": list(card.classes),
        "positive": card.positive,
        "bands": list(card.input.bands),
        "stages": len(card.stages),
        "sha256": plan.finder_sha256,
        "runtime": plan.runtime,
        "license": card.license,
    }


def _gallery(
    plan: Plan, rows: list[dict[str, Any]], watch: Watch
) -> list[tuple[dict[str, Any], Picture | None]]:
    """Read the head of the ranking again and draw it; None where there is nothing to draw."""
    begins = {
        source.name: (int(end) - source.rows, source)
        for source, end in zip(plan.listing.sources, plan.listing.ends, strict=True)
    }
    pictures: list[tuple[dict[str, Any], Picture | None]] = []
    for k, row in enumerate(rows):
        begin, source = begins[row["source"]]
        number = begin + row["row"]
        groups = read_span(plan.listing, number, number + 1, plan.card.input).groups
        picture = _draw(groups[0].pixels[0], source, plan) if groups else None
        pictures.append((row, picture))
        watch(Progress("pictures", k + 1, len(rows)))
    return pictures


def _draw(pixels: Float32[np.ndarray, "band y x"], source: Source, plan: Plan) -> Picture:
    return color_picture(pixels, _kind(pixels, source, plan), plan.card.input.bands)


def _kind(pixels: Float32[np.ndarray, "band y x"], source: Source, plan: Plan) -> PixelKind:
    if plan.listing.options.kind:
        return plan.listing.options.kind
    if plan.card.input.kind != "either":
        return plan.card.input.kind
    valid = pixels[np.isfinite(pixels)]
    in_8_bit = valid.size > 0 and valid.min() >= 0 and 1 < valid.max() <= 255
    whole = bool((valid == np.round(valid)).all())
    return "display" if in_8_bit and (whole or source.reader == "raster") else "flux"
