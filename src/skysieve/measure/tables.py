# pyright: standard
"""Tables of libraries that say nothing of their types: this file is where they get some."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as _compute
import pyarrow.parquet as pq
from jaxtyping import Float64, Int, Int8

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.labels import UNKNOWN, Labels

Table = Any
"""A ``pyarrow.Table``."""

pc: Any = _compute  # its functions are made when it is imported: pyright finds none of them


def read_columns(path: Path) -> dict[str, list[str]]:
    """Return the columns of a Parquet, ECSV or FITS table as text.

    Raises:
        InputError: It is none of these, cannot be read, or keeps its ids as floats.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        return _read_parquet(path)
    if name.endswith((".ecsv", ".fits", ".fit")):
        return _read_astropy(path, "ascii.ecsv" if name.endswith(".ecsv") else "fits")
    raise InputError(
        f"{path.name} is no labels file that skysieve reads",
        "Give .csv, .tsv, .ecsv, .parquet or .fits",
    )


def parquet_columns(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet table.

    Raises:
        InputError: It is no Parquet table.
    """
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name} is no Parquet table: {error}", "Write it again") from error


def _read_parquet(path: Path) -> dict[str, list[str]]:
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name} is no Parquet table: {error}", "Write it again") from error
    return {name: _texts(path, name, table[name].to_pylist()) for name in table.column_names}


def _read_astropy(path: Path, kind: str) -> dict[str, list[str]]:
    from astropy.table import Table  # noqa: PLC0415  half a second that most reports never need

    try:
        table = Table.read(path, format=kind)
    except Exception as error:  # astropy's readers raise whatever their parsers do
        raise InputError(
            f"{path.name} cannot be read as a table: {str(error).splitlines()[0]}", "Write it again"
        ) from error
    flat = [str(name) for name in table.colnames if table[name].ndim == 1]
    return {name: _texts(path, name, table[name].tolist()) for name in flat}


def _texts(path: Path, column: str, values: list[Any]) -> list[str]:
    """Return values as text; an id of 18 digits kept as a float has already lost its last ones."""
    if column == "id" and any(isinstance(value, float) for value in values):
        raise InputError(
            f"{path.name}: the column id holds floats", "Write ids as text or integers"
        )
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip()


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking:
    """What the report needs of a ranking, row by row or counted.

    Args:
        p: Probability of the positive class; NaN where there is none.
        truth: 1 or 0 where a label is known, else -1.
        status: Rows of each status.
        flags: Rows that carry each flag.
        examples: The first few ``(id, message)`` of each status but ``ok``.
        n_orphans: Labels that name no row.
    """

    p: Float64[np.ndarray, " n"]
    truth: Int8[np.ndarray, " n"]
    status: dict[str, int]
    flags: dict[str, int]
    examples: dict[str, tuple[tuple[str, str], ...]]
    n_orphans: int

    def __len__(self) -> int:
        return len(self.p)


def read_ranking(table: Table, labels: Labels | None) -> Ranking:
    """Return a ranking table as arrays and counts.

    Raises:
        InputError: The table lacks a column.
        MismatchError: There are labels, but none of them names a row.
    """
    needed = ("rank", "id", "p", "status", "flags", "message")
    if missing := [name for name in needed if name not in table.column_names]:
        raise InputError(f"The ranking has no column {', '.join(missing)}", "Run skysieve find")
    truth, n_orphans = _truth_of(table["id"], labels)
    status = _counts(table["status"])
    scored = pc.equal(table["status"], "ok")
    p = pc.if_else(scored, pc.cast(table["p"], pa.float64()), None).to_numpy()
    return Ranking(
        p=np.where(np.isfinite(p), p, np.nan),
        truth=truth,
        status=status,
        flags=_split_counts(_counts(table["flags"])),
        examples={name: _examples(table, name) for name in status if name != "ok"},
        n_orphans=n_orphans,
    )


def take_rows(table: Table, rows: Int[np.ndarray, " k"]) -> list[dict[str, Any]]:
    """Return rows of a table as dictionaries."""
    return table.take(pa.array(rows)).to_pylist()


def take_ids(table: Table, rows: Int[np.ndarray, " k"]) -> list[str]:
    """Return the ids of rows of a table."""
    return table["id"].take(pa.array(rows)).to_pylist()


def doubt_columns(table: Table) -> dict[str, Any]:
    """Return the columns of a ranking that say how sure the finder is; those of nulls say nothing."""
    found: dict[str, Any] = {}
    for name in ("conformal", "ood", "spread"):
        if name not in table.column_names or table[name].null_count == table.num_rows:
            continue
        column = table[name]
        texts = pa.types.is_string(column.type)
        found[name] = column.to_pylist() if texts else pc.cast(column, pa.float64()).to_numpy()
    return found


def _truth_of(ids: pa.ChunkedArray, labels: Labels | None) -> tuple[Int8[np.ndarray, " n"], int]:
    if labels is None:
        return np.full(len(ids), UNKNOWN, np.int8), 0
    names = pa.array(labels.ids, ids.type)
    n_orphans = len(names) - int(pc.sum(pc.is_in(names, value_set=ids)).as_py() or 0)
    if n_orphans == len(names):
        raise MismatchError(
            f"None of the {len(names):,} labels names a row of the ranking (a label is for "
            f"{_first_of(names)}, a row is {_first_of(ids)})",
            "Give the labels the ids of the ranking",
        )
    where = pc.fill_null(pc.index_in(ids, value_set=names), len(names)).to_numpy()
    return np.append(labels.values, np.int8(UNKNOWN))[where], n_orphans


def _first_of(names: pa.Array | pa.ChunkedArray) -> str:
    return repr(names[0].as_py()) if len(names) else "missing"


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    found = {row["values"] or "": row["counts"] for row in pc.value_counts(column).to_pylist()}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _split_counts(counts: dict[str, int]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for joined, n in counts.items():
        for flag in filter(None, joined.split(",")):
            total[flag] += n
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _examples(table: Table, status: str) -> tuple[tuple[str, str], ...]:
    rows = table.select(["id", "message", "status"]).filter(pc.equal(table["status"], status))
    return tuple((row["id"] or "", row["message"] or "") for row in rows.slice(0, 3).to_pylist())
