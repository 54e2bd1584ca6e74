"""From images to what they hold, and whether cheap cues give their classes away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.images import ReadOptions, scan
from skysieve.images.browsing import class_folders, split_folders
from skysieve.measure.composing import compose_exploration
from skysieve.measure.exploration import ExploreSettings
from skysieve.measure.explore_page import JSON, write_exploration
from skysieve.measure.labels import read_label_table
from skysieve.measure.own_labels import group_column, own_labels
from skysieve.measure.tally import Tally
from skysieve.pipeline.reporting import ReportPaths
from skysieve.search.explore import Names, look_at, picture_twins

SCENE = "scene"
"""The column of simulated sets that says which images share a host and its neighbors."""
EXPLORED = (5000, 48)
"""Rows of each class that an exploration measures, and shows."""


class ExploreLabels(NamedTuple):
    """Which labels an exploration goes by.

    Args:
        file: A table with the columns id and label.
        where: Conditions such as ``source=spacewarps`` on which of its rows count.
        group: A column of it whose rows of one value are never split by a linear probe; None takes
            the first of ``GROUP_COLUMNS`` that is there.
    """

    file: str | Path
    where: Sequence[str] = ()
    group: str | None = None


def explore(
    inputs: Sequence[str | Path],
    out: str | Path,
    labels: ExploreLabels | None = None,
    *,
    options: ReadOptions = ReadOptions(),  # noqa: B008  it is frozen
    sample: tuple[int, int] = EXPLORED,
    seed: int = 0,
    watch: Watch = ignore,
) -> ReportPaths:
    """Show what a data set holds: ``explore.html``, ``explore.json``, a contact sheet per class.

    Args:
        inputs: Folders, globs or files.
        out: The folder to write: new, empty, or that of an earlier exploration.
        labels: What says the classes; None if the data's own labels do, else the folders' names.
        options: What the images do not say themselves.
        sample: How many rows of each class are measured, and how many are shown.
        seed: Decides which, and the intervals.
        watch: Called with the progress.

    Raises:
        InputError: The folder holds something else, or the labels are not usable.
        MismatchError: No label names a cutout.
        MissingError: There is no such input, no image, or no labels file.
    """
    folder = Path(out).absolute()
    _refuse_other(folder)
    listing = scan(inputs, options, watch=watch)
    if labels is None and (own := own_labels(inputs)):
        labels = ExploreLabels(own)
    by_id, groups, told = _explore_labels(labels)
    by_folder = {} if labels else class_folders(listing)
    names = Names(by_id=by_id, by_folder=by_folder, splits=split_folders(listing))
    tally = Tally(rows=sample[0], pictures=sample[1])
    n_named = look_at(listing, names, tally, seed=seed, watch=watch)
    if by_id and not n_named:
        raise MismatchError(
            f"None of the {len(by_id):,} labels names a cutout (a label is for "
            f"{next(iter(by_id))!r}, the first cutout is in {listing.sources[0].id!r})",
            "Give the labels the ids of the cutouts",
        )
    settings = ExploreSettings(
        data=", ".join(Path(given).name or str(given) for given in inputs),
        rows=sample[0],
        seed=seed,
        labels=told or ("the names of folders" if by_folder else ""),
        n_labels=None if by_id is None else len(by_id),
        n_orphans=0 if by_id is None else len(by_id) - n_named,
        ignored=listing.ignored,
    )
    watch(Progress("measuring", 0, None))
    found = picture_twins(compose_exploration(tally, settings, groups, _scenes(inputs)), listing)
    folder.mkdir(parents=True, exist_ok=True)
    return ReportPaths(*write_exploration(folder, found))


def _scenes(inputs: Sequence[str | Path]) -> dict[str, str]:
    """Return the scene that each image of a simulated set shows; of anything else nothing."""
    path = own_labels(inputs)
    table = None if path is None else read_label_table(path)
    return table.column(SCENE) if table is not None and SCENE in table.columns else {}


def _refuse_other(folder: Path) -> None:
    """Refuse a folder that holds something but no exploration, before anything is read."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", "Choose another place with --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / JSON).is_file():
        raise InputError(
            f"{folder} is not empty and holds no exploration",
            "Choose a new or empty folder with --out",
        )


def _explore_labels(
    labels: ExploreLabels | None,
) -> tuple[dict[str, str] | None, dict[str, str] | None, str]:
    """Return the class and the group of each id, and where they come from in words."""
    if labels is None:
        return None, None, ""
    table = read_label_table(labels.file, labels.where)
    group = labels.group or group_column(table)
    groups = table.column(group) if group else None
    return table.classes, groups, ", ".join([Path(labels.file).name, *labels.where])
