"""``skysieve simulate``: make images of a sky that is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysieve.cli.show import AS_JSON, print_json, resumable_bar

if TYPE_CHECKING:
    from skysieve.produce.plan import SetSummary


def simulate(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="What to simulate ([cyan]skysieve list scenarios[/]).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The folder to write. If it holds this very set half done, it goes on.",
            show_default=False,
        ),
    ],
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=1,
            metavar="N",
            help="Images in all, shared among the splits. Without it: as many as the scenario has.",
            show_default=False,
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            metavar="parquet|deeplense|png|fits",
            help="Parquet shards; an npy, PNG or FITS file for each image, in folders by class.",
        ),
    ] = "parquet",
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Another seed is another sky.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=C",
            help="Change a setting, such as [cyan]lens.min_arc_snr=20[/]; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth/--no-truth", help="Keep planes of lensed light, host and neighbors too."
        ),
    ] = True,
    workers: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Processes. One already uses all cores to render."),
    ] = 1,
    as_json: AS_JSON = False,
) -> None:
    """Simulate a set of images with labels, the numbers of every scene and truth planes.

    Image k of a split depends on scenario, seed and k alone. The same command goes on after a stop.
    """
    from skysieve import pipeline

    plan = pipeline.plan_set(
        scenario, count, layout=layout, seed=seed, settings=settings or (), truth=truth
    )
    with resumable_bar() as watch:
        summary = pipeline.simulate(plan, out, workers=workers, watch=watch)
    if as_json:
        print_json(summary.model_dump())
    else:
        _show(out, summary)


def _show(out: Path, summary: SetSummary) -> None:
    print(f"{summary.n_rows:,} images of {summary.scenario}")
    for split, classes in summary.by_split.items():
        counted = ", ".join(f"{count:,} {name}" for name, count in classes.items())
        print(f"  {split}: {counted or 'none'}")
    print(f"images   {out / 'images'}")
    print(f"scenes   {out / 'scenes.parquet'}")
    print(f"labels   {out / 'labels.csv'}")
