"""``skysieve report``: the page of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from skysieve.cli.options import LABELS, WHERE
from skysieve.cli.show import AS_JSON, Cell, Row, bar, print_json, print_table

INTENTS = "Thresholds"


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What is known: a table (CSV, ECSV, FITS, Parquet) with the columns id and label "
            "(1 or lens, 0 or nonlens, -1 or unknown). Adds ROC, precision and completeness.",
            show_default=False,
        ),
    ] = None,
    where: WHERE = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of the labels, such as kind: what passes and what is missed, kind by kind.",
            rich_help_panel=LABELS,
            show_default=False,
        ),
    ] = None,
    inspect: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Where to cut if so many are to be inspected, and what that brings; may be given "
            "more than once, as the next three.",
            rich_help_panel=INTENTS,
            show_default=False,
        ),
    ] = None,
    purity: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X",
            help="... if this share of what passes is to be lenses.",
            rich_help_panel=INTENTS,
            show_default=False,
        ),
    ] = None,
    fpr: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X",
            help="... if no larger share of non-lenses is to pass.",
            rich_help_panel=INTENTS,
            show_default=False,
        ),
    ] = None,
    completeness: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X",
            help="... if no smaller share of lenses is to pass.",
            rich_help_panel=INTENTS,
            show_default=False,
        ),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="The share of lenses in the survey; without it that of the run, if it has one.",
            rich_help_panel=INTENTS,
            show_default=False,
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="Another run of the same finder with a labeled report, such as one of a simulated "
            "set: its measures stand beside; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Write the report of a run again: best candidates, scores, and measures if labels are given.

    The page [cyan]report.html[/] needs no network; [cyan]report.json[/] holds the same numbers.
    """
    from skysieve import pipeline
    from skysieve.pipeline import Intent

    if where and labels is None:
        raise typer.BadParameter("it selects labels, so give --labels too", param_hint="--where")
    if by is not None and labels is None:
        raise typer.BadParameter(
            "it is a column of labels, so give --labels too", param_hint="--by"
        )
    if beside and labels is None:
        raise typer.BadParameter(
            "measures need labels, so give --labels too", param_hint="--beside"
        )
    if prior is not None and not 0 < prior < 1:
        raise typer.BadParameter("a share between 0 and 1", param_hint="--prior")
    intents = [
        *(Intent(inspect=value) for value in inspect or ()),
        *(Intent(purity=value) for value in purity or ()),
        *(Intent(fpr=value) for value in fpr or ()),
        *(Intent(completeness=value) for value in completeness or ()),
    ]
    wants = pipeline.ReportWants(by=by, intents=intents, prior=prior, beside=beside or ())
    with bar() as watch:
        paths = pipeline.report(run, labels, where, wants, watch=watch)
    written = json.loads(paths.json.read_text(encoding="utf-8"))
    if as_json:
        print_json(written)
        return
    if told := _measures(written["metrics"]):
        print_table("Measured on the labeled rows", told)
    if cuts := _cuts(written.get("thresholds") or []):
        print_table("Where to cut", cuts)
    if survey := written.get("survey"):
        print(f"share of lenses, by the scores alone: {_share(survey['rate'])}")
    print(f"report   {paths.html}")
    print(f"numbers  {paths.json}")


def _measures(metrics: dict[str, dict[str, Cell]]) -> list[Row]:
    """Return one row per measure that these rows can tell; the interval is at 95 %."""
    return [
        {
            "measure": name.replace("_", " "),
            "value": measured["value"],
            "low": measured["low"],
            "high": measured["high"],
            "positives": measured["n_positive"],
            "negatives": measured["n_negative"],
        }
        for name, measured in metrics.items()
        if measured["value"] is not None
    ]


def _cuts(found: list[dict[str, Any]]) -> list[Row]:
    """Return one row per intent: of labeled rows, or as the probabilities lead to expect."""
    rows: list[Row] = []
    for each in found:
        gains = each.get("survey") or each.get("labeled") or each
        row: dict[str, Cell] = {"for": each["intent"], "p at least": each["threshold"]}
        for name in ("completeness", "fpr", "purity", "inspected"):
            value = gains.get(name, gains.get("k") if name == "inspected" else None)
            row[name] = value["value"] if isinstance(value, dict) else value
        rows.append(row)
    return rows


def _share(rate: dict[str, Any]) -> str:
    if rate["value"] is None:
        return f"undefined ({rate['why']})"
    return f"{rate['value']:.3g} ({rate['low']:.3g} to {rate['high']:.3g})"
