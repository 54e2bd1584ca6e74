"""A plan is written once; another plan in its folder is refused, and says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.finder.bundle import save
from skysieve.finder.cascade import Finder
from skysieve.images import ReadOptions, scan
from skysieve.search.plan import Plan, make_plan, open_run, read_plan
from tests.finder.tiny import tiny_card, tiny_finder, tiny_graph
from tests.search.sky import write_sky


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    return tiny_finder(tmp_path_factory.mktemp("finders") / "tiny")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_sky(tmp_path / "images", n=10)


@pytest.fixture
def plan(images: Path, finder: Finder) -> Plan:
    return make_plan(scan([images]), finder)


def test_parts_cover_every_row_once(plan: Plan) -> None:
    for part_rows in (1, 7, 31, 32, 1024):
        cut = Plan.model_validate(plan.model_dump() | {"part_rows": part_rows})
        rows = [row for part in cut.parts for row in cut.rows(part)]
        assert rows == list(range(31))


def test_a_plan_survives_the_disk(tmp_path: Path, plan: Plan) -> None:
    assert not open_run(tmp_path / "run", plan)
    assert open_run(tmp_path / "run", plan), "the same plan goes on"
    assert read_plan(tmp_path / "run").run_id == plan.run_id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("prior", "prior None, not 0.01"),
        ("options", "mask_value None, not 7.0"),
        ("finder", r"finder tiny 1 \(\w{8}\), not tiny 1 \(\w{8}\)"),
        ("added", "new is zzz.npy"),
        ("removed", "stack-0.npy is not there now"),
        ("changed", "stack-0.npy is not what it was"),
    ],
)
def test_another_plan_is_refused(
    tmp_path: Path, images: Path, plan: Plan, finder: Finder, change: str, said: str
) -> None:
    open_run(tmp_path / "run", plan)
    options, prior = ReadOptions(), None
    match change:
        case "prior":
            prior = 0.01
        case "options":
            options = ReadOptions(mask_value=7.0)
        case "finder":
            finder = save(tmp_path / "b", tiny_card(), {"stage-1.onnx": tiny_graph(seed=9)})
        case "added":
            (images / "zzz.npy").write_bytes((images / "stack-0.npy").read_bytes())
        case "removed":
            (images / "stack-0.npy").unlink()
        case "changed":
            (images / "stack-0.npy").write_bytes(b"short")
    other = make_plan(scan([images], options), finder, prior)
    with pytest.raises(MismatchError, match=said):
        open_run(tmp_path / "run", other)


def test_a_file_that_is_no_image_changes_nothing(
    tmp_path: Path, images: Path, plan: Plan, finder: Finder
) -> None:
    open_run(tmp_path / "run", plan)
    (images / "notes.txt").write_text("seeing was bad")
    assert open_run(tmp_path / "run", make_plan(scan([images]), finder))


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "draft.tex").write_text("...")
    with pytest.raises(InputError, match="not empty"):
        open_run(tmp_path / "thesis", plan)
    with pytest.raises(InputError, match="is a file"):
        open_run(tmp_path / "thesis" / "draft.tex", plan)


def test_an_altered_plan_is_refused(tmp_path: Path, plan: Plan) -> None:
    open_run(tmp_path / "run", plan)
    path = tmp_path / "run" / "plan.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"part_rows": 5}))
    with pytest.raises(InputError, match="altered"):
        read_plan(tmp_path / "run")
    path.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "run")


def test_a_folder_without_a_run_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no run"):
        read_plan(tmp_path)


@pytest.mark.parametrize("prior", [0.0, 1.0, -1.0, float("nan")])
def test_an_impossible_prior_is_refused(images: Path, finder: Finder, prior: float) -> None:
    with pytest.raises(InputError, match="prior"):
        make_plan(scan([images]), finder, prior)
