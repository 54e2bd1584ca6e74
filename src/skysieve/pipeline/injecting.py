"""Simulated arcs painted into real images: the second verb that reaches torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skysieve.core.watch import Watch, ignore
from skysieve.images import ReadOptions, scan
from skysieve.produce.inject_plan import InjectSummary, plan_injection
from skysieve.recipe.injection import InjectionPlan


def inject(
    inputs: Sequence[str | Path],
    out: str | Path,
    plan: InjectionPlan,
    *,
    options: ReadOptions = ReadOptions(),  # noqa: B008  it is frozen
    seed: int = 1,
    workers: int = 1,
    watch: Watch = ignore,
) -> InjectSummary:
    """Paint simulated arcs into real images, and keep each untouched as its control.

    A set that was stopped goes on when it is called again in the same way, and ends with the same
    bytes as one that was not. A row that cannot be painted gets a status.

    Args:
        inputs: Folders, globs or files.
        out: The set's folder: new, empty, or that of the same set.
        plan: What is painted, and as what camera sees it.
        options: What the images do not say themselves.
        seed: Decides every arc, with the name of the image.
        workers: Processes; the images are the same.
        watch: Called with the progress.

    Raises:
        MismatchError: No image has the bands, all are pictures for the eye, or the folder holds
            another set.
        MissingError: There is no such input, or nobody says what magnitude a count is.
        InputError: The folder holds something else.
    """
    listing = scan(inputs, options, watch=watch)
    made = plan_injection(listing, plan, seed=seed)
    from skysieve.produce.inject import inject as paint  # noqa: PLC0415  # a door to torch

    return paint(Path(out).absolute(), made, workers=workers, watch=watch)
