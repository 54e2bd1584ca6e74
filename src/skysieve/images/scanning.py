"""Making the listing of a run: which files make one object, and how many rows each holds."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skysieve.core.watch import Progress, Watch, ignore
from skysieve.images import archives, arrays, fits, names, raster, shards
from skysieve.images.folders import ENDINGS, Found, find_images
from skysieve.images.sources import Contents, ImageError, Listing, ReadOptions, Source

_NO_OPTIONS = ReadOptions()
_WATCH_EVERY = 1_000


@dataclass(frozen=True, kw_only=True)
class Member:
    """Files of one object.

    Args:
        files: One, or one per band from blue to red.
        bands: The bands that their names state; None if they state none.
        stem: What is left of their names without ending and band.
    """

    files: tuple[Found, ...]
    bands: tuple[str, ...] | None
    stem: str


def scan(
    inputs: Sequence[str | Path] | str | Path,
    options: ReadOptions = _NO_OPTIONS,
    *,
    watch: Watch = ignore,
) -> Listing:
    """List every image of folders, glob patterns and files; only headers are opened.

    FITS files whose names differ only in the band (``ID_g.fits``, ``ID_r.fits``; also folders
    that do nothing but name a band) are one object. A file that cannot be opened is listed with
    one row, which says why when it is read.

    Args:
        inputs: What the user named; a folder is read with all folders in it.
        options: What the user says about the images.
        watch: Told how many objects were listed.

    Raises:
        MissingError: An input is not there, or there is no image at all.
        InputError: An input is an address on the network.
    """
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    found, ignored = find_images(given)
    members = _grouped(found, options)
    labels = names.number_repeats(_names(members, several=len(given) > 1))
    ids = names.unique_ids([member.stem for member in members], labels)
    sources: list[Source] = []
    for k, member in enumerate(members):
        sources.append(_source(member, labels[k], ids[k], options))
        if (k + 1) % _WATCH_EVERY == 0 or k + 1 == len(members):
            watch(Progress("listing images", k + 1, len(members)))
    return Listing(sources=tuple(sources), ignored=ignored, options=options)


def _grouped(found: Sequence[Found], options: ReadOptions) -> list[Member]:
    """Put FITS files of one band each together; the rest stay alone."""
    also = options.bands or ()
    groups: dict[tuple[str, ...], dict[str, Found]] = defaultdict(dict)
    members: list[tuple[tuple[str, ...], Member]] = []
    for file in found:
        part = _band_part(file, also) if ENDINGS[file.ending] == "fits" else None
        if part is None or part[1] in groups[part[0]]:
            members.append((("",), _alone(file, also)))
            continue
        key, band = part
        if not groups[key]:  # the group stands where its first file stands
            members.append((key, _alone(file, also)))
        groups[key][band] = file
    return [_member(groups[key], key[-1]) if key in groups else m for key, m in members]


def _band_part(file: Found, also: Sequence[str]) -> tuple[tuple[str, ...], str] | None:
    """Return what a file shares with its other bands, and its band; None if it names none."""
    folders = [f for f in file.folders if not names.names_a_band(f, also)]
    split = names.without_band(file.stem, also)
    if split is not None:
        rest, band = split
        inner = folders[-1] if folders else os.path.basename(os.path.abspath(file.root))
        return (file.root, *folders, file.ending, rest or inner), band
    dropped = [f for f in file.folders if names.band_of(f, also)]
    if len(dropped) == 1 and not names.bands_in(file.stem, also):
        return (file.root, *folders, file.ending, file.stem), names.band_of(dropped[0], also) or ""
    return None


def _member(files: dict[str, Found], stem: str) -> Member:
    bands = names.by_wavelength(tuple(files))
    return Member(files=tuple(files[band] for band in bands), bands=bands, stem=stem)


def _alone(file: Found, also: Sequence[str]) -> Member:
    if ENDINGS[file.ending] == "raster":
        bands = names.composite_bands(file.stem)
    else:
        bands = names.bands_in(file.stem, also) or None
    return Member(files=(file,), bands=bands, stem=file.stem)


def _names(members: Sequence[Member], *, several: bool) -> list[str]:
    """Name each object by its path; with several inputs, from the folder above where needed."""
    short = [_pattern(member) for member in members]
    if not several or len(set(short)) == len(short):
        return short
    return [
        f"{os.path.basename(member.files[0].root)}/{name}"
        for member, name in zip(members, short, strict=True)
    ]


def _pattern(member: Member) -> str:
    """Return the path of a file, or a pattern for several: ``ID/ID_{g,r,i}.fits``."""
    paths = [file.name for file in member.files]
    if len(paths) == 1:
        return _readable(paths[0])
    parts = [
        list(dict.fromkeys(column)) for column in zip(*(p.split("/") for p in paths), strict=True)
    ]
    return _readable("/".join(_braced(column) for column in parts))


def _braced(column: list[str]) -> str:
    """Join words that differ in the middle only: ``x_{g,r}.fits``."""
    if len(column) == 1:
        return column[0]
    start = _shared(column)
    end = _shared([word[: start - 1 : -1] if start else word[::-1] for word in column])
    middle = [word[start : len(word) - end] for word in column]
    return f"{column[0][:start]}{{{','.join(middle)}}}{column[0][len(column[0]) - end :]}"


def _shared(words: list[str]) -> int:
    """Return how many characters all words begin with."""
    alike = 0
    for letters in zip(*words, strict=False):
        if len(set(letters)) > 1:
            break
        alike += 1
    return alike


def _readable(name: str) -> str:
    """Write bytes that are no UTF-8 as escapes; tables and pages cannot hold them."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _source(member: Member, name: str, row_id: str, options: ReadOptions) -> Source:
    first = member.files[0]
    paths = tuple(file.path for file in member.files)
    contents = _contents(member, options)
    return Source(
        name=name,
        reader=ENDINGS[first.ending],
        paths=tuple(_readable(path) for path in paths),
        bands=member.bands if len(paths) > 1 else contents.bands,
        rows=max(contents.rows, 1),
        size_bytes=sum(file.size_bytes for file in member.files),
        id=_readable(row_id),
        label=names.label_in(first.folders),
        planes=len(paths) if len(paths) > 1 else contents.planes,
    )


def _contents(member: Member, options: ReadOptions) -> Contents:
    """Open headers; the longest file of several counts, so that no row is lost."""
    inspected = [Contents(rows=0, planes=0)]
    for k, file in enumerate(member.files):
        bands = member.bands
        if len(member.files) > 1 and bands:
            bands = bands[k : k + 1]
        try:
            inspected.append(_inspect(file, bands, options))
        except ImageError:
            continue  # reading it later gives its row the reason
    return max(inspected, key=lambda contents: contents.rows)


def _inspect(file: Found, bands: tuple[str, ...] | None, options: ReadOptions) -> Contents:
    match ENDINGS[file.ending]:
        case "fits":
            return fits.inspect(file.path, bands, options)
        case "raster":
            return raster.inspect(file.path, bands, options)
        case "parquet":
            return shards.inspect(file.path, bands, options)
        case "array":
            reader = archives if file.ending == ".npz" else arrays
            return reader.inspect(file.path, bands, options)
