"""Which rows an evaluation asks finders about: labels, classes by name, splits."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from skysieve.core.errors import InputError, MismatchError
from skysieve.finder.bundle import find_bundle, load
from skysieve.finder.cascade import Finder
from skysieve.images import Listing
from skysieve.images.browsing import class_folders, split_folders
from skysieve.measure.labels import WORDS, LabelTable, read_label_table
from skysieve.measure.own_labels import bare_class, group_column, own_labels

Split = Literal["test", "validation", "all"]

SPLITS = "splits.csv"
BUNDLE = "finder"
LEARNED = ("train", "validation", "calibration")
"""Parts of a training run's rows that made the finder what it is."""
SPLIT_NAMES = {"val": "validation", "valid": "validation"}


class EvaluateLabels(NamedTuple):
    """Which labels an evaluation goes by.

    Args:
        file: A table with the columns id and label; None takes the data's own (``own_table``),
            else the names of folders.
        where: Conditions such as ``source=spacewarps`` on which of its rows count.
        by: A column whose values, such as kinds of objects, are also measured apart.
        group: A column whose rows of one value are not independent; None takes the first of
            ``GROUP_COLUMNS`` that is there.
    """

    file: str | Path | None = None
    where: Sequence[str] = ()
    by: str | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Named:
    """A finder, what it is called here, and what is known of the rows it learned from.

    Args:
        name: Unique among those compared.
        finder: Ready to run.
        splits: The split of each id of the data it was trained on; empty if nothing is known.
    """

    name: str
    finder: Finder
    splits: Mapping[str, str] = field(default_factory=dict[str, str])

    def learned_from(self, row_id: str) -> bool:
        """Say whether a row taught, chose or calibrated the finder."""
        return self.splits.get(row_id) in LEARNED


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """What is known of the data's rows, by id or by source.

    Args:
        told: Where the labels come from, in words.
        by_id: The class of an id; None if the folders say it.
        by_source: The class of each source whose folder names one.
        split_by_id: The split that the labels name.
        split_by_source: The split that folders name.
        kinds: The value of the column to measure apart, by id.
        groups: The group, by id.
        group_column: Its name; None if rows are independent.
    """

    told: str
    by_id: Mapping[str, str] | None
    by_source: Mapping[str, str]
    split_by_id: Mapping[str, str]
    split_by_source: Mapping[str, str]
    kinds: Mapping[str, str]
    groups: Mapping[str, str]
    group_column: str | None

    def class_of(self, row_id: str, source: str) -> str:
        """Return the class of a row as the data call it; empty text if it is not known."""
        if self.by_id is not None:
            return self.by_id.get(row_id, "")
        return self.by_source.get(source, "")

    def split_of(self, row_id: str, source: str) -> str:
        """Return the split that the data name; empty text if there is none."""
        found = self.split_by_id.get(row_id) or self.split_by_source.get(source, "")
        return SPLIT_NAMES.get(found, found)

    @property
    def names(self) -> list[str]:
        """The classes of the data."""
        held = self.by_source if self.by_id is None else self.by_id
        return sorted(set(held.values()))


def open_finders(asked: Sequence[str | Path]) -> list[Named]:
    """Load finders: shipped names, bundle folders, or folders of training runs.

    Raises:
        InputError: None is asked for, or one is asked for twice.
        MissingError: There is no such finder.
        MismatchError: Their classes have other names.
    """
    if not asked:
        raise InputError("No finder is named", "Give a shipped name or a folder")
    found: list[Named] = []
    for text in asked:
        folder = Path(text)
        inner = folder / BUNDLE
        bundle = find_bundle(inner if (inner / "finder.json").is_file() else text)
        finder = load(bundle)
        own = bundle.name == BUNDLE
        splits = read_named_splits(bundle.parent / SPLITS) if own else {}
        name = bundle.absolute().parent.name if own else bundle.absolute().name
        if any(each.finder.folder == finder.folder for each in found):
            raise InputError(f"The finder {text} is named twice", "Name each once")
        found.append(Named(name=name, finder=finder, splits=splits))
    _check_alike(found)
    return _with_unique_names(found)


def read_named_splits(path: Path) -> dict[str, str]:
    """Return the split of each id that a training run wrote down; nothing if there is no file.

    Raises:
        InputError: The file lacks a column or names an unknown split.
    """
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(line for line in file if not line.startswith("#"))
        if not {"id", "split"} <= set(lines.fieldnames or ()):
            raise InputError(f"{path} has no columns id and split", "Train again, or remove it")
        found = {line["id"]: line["split"] for line in lines}
    if odd := sorted(set(found.values()) - {*LEARNED, "test", "left out"}):
        raise InputError(f"{path} names the split {odd[0]!r}", "Train again, or remove it")
    return found


def read_known(
    listing: Listing, inputs: Sequence[str | Path], labels: EvaluateLabels, classes: Sequence[str]
) -> Known:
    """Return what is known of the rows of a listing.

    Args:
        listing: The data.
        inputs: What was listed: a folder may hold a table of labels.
        labels: What the user said of the labels.
        classes: The finders' classes; a column ``class`` of the labels that holds just these goes
            before ``label``.

    Raises:
        InputError: The labels are not usable, or nothing names classes.
        MissingError: There is no labels file.
    """
    path = labels.file or own_labels(inputs)
    if path is None:
        folders = class_folders(listing)
        if not folders:
            raise InputError(
                "Nothing says the classes of these images", "Give --labels, or a folder per class"
            )
        if labels.where or labels.by or labels.group:
            raise InputError(
                "The classes come from folders, which have no columns", "Give --labels"
            )
        return Known(
            told="the names of folders",
            by_id=None,
            by_source=folders,
            split_by_id={},
            split_by_source=split_folders(listing),
            kinds={},
            groups={},
            group_column=None,
        )
    table = read_label_table(path, labels.where)
    group = labels.group or group_column(table)
    return Known(
        told=", ".join([Path(path).name, *labels.where]),
        by_id=_classes_of(table, classes),
        by_source={},
        split_by_id=table.column("split") if "split" in table.columns else {},
        split_by_source=split_folders(listing),
        kinds=table.column(labels.by) if labels.by else {},
        groups=table.column(group) if group else {},
        group_column=group,
    )


def match_classes(theirs: Iterable[str], classes: Sequence[str]) -> dict[str, int]:
    """Return the number of the finder's class for each class of the data, by name alone.

    Case, separators and a plural make no difference; words for yes and no count for finders of
    ``lens`` and ``nonlens``.

    Raises:
        MismatchError: A class of one is none of the other, or two are the same.
    """
    bare = {bare_class(name): k for k, name in enumerate(classes)}
    if {"lens", "nonlens"} <= bare.keys():
        meant = {1: bare["lens"], 0: bare["nonlens"]}
        bare = {word: meant[v] for word, v in WORDS.items() if v in meant} | bare
    theirs = sorted(set(theirs))
    found = {name: bare[bare_class(name)] for name in theirs if bare_class(name) in bare}
    if len(found) < len(theirs) or set(found.values()) != set(range(len(classes))):
        raise MismatchError(
            f"The data have the classes {', '.join(theirs)}; the finder tells apart "
            f"{', '.join(classes)}",
            "Give labels with the finder's names, or use --where to leave classes out",
        )
    if len(set(found.values())) < len(found):
        raise MismatchError(
            f"Two of the data's classes {', '.join(theirs)} mean one of {', '.join(classes)}",
            "Give each class one name",
        )
    return found


def hash_rows(rows: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of the ids and classes of rows, in any order."""
    lines = sorted(f"{name}\t{of_class}\n" for name, of_class in rows)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _check_alike(found: Sequence[Named]) -> None:
    first = found[0].finder.card
    for each in found[1:]:
        card = each.finder.card
        if set(card.classes) != set(first.classes):
            raise MismatchError(
                f"{found[0].name} tells apart {', '.join(first.classes)}; {each.name} "
                f"{', '.join(card.classes)}",
                "Compare finders of the same classes",
            )


def _with_unique_names(found: Sequence[Named]) -> list[Named]:
    counts = Counter(each.name for each in found)
    taken: Counter[str] = Counter()
    named: list[Named] = []
    for each in found:
        taken[each.name] += 1
        name = each.name if counts[each.name] == 1 else f"{each.name}-{taken[each.name]}"
        named.append(Named(name=name, finder=each.finder, splits=each.splits))
    return named


def _classes_of(table: LabelTable, classes: Sequence[str]) -> dict[str, str]:
    wanted = {bare_class(name) for name in classes}
    if "class" in table.columns and {bare_class(text) for text in table.columns["class"]} <= wanted:
        return table.column("class")
    return table.classes
