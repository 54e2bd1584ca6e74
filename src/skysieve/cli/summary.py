"""What a finished run came to, in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from skysieve.core.scores import Status

if TYPE_CHECKING:
    from skysieve.search.prior import SurveyRate
    from skysieve.search.run import RunSummary


def show_summary(run: Path, summary: RunSummary) -> None:
    """Print how many rows were scored, how fast, why others were not, and where all that is."""
    print(
        f"{summary.n_ok:,} of {summary.n_rows:,} cutouts scored by {summary.finder}{_pace(summary)}"
    )
    for status, count in sorted(summary.by_status.items()):
        if status != Status.OK and count:
            print(f"  {count:,} {status}: {Status(status).meaning}")
    if summary.rate is not None:
        print(f"share    {_told(summary.rate)}")
    print(f"ranking  {run / 'ranking.parquet'}")
    print(f"report   {run / 'report.html'}")


def _told(rate: SurveyRate) -> str:
    """Return the share of positives that the scores tell, or why they do not."""
    ends = "" if rate.high is None else f", 95 % interval {rate.low:.3g} to {rate.high:.3g}"
    if rate.value is None:
        return f"of lenses not known: {rate.why}{ends}; p_survey is empty, give --prior"
    return f"of lenses {rate.value:.3g}{ends}, as the scores tell it"


def _pace(summary: RunSummary) -> str:
    """Return how long it took; nothing if all had been done before."""
    if not summary.n_scored_now:
        return ", as before"
    now = (
        "" if summary.n_scored_now == summary.n_rows else f", {summary.n_scored_now:,} of them now"
    )
    return f"{now} in {summary.seconds:.1f} s ({summary.cutouts_per_s:,.0f} a second)"
