"""What FITS headers say of brightness: the magnitude of one count."""

from __future__ import annotations

import math
import re

from skysieve.images.cards import read_hdus
from skysieve.images.fits import opened_fits
from skysieve.images.layouts import layout_of
from skysieve.images.sources import ImageError, ReadOptions, Source

_CARD = rb"^(?:HIERARCH )?%s *= *'?([-+0-9.EeDd]+)"
_ZERO_POINTS = (b"MAGZERO", b"MAGZPT", b"MAGZP", b"PHOTZP", b"ZEROPNT", b"ZEROPT")
_FAINTEST = 60.0
"""No image has one count as faint as this; what is beyond is a number that means something else."""


def zero_points(source: Source, row: int, options: ReadOptions) -> tuple[float | None, ...]:
    """Return the AB magnitude of one count in each plane of a cutout; None where nobody says.

    Read are MAGZERO, MAGZPT, MAGZP, PHOTZP, ZEROPNT and ZEROPT, in the image's own header or the
    file's first; FLUXMAG0 (the counts of magnitude 0); and FPA.ZP of Pan-STARRS, which is of one
    second of EXPTIME.

    Args:
        source: Where the cutout lies; only FITS says anything.
        row: Its row in the source.
        options: As it was listed with.
    """
    if source.reader != "fits":
        return ()
    found: list[float | None] = []
    several = len(source.paths) > 1
    for k, path in enumerate(source.paths):
        named = (source.bands[k],) if several and source.bands else source.bands
        try:
            with opened_fits(path) as (file, size):
                hdus = list(read_hdus(file, size))
            layout = layout_of(hdus, named, options)
        except ImageError:  # reading its pixels says why
            return ()
        mine = layout.hdus[row : row + 1] if layout.form == "stamps" else layout.hdus
        for hdu in mine:
            said = _zero_point(hdu.raw)
            each = math.prod(hdu.shape[1 if layout.form == "rows" else 0 : -2])
            found += [_zero_point(hdus[0].raw) if said is None else said] * each
    return tuple(found)


def _zero_point(header: bytes) -> float | None:
    cards = [header[start : start + 80] for start in range(0, len(header), 80)]
    for key in _ZERO_POINTS:
        value = _number(cards, key)
        if value is not None and abs(value) < _FAINTEST:
            return value
    counts = _number(cards, b"FLUXMAG0")
    if counts is not None and counts > 0:
        return 2.5 * math.log10(counts)
    per_second, seconds = _number(cards, rb"FPA\.ZP"), _number(cards, b"EXPTIME")
    if per_second is not None and seconds is not None and seconds > 0:
        return per_second + 2.5 * math.log10(seconds)
    return None


def _number(cards: list[bytes], key: bytes) -> float | None:
    pattern = re.compile(_CARD % key)
    for card in cards:
        if match := pattern.match(card):
            try:
                value = float(match.group(1).upper().replace(b"D", b"E"))
            except ValueError:
                return None
            return value if math.isfinite(value) else None
    return None
