"""``skysieve train``: make a finder from a recipe."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysieve.cli.options import CLASS_TABLE, DEVICES
from skysieve.cli.show import AS_JSON, print_json, resumable_bar

if TYPE_CHECKING:
    from skysieve.pipeline.training import Trained


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="What to make ([cyan]skysieve list recipes[/]), or a TOML file.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="RUN",
            help="The folder to write. If it holds this very training half done, it goes on.",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Labeled images: folders such as [cyan]train_lenses[/] or [cyan]train/sphere[/], a "
            "simulated set, or any images with [cyan]--labels[/]; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    labels: CLASS_TABLE = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FINDER",
            help="The finder that [cyan]lens-finetune[/] starts from: a name or a bundle's folder.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=C",
            help="Change a setting, such as [cyan]learn.phases.0.epochs=5[/]; may be given more "
            "than once.",
            show_default=False,
        ),
    ] = None,
    devices: DEVICES = 1,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Only go on with a training that has begun; the same command also does.",
        ),
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Make a finder from a recipe and labeled images, and score it once on its test rows.

    A fine-tuning ([cyan]lens-finetune --from lens-gri[/]) fits a finder to a few images instead, and
    cross-validates it on them.

    The run holds the splits, checkpoints, metrics, figures and the finder. The same command goes on
    after a stop.
    """
    from skysieve import pipeline

    if resume and not out.exists():
        raise typer.BadParameter(f"there is no training in {out}", param_hint="--resume")
    with resumable_bar() as watch:
        trained = pipeline.train(
            recipe, data or (), out,
            labels=labels, base=base, settings=settings or (), devices=devices, watch=watch,
        )  # fmt: skip
    if as_json:
        print_json({k: str(v) if isinstance(v, Path) else v for k, v in asdict(trained).items()})
    else:
        _show(trained)


def _show(trained: Trained) -> None:
    print(f"finder   {trained.finder}")
    if trained.metrics:
        print(f"test     {trained.n_test:,} rows, 95 % intervals")
        width = max(len(name) for name in trained.metrics)
        for name, (value, low, high) in trained.metrics.items():
            print(f"  {name:{width}}  {value:.4f} ({low:.4f} to {high:.4f})")
        print(f"figures  {trained.folder / 'figures'}")
    print(f"use it:  skysieve find IMAGES --finder {trained.finder} --out RUN")
