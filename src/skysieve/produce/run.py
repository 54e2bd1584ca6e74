"""Making a planned set: every part that is missing, then its tables. Going on is the same call."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from skysieve.core.errors import InputError, SkysieveError
from skysieve.core.files import remove_leftovers, whole_file, write_text
from skysieve.core.processes import share_parts
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.produce.layouts import write_part
from skysieve.produce.plan import Part, SetPlan, SetSummary, open_set, read_set_plan
from skysieve.produce.rows import RUN_ID, make_rows, to_table
from skysieve.simulate.scenario import Scenario, open_scenario

SCENES, LABELS, SUCCESS = "scenes.parquet", "labels.csv", "_SUCCESS"
_LABEL_COLUMNS = ["id", "label", "class", "kind", "split"]


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
    missing = [part for part in plan.parts if not _is_done(_table(folder, part), plan, part)]
    if not missing and (folder / SUCCESS).is_file():
        return SetSummary.model_validate_json((folder / SUCCESS).read_bytes())
    (folder / SUCCESS).unlink(missing_ok=True)
    done = plan.n_rows - sum(part.stop - part.start for part in missing)
    watch(Progress("simulating", done, plan.n_rows))
    parts = (
        _in_processes(folder, missing, workers) if workers > 1 else _alone(folder, plan, missing)
    )
    for part in parts:
        done += part.stop - part.start
        watch(Progress("simulating", done, plan.n_rows))
    watch(Progress("tables", 0, None))
    summary = _merge(folder, plan)
    write_text(folder / SUCCESS, summary.model_dump_json(indent=1) + "\n")
    return summary


def _alone(folder: Path, plan: SetPlan, parts: list[Part]) -> Iterator[Part]:
    scenario = open_scenario(plan.scenario, plan.seed)
    for part in parts:
        _make_part(folder, plan, scenario, part)
        yield part


def _make_part(folder: Path, plan: SetPlan, scenario: Scenario, part: Part) -> None:
    """Write the images of a part, and its table last: where that is, the part is whole."""
    rows = make_rows(plan, scenario, part)
    write_part(folder, rows)
    with whole_file(_table(folder, part)) as temporary:
        pq.write_table(
            to_table(rows, scenario.facts),
            temporary,
            compression="zstd",
            write_page_checksum=True,
        )


def _table(folder: Path, part: Part) -> Path:
    return folder / "parts" / f"{part.name}.parquet"


def _is_done(path: Path, plan: SetPlan, part: Part) -> bool:
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowException):  # absent or torn
        return False
    found = (footer.metadata or {}).get(RUN_ID)
    return found == plan.run_id.encode() and footer.num_rows == part.stop - part.start


def _merge(folder: Path, plan: SetPlan) -> SetSummary:
    """Write one table of all scenes and one of their labels, a part at a time.

    Raises:
        InputError: A part was damaged.
    """
    by_split: dict[str, Counter[str]] = {split: Counter() for split in plan.scenario.splits}
    by_kind: Counter[str] = Counter()
    scenes, labels = folder / SCENES, folder / LABELS
    with whole_file(scenes) as table_file, whole_file(labels) as text_file:
        writer: pq.ParquetWriter | None = None
        with text_file.open("w", encoding="utf-8", newline="") as text:
            lines = csv.writer(text, lineterminator="\n")
            lines.writerow(_LABEL_COLUMNS)
            for part in plan.parts:
                table = _read_part(_table(folder, part))
                writer = writer or pq.ParquetWriter(
                    table_file, table.schema, compression="zstd", write_page_checksum=True
                )
                writer.write_table(table)
                columns = [table[name].to_pylist() for name in _LABEL_COLUMNS]
                lines.writerows(zip(*columns, strict=True))
                by_split[part.split].update(columns[2])
                by_kind.update(columns[3])
        if writer:
            writer.close()
    return SetSummary(
        run_id=plan.run_id,
        scenario=f"{plan.scenario.name} {plan.scenario.version}",
        n_rows=plan.n_rows,
        by_split={split: dict(sorted(counts.items())) for split, counts in by_split.items()},
        by_kind=dict(sorted(by_kind.items())),
    )


def _read_part(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, page_checksum_verification=True, memory_map=False)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path} is damaged", "Remove it and repeat the command: the part is made again"
        ) from error


# ------------------------------------------------------------------------------------ processes


def _in_processes(folder: Path, parts: list[Part], workers: int) -> Iterator[Part]:
    """Share the parts among processes; which of them makes a part does not change its bytes."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    return share_parts(_work, parts, workers, _start_worker, folder, threads)


_worker: tuple[Path, SetPlan, Scenario] | None = None


def _start_worker(folder: Path, threads: int) -> None:
    global _worker  # noqa: PLW0603  # a process of a pool keeps its renderer from part to part
    torch.set_num_threads(threads)
    plan = read_set_plan(folder)
    _worker = folder, plan, open_scenario(plan.scenario, plan.seed)


def _work(part: Part) -> Part:
    if _worker is None:
        raise SkysieveError("A worker was not started")
    _make_part(*_worker, part)
    return part
