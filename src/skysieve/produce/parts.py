"""The loop that all sets share: parts that are whole or absent, in one process or several."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from skysieve.core.errors import InputError, SkysieveError
from skysieve.core.files import whole_file
from skysieve.core.processes import share_parts

RUN_ID = b"skysieve.run_id"
P = TypeVar("P")
Make = Callable[[Any], object]
"""Makes a part and writes it."""


def make_parts(
    folder: Path, parts: Sequence[P], opened: Callable[[Path], Make], workers: int
) -> Iterator[P]:
    """Make parts, and yield each when it is on the disk.

    Args:
        folder: Of the set.
        parts: Those that are missing.
        opened: From the folder to what makes its parts; a function of a module, for processes
            call it anew.
        workers: Processes; which of them makes a part does not change its bytes.

    Raises:
        SkysieveError: A worker process died.
    """
    if workers == 1:
        make = opened(folder)
        for part in parts:
            make(part)
            yield part
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    yield from share_parts(_work, parts, workers, _start_worker, folder, opened, threads)


def write_table(path: Path, table: pa.Table) -> None:
    """Write the table of a part, with checksums: where it is, the part is whole."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def is_done(path: Path, run_id: str, rows: int | None = None) -> bool:
    """Say whether the table of a part is there, is of this run, and has so many rows."""
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowException):  # absent or torn
        return False
    found = (footer.metadata or {}).get(RUN_ID)
    return found == run_id.encode() and rows in (None, footer.num_rows)


def read_table(path: Path) -> pa.Table:
    """Return the table of a part.

    Raises:
        InputError: It was damaged.
    """
    try:
        return pq.read_table(path, page_checksum_verification=True, memory_map=False)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} is damaged", "Remove it and repeat the command: the part is made again"
        ) from error


def merge_tables(
    parts: Sequence[Path], scenes: Path, labels: Path, label_columns: tuple[str, ...]
) -> Iterator[pa.Table]:
    """Write one table of all images and one of their labels, and yield the table of each part.

    Both are there when all parts are through. An image without a label is not among the labels.

    Args:
        parts: The tables of the parts.
        scenes: The Parquet file to write.
        labels: The CSV file to write.
        label_columns: Its columns, with ``label`` among them.

    Raises:
        InputError: A part was damaged.
    """
    with whole_file(scenes) as table_file, whole_file(labels) as text_file:
        writer: pq.ParquetWriter | None = None
        with text_file.open("w", encoding="utf-8", newline="") as text:
            lines = csv.writer(text, lineterminator="\n")
            lines.writerow(label_columns)
            for path in parts:
                table = read_table(path)
                writer = writer or pq.ParquetWriter(
                    table_file, table.schema, compression="zstd", write_page_checksum=True
                )
                writer.write_table(table)
                labeled = table.filter(table["label"].is_valid())
                columns = [labeled[name].to_pylist() for name in label_columns]
                lines.writerows(zip(*columns, strict=True))
                yield table
        if writer:
            writer.close()


# ------------------------------------------------------------------------------------ processes

_make: Make | None = None


def _start_worker(folder: Path, opened: Callable[[Path], Make], threads: int) -> None:
    global _make  # noqa: PLW0603  # a process of a pool keeps its renderer from part to part
    import torch  # noqa: PLC0415  # in the process that renders

    torch.set_num_threads(threads)
    _make = opened(folder)


def _work(part: P) -> P:
    if _make is None:
        raise SkysieveError("A worker was not started")
    _make(part)
    return part
