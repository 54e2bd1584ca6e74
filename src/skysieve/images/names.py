"""What the names of files and folders say: bands, classes, and which files belong together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from skysieve.core.survey import BANDS_BLUE_TO_RED

_DELIMITED = re.compile(r"[^_.\-\s]+")
_SPACE_FILTER = re.compile(r"F\d{3,4}(?:W|M|N|LP|X)", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:band|filter)[ _-]?\d+", re.IGNORECASE)
_UPPER = {"U": "u", "G": "g", "R": "r", "I": "i", "Z": "z"}
_COMPANIONS = frozenset(
    [
        "mask",
        "dq",
        "flag",
        "flags",
        "bitmask",
        "variance",
        "var",
        "ivar",
        "invvar",
        "weight",
        "weights",
        "wht",
        "err",
        "error",
        "errors",
        "sigma",
        "rms",
        "noise",
        "psf",
        "psfs",
        "kernel",
        "exp",
        "exptime",
        "nimage",
        "nexp",
        "catalog",
        "segmentation",
        "seg",
    ]
)
_CLASSES = frozenset(
    [
        "lens",
        "lenses",
        "nonlens",
        "nonlenses",
        "nolens",
        "nolenses",
        "notlens",
        "notlenses",
        "no",
        "sphere",
        "vort",
        "vortex",
        "axion",
        "cdm",
        "nosub",
        "sub",
        "elliptical",
        "ellipticals",
        "spiral",
        "spirals",
        "edgeon",
        "merger",
        "mergers",
        "artifact",
        "artifacts",
        "positive",
        "negative",
        "positives",
        "negatives",
    ]
)
_SPLITS = re.compile(r"^(?:train|test|val|valid|validation)[_-]|[_-](?:train|test|val)$")

_SPLIT_NAMES = re.compile(
    r"^(train|test|val|valid|validation)(?:$|[_-])|[_-](train|test|val|valid|validation)$"
)


def band_of(token: str, also: Sequence[str] = ()) -> str | None:
    """Return the band that a word names, or None.

    Names are taken as they are written first (``y`` and ``Y`` are two bands), then SDSS-like
    capitals (``R``) as their lower-case bands; HST and JWST filters in any case.

    Args:
        token: A word, such as ``R`` or ``F814w``.
        also: More names that count as bands.
    """
    if token in also or token in BANDS_BLUE_TO_RED:
        return token
    if token in _UPPER:
        return _UPPER[token]
    return token.upper() if _SPACE_FILTER.fullmatch(token) else None


def bands_in(text: str, also: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the bands that stand in a name between ``_``, ``-``, ``.`` or spaces, in order."""
    found = (band_of(match.group(), also) for match in _DELIMITED.finditer(text))
    return tuple(dict.fromkeys(band for band in found if band))


def without_band(stem: str, also: Sequence[str] = ()) -> tuple[str, str] | None:
    """Split a file name into what remains without its band, and the band.

    Returns:
        Such as ``("imageSDSS-100002", "r")`` for ``imageSDSS_R-100002``; None unless exactly one
        word names a band.
    """
    hits = [m for m in _DELIMITED.finditer(stem) if band_of(m.group(), also)]
    if len(hits) != 1:
        return None
    start, end = hits[0].span()
    rest = stem[: start - 1] + stem[end:] if start else stem[end + 1 :]
    return rest, band_of(hits[0].group(), also) or ""


def names_a_band(folder: str, also: Sequence[str] = ()) -> bool:
    """Say whether a folder's name does nothing but name a band, as in ``g`` or ``Band3``."""
    return band_of(folder, also) is not None or _NUMBERED.fullmatch(folder) is not None


def composite_bands(stem: str) -> tuple[str, ...] | None:
    """Return the bands, red first, that a color picture's name spells, as in ``x_iJKs.png``."""
    for word in _DELIMITED.findall(stem):
        bands = _spelled(word)
        if len(bands) == 3:
            return bands[::-1]
    return None


def _spelled(word: str) -> tuple[str, ...]:
    """Read a word as band names from blue to red; empty if it is anything else."""
    bands: list[str] = []
    for name in BANDS_BLUE_TO_RED:
        longer = any(word.startswith(n) for n in BANDS_BLUE_TO_RED if n != name and n[0] == name)
        if word.startswith(name) and not longer:
            bands.append(name)
            word = word[len(name) :]
    return () if word else tuple(bands)


def by_wavelength(bands: Sequence[str]) -> tuple[str, ...]:
    """Sort bands from blue to red; unknown ones come last, by name."""
    order = {name: k for k, name in enumerate(BANDS_BLUE_TO_RED)}
    return tuple(sorted(bands, key=lambda band: (order.get(band, len(order)), band)))


def is_companion(name: str) -> bool:
    """Say whether an array of this name accompanies an image: a mask, a weight, a PSF."""
    return any(word.lower() in _COMPANIONS for word in _DELIMITED.findall(name))


def label_in(folders: Sequence[str]) -> str | None:
    """Return the innermost folder whose name is that of a class, if there is one."""
    for folder in reversed(folders):
        bare = _SPLITS.sub("", folder.lower())
        if re.sub(r"[_\- ]", "", bare) in _CLASSES:
            return folder
    return None


def split_in(folders: Sequence[str]) -> str | None:
    """Return the split that a folder names, such as ``train`` of ``train_lenses``; the innermost."""
    for folder in reversed(folders):
        if found := _SPLIT_NAMES.search(folder.lower()):
            return next(name for name in found.groups() if name)
    return None


def without_split(folder: str) -> str:
    """Return a class folder's name without the split: ``lenses`` of ``train_lenses``."""
    return _SPLITS.sub("", folder.lower()) if _SPLITS.search(folder.lower()) else folder


def unique_ids(stems: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return a short name for each source: its stem, with more of its path only where needed.

    Args:
        stems: File names without their endings.
        names: Paths below the folder that was read; all different.
    """
    ids = list(stems)
    for longer in ([_bare(name, stem) for name, stem in zip(names, stems, strict=True)], names):
        counts = Counter(ids)
        if len(counts) == len(ids):
            break
        ids = [new if counts[old] > 1 else old for old, new in zip(ids, longer, strict=True)]
    return number_repeats(ids)


def number_repeats(names: Sequence[str]) -> list[str]:
    """Return the names, with ``~2``, ``~3`` and so on behind those that came before."""
    seen: set[str] = set()
    result: list[str] = []
    for name in names:
        new, k = name, 1
        while new in seen:
            k += 1
            new = f"{name}~{k}"
        seen.add(new)
        result.append(new)
    return result


def _bare(name: str, stem: str) -> str:
    folder, _, _ = name.rpartition("/")
    return f"{folder}/{stem}" if folder else stem
