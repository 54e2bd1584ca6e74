"""What a report counts: kinds of objects at a few thresholds, and rows a finder is not sure of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skysieve.measure.doubt_summary import DoubtSummary, Share
from skysieve.measure.intervals import wilson
from skysieve.measure.rare import Truth, Values
from skysieve.measure.sections import Cells, Grid, Section
from skysieve.measure.slices import FalsePositives, measure_false_positives

NO_KIND = "(none)"


def kinds_section(truth: Truth, p: Values, kinds: Sequence[str], column: str) -> Section:
    """Return which kinds of negatives pass, and which kinds of positives do not.

    Args:
        truth: Of the labeled rows, of both classes.
        p: Their probabilities.
        kinds: The value of the column for each; empty text where there is none.
        column: Its name.

    Raises:
        InputError: The column has too many values to be kinds of anything.
    """
    cuts = measure_false_positives(truth, p, kinds)
    names = np.array([kind or NO_KIND for kind in kinds], np.str_)[truth == 1]
    scores = p[truth == 1]
    found: list[Cells] = []
    counted: dict[str, dict[str, dict[str, float]]] = {}
    for kind in sorted(set(names.tolist())):
        of_kind = scores[names == kind]
        n = len(of_kind)
        row = [kind, f"{n:,}"]
        for cut in cuts:
            passed = int((of_kind >= cut.threshold).sum())
            low, high = wilson(passed, n)
            row.append(f"{passed / n:.3g} ({low:.3g}–{high:.3g})")
            counted.setdefault(kind, {})[cut.cut] = {
                "n": n, "found": passed, "value": passed / n, "low": low, "high": high,
            }  # fmt: skip
        found.append(row)
    titles = [_cut(cut) for cut in cuts]
    return Section(
        key="kinds",
        title=f"By {column}",
        note=f"Which of the negatives pass, by the column {column} of the labels, and how many of "
        "the positives of each kind are found at the same thresholds. Wilson's intervals at 95 %.",
        grids=(
            *(_false(cut) for cut in cuts),
            Grid(title="Completeness", head=("kind", "positives", *titles), rows=found),
        ),
        numbers={
            "column": column,
            "false_positives": [cut.as_json() for cut in cuts],
            "completeness": counted,
        },
    )


def doubt_section(found: DoubtSummary) -> Section:
    """Return how often the finder was not sure.

    Args:
        found: What the ranking says of it.
    """
    named = {
        "several classes are possible": found.ambiguous,
        "no class is (unlike either)": found.empty,
        "unusual: stranger than the objects it knows": found.unusual,
        "any of these": found.abstained,
        f"any of these, in the best {found.head:,}": found.head_abstained,
    }
    rows = [[name, *_share(share)] for name, share in named.items() if share is not None]
    return Section(
        key="doubt",
        title="Where the finder is not sure",
        note="Rows whose set of classes is not a single one at the confidence that was asked for, "
        "and rows that look unlike what the finder was calibrated on. They keep their score and "
        "place; look at them with care, or leave them to a person.",
        grids=(Grid(head=("what", "rows", "share of the scored rows"), rows=rows),),
        numbers=found.as_json(),
    )


def _false(cut: FalsePositives) -> Grid:
    rows: list[Cells] = []
    for each in cut.kinds:
        share = "–" if each.share is None else f"{each.share:.3g}"
        rate = f"{each.rate:.3g} ({each.rate_low:.3g}–{each.rate_high:.3g})"
        rows.append([each.kind, f"{each.n:,}", f"{each.passed:,}", rate, share])
    return Grid(
        title=f"{cut.passed:,} of {cut.n_negative:,} negatives pass {_cut(cut)}",
        head=("kind", "negatives", "pass", "share of the kind", "share of all that pass"),
        rows=rows,
    )


def _cut(cut: FalsePositives) -> str:
    kind, _, value = cut.cut.partition("_")
    told = {"p": "p ≥ {}", "fpr": "FPR {}", "best": "the best {}"}[kind].format(value)
    return told if kind == "p" else f"{told} (p ≥ {cut.threshold:.3g})"


def _share(share: Share) -> Cells:
    if share.value is None:
        return [f"{share.n:,} of {share.of:,}", "–"]
    return [f"{share.n:,} of {share.of:,}", f"{share.value:.3g} ({share.low:.3g}–{share.high:.3g})"]
