"""The verbs of the command line, composed from the parts below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from jaxtyping import Float32, UInt8

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.survey import PixelKind
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.bundle import list_finders, load
from skysieve.finder.card import FinderCard
from skysieve.finder.cascade import Finder
from skysieve.images import (
    Listing,
    ReadOptions,
    Source,
    could_have,
    describe_bands,
    read_span,
    scan,
)
from skysieve.images.browsing import class_folders, split_folders
from skysieve.measure.composing import compose_exploration
from skysieve.measure.exploration import ExploreSettings
from skysieve.measure.explore_page import JSON, write_exploration
from skysieve.measure.labels import read_label_table, read_labels
from skysieve.measure.pictures import color_picture
from skysieve.measure.report import ReportInput, write_report
from skysieve.measure.tally import Tally
from skysieve.produce.plan import SetPlan, SetSummary, plan_set
from skysieve.search.explore import Names, look_at, picture_twins
from skysieve.search.merge import RANKING
from skysieve.search.plan import Plan, make_plan, open_run, read_plan
from skysieve.search.run import RunSummary, read_summary, search

__all__ = [
    "ExploreLabels",
    "ReportPaths",
    "RunSummary",
    "SetPlan",
    "SetSummary",
    "demo",
    "explore",
    "find",
    "plan_set",
    "rank",
    "report",
    "simulate",
]

Picture = UInt8[np.ndarray, "_ _ 3"]

_compute: Any = pyarrow.compute  # its functions are made when it is imported; no checker sees them

SAMPLE = Path(__file__).resolve().parent / "sample"
DEMO_FINDER = "lens-gri"
GALLERY = 60
EXPLORED = (5000, 48)
"""Rows of each class that an exploration measures, and shows."""
_REPORT = "report.html"


class ReportPaths(NamedTuple):
    """Where a report lies.

    Args:
        html: The page.
        json: Its numbers.
    """

    html: Path
    json: Path


class ExploreLabels(NamedTuple):
    """Which labels an exploration goes by.

    Args:
        file: A table with the columns id and label.
        where: Conditions such as ``source=spacewarps`` on which of its rows count.
        group: A column of it whose rows of one value are never split by a linear probe.
    """

    file: str | Path
    where: Sequence[str] = ()
    group: str | None = None


def find(
    inputs: Sequence[str | Path],
    finder: str | Path | Finder,
    out: str | Path,
    *,
    options: ReadOptions = ReadOptions(),  # noqa: B008  it is frozen
    prior: float | None = None,
    workers: int = 1,
    watch: Watch = ignore,
) -> RunSummary:
    """Rank images: every row of the input has one row in the ranking.

    A run that was stopped goes on when it is called again in the same way, and ends with the
    same bytes as one that was not.

    Args:
        inputs: Folders, globs or files.
        finder: A shipped finder's name, the folder of a bundle, or one that is loaded.
        out: The run's folder: new, empty, or that of the same run.
        options: What the images do not say themselves.
        prior: The fraction of lenses that is expected, in (0, 1); adds ``p_survey``.
        workers: Processes; 1 uses threads.
        watch: Called with the progress.

    Raises:
        InputError: The folder holds something else, or an option cannot be.
        MismatchError: The folder holds another run, or no image can have the finder's bands.
        MissingError: There is no such finder or input, or no image.
    """
    run = Path(out).absolute()
    loaded = finder if isinstance(finder, Finder) else load(finder)
    listing = scan(inputs, options, watch=watch)
    _check_bands(listing, loaded.card)
    plan = make_plan(listing, loaded, prior)
    open_run(run, plan)
    summary = search(run, plan, loaded, workers=workers, watch=watch)
    if not (run / _REPORT).exists():  # one that was made with labels stays
        report(run, watch=watch)
    return summary


def rank(run: str | Path, n: int = 20, for_class: str | None = None) -> pa.Table:
    """Return the head of a ranking, best first.

    Args:
        run: A finished run.
        n: How many rows.
        for_class: Rank by the probability of this class; None for the positive one.

    Raises:
        InputError: The run is not finished.
        MismatchError: The finder has no such class.
    """
    run = Path(run)
    plan = read_plan(run)
    read_summary(run)
    if for_class is None or for_class == plan.card.positive:
        return _read_head(run, n)
    if for_class not in plan.card.classes:
        raise MismatchError(
            f"{plan.finder} has no class {for_class!r}",
            f"Its classes are {', '.join(plan.card.classes)}",
        )
    table = _read_ranking(run)
    keys = [(f"p_{for_class}", "descending"), ("id", "ascending")]
    order = _compute.sort_indices(table, sort_keys=keys)
    table = table.take(order[:n])
    scored = _compute.is_valid(table["p"])
    ranks = _compute.if_else(scored, pa.array(range(1, table.num_rows + 1)), None)
    return table.set_column(0, "rank", ranks)


def report(
    run: str | Path,
    labels: str | Path | None = None,
    where: str | Iterable[str] | None = None,
    *,
    watch: Watch = ignore,
) -> ReportPaths:
    """Write ``report.html`` and ``report.json`` into a run's folder.

    Args:
        run: A finished run.
        labels: A table with the columns id and label; adds measures with their intervals.
        where: Conditions such as ``source=spacewarps`` on which rows of the labels count.
        watch: Called with the progress.

    Raises:
        InputError: The run is not finished, or the labels are not usable.
        MissingError: There is no run or no labels file.
    """
    run = Path(run).absolute()
    plan, summary = read_plan(run), read_summary(run)
    conditions = [where] if isinstance(where, str) else list(where or ())
    known = None if labels is None else read_labels(labels, conditions)
    ranking = _read_ranking(run)
    given = ReportInput(
        ranking=ranking,
        finder=_describe(plan),
        seconds=summary.seconds,
        cutouts_per_s=summary.cutouts_per_s,
        ignored=plan.listing.ignored,
        pictures=_gallery(plan, ranking.slice(0, GALLERY).to_pylist(), watch),
        labels=known,
        labels_name="" if labels is None else ", ".join([Path(labels).name, *conditions]),
        prior=plan.prior,
        run_name=run.name,
    )
    watch(Progress("report", 0, None))
    return ReportPaths(*write_report(run, given))


def explore(
    inputs: Sequence[str | Path],
    out: str | Path,
    labels: ExploreLabels | None = None,
    *,
    options: ReadOptions = ReadOptions(),  # noqa: B008  it is frozen
    sample: tuple[int, int] = EXPLORED,
    seed: int = 0,
    watch: Watch = ignore,
) -> ReportPaths:
    """Show what a data set holds: ``explore.html``, ``explore.json``, a contact sheet per class.

    Args:
        inputs: Folders, globs or files.
        out: The folder to write: new, empty, or that of an earlier exploration.
        labels: What says the classes; None if the folders' names do.
        options: What the images do not say themselves.
        sample: How many rows of each class are measured, and how many are shown.
        seed: Decides which, and the intervals.
        watch: Called with the progress.

    Raises:
        InputError: The folder holds something else, or the labels are not usable.
        MismatchError: No label names a cutout.
        MissingError: There is no such input, no image, or no labels file.
    """
    folder = Path(out).absolute()
    _refuse_other(folder)
    listing = scan(inputs, options, watch=watch)
    by_id, groups, told = _explore_labels(labels)
    by_folder = {} if labels else class_folders(listing)
    names = Names(by_id=by_id, by_folder=by_folder, splits=split_folders(listing))
    tally = Tally(rows=sample[0], pictures=sample[1])
    n_named = look_at(listing, names, tally, seed=seed, watch=watch)
    if by_id and not n_named:
        raise MismatchError(
            f"None of the {len(by_id):,} labels names a cutout (a label is for "
            f"{next(iter(by_id))!r}, the first cutout is in {listing.sources[0].id!r})",
            "Give the labels the ids of the cutouts",
        )
    settings = ExploreSettings(
        data=", ".join(Path(given).name or str(given) for given in inputs),
        rows=sample[0],
        seed=seed,
        labels=told or ("the names of folders" if by_folder else ""),
        n_labels=None if by_id is None else len(by_id),
        n_orphans=0 if by_id is None else len(by_id) - n_named,
        ignored=listing.ignored,
    )
    watch(Progress("measuring", 0, None))
    found = picture_twins(compose_exploration(tally, settings, groups), listing)
    folder.mkdir(parents=True, exist_ok=True)
    return ReportPaths(*write_exploration(folder, found))


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


def _refuse_other(folder: Path) -> None:
    """Refuse a folder that holds something but no exploration, before anything is read."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", "Choose another place with --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / JSON).is_file():
        raise InputError(
            f"{folder} is not empty and holds no exploration",
            "Choose a new or empty folder with --out",
        )


def _explore_labels(
    labels: ExploreLabels | None,
) -> tuple[dict[str, str] | None, dict[str, str] | None, str]:
    """Return the class and the group of each id, and where they come from in words."""
    if labels is None:
        return None, None, ""
    table = read_label_table(labels.file)
    for condition in labels.where:
        table = table.where(condition)
    groups = table.column(labels.group) if labels.group else None
    return table.classes, groups, ", ".join([Path(labels.file).name, *labels.where])


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


def _read_ranking(run: Path) -> pa.Table:
    return pq.read_table(run / RANKING, page_checksum_verification=True)


def _read_head(run: Path, n: int) -> pa.Table:
    with pq.ParquetFile(run / RANKING, page_checksum_verification=True) as file:
        table = file.schema_arrow.empty_table()
        for group in range(file.num_row_groups):
            if table.num_rows >= n:
                break
            table = pa.concat_tables([table, file.read_row_group(group)])
    return table.slice(0, n)


def _check_bands(listing: Listing, card: FinderCard) -> None:
    """Refuse before anything is written if no image can have the bands of the finder."""
    if could_have(listing, card.input.bands):
        return
    fitting = [one.name for one in list_finders() if could_have(listing, one.input.bands)]
    raise MismatchError(
        f"{card.name} needs the bands {', '.join(card.input.bands)}; the images have "
        f"{describe_bands(listing)}",
        f"Use --finder {' or '.join(fitting)}"
        if fitting
        else "Name the planes with --bands if that is wrong; no shipped finder fits these bands: "
        "train one",
    )


def _describe(plan: Plan) -> dict[str, Any]:
    card = plan.card
    return {
        "name": card.name,
        "version": card.version,
        "task": card.task,
        "classes": list(card.classes),
        "positive": card.positive,
        "bands": list(card.input.bands),
        "stages": len(card.stages),
        "sha256": plan.finder_sha256,
        "runtime": plan.runtime,
        "license": card.license,
    }


def _gallery(
    plan: Plan, rows: list[dict[str, Any]], watch: Watch
) -> list[tuple[dict[str, Any], Picture | None]]:
    """Read the head of the ranking again and draw it; None where there is nothing to draw."""
    begins = {
        source.name: (int(end) - source.rows, source)
        for source, end in zip(plan.listing.sources, plan.listing.ends, strict=True)
    }
    pictures: list[tuple[dict[str, Any], Picture | None]] = []
    for k, row in enumerate(rows):
        begin, source = begins[row["source"]]
        number = begin + row["row"]
        groups = read_span(plan.listing, number, number + 1, plan.card.input).groups
        picture = _draw(groups[0].pixels[0], source, plan) if groups else None
        pictures.append((row, picture))
        watch(Progress("pictures", k + 1, len(rows)))
    return pictures


def _draw(pixels: Float32[np.ndarray, "band y x"], source: Source, plan: Plan) -> Picture:
    return color_picture(pixels, _kind(pixels, source, plan), plan.card.input.bands)


def _kind(pixels: Float32[np.ndarray, "band y x"], source: Source, plan: Plan) -> PixelKind:
    if plan.listing.options.kind:
        return plan.listing.options.kind
    if plan.card.input.kind != "either":
        return plan.card.input.kind
    valid = pixels[np.isfinite(pixels)]
    in_8_bit = valid.size > 0 and valid.min() >= 0 and 1 < valid.max() <= 255
    whole = bool((valid == np.round(valid)).all())
    return "display" if in_8_bit and (whole or source.reader == "raster") else "flux"
