"""Parts of a run: Parquet files that are whole or absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.files import whole_file
from skysieve.core.scores import Status
from skysieve.finder.ahead import ahead
from skysieve.finder.card import FinderCard
from skysieve.finder.cascade import Finder, Sieved
from skysieve.finder.doubt import name_sets
from skysieve.images import Reading, read_span
from skysieve.search.plan import Plan, Prior

_RUN_ID = b"skysieve.run_id"
_WAITING = 2  # chunks that are read ahead of the scoring


def part_path(run: Path, part: int) -> Path:
    """Return where a part of a run lies."""
    return run / "parts" / f"part-{part:05}.parquet"


def missing_parts(run: Path, plan: Plan) -> list[int]:
    """Return the parts that are not there, torn, or of another run."""
    return [part for part in plan.parts if not _is_done(part_path(run, part), plan, part)]


def score_parts(plan: Plan, finder: Finder, parts: Sequence[int]) -> Iterator[tuple[int, pa.Table]]:
    """Read and score parts, reading ahead; give each with its number.

    A bad file gives rows with a status; it never stops the run.
    """
    spans = [(part, span) for part in parts for span in _chunks(plan.rows(part), finder.chunk_rows)]

    def read(item: tuple[int, range]) -> Reading:
        span = item[1]
        return read_span(plan.listing, span.start, span.stop, finder.card.input)

    readings = ahead(read, spans, threads=1, waiting=_WAITING)
    tables: list[pa.Table] = []
    for (part, span), sieved in zip(spans, finder.stream(readings), strict=True):
        tables.append(to_table(sieved, finder, plan.prior, plan.confidence))
        if span.stop == plan.rows(part).stop:
            yield part, pa.concat_tables(tables).combine_chunks()
            tables = []


def write_part(run: Path, plan: Plan, part: int, table: pa.Table) -> None:
    """Put a part in its place, with its run and row counts in the footer.

    Raises:
        InputError: It does not have the rows that the plan says: a bug in reading.
    """
    expected = len(plan.rows(part))
    if table.num_rows != expected:
        raise InputError(f"Part {part} has {table.num_rows} rows, planned were {expected}")
    n_ok = int(np.count_nonzero(table["status"].to_numpy() == Status.OK.value))
    counts = {"part": part, "n_in": expected, "n_ok": n_ok, "n_bad": expected - n_ok}
    metadata = {_RUN_ID: plan.run_id.encode()}
    metadata |= {f"skysieve.{name}".encode(): str(n).encode() for name, n in counts.items()}
    path = part_path(run, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            temporary,
            compression="zstd",
            write_page_checksum=True,
        )


def read_part(run: Path, plan: Plan, part: int) -> pa.Table:
    """Return a finished part after verifying its checksums.

    Raises:
        InputError: It is damaged.
    """
    path = part_path(run, part)
    fix = "Remove it and repeat the command: the part is made again"
    try:
        table = pq.read_table(path, page_checksum_verification=True, memory_map=False)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is damaged", fix) from error
    if table.num_rows != len(plan.rows(part)):
        raise InputError(f"{path} has {table.num_rows} rows, not {len(plan.rows(part))}", fix)
    return table.replace_schema_metadata(None)


def columns(card: FinderCard, confidence: float | None = None) -> pa.Schema:
    """Return the columns of a part, without those that only the whole ranking has.

    Those of doubt are there if the bundle can fill them for a stage, and ``conformal`` if a
    confidence was asked for.
    """
    text, number = pa.string(), pa.float64()
    fields = [("id", text), ("source", text), ("row", pa.int64()), ("ra", number), ("dec", number)]
    fields += [("p", number), ("p_survey", number)]
    fields += [(f"p_{name}", number) for name in card.classes]
    fields += [("stage", pa.int8())]
    fields += [("conformal", text)] * (confidence is not None)
    fields += [(name, number) for name in _doubts(card)]
    fields += [("status", text), ("flags", text), ("message", text)]
    return pa.schema(fields)


def to_table(
    sieved: Sieved, finder: Finder, prior: Prior | None, confidence: float | None = None
) -> pa.Table:
    """Return what the sieve said as a table; every number of an unscored row is null."""
    rows, p, card = sieved.rows, sieved.probabilities, finder.card
    survey = (
        np.full(len(rows), np.nan)
        if not isinstance(prior, float)
        else finder.p_survey(sieved, prior)
    )
    scored = (p[:, card.positive_index], survey, *p.T)
    doubts = {"spread": sieved.spread, "ood": sieved.ood}
    return pa.table(
        [
            pa.array([row.id for row in rows], pa.string()),
            pa.array([row.source for row in rows], pa.string()),
            pa.array([row.row for row in rows], pa.int64()),
            pa.array([row.ra_deg for row in rows], pa.float64(), from_pandas=True),
            pa.array([row.dec_deg for row in rows], pa.float64(), from_pandas=True),
            *(pa.array(column, pa.float64(), from_pandas=True) for column in scored),
            pa.array(sieved.stage, pa.int8()),
            *([] if confidence is None else [_sets(sieved, card, confidence)]),
            *(pa.array(doubts[name], pa.float64(), from_pandas=True) for name in _doubts(card)),
            pa.array([row.status.value for row in rows], pa.string()),
            pa.array([",".join(row.flags) for row in rows], pa.string()),
            pa.array([row.message for row in rows], pa.string()),
        ],
        schema=columns(card, confidence),
    )


def _doubts(card: FinderCard) -> list[str]:
    spread = any(stage.spread for stage in card.stages)
    ood = any(stage.strangeness is not None for stage in card.stages)
    return ["spread"] * spread + ["ood"] * ood


def _sets(sieved: Sieved, card: FinderCard, confidence: float) -> pa.Array:
    """Return the names of the classes in each row's set; null for a row without a score."""
    if card.conformal is None:
        raise MismatchError(f"{card.name} keeps no calibration rows", "Leave out --confidence")
    sets = card.conformal.sets(sieved.probabilities, confidence)
    named = name_sets(sets, card.classes, card.positive_index)
    return pa.array(named, pa.string(), mask=~np.isfinite(sieved.probabilities).all(axis=1))


def _chunks(rows: range, step: int) -> Iterator[range]:
    for start in range(rows.start, rows.stop, step):
        yield range(start, min(start + step, rows.stop))


def _is_done(path: Path, plan: Plan, part: int) -> bool:
    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowException):  # absent, torn, or no Parquet at all
        return False
    found = (footer.metadata or {}).get(_RUN_ID)
    return found == plan.run_id.encode() and footer.num_rows == len(plan.rows(part))
