"""The main job on the sample survey of the package."""

from __future__ import annotations

from pathlib import Path

from skysieve.core.errors import MissingError
from skysieve.core.watch import Watch, ignore
from skysieve.pipeline.finding import find
from skysieve.pipeline.reporting import report
from skysieve.search.run import RunSummary

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
DEMO_FINDER = "lens-gri"


def demo(out: str | Path, *, watch: Watch = ignore) -> RunSummary:
    """Do the main job on the sample survey of the package; its labels go into the report.

    Raises:
        MissingError: The package came without its sample or its finder.
    """
    labels = SAMPLE / "labels.csv"
    if not labels.is_file():
        raise MissingError(f"{SAMPLE} holds no sample survey", "Install skysieve again")
    summary = find([SAMPLE], DEMO_FINDER, out, watch=watch)
    report(out, labels, watch=watch)
    return summary
