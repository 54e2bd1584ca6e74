"""From finders and labeled images to one table over the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from jaxtyping import Bool, Float64, Int64

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.files import whole_file
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.images import Listing, ReadOptions, scan
from skysieve.measure.evaluation import Entrant, Rows, evaluate_entrants
from skysieve.measure.evaluation_page import JSON, write_evaluation
from skysieve.measure.predictions import Predictions
from skysieve.pipeline.asked import (
    EvaluateLabels,
    Known,
    Named,
    Split,
    hash_rows,
    match_classes,
    open_finders,
    read_known,
)
from skysieve.pipeline.choosing import Chosen, choose_rows, shorten_listing
from skysieve.pipeline.finding import check_bands
from skysieve.pipeline.reporting import ReportPaths
from skysieve.search.parts import read_part
from skysieve.search.plan import make_plan, open_run
from skysieve.search.run import search

RUNS, PREDICTIONS = "runs", "predictions.parquet"
_compute: Any = pyarrow.compute  # its functions are made when it is imported; no checker sees them


class EvaluateSettings(NamedTuple):
    """How finders are compared.

    Args:
        split: Which rows; None takes test rows where some are known as such, else all.
        against: The finder that the others are compared with; None takes the first.
        resamples: Of the bootstrap.
        seed: Of it.
        workers: Processes that score.
    """

    split: Split | None = None
    against: str | None = None
    resamples: int = 1000
    seed: int = 0
    workers: int = 1


def evaluate(
    finders: Sequence[str | Path],
    data: Sequence[str | Path],
    out: str | Path,
    labels: EvaluateLabels = EvaluateLabels(),  # noqa: B008  it is frozen
    *,
    settings: EvaluateSettings = EvaluateSettings(),  # noqa: B008  it is frozen
    options: ReadOptions = ReadOptions(),  # noqa: B008  it is frozen
    watch: Watch = ignore,
) -> ReportPaths:
    """Compare finders on the same labeled rows: ``evaluation.html``, ``evaluation.json``, figures.

    Each finder runs as ``find`` does, below ``runs/`` of the folder, where a stopped evaluation
    goes on; what is measured is what ``find`` would give.

    Args:
        finders: Shipped names, bundle folders, or folders of training runs.
        data: Folders, globs or files of labeled images.
        out: The folder to write: new, empty, or that of an earlier evaluation.
        labels: What says the classes.
        settings: Which rows, against which finder, how intervals are made.
        options: What the images do not say themselves.
        watch: Called with the progress.

    Raises:
        InputError: The folder holds something else, or the labels are not usable.
        MismatchError: Classes differ, no label names a row, or a finder can score none of them.
        MissingError: There is no such finder, input or labels file.
    """
    folder = Path(out).absolute()
    _refuse_other(folder)
    named = open_finders(finders)
    against = _reference(named, settings.against)
    listing = scan(data, options, watch=watch)
    for each in named:
        check_bands(listing, each.finder.card)
    classes = against.finder.card.classes
    known = read_known(listing, data, labels, classes)
    numbers = match_classes(known.names, classes)
    whole = listing.n_rows
    listing, chosen = shorten_listing(listing, known, named, settings.split)
    folder.mkdir(parents=True, exist_ok=True)
    tables = [score_rows(folder, each, listing, settings.workers, watch) for each in named]
    ids, sources = (tables[0][name].to_pylist() for name in ("id", "source"))
    _check_ids(ids, sources, known)
    chosen = chosen or choose_rows(ids, sources, known, named, settings.split)
    truth = np.array(
        [numbers.get(known.class_of(i, s), -1) for i, s in zip(ids, sources, strict=True)], np.int64
    )
    scored = [
        _compute.equal(table["status"], "ok").to_numpy(zero_copy_only=False) for table in tables
    ]
    common = np.flatnonzero(chosen.rows & np.logical_and.reduce(scored))
    _check_common(common, chosen, named, scored, truth, classes)
    common_ids = [ids[k] for k in common]
    groups = _groups(known, common_ids)
    entrants = [
        Entrant(
            name=each.name,
            finder=f"{each.finder.card.name} {each.finder.card.version}",
            sha256=each.finder.sha256,
            predictions=Predictions(
                truth=truth[common],
                probabilities=_probabilities(table, classes)[common],
                classes=classes,
                positive=against.finder.card.positive,
                groups=groups,
            ),
            n_unscored=int((chosen.rows & ~fine).sum()),
            n_learned=sum(map(each.learned_from, common_ids)),
        )
        for each, table, fine in zip(named, tables, scored, strict=True)
    ]
    for each, table in zip(named, tables, strict=True):
        _write_predictions(folder, each, table, chosen.rows, known, numbers, classes)
    rows = Rows(
        data=", ".join(Path(given).name or str(given) for given in data),
        labels=known.told,
        read=whole,
        labeled=chosen.labeled,
        asked=int(chosen.rows.sum()),
        compared=len(common),
        split=chosen.split,
        why=chosen.why,
        sha256=hash_rows((ids[k], classes[truth[k]]) for k in common),
        group=None if groups is None else known.group_column,
    )
    watch(Progress("measuring", 0, None))
    found = evaluate_entrants(
        rows,
        entrants,
        against=against.name,
        by=(labels.by, [known.kinds.get(i, "") for i in common_ids]) if labels.by else None,
        resamples=settings.resamples,
        seed=settings.seed,
        warnings=_warnings(entrants, rows),
    )
    return ReportPaths(*write_evaluation(folder, found))


def _reference(named: Sequence[Named], asked: str | None) -> Named:
    if asked is None:
        return named[0]
    for each in named:
        if each.name == Path(asked).name or each.finder.folder == Path(asked):
            return each
    raise InputError(
        f"No finder is called {asked!r} here", f"The names are {', '.join(e.name for e in named)}"
    )


def _refuse_other(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", "Choose another place with --out")
    mine = (folder / JSON).is_file() or (folder / RUNS).is_dir()
    if folder.is_dir() and any(folder.iterdir()) and not mine:
        raise InputError(
            f"{folder} is not empty and holds no evaluation",
            "Choose a new or empty folder with --out",
        )


def score_rows(folder: Path, each: Named, listing: Listing, workers: int, watch: Watch) -> pa.Table:
    """Run a finder, or go on with its run, and return its rows in the order of the listing."""
    plan = make_plan(listing, each.finder)
    run = folder / RUNS / plan.run_id[:16]
    run.parent.mkdir(parents=True, exist_ok=True)
    open_run(run, plan)
    search(run, plan, each.finder, workers=workers, watch=_renamed(watch, each.name))
    return pa.concat_tables([read_part(run, plan, part) for part in plan.parts])


def _renamed(watch: Watch, name: str) -> Watch:
    def told(step: Progress) -> None:
        watch(Progress(f"{step.stage} with {name}", step.done, step.total, step.note))

    return told


def _check_ids(ids: Sequence[str], sources: Sequence[str], known: Known) -> None:
    named = [i for i in ids if known.by_id and i in known.by_id]
    if known.by_id is not None and not named:
        raise MismatchError(
            f"None of the {len(known.by_id):,} labels names a cutout (a label is for "
            f"{next(iter(known.by_id), '')!r}, the first cutout is in {sources[0]!r}: {ids[0]!r})",
            "Give the labels the ids of the cutouts",
        )
    if len(set(named)) < len(named):
        seen: set[str] = set()
        twice = next(i for i in named if i in seen or seen.add(i))
        raise MismatchError(
            f"Two cutouts have the id {twice!r}, which has a label", "Give every cutout its own id"
        )


def _check_common(
    common: Int64[np.ndarray, " m"],
    chosen: Chosen,
    named: Sequence[Named],
    scored: Sequence[Bool[np.ndarray, " n"]],
    truth: Int64[np.ndarray, " n"],
    classes: tuple[str, ...],
) -> None:
    for each, fine in zip(named, scored, strict=True):
        if not (chosen.rows & fine).any():
            raise MismatchError(
                f"{each.name} can score none of the {int(chosen.rows.sum()):,} rows",
                "skysieve find says why for each of them",
            )
    absent = [name for c, name in enumerate(classes) if not (truth[common] == c).any()]
    if absent:
        raise MismatchError(
            f"Among the {len(common):,} rows that all finders can score none is {', '.join(absent)}",
            "Give rows of every class, or choose another --split",
        )


def _probabilities(table: pa.Table, classes: Sequence[str]) -> Float64[np.ndarray, "n class"]:
    """Return the probabilities of a table in the order of these classes, whatever its own."""
    return np.stack([table[f"p_{name}"].to_numpy() for name in classes], axis=1)


def _groups(known: Known, ids: Sequence[str]) -> Int64[np.ndarray, " m"] | None:
    """Return the number of each row's group; None if no two rows share one."""
    if not known.groups:
        return None
    # A row without a group stands for itself; no id begins with this letter.
    texts = [known.groups.get(i) or f"\0{i}" for i in ids]
    numbers = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    if len(numbers) == len(texts):
        return None
    return np.array([numbers[text] for text in texts], np.int64)


def _write_predictions(
    folder: Path,
    each: Named,
    table: pa.Table,
    rows: Bool[np.ndarray, " n"],
    known: Known,
    numbers: dict[str, int],
    classes: tuple[str, ...],
) -> None:
    taken = table.filter(pa.array(rows))
    ids, sources = taken["id"].to_pylist(), taken["source"].to_pylist()
    pairs = list(zip(ids, sources, strict=True))
    columns = {
        "id": taken["id"],
        "source": taken["source"],
        "row": taken["row"],
        "label": pa.array([classes[numbers[known.class_of(i, s)]] for i, s in pairs], pa.string()),
        "split": pa.array(
            [each.splits.get(i) or known.split_of(i, s) for i, s in pairs], pa.string()
        ),
        **{f"p_{name}": taken[f"p_{name}"] for name in classes},
        "stage": taken["stage"],
        "status": taken["status"],
    }
    own = folder / each.name
    own.mkdir(exist_ok=True)
    with whole_file(own / PREDICTIONS) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def _warnings(entrants: Sequence[Entrant], rows: Rows) -> list[str]:
    found = [
        f"{each.name} learned from {each.n_learned:,} of these {rows.compared:,} rows: its numbers "
        "are too good"
        for each in entrants
        if each.n_learned
    ]
    if rows.compared < rows.asked:
        found.append(
            f"{rows.asked - rows.compared:,} of {rows.asked:,} rows could not be scored by every "
            "finder and are left out"
        )
    if rows.split == "validation":
        found.append("Validation rows chose epochs and weights: test rows say what finders reach")
    return found
