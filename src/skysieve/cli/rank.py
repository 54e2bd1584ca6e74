"""``skysieve rank``: the head of a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from skysieve.cli.show import AS_JSON, Row, print_json, print_table

HIDDEN = ("row", "message", "finder")
"""Columns that a person rarely wants beside the others; ``--json`` has them all."""


def rank(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
    ],
    n: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many rows.")] = 20,
    for_class: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="CLASS",
            help="Rank by this class of the finder instead of its positive one.",
            show_default=False,
        ),
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Show the best candidates of a run, the best first."""
    from skysieve import pipeline

    rows: list[Row] = pipeline.rank(run, n, for_class).to_pylist()
    if as_json:
        print_json(rows)
    else:
        chosen = None if for_class is None else f"p_{for_class}"
        print_table(f"The best of {run}", brief(rows, chosen))


def brief(rows: Sequence[Row], chosen: str | None = None) -> list[Row]:
    """Return the columns of a ranking worth a person's while: those that say something in a row.

    Args:
        rows: The rows, all with the same columns.
        chosen: The one column of another class that is kept.
    """
    names = [
        name
        for name in (rows[0] if rows else ())
        if _is_shown(name, chosen) and any(row[name] not in (None, "") for row in rows)
    ]
    return [{name: row[name] for name in names} for row in rows]


def _is_shown(name: str, chosen: str | None) -> bool:
    of_a_class = name.startswith("p_") and name not in ("p_survey", chosen)
    return name not in HIDDEN and not of_a_class
