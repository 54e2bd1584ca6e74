"""What the image extensions of a FITS file are: bands, stamps, or rows of a cube."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast

from skysieve.core.scores import Status
from skysieve.images.cards import BITPIX, Hdu
from skysieve.images.names import bands_in, is_companion
from skysieve.images.sources import MAX_BANDS, MAX_PLANE_PIXELS, ImageError, ReadOptions


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """How the image extensions of a file make cutouts.

    Args:
        form: ``object``: all planes are bands of one cutout. ``stamps``: each extension is a
            cutout. ``rows``: plane k of each extension belongs to cutout k.
        hdus: The extensions that hold images.
        bands: Names of the planes of a cutout; None if nobody named them.
    """

    form: Literal["object", "stamps", "rows"]
    hdus: tuple[Hdu, ...]
    bands: tuple[str, ...] | None

    @property
    def n_rows(self) -> int:
        """The number of cutouts."""
        return {"object": 1, "stamps": len(self.hdus), "rows": self.hdus[0].shape[0]}[self.form]

    @property
    def planes(self) -> int | None:
        """Planes of each cutout; None if they differ."""
        counts = {_planes(hdu, self.form) for hdu in self.hdus}
        if self.form == "stamps":
            return counts.pop() if len(counts) == 1 else None
        return sum(_planes(hdu, self.form) for hdu in self.hdus)


def layout_of(hdus: list[Hdu], named: tuple[str, ...] | None, options: ReadOptions) -> Layout:
    """Decide what the planes of a file are; see ``Layout``.

    Args:
        hdus: Its headers.
        named: The bands that its name states, or that were found when it was listed.
        options: What the user said.

    Raises:
        ImageError: It holds no image, or one that is too large, or the user named other planes.
    """
    images = tuple(h for h in hdus if len(h.shape) >= 2 and not is_companion(h.name))
    if not images:
        raise ImageError(Status.BAD_SHAPE, *_no_image(hdus))
    for hdu in images:
        _check_claim(hdu)
    named = named or _own_bands(images, options)
    form = _form(images, named)
    return Layout(form=form, hdus=images, bands=_plane_names(form, images, named, options))


def _form(
    images: tuple[Hdu, ...], named: tuple[str, ...] | None
) -> Literal["object", "stamps", "rows"]:
    axes = {len(hdu.shape) for hdu in images}
    if axes == {4}:
        return "rows"
    one_band_each = named is not None and len(named) == len(images)
    if axes == {3} and (one_band_each or images[0].shape[0] > MAX_BANDS):
        return "rows" if len({hdu.shape[0] for hdu in images}) == 1 else "stamps"
    if len(images) == 1 or (axes == {2} and _is_one_object(images, named)):
        return "object"
    return "stamps"


def _own_bands(images: tuple[Hdu, ...], options: ReadOptions) -> tuple[str, ...] | None:
    """Return the bands that extensions state, one each; a single one if all state the same."""
    own = [_band(hdu, options) for hdu in images]
    if None in own:
        return None
    distinct = tuple(dict.fromkeys(cast("list[str]", own)))
    return distinct if len(distinct) in (1, len(own)) else None


def _is_one_object(images: tuple[Hdu, ...], named: tuple[str, ...] | None) -> bool:
    if named is not None:
        return len(named) == len(images)
    return len({hdu.shape for hdu in images}) == 1 and len(images) <= MAX_BANDS


def _plane_names(
    form: str, images: tuple[Hdu, ...], named: tuple[str, ...] | None, options: ReadOptions
) -> tuple[str, ...] | None:
    count = _planes(images[0], form)
    if form != "stamps":
        count = sum(_planes(hdu, form) for hdu in images)
    for names in (named, options.bands):
        if names is not None and len(names) == count:
            return names
    if options.bands is not None:
        raise ImageError(
            Status.BANDS,
            f"It has {count} plane{'s'[: count != 1]} but {len(options.bands)} bands were named",
            "Name one band per plane",
        )
    return None


def _planes(hdu: Hdu, form: str) -> int:
    return math.prod(hdu.shape[1 if form == "rows" else 0 : -2])


def _band(hdu: Hdu, options: ReadOptions) -> str | None:
    """Return the band that an extension says it is, by its name or its filter."""
    for key in ("EXTNAME", "FILTER", "BAND"):
        found = bands_in(str(hdu.cards.get(key, "")), options.bands or ())
        if len(found) == 1:
            return found[0]
    return None


def _no_image(hdus: list[Hdu]) -> tuple[str, str]:
    if any(hdu.is_table for hdu in hdus):
        return "It holds a table and no image", "Leave catalogs out of the folder of images"
    if any(hdu.shape for hdu in hdus):
        return "It holds no image with two axes", "Give images or cubes"
    return "It holds no image", "Give images or cubes"


def _check_claim(hdu: Hdu) -> None:
    height, width = hdu.shape[-2:]
    if height * width > MAX_PLANE_PIXELS:
        raise ImageError(
            Status.BAD_SHAPE,
            f"It is {width:,} x {height:,} px, a mosaic and no cutout",
            "Cut it into cutouts first",
        )
    if hdu.bitpix not in BITPIX:
        raise ImageError(Status.UNREADABLE, f"Its ZBITPIX is {hdu.bitpix}", "Write it again")
    if len(hdu.shape) > 4:
        raise ImageError(
            Status.BAD_SHAPE, f"It has {len(hdu.shape)} axes", "Give (row, band, y, x) at most"
        )
