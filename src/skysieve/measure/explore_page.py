"""The page of an exploration: ``explore.html``, ``explore.json`` and the contact sheets."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from markupsafe import Markup

from skysieve.core.files import whole_file, write_text
from skysieve.core.scores import Status
from skysieve.measure.cue_figures import draw_cue
from skysieve.measure.cues import FAMILIES, STATISTICS
from skysieve.measure.exploration import Exploration
from skysieve.measure.html import data_uri, render
from skysieve.measure.intervals import LEVEL
from skysieve.measure.sheets import LARGEST_SIDE, make_sheet, sheet_name
from skysieve.measure.shortcuts import ALLOWED, RESAMPLES, Separation, ShortcutCheck
from skysieve.measure.tally import MOST_DIGESTS
from skysieve.measure.twins import ALIKE

HTML, JSON = "explore.html", "explore.json"
_LAYOUTS, _SIZES = 12, 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that stands out.

    Args:
        level: ``bad`` spoils a training set, ``look`` wants a look, ``good`` was checked.
        text: What it is.
        anchor: The section that tells more.
    """

    level: Literal["bad", "look", "good"]
    text: str
    anchor: str


def write_exploration(folder: Path, found: Exploration) -> tuple[Path, Path]:
    """Write the page, its numbers and a contact sheet per class; return the first two.

    Args:
        folder: Where to write; it must exist. Sheets of an earlier exploration are removed.
        found: What to show.
    """
    for old in folder.glob("sheet-*.png"):
        old.unlink()
    for k, (name, shown) in enumerate(found.sheets.items()):
        if not shown:
            continue
        buffer = io.BytesIO()
        make_sheet([each.picture for each in shown]).save(buffer, "PNG")
        with whole_file(folder / sheet_name(k + 1, name)) as temporary:
            temporary.write_bytes(buffer.getvalue())
    write_text(folder / HTML, render_html(found))
    numbers = json.dumps(found.as_json(), indent=2, allow_nan=False)
    write_text(folder / JSON, numbers + "\n")
    return folder / HTML, folder / JSON


def render_html(found: Exploration) -> str:
    """Return the page with everything inside."""
    return render(
        "explore.html.j2",
        found=found,
        settings=found.settings,
        findings=list(tell(found)),
        families=FAMILIES,
        statistics=STATISTICS,
        figures=_figures(found),
        sheets={
            name: [(each.id, data_uri(each.picture, LARGEST_SIDE)) for each in shown]
            for name, shown in found.sheets.items()
        },
        pictures={row: data_uri(each, LARGEST_SIDE) for row, each in found.pictures.items()},
        layouts=found.layouts[:_LAYOUTS],
        n_layouts_more=len(found.layouts) - _LAYOUTS,
        n_sizes=_SIZES,
        status_meanings={status.value: status.meaning for status in Status},
        allowed=ALLOWED,
        alike=ALIKE,
        resamples=RESAMPLES,
        most_digests=MOST_DIGESTS,
        level=LEVEL,
    )


def tell(found: Exploration) -> Iterator[Finding]:
    """Give what stands out in a data set, the worst first."""
    ordered = {"bad": 0, "look": 1, "good": 2}
    yield from sorted(_findings(found), key=lambda finding: ordered[finding.level])


def _findings(found: Exploration) -> Iterator[Finding]:
    unreadable = found.n_rows - found.n_readable
    if unreadable:
        yield Finding(
            level="bad" if unreadable > 0.01 * found.n_rows else "look",
            text=f"{unreadable:,} of {found.n_rows:,} cutouts cannot be read",
            anchor="input",
        )
    yield from _twin_findings(found)
    if found.check is not None:
        yield from _check_findings(found.check)
    else:
        yield Finding(
            level="look", text=f"No shortcut check: {found.why_no_check}", anchor="shortcuts"
        )
    if found.settings.n_orphans:
        yield Finding(
            level="look",
            text=f"{_times(found.settings.n_orphans)} a label names no cutout",
            anchor="classes",
        )
    if len(found.layouts) > 1:
        yield Finding(
            level="look",
            text=f"Cutouts are kept in {len(found.layouts)} different ways (bands, type or scale)",
            anchor="input",
        )
    if constant := sum(count.n_constant for _, count in found.layouts):
        yield Finding(
            level="look",
            text=f"{_times(constant)} a cutout has a band that is constant or holds no data",
            anchor="input",
        )


def _twin_findings(found: Exploration) -> Iterator[Finding]:
    twins = found.twins
    if twins.n_across_splits:
        text = f"{_times(twins.n_across_splits)} a cutout is in two splits: the test is no test"
        yield Finding(level="bad", text=text, anchor="twins")
    if twins.n_across_classes:
        text = f"{_times(twins.n_across_classes)} the same cutout is in two classes"
        if twins.alternate:
            text += ", and no twins are of one class, as with paired controls: if these are none, "
            text += "labels are wrong"
        level = "look" if twins.alternate else "bad"
        yield Finding(level=level, text=text, anchor="twins")
    if twins.n_paired:
        text = f"Paired controls: {_times(twins.n_paired).lower()} two classes show one scene, as "
        text += "they are meant to; keep both on one side of a split"
        yield Finding(level="good", text=text, anchor="twins")
    n_near = twins.n_near - twins.n_paired
    if twins.n_identical or n_near:
        repeats = f"{twins.n_identical:,} exact repeat{'s'[: twins.n_identical != 1]}"
        text = f"{repeats} and {n_near:,} near-identical pair{'s'[: n_near != 1]}"
        yield Finding(level="look", text=text, anchor="twins")
    elif twins.n_compared:
        other = "other " if twins.n_paired else ""
        yield Finding(level="good", text=f"No {other}cutout is there twice", anchor="twins")


def _check_findings(check: ShortcutCheck) -> Iterator[Finding]:
    bad = [cue for cue in check.worst.values() if cue.verdict == "gives away"]
    for cue in bad:
        yield Finding(
            level="bad",
            text=f"{cue.family.capitalize()} alone tells {cue.positive} apart: {cue.meaning} "
            f"reaches an AUC of {_auc(cue)}",
            anchor="shortcuts",
        )
    probe = next((each for each in check.probes if each.family == "all"), None)
    if probe is not None and probe.verdict == "gives away":
        yield Finding(
            level="look" if bad else "bad",
            text=f"Cheap numbers together tell {probe.positive} apart with an AUC of {_auc(probe)}",
            anchor="shortcuts",
        )
    undecided = [cue for cue in check.worst.values() if cue.verdict == "open"]
    if undecided:
        some = ", ".join(f"{cue.family} {cue.auc.value:.2f}" for cue in undecided)
        yield Finding(
            level="look",
            text=f"Too few cutouts to rule out a shortcut (best cue of each family: {some})",
            anchor="shortcuts",
        )
    elif not bad:
        yield Finding(
            level="good",
            text=f"No single cue reaches an AUC of {ALLOWED:.2f}",
            anchor="shortcuts",
        )


def _auc(each: Separation) -> str:
    return f"{each.auc.value:.2f} ({each.auc.low:.2f} to {each.auc.high:.2f})"


def _times(n: int) -> str:
    return "Once" if n == 1 else f"{n:,} times"


def _figures(found: Exploration) -> dict[str, Markup]:
    """Return the spread of the best separating cue of each family."""
    if found.check is None:
        return {}
    column = {cue.key: k for k, cue in enumerate(found.table.cues)}
    classes = np.array(found.table_classes, np.str_)
    known = np.isin(classes, list(found.check.counts))
    figures: dict[str, Markup] = {}
    for family in FAMILIES:
        cue = found.check.worst.get(family)
        if cue is None or cue.key not in column:
            continue
        values = found.table.values[known, column[cue.key]]
        svg = draw_cue(values, classes[known], cue.positive, cue.meaning)
        figures[family] = Markup(svg)  # noqa: S704  our own
    return figures
