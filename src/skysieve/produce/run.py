"""Making a planned set: every part that is missing, then its tables. Going on is the same call."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

from skysieve.core.files import remove_leftovers, write_text
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.produce.layouts import write_part
from skysieve.produce.parts import (
    Make,
    is_done,
    make_parts,
    merge_tables,
    write_table,
)
from skysieve.produce.plan import Part, SetPlan, SetSummary, open_set, read_set_plan
from skysieve.produce.rows import make_rows, to_table
from skysieve.simulate.scenario import Scenario, open_scenario

SCENES, LABELS, SUCCESS = "scenes.parquet", "labels.csv", "_SUCCESS"
_LABEL_COLUMNS = ("id", "label", "class", "kind", "split")


def produce(folder: Path, plan: SetPlan, *, workers: int = 1, watch: Watch = ignore) -> SetSummary:
    """Make what is missing of a set.

    Args:
        folder: New, empty, or with this very set in the making.
        plan: What to make.
        workers: Processes; the images are the same.
        watch: Called after each part.

    Raises:
        MismatchError: The folder holds a set of another plan.
        InputError: It holds something else, or a part was damaged.
        RecipeError: The plan asks for lenses that there are not.
        SkysieveError: A worker process died.
    """
    open_set(folder, plan)
    remove_leftovers(folder)
    (folder / "parts").mkdir(exist_ok=True)
    missing = [
        part
        for part in plan.parts
        if not is_done(_table(folder, part), plan.run_id, part.stop - part.start)
    ]
    if not missing and (folder / SUCCESS).is_file():
        return SetSummary.model_validate_json((folder / SUCCESS).read_bytes())
    (folder / SUCCESS).unlink(missing_ok=True)
    done = plan.n_rows - sum(part.stop - part.start for part in missing)
    watch(Progress("simulating", done, plan.n_rows))
    for part in make_parts(folder, missing, _opened, workers):
        done += part.stop - part.start
        watch(Progress("simulating", done, plan.n_rows))
    watch(Progress("tables", 0, None))
    summary = _merge(folder, plan)
    write_text(folder / SUCCESS, summary.model_dump_json(indent=1) + "\n")
    return summary


def _opened(folder: Path) -> Make:
    plan = read_set_plan(folder)
    return partial(_make_part, folder, plan, open_scenario(plan.scenario, plan.seed))


def _make_part(folder: Path, plan: SetPlan, scenario: Scenario, part: Part) -> None:
    """Write the images of a part, and its table last: where that is, the part is whole."""
    rows = make_rows(plan, scenario, part)
    write_part(folder, rows)
    write_table(_table(folder, part), to_table(rows, scenario.facts))


def _table(folder: Path, part: Part) -> Path:
    return folder / "parts" / f"{part.name}.parquet"


def _merge(folder: Path, plan: SetPlan) -> SetSummary:
    """Write one table of all scenes and one of their labels, a part at a time.

    Raises:
        InputError: A part was damaged.
    """
    by_split: dict[str, Counter[str]] = {split: Counter() for split in plan.scenario.splits}
    by_kind: Counter[str] = Counter()
    paths = [_table(folder, part) for part in plan.parts]
    tables = merge_tables(paths, folder / SCENES, folder / LABELS, _LABEL_COLUMNS)
    for part, table in zip(plan.parts, tables, strict=True):
        by_split[part.split].update(table["class"].to_pylist())
        by_kind.update(table["kind"].to_pylist())
    return SetSummary(
        run_id=plan.run_id,
        scenario=f"{plan.scenario.name} {plan.scenario.version}",
        n_rows=plan.n_rows,
        by_split={split: dict(sorted(counts.items())) for split, counts in by_split.items()},
        by_kind=dict(sorted(by_kind.items())),
    )
