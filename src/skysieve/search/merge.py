"""From parts to one ranking, best first."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from skysieve.core.files import whole_file
from skysieve.search.parts import read_part
from skysieve.search.plan import AUTO, Plan
from skysieve.search.prior import SurveyRate, fill_survey

_compute: Any = pyarrow.compute  # its functions are made when it is imported; no checker sees them
RANKING = "ranking.parquet"
DUPLICATE = "duplicate_id"
_GROUP_ROWS = 65_536
_RUN_ID = b"skysieve.run_id"


class Merged(NamedTuple):
    """What the rows of a run came to.

    Args:
        by_status: How many have each status.
        rate: The share of positives that they tell; None where it was not asked for.
    """

    by_status: dict[str, int]
    rate: SurveyRate | None


def merge(run: Path, plan: Plan) -> Merged:
    """Write the ranking of a run whose parts are all there; return what its rows came to.

    The best come first; rows of the same probability are in the order of their ids, rows of the
    same id in the order they were read, rows without a score last. The same parts always give
    the same bytes.

    Raises:
        InputError: A part is damaged.
    """
    table = pa.concat_tables([read_part(run, plan, part) for part in plan.parts])
    table = _flag_duplicates(table)
    rate = None
    if plan.prior == AUTO:  # only all rows together tell it
        table, rate = fill_survey(table, plan.card)
    keys = [("p", "descending"), ("id", "ascending")]
    order = _compute.sort_indices(table, sort_keys=keys)  # stable; nulls last
    n_ranked = table.num_rows - table["p"].null_count
    metadata = {_RUN_ID: plan.run_id.encode(), b"skysieve.finder_sha256": plan.finder_sha256}
    with whole_file(run / RANKING) as temporary:
        writer: pq.ParquetWriter | None = None
        for start in range(0, table.num_rows, _GROUP_ROWS):
            group = table.take(order[start : start + _GROUP_ROWS])
            group = _with_rank(group, start, n_ranked, plan.finder)
            group = group.replace_schema_metadata(metadata)
            writer = writer or pq.ParquetWriter(
                temporary, group.schema, compression="zstd", write_page_checksum=True
            )
            writer.write_table(group, row_group_size=_GROUP_ROWS)
        if writer:
            writer.close()
    counts = _compute.value_counts(table["status"].combine_chunks())
    by_status = {item["values"].as_py(): item["counts"].as_py() for item in counts}
    return Merged(by_status, rate)


def is_merged(run: Path, plan: Plan) -> bool:
    """Say whether a run's ranking is there, and is of this plan."""
    try:
        footer = pq.read_metadata(run / RANKING)
    except (OSError, pa.ArrowException):
        return False
    found = (footer.metadata or {}).get(_RUN_ID)
    return found == plan.run_id.encode() and footer.num_rows == plan.listing.n_rows


def _flag_duplicates(table: pa.Table) -> pa.Table:
    """Flag the rows whose id another row of the run has too; no row is dropped."""
    counts = _compute.value_counts(table["id"].combine_chunks())
    repeated = counts.field("values").filter(_compute.greater(counts.field("counts"), 1))
    if not len(repeated):
        return table
    flags = table["flags"]
    with_flag = _compute.binary_join_element_wise(flags, DUPLICATE, ",")
    with_flag = _compute.if_else(_compute.equal(flags, ""), DUPLICATE, with_flag)
    column = _compute.if_else(_compute.is_in(table["id"], value_set=repeated), with_flag, flags)
    return table.set_column(table.schema.get_field_index("flags"), "flags", column)


def _with_rank(group: pa.Table, start: int, n_ranked: int, finder: str) -> pa.Table:
    ranks = np.arange(start + 1, start + 1 + group.num_rows)
    group = group.add_column(0, "rank", pa.array(ranks, pa.int64(), mask=ranks > n_ranked))
    return group.append_column("finder", pa.array([finder] * group.num_rows, pa.string()))
