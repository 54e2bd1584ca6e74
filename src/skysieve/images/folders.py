"""Finding images: folders, globs and files, in an order that never changes."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skysieve.core.errors import InputError, MissingError
from skysieve.core.files import TEMPORARY
from skysieve.images.sources import ReaderName

ENDINGS: dict[str, ReaderName] = {
    ".fits": "fits",
    ".fit": "fits",
    ".fts": "fits",
    ".fits.gz": "fits",
    ".fit.gz": "fits",
    ".fits.fz": "fits",
    ".fz": "fits",
    ".npy": "array",
    ".npz": "array",
    ".png": "raster",
    ".jpg": "raster",
    ".jpeg": "raster",
    ".tif": "raster",
    ".tiff": "raster",
    ".parquet": "parquet",
}
"""The endings that make a file an image."""

_ADDRESS = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.\-]*://|pipe:)")
_PLAN_FILE = "plan.json"
_OUR_FILES = (_PLAN_FILE, "explore.json")
_SET_IMAGES = "images"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file that is an image by its ending.

    Args:
        path: Absolute.
        root: The folder that the user named, or that of the file or pattern; absolute.
        ending: As in ``ENDINGS``.
        size_bytes: Its size.
    """

    path: str
    root: str
    ending: str
    size_bytes: int

    @property
    def name(self) -> str:
        """Its path below the root."""
        return os.path.relpath(self.path, self.root).replace(os.sep, "/")

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return os.path.basename(self.path)[: -len(self.ending)]

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders between the root and the file."""
        return tuple(self.name.split("/")[:-1])


def find_images(inputs: Sequence[str | Path]) -> tuple[list[Found], dict[str, int]]:
    """Find every image in folders (with those in them), glob patterns and files.

    Hidden files, files in the making, and the folders that skysieve wrote are passed over, and of a
    simulated set only its images are taken; a link in
    a folder is followed only to a file within that folder. A file that is named twice is found
    once.

    Returns:
        The images in order, and how many other files there were, by ending or by what they are.

    Raises:
        MissingError: An input is not there, or there is no image at all.
        InputError: An input is an address on the network.
    """
    found: dict[str, Found] = {}
    ignored: Counter[str] = Counter()
    expanded = [pair for given in inputs for pair in _expanded(os.fspath(given))]
    alone = [os.path.dirname(path) for path, root in expanded if root is None]
    shared = os.path.commonpath(alone) if alone else ""  # so that 'lens/1.png' keeps its folder
    for path, own in expanded:
        root = shared if own is None else own
        if os.path.isdir(path):
            _walk(path, root, found, ignored)
        else:
            _add(path, root, found, ignored)
    if not found:
        _refuse_nothing(inputs, ignored)
    return list(found.values()), dict(sorted(ignored.items()))


def _expanded(given: str) -> list[tuple[str, str | None]]:
    """Return the paths that an input stands for, each with the folder it is named below.

    None stands for the folder that all files which were named one by one have in common.
    """
    if _ADDRESS.match(given):
        raise InputError(
            f"{given} is an address, and skysieve opens local files only", "Download it first"
        )
    path = os.path.abspath(os.path.expanduser(given))
    images = os.path.join(path, _SET_IMAGES)
    if os.path.isdir(images) and os.path.isfile(os.path.join(path, _PLAN_FILE)):
        path = images  # a simulated set: its truth planes and tables are no images to look at
    if os.path.lexists(path):
        return [(path, path if os.path.isdir(path) else None)]
    paths = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []
    if not paths:
        raise MissingError(f"There is no {given}", "Check the path")
    fixed = os.path.dirname(path[: min(path.index(sign) for sign in "*?[" if sign in path)])
    return [(each, fixed) for each in paths]


def _walk(top: str, root: str, found: dict[str, Found], ignored: Counter[str]) -> None:
    """Add the images of a folder and of the folders in it."""
    within = os.path.realpath(top)
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except PermissionError:
            ignored["(folder that may not be read)"] += 1
            continue
        if any(entry.name in _OUR_FILES for entry in entries):
            ignored["(folder of a run)"] += 1
            continue
        below: list[str] = []
        for entry in entries:
            if entry.name.startswith((".", TEMPORARY)):
                continue
            if entry.is_symlink() and not _leads_within(entry.path, within):
                ignored["(link out of the folder)"] += 1
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif entry.is_dir():
                ignored["(link to a folder)"] += 1  # what it leads to is read in its own place
            else:
                _add(entry.path, root, found, ignored)
        waiting.extend(reversed(below))


def _leads_within(path: str, root: str) -> bool:
    return (os.path.realpath(path) + os.sep).startswith(root + os.sep)


def _add(path: str, root: str, found: dict[str, Found], ignored: Counter[str]) -> None:
    try:
        status = os.stat(path)
    except OSError:
        ignored["(broken link)"] += 1
        return
    if not stat.S_ISREG(status.st_mode):
        ignored["(pipe, socket or device)"] += 1
        return
    lower = os.path.basename(path).lower()
    ending = next((e for e in ENDINGS if lower.endswith(e)), None)
    if ending is None:
        ignored[os.path.splitext(lower)[1] or "(no ending)"] += 1
        return
    found.setdefault(path, Found(path=path, root=root, ending=ending, size_bytes=status.st_size))


def _refuse_nothing(inputs: Sequence[str | Path], ignored: Counter[str]) -> None:
    where = ", ".join(os.fspath(given) for given in inputs) or "no input"
    there = ", ".join(f"{count} {ending}" for ending, count in sorted(ignored.items()))
    fix = "Give FITS, npy, npz, PNG, JPEG, TIFF or Parquet files, or folders of them"
    if ignored["(link out of the folder)"]:
        fix = "Links out of a folder are not followed; give them by name, such as 'folder/*'"
    raise MissingError(f"There is no image in {where}" + (f" (only {there})" if there else ""), fix)
