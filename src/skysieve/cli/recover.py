"""``skysieve recover``: the selection function of a finder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysieve.cli.options import BANDS, MASK_VALUE, PIXEL_SCALE, band_names
from skysieve.cli.painting import (
    ARC_SNR,
    ARCS,
    EINSTEIN_RADIUS,
    GAIN,
    LINEAR,
    PROFILE,
    PSF_FILES,
    SEEING,
    SURVEY,
    ZERO_POINT,
    by_band,
    injection_plan,
    psf_plan,
)
from skysieve.cli.show import AS_JSON, Row, print_json, print_table, resumable_bar

if TYPE_CHECKING:
    from skysieve.pipeline import RecoverSettings, ReportPaths

LENSES, CUT = "Lenses", "Threshold"


def recover(
    finder: Annotated[
        str,
        typer.Argument(
            metavar="FINDER",
            help="A shipped finder ([cyan]skysieve list finders[/]) or the folder of your own.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The folder to write. If it holds this very recovery half done, it goes on.",
            show_default=False,
        ),
    ],
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGES",
            help="Paint arcs into these: a folder, glob or file of linear flux; may be given more "
            "than once.",
            rich_help_panel=LENSES,
            show_default=False,
        ),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Or simulate this ([cyan]skysieve list scenarios[/]).",
            rich_help_panel=LENSES,
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=1,
            metavar="N",
            help="Simulated images. Without it: as many as the scenario has.",
            rich_help_panel=LENSES,
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=C",
            help="Change a setting of the scenario; may be given more than once.",
            rich_help_panel=LENSES,
            show_default=False,
        ),
    ] = None,
    fpr: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="X",
            help="The threshold lets through this share of the images without arcs "
            "[dim](without it: 0.001)[/].",
            rich_help_panel=CUT,
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="P",
            help="Or: found is what has this probability.",
            rich_help_panel=CUT,
            show_default=False,
        ),
    ] = None,
    per_image: Annotated[
        int,
        typer.Option(
            min=1, max=100, metavar="K", help="Lenses in each image.", rich_help_panel=ARCS
        ),
    ] = 1,
    einstein_radius: EINSTEIN_RADIUS = (0.5, 3.0),
    source_mag: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="LO HI",
            help="Unlensed magnitude of the source in g, drawn evenly.",
            rich_help_panel=ARCS,
        ),
    ] = (19.0, 28.0),
    snr: ARC_SNR = (5.0, 500.0),
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Another seed is other arcs.")] = 1,
    survey: SURVEY = None,
    zero_point: ZERO_POINT = None,
    gain: GAIN = None,
    seeing: SEEING = None,
    profile: PROFILE = "moffat",
    psf: PSF_FILES = None,
    bands: BANDS = None,
    pixel_scale: PIXEL_SCALE = None,
    kind: LINEAR = None,
    mask_value: MASK_VALUE = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Processes.")] = 1,
    as_json: AS_JSON = False,
) -> None:
    """Measure which lenses a finder finds: completeness by Einstein radius and signal to noise.

    Writes [cyan]recovery.html[/], [cyan]recovery.json[/], [cyan]completeness.ecsv[/], figures, and
    [cyan]selection.json[/], which [cyan]skysieve.read_selection[/] makes a function of.
    The same command goes on after a stop.
    """
    from skysieve import pipeline
    from skysieve.finder.bundle import load
    from skysieve.images.sources import ReadOptions

    _check(images, scenario, count, settings, fpr, threshold)
    asked = pipeline.RecoverSettings(seed=seed, workers=workers)
    if fpr is not None or threshold is not None:
        asked = asked._replace(fpr=fpr, threshold=threshold)
    if scenario is not None:
        paths = _simulated(finder, scenario, count, settings or (), out, asked)
    else:
        painted = load(finder).card.input.bands
        plan = injection_plan(
            {
                "bands": painted,
                "survey": survey,
                "zero_point_ab": by_band(zero_point, painted, "--zero-point"),
                "gain_electrons": by_band(gain, painted, "--gain"),
                "psf": psf_plan(seeing, profile, psf or [], painted),
                "copies": per_image,
                "einstein_radius_arcsec": einstein_radius,
                "source_g_ab": source_mag,
                "arc_snr": snr,
            }
        )
        options = ReadOptions(
            bands=band_names(bands),
            pixel_scale_arcsec=pixel_scale,
            kind=kind,
            mask_value=mask_value,
        )
        with resumable_bar() as watch:
            paths = pipeline.recover(
                finder, images or [], out, plan, settings=asked, options=options, watch=watch
            )
    written = json.loads(paths.json.read_text(encoding="utf-8"))
    if as_json:
        print_json(written)
    else:
        _show(written, paths)


def _check(
    images: list[str] | None,
    scenario: str | None,
    count: int | None,
    settings: list[str] | None,
    fpr: float | None,
    threshold: float | None,
) -> None:
    if bool(images) == bool(scenario):
        raise typer.BadParameter("give --images or --scenario", param_hint="--images")
    if images and (count is not None or settings):
        raise typer.BadParameter(
            "-n and --set are for --scenario; --images has --per-image", param_hint="-n"
        )
    if fpr is not None and threshold is not None:
        raise typer.BadParameter("give it or --fpr, not both", param_hint="--threshold")


def _simulated(
    finder: str,
    scenario: str,
    count: int | None,
    changes: list[str] | tuple[str, ...],
    out: Path,
    asked: RecoverSettings,
) -> ReportPaths:
    from skysieve import pipeline

    plan = pipeline.plan_set(scenario, count, seed=asked.seed, settings=changes, truth=False)
    with resumable_bar() as watch:
        return pipeline.recover_simulated(finder, plan, out, settings=asked, watch=watch)


def _show(written: dict[str, Any], paths: ReportPaths) -> None:
    whole, false = written["overall"], written["false_positives"]
    print(
        f"{whole['n']:,} lenses, {whole['n_found']:,} found at p >= {written['threshold']:.4g}: "
        f"completeness {_interval(whole)}; as a population {_interval(written['of_population'])}"
    )
    if false:
        print(f"{false['n_found']:,} of {false['n']:,} images without arcs lie above the threshold")
    for status, n in written["unscored"].items():
        print(f"  {n:,} images not painted or not scored: {status}")
    for name in ("einstein_radius_arcsec", "arc_snr"):
        rows: list[Row] = [
            {
                "from": one["from"],
                "to": one["to"],
                "lenses": one["n"],
                "completeness": _interval(one),
            }
            for one in written["bins"].get(name, [])
        ]
        print_table(name, rows)
    if written["why_no_surface"]:
        print(f"no selection function: {written['why_no_surface']}")
    else:
        print(f"function {paths.json.with_name('selection.json')}")
    print(f"table    {paths.json.with_name('completeness.ecsv')}")
    print(f"page     {paths.html}")
    print(f"numbers  {paths.json}")


def _interval(one: dict[str, Any]) -> str:
    return f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
