"""``skysieve evaluate``: finders on the same labeled rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from skysieve.cli.options import (
    BANDS,
    KIND,
    LABELS,
    MASK_VALUE,
    PIXEL_SCALE,
    WHERE,
    band_names,
)
from skysieve.cli.show import AS_JSON, Row, print_json, print_table, resumable_bar

COMPARISON = "Comparison"
"""Panels of the help."""


def evaluate(
    finders: Annotated[
        list[str],
        typer.Argument(
            metavar="FINDER...",
            help="Shipped finders ([cyan]skysieve list finders[/]), bundle folders, or folders of "
            "training runs.",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[str],
        typer.Option(
            metavar="DIR",
            help="Labeled images: whatever [cyan]skysieve find[/] reads; may be given more than once.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The folder to write; an earlier evaluation in it is replaced, a stopped one goes on.",
            show_default=False,
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table (CSV, ECSV, FITS, Parquet) with the columns id and label. Without it "
            "the data's own labels.csv, labels.parquet or, in a simulated set, scenes.parquet; else "
            "folders named like classes.",
            rich_help_panel=LABELS,
            show_default=False,
        ),
    ] = None,
    where: WHERE = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of the labels, such as kind: completeness and false positives apart.",
            rich_help_panel=LABELS,
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column whose rows of one value are not independent; without it group, host, "
            "object or tile if there is one.",
            rich_help_panel=LABELS,
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        Literal["test", "validation", "all"] | None,
        typer.Option(
            metavar="test|validation|all",
            help="Which rows. Without it: the test rows, where a finder learned from other rows of "
            "the data or the data name test rows; else all.",
            rich_help_panel=COMPARISON,
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The finder that the others are compared with; without it the first.",
            rich_help_panel=COMPARISON,
            show_default=False,
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(
            min=100,
            metavar="N",
            help="How often rows are drawn again for the intervals.",
            rich_help_panel=COMPARISON,
        ),
    ] = 1000,
    seed: Annotated[
        int,
        typer.Option(min=0, metavar="S", help="Decides the resamples.", rich_help_panel=COMPARISON),
    ] = 0,
    workers: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Processes that score.", rich_help_panel=COMPARISON),
    ] = 1,
    bands: BANDS = None,
    pixel_scale: PIXEL_SCALE = None,
    kind: KIND = None,
    mask_value: MASK_VALUE = None,
    as_json: AS_JSON = False,
) -> None:
    """Compare finders on the same labeled rows: one table, with intervals and paired tests.

    Rows that a finder was trained, validated or calibrated on are left out. Writes
    [cyan]evaluation.html[/], [cyan]evaluation.json[/], figures, and each finder's predictions.
    """
    from skysieve import pipeline
    from skysieve.images.sources import ReadOptions

    options = ReadOptions(
        bands=band_names(bands), pixel_scale_arcsec=pixel_scale, kind=kind, mask_value=mask_value
    )
    known = pipeline.EvaluateLabels(labels, tuple(where or ()), by, group)
    settings = pipeline.EvaluateSettings(split, against, resamples, seed, workers)
    with resumable_bar() as watch:
        paths = pipeline.evaluate(
            finders, data, out, known, settings=settings, options=options, watch=watch
        )
    written = json.loads(paths.json.read_text(encoding="utf-8"))
    if as_json:
        print_json(written)
        return
    _show(written)
    print(f"page     {paths.html}")
    print(f"numbers  {paths.json}")


def _show(written: dict[str, Any]) -> None:
    rows, finders = written["rows"], written["finders"]
    counts = ", ".join(f"{n:,} {name}" for name, n in written["counts"].items())
    for warning in written["warnings"]:
        print(f"warning: {warning}")
    print(f"{rows['compared']:,} rows ({counts}): {rows['why']}; labels from {rows['labels']}")
    print_table("On the same rows", [_line(name, each) for name, each in finders.items()])
    others = {name: each for name, each in finders.items() if each["differences"]}
    if others:
        print_table(
            f"More than {written['against']}",
            [row for name, each in others.items() for row in _differences(name, each)],
        )
    for name, each in finders.items():
        if each["slices"]:
            print_table(f"{name} by {written['by']}", _slices(each["slices"]))


def _line(name: str, each: dict[str, Any]) -> Row:
    from skysieve.measure.evaluation_page import HEADINGS

    line: dict[str, str | int] = {"finder": name, "rows": each["n"]}
    for key, found in each["headline"].items():
        interval = f"({found['low']:.4f} to {found['high']:.4f})"
        line[HEADINGS[key]] = f"{found['value']:.4f} {interval}"
    return line


def _differences(name: str, each: dict[str, Any]) -> list[Row]:
    from skysieve.measure.evaluation_page import HEADINGS

    return [
        {
            "finder": name,
            "measure": HEADINGS[key],
            "difference": f"{gap['value']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f})",
            "p": gap["p_value"],
        }
        for key, gap in each["differences"].items()
        if key in each["headline"]
    ]


def _slices(parts: list[dict[str, Any]]) -> list[Row]:
    """Return a row per value and class: their number, and how many of them are called what."""
    rows: dict[tuple[str, str], dict[str, str | int]] = {}
    for part in parts:
        key = part["value"], part["of_class"]
        row = rows.setdefault(key, {"value": key[0], "class": key[1], "rows": part["n"]})
        cut = part["cut"].replace("fpr_", "FPR ")
        name = "right" if cut == "argmax" else f"called {part['called']} at {cut}"
        row[name] = f"{part['share']:.4f} ({part['low']:.4f} to {part['high']:.4f})"
    return list(rows.values())
