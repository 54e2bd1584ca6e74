"""``skysieve tune``: search for better settings of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysieve.cli.options import CLASS_TABLE, DEVICES
from skysieve.cli.show import AS_JSON, print_json, resumable_bar

if TYPE_CHECKING:
    from skysieve.train.tuned import Tuned


def tune(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="What to tune ([cyan]skysieve list recipes[/]), or a file.",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Option(metavar="DIR", help="Labeled images, as for train.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The folder to write. If it holds this very search, it goes on.",
            show_default=False,
        ),
    ],
    trials: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Trials that are to have ended, earlier ones too."),
    ] = 20,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A.B=...",
            help="Where to look: [cyan]A.B=LOW:HIGH[/], [cyan]A.B=LOW:HIGH:log[/] or "
            "[cyan]A.B=X,Y,Z[/]; may be given more than once. Without it: rate, decay and batch.",
            show_default=False,
        ),
    ] = None,
    labels: CLASS_TABLE = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=C",
            help="Change a setting of all trials; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    devices: DEVICES = 1,
    as_json: AS_JSON = False,
) -> None:
    """Search for better settings on validation rows; trials that fall behind are cut short.

    The best recipe is written to best.json, which train takes. Test rows are not looked at.
    """
    from skysieve import pipeline

    with resumable_bar() as watch:
        tuned = pipeline.tune(
            recipe, data, out,
            trials=trials, search=search or (), labels=labels,
            settings=settings or (), devices=devices, watch=watch,
        )  # fmt: skip
    if as_json:
        print_json(
            {
                "best": str(out / "best.json"),
                tuned.monitor: tuned.value,
                "settings": tuned.settings,
                "trials": tuned.trials,
                "pruned": tuned.pruned,
                "importance": tuned.importance,
            }
        )
    else:
        _show(out, tuned)


def _show(out: Path, tuned: Tuned) -> None:
    print(f"{tuned.trials} trials ended, {tuned.pruned} of them cut short")
    print(f"best validation {tuned.monitor}: {tuned.value:.4f}")
    for path, value in tuned.settings.items():
        share = f"   importance {tuned.importance[path]:.2f}" if path in tuned.importance else ""
        print(f"  {path} = {value:.4g}{share}" if isinstance(value, float) else
              f"  {path} = {value}{share}")  # fmt: skip
    print(f"trials   {out / 'trials.csv'}, {out / 'tuning.png'}")
    print(f"use it:  skysieve train {out / 'best.json'} --data DIR --out RUN")
