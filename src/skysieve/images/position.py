"""Where a FITS image lies on the sky, and how large its pixels are."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from skysieve.images.cards import Hdu, Value

_CELESTIAL = ("RA--", "DEC-", "GLON", "GLAT", "ELON", "ELAT")
_NOWHERE = (math.nan, math.nan)


def pixel_scale_of(hdu: Hdu) -> float | None:
    """Return the size of a pixel in arcsec, from the WCS, else PIXSCALE; None if unknown."""
    cards = hdu.cards
    if _is_celestial(cards):
        matrix = _matrix(cards)
        if matrix is not None:
            scale = math.sqrt(abs(float(np.linalg.det(matrix)))) * 3600
            if 0 < scale < 3600:
                return round(scale, 6)
    for key in ("PIXSCALE", "SECPIX"):
        scale = cards.get(key)
        if isinstance(scale, int | float) and 0 < scale < 3600:
            return float(scale)
    return None


def center_of(hdu: Hdu) -> tuple[float, float]:
    """Return right ascension and declination (ICRS, degrees) of the frame's center.

    NaN where there is no celestial WCS, and where its reference point is exactly (0, 0), which
    is what programs write that simulate no particular place.
    """
    cards = hdu.cards
    if not _is_celestial(cards) or cards.get("CRVAL1", 0) == cards.get("CRVAL2", 0) == 0:
        return _NOWHERE
    matrix = _matrix(cards)
    if matrix is None:
        return _NOWHERE
    if _is_plain(cards):
        return _tangent(hdu, matrix)
    return _any_projection(hdu)


def _is_celestial(cards: dict[str, Value]) -> bool:
    return all(str(cards.get(f"CTYPE{k}", "")).startswith(_CELESTIAL) for k in (1, 2))


def _is_plain(cards: dict[str, Value]) -> bool:
    """Say whether this is a tangent plane in equatorial coordinates without distortion.

    FK5 at J2000 and ICRS differ by less than 0.1 arcsec and are taken as one.
    """
    system = cards.get("RADESYS", cards.get("RADECSYS", "ICRS"))
    return (
        (cards["CTYPE1"], cards["CTYPE2"]) == ("RA---TAN", "DEC--TAN")
        and str(system).strip() in ("ICRS", "FK5")
        and cards.get("EQUINOX", 2000) == 2000
        and all(str(cards.get(f"CUNIT{k}", "deg")).strip() == "deg" for k in (1, 2))
        and cards.get("LONPOLE", 180) == 180
        and ("CD1_1" in cards or cards.get("CROTA2", 0) == 0)
        and not any(key.startswith("PV") for key in cards)
    )


def _matrix(cards: dict[str, Value]) -> np.ndarray | None:
    """Return the matrix from pixels to degrees; None if the header has none."""
    if "CD1_1" in cards or "CD2_2" in cards:
        names = [["CD1_1", "CD1_2"], ["CD2_1", "CD2_2"]]
        values = [[cards.get(name, 0) for name in row] for row in names]
        step = [1, 1]
    else:
        step = [cards.get("CDELT1"), cards.get("CDELT2")]
        values = [
            [cards.get(f"PC{i}_{j}", cards.get(f"PC00{i}00{j}", int(i == j))) for j in (1, 2)]
            for i in (1, 2)
        ]
    try:
        matrix = np.array(step, float)[:, None] * np.array(values, float)
    except (TypeError, ValueError):
        return None
    return matrix if np.isfinite(matrix).all() else None


def _tangent(hdu: Hdu, matrix: np.ndarray) -> tuple[float, float]:
    """Project the center back from the tangent plane.

    References:
        Calabretta & Greisen 2002, A&A 395, 1077, eq. 12 to 15 and 54, 55.
    """
    cards = hdu.cards
    height, width = hdu.shape[-2:]
    try:
        reference = [float(cards.get(key, 0)) for key in ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2")]
    except ValueError:
        return _NOWHERE
    offset = [(width + 1) / 2 - reference[0], (height + 1) / 2 - reference[1]]
    xi, eta = np.radians(matrix @ offset)
    ra0, dec0 = np.radians(reference[2:])
    depth = math.cos(dec0) - eta * math.sin(dec0)
    ra = ra0 + math.atan2(xi, depth)
    dec = math.atan2(math.sin(dec0) + eta * math.cos(dec0), math.hypot(xi, depth))
    return math.degrees(ra) % 360, math.degrees(dec)


def _any_projection(hdu: Hdu) -> tuple[float, float]:
    from astropy.io import fits  # slow to import, and rarely needed
    from astropy.wcs import WCS

    height, width = hdu.shape[-2:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wcs = WCS(fits.Header.fromstring(hdu.raw)).celestial
            world: Any = wcs.pixel_to_world((width - 1) / 2, (height - 1) / 2)
            ra, dec = float(world.icrs.ra.deg), float(world.icrs.dec.deg)
        except Exception:  # noqa: BLE001  # astropy raises many kinds; a broken WCS costs only the position
            return _NOWHERE
    return (ra, dec) if math.isfinite(ra + dec) else _NOWHERE
