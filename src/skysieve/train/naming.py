"""What folders and tables say of each image: its class, its split and what else is known."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.watch import Watch, ignore
from skysieve.images.browsing import class_folders, split_folders
from skysieve.images.names import label_in
from skysieve.images.scanning import scan
from skysieve.images.sources import Listing
from skysieve.measure.labels import LabelTable, read_label_table
from skysieve.measure.own_labels import KNOWN_CLASSES, bare_class, own_table
from skysieve.recipe.classifier import Task

LENS_CLASSES = ("nonlens", "lens")
SUBSTRUCTURE_CLASSES = ("no", "sphere", "vort")

_LENS_WORDS = {
    **dict.fromkeys(("positive", "positives", "yes", "true", "1"), "lens"),
    **dict.fromkeys(("negative", "negatives", "no", "false", "0"), "nonlens"),
}
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "test": "test",
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Labeling:
    """A listing and what says the class of its rows.

    Args:
        listing: What there is.
        origin: What says the classes, in words.
        by_id: The class of an id as a table says it; None if folders say it.
        by_source: The class of each source that lies in a folder which names one.
        splits: ``train``, ``validation`` or ``test`` by source, as folders say it.
        columns: Further columns of the table, each a text by id.
        table: The file of the table; None if folders say the classes.
    """

    listing: Listing
    origin: str
    by_id: Mapping[str, str] | None
    by_source: Mapping[str, str]
    splits: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]
    table: Path | None

    @property
    def classes(self) -> set[str]:
        """All classes that are named, whether or not an image has them."""
        return set((self.by_source if self.by_id is None else self.by_id).values())

    def class_of(self, row_id: str, source: str) -> str:
        """Return the class of a row; empty text if it is not known."""
        if self.by_id is None:
            return self.by_source.get(source, "")
        return self.by_id.get(row_id, "")

    def split_of(self, row_id: str, source: str) -> str:
        """Return the split of a row as a column ``split`` says it, else its folders; or nothing."""
        own = self.columns.get("split")
        found = split_word(own.get(row_id, "")) if own else ""
        return found or self.splits.get(source, "")


def labelings_of(
    data: Sequence[Path | str], task: Task, labels: Path | None, watch: Watch = ignore
) -> list[Labeling]:
    """List images and find what says their classes: a file that is given, a table, or folders.

    A folder with ``scenes.parquet`` beside ``images/``, as ``skysieve simulate`` makes it, or with
    ``labels.csv`` or ``labels.parquet`` is listed by itself, so that its ids are those of its table.

    Raises:
        MissingError: There is no such input, no image or no labels file.
        InputError: A table is not usable, or nothing says the classes.
    """
    if not data:
        raise MissingError("There are no data", "Name a folder with --data")
    if labels is not None:
        return [_by_table(list(data), Path(labels), task, watch)]
    found: list[Labeling] = []
    rest: list[Path | str] = []
    for given in data:
        table = own_table(given)
        if table is None:
            rest.append(given)
        else:
            found.append(_by_table([given], table, task, watch))
    return [*found, _by_folders(rest, task, watch)] if rest else found


def class_name(text: str, task: Task) -> str:
    """Return a class without plural and spelling: ``nonlens`` of ``Non-Lenses``."""
    bare = bare_class(text)
    if task == "lens" and bare in _LENS_WORDS:
        return _LENS_WORDS[bare]
    return bare if bare in KNOWN_CLASSES else text


def split_word(text: str) -> str:
    """Return ``train``, ``validation`` or ``test`` of a word such as ``train_lenses``, or nothing."""
    words = re.split(r"[_\- ]", text.lower())
    return next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), "")


def order_classes(
    found: Iterable[str], classes: tuple[str, ...] | None, task: Task, positive: str | None
) -> tuple[str, ...]:
    """Return the classes in the order of the logits, which no file's place ever decides.

    Args:
        found: Those of the images.
        classes: The order that a recipe or a finder gives; None takes the task's.
        task: Lenses are always ``nonlens, lens``; substructure ``no, sphere, vort`` if it is these.
        positive: The class that is looked for, which must be one of them.

    Raises:
        MismatchError: An image has a class that is none of them, or ``positive`` is none.
        InputError: A class has no image, or there is only one class.
    """
    have = sorted(set(found))
    wanted = classes or (LENS_CLASSES if task == "lens" else None)
    if task == "substructure" and not classes and set(have) <= set(SUBSTRUCTURE_CLASSES):
        wanted = SUBSTRUCTURE_CLASSES
    order = tuple(wanted or have)
    if unknown := [name for name in have if name not in order]:
        raise MismatchError(
            f"Images have the class {', '.join(map(repr, unknown))}, which is none of "
            f"{', '.join(order)}",
            "Name all classes of the data with --set classes=..., or leave these images out",
        )
    if len(have) == 1 and (not classes or len(order) < 2):
        raise InputError(
            f"All images have one class, {have[0]!r}", "Give images of at least two classes"
        )
    if empty := [name for name in order if name not in have]:
        raise InputError(
            f"The class {', '.join(map(repr, empty))} has no image",
            "Add images of it, or name the classes that there are with --set classes=...",
        )
    if positive is not None and positive not in order:
        raise MismatchError(
            f"The positive class {positive!r} is none of {', '.join(order)}",
            "Name one of them with --set positive=...",
        )
    return order


def _by_table(data: Sequence[Path | str], file: Path, task: Task, watch: Watch) -> Labeling:
    table = read_label_table(file)
    classes = {name: class_name(text, task) for name, text in table.classes.items()}
    others = [name for name in table.columns if name not in ("id", "label")]
    _check_splits(table)
    listing = _without(scan(data, watch=watch), file)
    return Labeling(
        listing=listing,
        origin=file.name,
        by_id=classes,
        by_source={},
        splits=_splits(listing),
        columns={name: table.column(name) for name in others},
        table=file,
    )


def _by_folders(data: Sequence[Path | str], task: Task, watch: Watch) -> Labeling:
    listing = scan(data, watch=watch)
    named = {name: class_name(text, task) for name, text in class_folders(listing).items()}
    if not named:
        raise InputError(
            f"Nothing says the classes of the images in {', '.join(map(str, data))}",
            "Put each class into a folder of its name (train_lenses, train_nonlenses), or give a "
            "table with the columns id and label (--labels)",
        )
    _refuse_empty_folders(data, listing)
    return Labeling(
        listing=listing,
        origin="the names of folders",
        by_id=None,
        by_source=named,
        splits=_splits(listing),
        columns={},
        table=None,
    )


def _check_splits(table: LabelTable) -> None:
    """Refuse a column of splits in which some words are splits and others are not."""
    words = {text for text in table.columns.get("split", ()) if text}
    strange = sorted(text for text in words if not split_word(text))
    if strange and len(strange) < len(words):
        raise InputError(
            f"{table.name}: the column split holds {strange[0]!r}",
            "Write train, validation, test or nothing",
        )


def _splits(listing: Listing) -> dict[str, str]:
    return {name: _SPLIT_WORDS[split] for name, split in split_folders(listing).items()}


def _without(listing: Listing, file: Path) -> Listing:
    """Leave out a table that lies among the images and has the ending of some."""
    kept = tuple(s for s in listing.sources if s.paths != (os.path.abspath(file),))  # noqa: PTH100
    if not kept:
        raise MissingError(f"There is no image beside {file}", "Give the folder of the images")
    return Listing(sources=kept, ignored=listing.ignored, options=listing.options)


def _refuse_empty_folders(data: Sequence[Path | str], listing: Listing) -> None:
    """Refuse a folder that is named after a class but holds no image."""
    full = {os.path.dirname(path) for source in listing.sources for path in source.paths}  # noqa: PTH120
    for top in (Path(given).absolute() for given in data):
        for folder in sorted((*top.glob("*/"), *top.glob("*/*/"))) if top.is_dir() else ():
            holds = any(f"{each}/".startswith(f"{folder}/") for each in full)
            if not holds and label_in([folder.name]):
                raise InputError(
                    f"The folder {folder} names a class but holds no image",
                    "Put its images there, or remove the folder",
                )
