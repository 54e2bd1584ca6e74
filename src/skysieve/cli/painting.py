"""Options and plans of arcs that are painted: what ``inject`` and ``recover`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import ValidationError

from skysieve.cli.options import IMAGES
from skysieve.core.errors import RecipeError

if TYPE_CHECKING:
    from skysieve.recipe.injection import InjectionPlan

ARCS, CAMERA = "Arcs", "Camera"
"""The panels of the help, besides that of the images."""

EINSTEIN_RADIUS = Annotated[
    tuple[float, float],
    typer.Option(metavar="LO HI", help="In arcsec, drawn evenly.", rich_help_panel=ARCS),
]
ARC_SNR = Annotated[
    tuple[float, float],
    typer.Option(
        metavar="LO HI",
        help="Signal to noise of the arcs in the best band, against the image's own sky.",
        rich_help_panel=ARCS,
    ),
]
SURVEY = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Gives what images and options do not say: pixel scale, zero point, gain, seeing "
        "([cyan]skysieve list surveys[/]).",
        rich_help_panel=CAMERA,
        show_default=False,
    ),
]
ZERO_POINT = Annotated[
    str | None,
    typer.Option(
        metavar="AB",
        help="The magnitude of one count, for all bands or as [cyan]g=30,r=30.2,i=30[/]. "
        "Without it: the FITS header's, else the survey's.",
        rich_help_panel=CAMERA,
        show_default=False,
    ),
]
GAIN = Annotated[
    str | None,
    typer.Option(
        metavar="E",
        help="Electrons of a count in all exposures together, for all bands or by band.",
        rich_help_panel=CAMERA,
        show_default=False,
    ),
]
SEEING = Annotated[
    str | None,
    typer.Option(
        metavar="ARCSEC|survey",
        help="FWHM of the PSF, for all bands or by band; [cyan]survey[/] for its median. "
        "Without it: from the stars in each image, else the survey's median.",
        rich_help_panel=CAMERA,
        show_default=False,
    ),
]
PROFILE = Annotated[
    Literal["moffat", "gaussian"],
    typer.Option(help="The shape of a PSF of a given --seeing.", rich_help_panel=CAMERA),
]
PSF_FILES = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[B=]FILE",
        help="A measured PSF (FITS or npy), for all bands or once for each.",
        rich_help_panel=CAMERA,
        show_default=False,
    ),
]
LINEAR = Annotated[
    Literal["flux"] | None,
    typer.Option(
        metavar="flux",
        help="8-bit images are linear in the light after all.",
        rich_help_panel=IMAGES,
        show_default=False,
    ),
]

_OPTIONS = {
    "einstein_radius_arcsec": "--einstein-radius",
    "source_g_ab": "--source-mag",
    "arc_snr": "--snr",
    "gain_electrons": "--gain",
    "psf": "--seeing",
}


def injection_plan(fields: dict[str, Any]) -> InjectionPlan:
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


def psf_plan(
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
        known = by_band(seeing, bands, "--seeing")
        return {"kind": "seeing", "fwhm_arcsec": known, "profile": profile}
    return {"kind": "stars"}


def by_band(text: str | None, bands: tuple[str, ...], option: str) -> dict[str, float] | None:
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
