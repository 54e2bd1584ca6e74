"""Labels files: CSV, ECSV, Parquet or FITS tables with the columns ``id`` and ``label``."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skysieve.core.errors import InputError, MissingError
from skysieve.core.labels import UNKNOWN, Labels
from skysieve.measure.tables import read_columns

WORDS: Mapping[str, int] = {
    **dict.fromkeys(("1", "1.0", "lens", "true", "yes"), 1),
    **dict.fromkeys(("0", "0.0", "nonlens", "notlens", "notalens", "false", "no"), 0),
    **dict.fromkeys(("-1", "-1.0", "unknown", "", "nan", "none", "null", "--"), UNKNOWN),
}
"""What a label may be written as, in any case; ``non-lens`` and ``not a lens`` are found too."""

MOST_CLASSES = 50
"""More different labels are a measurement, not classes."""

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """A labels file as text: every column, one string per row, and where each row stands.

    Args:
        name: The file, for messages.
        columns: The text of each column; always ``id`` and ``label``, which come first.
        lines: What a person calls each row: the line of a text file, else its number from 1.
        line_word: ``line`` or ``row``, accordingly.
    """

    name: str
    columns: Columns
    lines: Sequence[int]
    line_word: str

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, condition: str) -> LabelTable:
        """Return the rows that meet a condition such as ``source=spacewarps``.

        Raises:
            InputError: It is not ``COLUMN=VALUE``, there is no such column, or no row meets it.
        """
        column, equals, value = (part.strip() for part in condition.partition("="))
        if not (column and equals):
            raise InputError(
                f"The condition {condition!r} cannot be read",
                "Write COLUMN=VALUE, such as source=spacewarps",
            )
        if column not in self.columns:
            raise InputError(
                f"{self.name} has no column {column!r}",
                f"Its columns are {', '.join(self.columns)}",
            )
        keep = [k for k, text in enumerate(self.columns[column]) if text == value]
        if not keep:
            some = ", ".join(sorted(set(self.columns[column]))[:8])
            raise InputError(f"No row of {self.name} has {column} = {value}", f"Values are {some}")
        columns = {name: [text[k] for k in keep] for name, text in self.columns.items()}
        lines = [self.lines[k] for k in keep]
        return LabelTable(name=self.name, columns=columns, lines=lines, line_word=self.line_word)

    @property
    def labels(self) -> Labels:
        """What the rows say of each id.

        Raises:
            InputError: An id is empty or repeats, or a label is no known word; the row is named.
        """
        self._check_ids()
        values = [
            self._value(line, word)
            for line, word in zip(self.lines, self.columns["label"], strict=True)
        ]
        return Labels(ids=tuple(self.columns["id"]), values=np.array(values, np.int8))

    @property
    def classes(self) -> dict[str, str]:
        """The class of each id, as text; ids whose class is not known are left out.

        Where labels are but numbers of the names in a column ``class``, these are the classes;
        where all are words for lens or not, the classes are ``lens`` and ``nonlens``.

        Raises:
            InputError: An id is empty or repeats, or there are too many classes to be any.
        """
        self._check_ids()
        labels = self._named()
        words = [_bare(word) for word in labels]
        if set(words) <= WORDS.keys():
            named = {1: "lens", 0: "nonlens"}
            texts = [named.get(WORDS[word], "") for word in words]
        else:
            unknown = {word for word, value in WORDS.items() if value == UNKNOWN}
            texts = [
                "" if word in unknown else text for word, text in zip(words, labels, strict=True)
            ]
        if len(set(texts)) > MOST_CLASSES:
            raise InputError(
                f"{self.name} has {len(set(texts)):,} different labels",
                f"Give a column label of at most {MOST_CLASSES} classes",
            )
        return {name: text for name, text in zip(self.columns["id"], texts, strict=True) if text}

    def _named(self) -> Sequence[str]:
        """Return the column ``class`` if its names stand for the labels one by one, else these."""
        labels, names = self.columns["label"], self.columns.get("class")
        if names is None or not all(names):
            return labels
        pairs = set(zip(labels, names, strict=True))
        one_by_one = len(pairs) == len(set(labels)) == len(set(names))
        return names if one_by_one else labels

    def _check_ids(self) -> None:
        seen: dict[str, int] = {}
        for line, name in zip(self.lines, self.columns["id"], strict=True):
            if not name:
                raise self._error(line, "has no id", "Give it the id of its cutout")
            if name in seen:
                raise self._error(
                    line,
                    f"repeats the id {name!r} of {self.line_word} {seen[name]}",
                    "Keep one of the two",
                )
            seen[name] = line

    def column(self, name: str) -> dict[str, str]:
        """Return the text of a column by id.

        Raises:
            InputError: There is no such column.
        """
        if name not in self.columns:
            raise InputError(
                f"{self.name} has no column {name!r}", f"Its columns are {', '.join(self.columns)}"
            )
        return dict(zip(self.columns["id"], self.columns[name], strict=True))

    def _value(self, line: int, word: str) -> int:
        value = WORDS.get(_bare(word))
        if value is None:
            raise self._error(
                line,
                f"has the label {word[:40]!r}",
                "Write 1 or lens, 0 or nonlens, and -1 or nothing where it is not known",
            )
        return value

    def _error(self, line: int, what: str, fix: str) -> InputError:
        return InputError(f"{self.name}: {self.line_word} {line} {what}", fix)


def read_labels(path: str | Path, where: str | Sequence[str] = ()) -> Labels:
    """Return the labels of a file, of all its rows or of those that meet every condition.

    Args:
        path: A ``.csv``, ``.tsv``, ``.ecsv``, ``.parquet`` or ``.fits`` file.
        where: Conditions such as ``source=spacewarps`` on its other columns.

    Raises:
        MissingError: There is no such file.
        InputError: The file cannot be read, lacks a column, or a row is not usable.
    """
    return read_label_table(path, (where,) if isinstance(where, str) else where).labels


def read_label_table(path: str | Path, where: Sequence[str] = ()) -> LabelTable:
    """Return a labels file with all its columns, as text.

    Args:
        path: A ``.csv``, ``.tsv``, ``.ecsv``, ``.parquet`` or ``.fits`` file.
        where: Conditions such as ``source=spacewarps`` on which rows are taken.

    Raises:
        MissingError: There is no such file.
        InputError: The file cannot be read, lacks the column ``id`` or ``label``, or no row is left.
    """
    table = _read_table(path)
    for condition in where:
        table = table.where(condition)
    return table


def _read_table(path: str | Path) -> LabelTable:
    path = Path(path)
    if not path.is_file():
        raise MissingError(f"There is no labels file {path}", "Give a CSV, Parquet or FITS table")
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        return _read_text(path, "\t" if name.endswith(".tsv") else ",")
    columns = read_columns(path)
    _check_columns(path, list(columns))
    rows = range(1, len(columns["id"]) + 1)
    return LabelTable(name=path.name, columns=_first(columns), lines=rows, line_word="row")


def _read_text(path: Path, delimiter: str) -> LabelTable:
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            empty: list[str] = []
            header = [name.strip() for name in next(reader, empty)]
            _check_columns(path, header)
            for row in reader:
                if not row:
                    continue  # a blank line
                if len(row) != len(header):
                    raise InputError(
                        f"{path.name}: line {reader.line_num} has {len(row)} fields but the header "
                        f"has {len(header)}",
                        "Give every line one field per column; quote text that holds the separator",
                    )
                lines.append(reader.line_num)
                rows.append([text.strip() for text in row])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path.name} is no text table: {error}", "Save it as UTF-8 CSV"
        ) from error
    columns = {name: [row[k] for row in rows] for k, name in enumerate(header)}
    return LabelTable(name=path.name, columns=_first(columns), lines=lines, line_word="line")


def _bare(word: str) -> str:
    return re.sub("(?<=[a-z])[ _-](?=[a-z])", "", word.lower())


def _check_columns(path: Path, columns: list[str]) -> None:
    if missing := [name for name in ("id", "label") if name not in columns]:
        found = ", ".join(columns)[:200] or "none"
        raise InputError(
            f"{path.name} has no column {' or '.join(missing)} (its columns: {found})",
            "Name the columns id and label, separated by commas",
        )
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise InputError(
            f"{path.name} has more than one column {repeated[0]!r}", "Name every column once"
        )


def _first(columns: Columns) -> Columns:
    return {"id": columns["id"], "label": columns["label"], **columns}
