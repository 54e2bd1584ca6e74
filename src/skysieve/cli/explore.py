"""``skysieve explore``: what a data set holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from skysieve.cli.options import BANDS, KIND, LABELS, MASK_VALUE, WHERE, band_names
from skysieve.cli.show import AS_JSON, Row, bar, print_json, print_table

SAMPLE = "Sample"
"""Panels of the help."""


def explore(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="Folders, globs or files of images: whatever [cyan]skysieve find[/] reads.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The folder to write; an earlier exploration in it is replaced.",
            show_default=False,
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table (CSV, ECSV, FITS, Parquet) with the columns id and label, which may be "
            "any class. Without it the data's own labels.csv, labels.parquet or, in a simulated set, "
            "scenes.parquet; else folders such as train_lenses or sphere name the classes.",
            rich_help_panel=LABELS,
            show_default=False,
        ),
    ] = None,
    where: WHERE = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of the labels, such as the sky field: a linear probe is never scored on "
            "a group that it was fitted to.",
            rich_help_panel=LABELS,
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        int,
        typer.Option(
            min=10,
            metavar="N",
            help="The most rows of each class that are measured, chosen at random; all are counted.",
            rich_help_panel=SAMPLE,
        ),
    ] = 5000,
    pictures: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            metavar="N",
            help="The most cutouts on the contact sheet of each class.",
            rich_help_panel=SAMPLE,
        ),
    ] = 48,
    seed: Annotated[
        int,
        typer.Option(
            min=0, metavar="S", help="Decides which rows are chosen.", rich_help_panel=SAMPLE
        ),
    ] = 0,
    bands: BANDS = None,
    kind: KIND = None,
    mask_value: MASK_VALUE = None,
    as_json: AS_JSON = False,
) -> None:
    """Show what a data set holds, and whether cheap cues give its classes away.

    Counts, contact sheets, pixel statistics, twins, and the shortcut check: how well color,
    brightness, noise, size or a linear probe alone tell the classes apart. Writes
    [cyan]explore.html[/], [cyan]explore.json[/] and a sheet of pictures for each class.
    """
    from skysieve import pipeline
    from skysieve.images.sources import ReadOptions

    given = labels
    labels = labels or pipeline.own_labels(data)
    if labels is None and (where or group):
        hint = "--where" if where else "--group"
        raise typer.BadParameter("it is about labels, so give --labels too", param_hint=hint)
    known = None if labels is None else pipeline.ExploreLabels(labels, tuple(where or ()), group)
    options = ReadOptions(bands=band_names(bands), kind=kind, mask_value=mask_value)
    with bar() as watch:
        paths = pipeline.explore(
            data, out, known, options=options, sample=(rows, pictures), seed=seed, watch=watch
        )
    written = json.loads(paths.json.read_text(encoding="utf-8"))
    if as_json:
        print_json(written)
        return
    _show(written)
    if labels is not None and given is None:
        print(f"labels   {labels} (the data's own)")
    print(f"page     {paths.html}")
    print(f"numbers  {paths.json}")


def _show(written: dict[str, Any]) -> None:
    counted = [
        {name: each[name] for name in ("name", "rows", "readable", "measured")}
        for each in written["classes"].values()
    ]
    print_table("Cutouts", counted)
    check = written["check"]
    if check is None:
        print(f"No shortcut check: {written['why_no_check']}.")
        return
    print_table("Shortcut check: the best cue of each family, and linear probes", _cues(check))
    print(f"With shuffled labels the best cue reaches {check['chance']:.2f} in 1 of 20 cases.")
    if check["no_probe"]:
        print(f"No linear probe: {check['no_probe']}.")


def _cues(check: dict[str, Any]) -> list[Row]:
    worst: dict[str, dict[str, Any]] = {}
    for cue in check["cues"].values():  # the best separating first
        worst.setdefault(cue["family"], cue)
    return [
        {
            "what": each["key"],
            "AUC": round(each["auc"]["value"], 3),
            "low": round(each["auc"]["low"], 3),
            "high": round(each["auc"]["high"], 3),
            "class": each["positive"],
            "positives": each["auc"]["n_positive"],
            "negatives": each["auc"]["n_negative"],
            "meaning": each["meaning"],
        }
        for each in (*worst.values(), *check["probes"].values())
    ]
