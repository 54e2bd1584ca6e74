"""``skysieve inject``: paint simulated arcs into real cutouts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import ValidationError

from skysieve.cli.options import BANDS, IMAGES, MASK_VALUE, PIXEL_SCALE, band_names
from skysieve.cli.show import AS_JSON, print_json, resumable_bar
from skysieve.core.errors import RecipeError

if TYPE_CHECKING:
    from skysieve.produce.inject_plan import InjectSummary
    from skysieve.recipe.injection import InjectionPlan

ARCS, CAMERA = "Arcs", "Camera"
"""The panels of the help, besides that of the images."""


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
    einstein_radius: Annotated[
        tuple[float, float],
        typer.Option(metavar="LO HI", help="In arcsec, drawn evenly.", rich_help_panel=ARCS),
    ] = (0.8, 3.0),
    source_mag: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="LO HI",
            help="Unlensed magnitude of the source in g, drawn by number counts.",
            rich_help_panel=ARCS,
        ),
    ] = (22.5, 26.0),
    snr: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="LO HI",
            help="Signal to noise of the arcs in the best band, against the image's own sky.",
            rich_help_panel=ARCS,
        ),
    ] = (20.0, 1000.0),
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
    survey: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Gives what images and options do not say: pixel scale, zero point, gain, seeing "
            "([cyan]skysieve list surveys[/]).",
            rich_help_panel=CAMERA,
            show_default=False,
        ),
    ] = None,
    zero_point: Annotated[
        str | None,
        typer.Option(
            metavar="AB",
            help="The magnitude of one count, for all bands or as [cyan]g=30,r=30.2,i=30[/]. "
            "Without it: the FITS header's, else the survey's.",
            rich_help_panel=CAMERA,
            show_default=False,
        ),
    ] = None,
    gain: Annotated[
        str | None,
        typer.Option(
            metavar="E",
            help="Electrons of a count in all exposures together, for all bands or by band.",
            rich_help_panel=CAMERA,
            show_default=False,
        ),
    ] = None,
    seeing: Annotated[
        str | None,
        typer.Option(
            metavar="ARCSEC|survey",
            help="FWHM of the PSF, for all bands or by band; [cyan]survey[/] for its median. "
            "Without it: from the stars in each image, else the survey's median.",
            rich_help_panel=CAMERA,
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        Literal["moffat", "gaussian"],
        typer.Option(help="The shape of a PSF of a given --seeing.", rich_help_panel=CAMERA),
    ] = "moffat",
    psf: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[B=]FILE",
            help="A measured PSF (FITS or npy), for all bands or once for each.",
            rich_help_panel=CAMERA,
            show_default=False,
        ),
    ] = None,
    bands: BANDS = None,
    pixel_scale: PIXEL_SCALE = None,
    kind: Annotated[
        Literal["flux"] | None,
        typer.Option(
            metavar="flux",
            help="8-bit images are linear in the light after all.",
            rich_help_panel=IMAGES,
            show_default=False,
        ),
    ] = None,
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
    plan = _plan(
        {
            "bands": painted,
            "survey": survey,
            "zero_point_ab": _by_band(zero_point, painted, "--zero-point"),
            "gain_electrons": _by_band(gain, painted, "--gain"),
            "psf": _psf(seeing, profile, psf or [], painted),
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


_OPTIONS = {
    "einstein_radius_arcsec": "--einstein-radius",
    "source_g_ab": "--source-mag",
    "arc_snr": "--snr",
    "gain_electrons": "--gain",
    "psf": "--seeing",
}


def _plan(fields: dict[str, Any]) -> InjectionPlan:
    """Return the plan; what it refuses is told by the option that says it.

    Raises:
        RecipeError: A number cannot be.
    """
    from skysieve.recipe.injection import InjectionPlan

    try:
        return InjectionPlan.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = _OPTIONS.get(str(first["loc"][0]) if first["loc"] else "", "The plan")
        message = str(first["msg"]).removeprefix("Value error, ")
        raise RecipeError(f"{option}: {message}", "Choose another value") from None


def _psf(
    seeing: str | None, profile: str, files: list[str], bands: tuple[str, ...]
) -> dict[str, Any]:
    """Return the plan of the point spread function that the options say."""
    if files and seeing:
        raise typer.BadParameter("give it or --seeing, not both", param_hint="--psf")
    if files:
        named: dict[str, str] = {}
        for text in files:
            band, sign, path = text.partition("=")
            named |= {band: path} if sign and band in bands else dict.fromkeys(bands, text)
        return {"kind": "stamp", "files": named}
    if seeing == "survey":
        return {"kind": "survey"}
    if seeing:
        known = _by_band(seeing, bands, "--seeing")
        return {"kind": "seeing", "fwhm_arcsec": known, "profile": profile}
    return {"kind": "stars"}


def _by_band(text: str | None, bands: tuple[str, ...], option: str) -> dict[str, float] | None:
    """Return a number for each band: one for all, or as ``g=1.2,r=1.1``."""
    if text is None:
        return None
    try:
        if "=" not in text:
            return dict.fromkeys(bands, float(text))
        pairs = [part.partition("=") for part in text.split(",")]
        return {band.strip(): float(value) for band, _, value in pairs}
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a number nor numbers by band such as g=1.2,r=1.1",
            param_hint=option,
        ) from None


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
