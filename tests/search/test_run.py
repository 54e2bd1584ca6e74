"""A run: rows in are rows out, and the ranking does not depend on how it was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import InputError, MismatchError
from skysieve.core.watch import Progress
from skysieve.finder.cascade import Finder
from skysieve.images import scan
from skysieve.images.shards import write_shard
from skysieve.search.merge import RANKING
from skysieve.search.parts import missing_parts, part_path
from skysieve.search.plan import Plan, make_plan, open_run
from skysieve.search.run import RunSummary, search
from tests.finder.tiny import tiny_finder
from tests.search.sky import cutouts, write_sky

N = 110


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    return tiny_finder(tmp_path_factory.mktemp("finders") / "tiny", stages=2)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sky(tmp_path_factory.mktemp("sky") / "images", n=N)


def planned(images: Path, finder: Finder, part_rows: int, prior: float | None = 0.01) -> Plan:
    plan = make_plan(scan([images]), finder, prior)
    return Plan.model_validate(plan.model_dump() | {"part_rows": part_rows})


def run_in(run: Path, plan: Plan, finder: Finder, **options: int) -> tuple[RunSummary, pa.Table]:
    open_run(run, plan)
    summary = search(run, plan, finder, **options)
    return summary, pq.read_table(run / RANKING)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, images: Path, finder: Finder
) -> tuple[RunSummary, pa.Table]:
    return run_in(tmp_path_factory.mktemp("run"), planned(images, finder, 1024), finder)


def test_rows_in_are_rows_out(whole: tuple[RunSummary, pa.Table]) -> None:
    summary, table = whole
    assert summary.n_rows == table.num_rows == 3 * N + 1
    assert summary.n_ok == 3 * N
    rows = set(zip(table["source"].to_pylist(), table["row"].to_pylist(), strict=True))
    assert len(rows) == table.num_rows


def test_the_best_come_first_and_what_has_no_score_last(
    whole: tuple[RunSummary, pa.Table],
) -> None:
    table = whole[1]
    p = table["p"].to_numpy()
    assert (np.diff(p[: 3 * N]) <= 0).all()
    assert table["rank"].to_pylist() == [*range(1, 3 * N + 1), None]
    last = table.slice(3 * N).to_pylist()[0]
    numbers = ("p", "p_survey", "p_lens", "p_nonlens")
    assert last["source"] == "torn.fits"
    assert last["status"] != "ok"
    assert last["message"]
    assert [last[name] for name in numbers] == [None] * 4
    assert last["stage"] == 0


def test_the_columns_are_those_of_the_contract(whole: tuple[RunSummary, pa.Table]) -> None:
    assert whole[1].schema.names == [
        "rank", "id", "source", "row", "ra", "dec", "p", "p_survey", "p_nonlens", "p_lens",
        "stage", "status", "flags", "message", "finder",
    ]  # fmt: skip


@pytest.mark.parametrize("part_rows", [50, 257])
def test_scores_do_not_depend_on_the_parts(
    tmp_path: Path,
    images: Path,
    finder: Finder,
    whole: tuple[RunSummary, pa.Table],
    part_rows: int,
) -> None:
    table = run_in(tmp_path, planned(images, finder, part_rows), finder)[1]
    assert table.equals(whole[1])  # to the last bit


def test_scores_do_not_depend_on_the_workers(
    tmp_path: Path, images: Path, finder: Finder, whole: tuple[RunSummary, pa.Table]
) -> None:
    table = run_in(tmp_path, planned(images, finder, 128), finder, workers=2)[1]
    assert table.equals(whole[1])


def test_only_what_is_missing_torn_or_foreign_is_done_again(
    tmp_path: Path, images: Path, finder: Finder
) -> None:
    plan = planned(images, finder, 64)
    run_in(tmp_path, plan, finder)
    before = (tmp_path / RANKING).read_bytes()
    foreign = tmp_path / "foreign"
    run_in(foreign, planned(images, finder, 64, prior=0.5), finder)
    part_path(tmp_path, 0).unlink()
    torn = part_path(tmp_path, 2)
    torn.write_bytes(torn.read_bytes()[:-7])
    part_path(tmp_path, 3).write_bytes(part_path(foreign, 3).read_bytes())
    part_path(tmp_path, 4).write_bytes(b"")
    assert missing_parts(tmp_path, plan) == [0, 2, 3, 4]
    summary = search(tmp_path, plan, finder)
    assert summary.n_scored_now == 4 * 64
    assert (tmp_path / RANKING).read_bytes() == before


def test_a_finished_run_is_not_done_again(tmp_path: Path, images: Path, finder: Finder) -> None:
    plan = planned(images, finder, 200)
    first = run_in(tmp_path, plan, finder)[0]
    seen: list[Progress] = []
    assert search(tmp_path, plan, finder, watch=seen.append) == first
    assert not seen


def test_a_damaged_part_is_noticed(tmp_path: Path, images: Path, finder: Finder) -> None:
    plan = planned(images, finder, 100)
    run_in(tmp_path, plan, finder)
    (tmp_path / "_SUCCESS").unlink()
    path = part_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[40] ^= 0xFF  # in the first page; the footer stays whole
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        search(tmp_path, plan, finder)


def test_another_finder_is_refused(tmp_path: Path, images: Path, finder: Finder) -> None:
    plan = planned(images, finder, 100)
    open_run(tmp_path / "run", plan)
    with pytest.raises(MismatchError):
        search(tmp_path / "run", plan, tiny_finder(tmp_path / "other"))


def test_progress_counts_rows_up_to_all_of_them(
    tmp_path: Path, images: Path, finder: Finder
) -> None:
    plan = planned(images, finder, 100)
    open_run(tmp_path, plan)
    seen: list[Progress] = []
    search(tmp_path, plan, finder, watch=seen.append)
    counts = [step.done for step in seen if step.stage == "scoring"]
    assert counts == [0, 100, 200, 300, 331]


def test_what_a_killed_process_left_is_removed(
    tmp_path: Path, images: Path, finder: Finder
) -> None:
    plan = planned(images, finder, 400)
    open_run(tmp_path, plan)
    left = tmp_path / "parts" / ".tmp-999999999-abc-part-00000.parquet"
    left.write_bytes(b"half")
    search(tmp_path, plan, finder)
    assert not left.exists()


def test_an_id_that_comes_twice_is_flagged_and_kept(tmp_path: Path, finder: Finder) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b"):
        pixels = cutouts(4, seed=ord(name)).astype(np.float32)
        ids = ("same", *(f"{name}{k}" for k in range(3)))
        write_shard(
            folder / f"{name}.parquet", Cutouts(ids=ids, pixels=pixels, bands=("g", "r", "i"))
        )
    table = run_in(tmp_path / "run", planned(folder, finder, 3), finder)[1]
    flagged = {row["id"] for row in table.to_pylist() if "duplicate_id" in row["flags"].split(",")}
    assert table.num_rows == 8
    assert flagged == {"same"}


def test_rows_of_one_score_are_in_the_order_of_their_ids(tmp_path: Path, finder: Finder) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    one = cutouts(1)
    for name in ("b", "c", "a"):
        np.save(folder / f"{name}.npy", one.repeat(2, axis=0))
    table = run_in(tmp_path / "run", planned(folder, finder, 4), finder)[1]
    ids = table["id"].to_pylist()
    assert ids == sorted(ids)
    assert len(set(table["p"].to_pylist())) == 1
