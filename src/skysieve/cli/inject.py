"""``skysieve inject``: paint simulated arcs into real cutouts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from skysieve.cli.show import AS_JSON, print_json, resumable_bar

if TYPE_CHECKING:
    from skysieve.produce.inject_plan import InjectSummary


def inject(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES...",
            help="Folders, globs or files of linear flux: FITS, npy, npz, Parquet shards.",
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
    paint: Annotated[
        str,
        typer.Option(
            metavar="B,B,...", help="The bands that are painted and written.", rich_help_panel=ARCS
        ),
    ] = "g,r,i",
    einstein_radius: EINSTEIN_RADIUS = (0.8, 3.0),
    source_mag: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="LO HI",
            help="Unlensed magnitude of the source in g, drawn by number counts.",
            rich_help_panel=ARCS,
        ),
    ] = (22.5, 26.0),
    snr: ARC_SNR = (20.0, 1000.0),
    copies: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            metavar="K",
            help="Versions of each image, each with other arcs.",
            rich_help_panel=ARCS,
        ),
    ] = 1,
    seed: Annotated[
        int,
        typer.Option(min=0, metavar="S", help="Another seed is other arcs.", rich_help_panel=ARCS),
    ] = 1,
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
    """Paint simulated arcs into real cutouts, and keep each untouched as the control of its lens.

    The arcs of an image depend on the seed and its name alone. A row that cannot be painted gets a
    status and stops nothing. The same command goes on after a stop.
    """
    from skysieve import pipeline
    from skysieve.images.sources import ReadOptions

    options = ReadOptions(
        bands=band_names(bands), pixel_scale_arcsec=pixel_scale, kind=kind, mask_value=mask_value
    )
    painted = band_names(paint) or ()
    plan = injection_plan(
        {
            "bands": painted,
            "survey": survey,
            "zero_point_ab": by_band(zero_point, painted, "--zero-point"),
            "gain_electrons": by_band(gain, painted, "--gain"),
            "psf": psf_plan(seeing, profile, psf or [], painted),
            "copies": copies,
            "einstein_radius_arcsec": einstein_radius,
            "source_g_ab": source_mag,
            "arc_snr": snr,
        }
    )
    with resumable_bar() as watch:
        summary = pipeline.inject(
            images, out, plan, options=options, seed=seed, workers=workers, watch=watch
        )
    if as_json:
        print_json(summary.model_dump())
    else:
        _show(out, summary)


def _show(out: Path, summary: InjectSummary) -> None:
    print(
        f"{summary.n_rows:,} images: {summary.n_lenses:,} lenses, {summary.n_controls:,} controls"
    )
    for status, count in summary.by_status.items():
        if status != "ok":
            print(f"  {count:,} {status} (the column message of scenes.parquet says why)")
    print("seeing   " + ", ".join(f"{count:,} {name}" for name, count in summary.by_psf.items()))
    print(f"images   {out / 'images'}")
    print(f"scenes   {out / 'scenes.parquet'}")
    print(f"labels   {out / 'labels.csv'}")
