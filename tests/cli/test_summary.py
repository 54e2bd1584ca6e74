"""The last lines of ``skysieve find`` say which share of lenses the scores told, or why none."""

from __future__ import annotations

from pathlib import Path

import pytest

from skysieve.cli.summary import show_summary
from skysieve.search.prior import SurveyRate
from skysieve.search.run import RunSummary


@pytest.mark.parametrize(
    ("rate", "line"),
    [
        (
            SurveyRate(value=0.0012, low=0.001, high=0.0015, n=100),
            "share    of lenses 0.0012, 95 % interval 0.001 to 0.0015, as the scores tell it",
        ),
        (
            SurveyRate(value=None, low=None, high=None, n=0, why="no row has a score"),
            "share    of lenses not known: no row has a score; p_survey is empty, give --prior",
        ),
        (None, ""),
    ],
)
def test_the_share_is_told(rate, line, capsys):
    summary = RunSummary(
        run_id="0", finder="tiny 1", n_rows=0, by_status={}, n_scored_now=0, seconds=0, rate=rate
    )
    show_summary(Path("run"), summary)
    out = capsys.readouterr().out
    assert line in out
    assert ("share" in out) == bool(line)
