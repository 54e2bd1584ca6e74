"""What the edge shows: tables, JSON, a summary, and a bar while something runs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from skysieve.core.watch import Progress as Step
from skysieve.core.watch import Watch, ignore

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]

AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
UNBOUNDED = 100_000
"""Columns of a table that goes to a file or a program: nothing is cut off."""


def print_json(value: object) -> None:
    """Print a value as JSON; a number that is none becomes null."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table whose columns are those of the first row; numbers to the right."""
    if not rows:
        print(f"{title}: none")
        return
    console = Console(width=None if sys.stdout.isatty() else UNBOUNDED)
    table = Table(title=Text(_printable(title)), box=box.SIMPLE_HEAD, title_justify="left")
    for name, value in rows[0].items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_written(value)) for value in row.values()))
    console.print(table)


@contextmanager
def bar() -> Generator[Watch]:
    """Give a watch that draws a bar with rate and time left, if stderr is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield ignore
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as drawn:
        yield _watch(drawn)


@contextmanager
def resumable_bar() -> Generator[Watch]:
    """Give such a watch to work that the same command goes on with when it was stopped.

    Raises:
        typer.Exit: The work was interrupted.
    """
    try:
        with bar() as watch:
            yield watch
    except KeyboardInterrupt:
        print("skysieve: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None


def _watch(drawn: Progress) -> Watch:
    tasks: dict[str, Any] = {}

    def watch(step: Step) -> None:
        if step.stage not in tasks:
            tasks[step.stage] = drawn.add_task(step.stage, total=step.total, note="")
        drawn.update(tasks[step.stage], completed=step.done, total=step.total, note=step.note)

    return watch


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Return the rate of the last while, or of all if it is done."""
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:,.0f}/s", style="dim")


def _written(value: Cell) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return "-" if math.isnan(value) else f"{value:.6g}"
        case int():
            return str(value)
        case str():
            return _printable(value)


def _printable(text: str) -> str:
    """Return the text without what could command a terminal; a file may have any name."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _plain(value: Any) -> Any:
    """Return the value with what JSON cannot hold replaced."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case Mapping():
            return {str(name): _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case None | bool() | int():
            return value
        case _:
            return str(value)
