"""Running a plan: every part that is missing, then the ranking. Going on is the same call."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from skysieve.core.errors import InputError, MismatchError, SkysieveError
from skysieve.core.files import remove_leftovers, write_text
from skysieve.core.processes import share_parts
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.bundle import load
from skysieve.finder.cascade import Finder
from skysieve.finder.runtime import Precision, cpu_threads
from skysieve.search.merge import is_merged, merge
from skysieve.search.parts import missing_parts, score_parts, write_part
from skysieve.search.plan import Plan, read_plan
from skysieve.search.prior import SurveyRate

SUCCESS = "_SUCCESS"


class RunSummary(BaseModel):
    """What a finished run came to.

    Args:
        run_id: Of its plan.
        finder: Name and version.
        n_rows: Rows in, and rows out.
        by_status: How many rows have each status.
        n_scored_now: Rows that the call which finished the run had to read; fewer than all if
            it went on with a run that had been stopped.
        seconds: What that call took.
        rate: The share of positives that the scores tell, where the prior is ``auto``.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    finder: str
    n_rows: int
    by_status: dict[str, int]
    n_scored_now: int
    seconds: float
    rate: SurveyRate | None = None

    @computed_field
    @property
    def n_ok(self) -> int:
        """Rows with a score."""
        return self.by_status.get("ok", 0)

    @computed_field
    @property
    def cutouts_per_s(self) -> float:
        """Cutouts per second from the disk to the ranking, in the call that finished the run."""
        return self.n_scored_now / self.seconds if self.seconds > 0 else 0.0


def search(
    run: Path, plan: Plan, finder: Finder, *, workers: int = 1, watch: Watch = ignore
) -> RunSummary:
    """Score every part of an opened run that is not there yet, and rank.

    Args:
        run: A folder that ``open_run`` made the home of the plan.
        plan: What to do.
        finder: The one the plan names.
        workers: Processes; 1 uses threads of this one. The scores are the same.
        watch: Called after each part.

    Raises:
        MismatchError: The finder is not the one the plan names.
        SkysieveError: A worker process died, or a part on the disk is damaged.
    """
    _check_finder(plan, finder)
    begun = time.perf_counter()
    remove_leftovers(run)
    missing = missing_parts(run, plan)
    if not missing and is_merged(run, plan) and (run / SUCCESS).is_file():
        return read_summary(run)
    (run / SUCCESS).unlink(missing_ok=True)
    total = plan.listing.n_rows
    n_missing = sum(len(plan.rows(part)) for part in missing)
    done = total - n_missing
    watch(Progress("scoring", done, total))
    parts = _in_processes(run, finder, missing, workers) if workers > 1 else None
    for part in parts or _in_threads(run, plan, finder, missing):
        done += len(plan.rows(part))
        watch(Progress("scoring", done, total))
    watch(Progress("ranking", 0, None))
    merged = merge(run, plan)
    summary = RunSummary(
        run_id=plan.run_id,
        finder=plan.finder,
        n_rows=total,
        by_status=merged.by_status,
        n_scored_now=n_missing,
        seconds=time.perf_counter() - begun,
        rate=merged.rate,
    )
    write_text(run / SUCCESS, summary.model_dump_json(indent=2) + "\n")
    return summary


def read_summary(run: Path) -> RunSummary:
    """Return the summary of a finished run.

    Raises:
        InputError: The run is not finished, or its summary was altered.
    """
    try:
        return RunSummary.model_validate(json.loads((run / SUCCESS).read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(
            f"The run in {run} is not finished", "Repeat the skysieve find that began it"
        ) from error


def _check_finder(plan: Plan, finder: Finder) -> None:
    if finder.sha256 != plan.finder_sha256:
        raise MismatchError(f"The run was planned with another {plan.finder}", "Use that finder")


def _in_threads(run: Path, plan: Plan, finder: Finder, parts: list[int]) -> Iterator[int]:
    for part, table in score_parts(plan, finder, parts):
        write_part(run, plan, part, table)
        yield part


def _in_processes(run: Path, finder: Finder, parts: list[int], workers: int) -> Iterator[int]:
    """Share the parts among processes; which of them does a part does not change its bytes."""
    network = finder.networks[0]
    threads = max(1, cpu_threads() // workers)
    settings = (run, finder.folder, network.precision, threads)
    return share_parts(_work, parts, workers, _start_worker, *settings)


_worker: tuple[Path, Plan, Finder] | None = None


def _start_worker(run: Path, folder: Path, precision: Precision, threads: int) -> None:
    global _worker  # noqa: PLW0603  # a process of a pool keeps its finder from part to part
    _worker = run, read_plan(run), load(folder, precision=precision, threads=threads)


def _work(part: int) -> int:
    if _worker is None:
        raise SkysieveError("A worker was not started")
    run, plan, finder = _worker
    _check_finder(plan, finder)
    return next(_in_threads(run, plan, finder, [part]))
