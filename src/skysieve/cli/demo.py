"""``skysieve demo``: the main job on the sample survey that comes with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from skysieve.cli.rank import brief
from skysieve.cli.show import bar, print_table
from skysieve.cli.summary import show_summary

SHOWN = 10


def demo(
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")] = Path(
        "demo-run"
    ),
) -> None:
    """Rank the bundled sample survey of simulated cutouts; say what was found and how fast."""
    from skysieve import pipeline

    with bar() as watch:
        summary = pipeline.demo(out, watch=watch)
    head = pipeline.rank(out, SHOWN).to_pylist()
    print_table("The best of the sample survey", brief(head))
    numbers = json.loads((out / "report.json").read_text(encoding="utf-8"))
    print("\n".join(_found(numbers)))
    show_summary(out, summary)


def _found(numbers: dict[str, Any]) -> list[str]:
    """Return what the known lenses of the sample say of the ranking, a line each."""
    labels = numbers["labels"]
    metrics = {key: each for key, each in numbers["metrics"].items() if each["value"] is not None}
    lenses, others = labels["n_positive"], labels["n_negative"]
    lines = [f"The sample hides {lenses:,} lenses among {lenses + others:,} cutouts."]
    if inspected := metrics.get("completeness_at_100"):
        lines.append(f"The best 100 hold {inspected['value']:.0%} of them {_interval(inspected)}.")
    if auc := metrics.get("roc_auc"):
        lines.append(
            f"ROC AUC {auc['value']:.3f} {_interval(auc)}. Simulated sky, not the real one."
        )
    return lines


def _interval(measured: dict[str, float]) -> str:
    return f"(95% interval {measured['low']:.3g} to {measured['high']:.3g})"
