"""From a plan to a simulated set: the one verb that reaches torch."""

from __future__ import annotations

from pathlib import Path

from skysieve.core.watch import Watch, ignore
from skysieve.produce.plan import SetPlan, SetSummary


def simulate(
    plan: SetPlan, out: str | Path, *, workers: int = 1, watch: Watch = ignore
) -> SetSummary:
    """Make a simulated set of images with all that is true of them.

    A set that was stopped goes on when it is called again in the same way, and ends with the same
    bytes as one that was not.

    Args:
        plan: What to make; ``plan_set`` makes it.
        out: The set's folder: new, empty, or that of the same set.
        workers: Processes; 1 uses threads.
        watch: Called with the progress.

    Raises:
        RecipeError: The plan asks for lenses that there are not.
        MismatchError: The folder holds another set.
        InputError: It holds something else.
    """
    from skysieve.produce.run import produce  # noqa: PLC0415  # the one door to torch

    return produce(Path(out).absolute(), plan, workers=workers, watch=watch)
