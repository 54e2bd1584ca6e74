"""Sets of the scenario substructure: laid out as the data they stand for, resumed, read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

import skysieve  # noqa: E402
from skysieve.images import scan  # noqa: E402
from skysieve.produce import run as producing  # noqa: E402
from skysieve.produce.plan import SetPlan, plan_set  # noqa: E402
from skysieve.produce.run import produce  # noqa: E402
from tests.produce.test_produce import files, torn_at  # noqa: E402

FEW = ("model=II", "compiled=false", "subhalos.mass_msun=[2e9, 1e10]")


def miniature(layout: str, n: int = 9) -> SetPlan:
    plan = plan_set("substructure", n, layout=layout, settings=FEW)
    return plan.model_copy(update={"part_rows": 4})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A set as npy files."""
    folder = tmp_path_factory.mktemp("sets") / "deeplense"
    produce(folder, miniature("deeplense"))
    return folder


def test_lies_in_the_folders_of_the_source_data(made):
    found = {str(path.relative_to(made / "images")) for path in made.rglob("*.npy")}
    train = {f"train/{kind}/{k}.npy" for k, kind in enumerate(("no", "sphere", "vort") * 2, 1)}
    assert train <= found
    assert len(found) == 9
    assert {path.split("/")[0] for path in found} == {"train", "val"}
    assert {source.label for source in scan([made / "images"]).sources} == {"no", "sphere", "vort"}


def test_is_of_the_shape_and_range_of_the_source_data(made):
    for path in made.rglob("*.npy"):
        image = np.load(path, allow_pickle=False)
        assert image.shape == (1, 64, 64)
        assert image.dtype == np.float32
        assert (image.min(), image.max()) == (0, 1)


def test_is_the_same_in_every_layout(made, tmp_path):
    mine = skysieve.read(made)
    by_row = {(row["split"], row["row"]): row["id"] for row in scenes(made)}
    for layout in ("parquet", "fits"):
        produce(tmp_path / layout, miniature(layout))
        theirs = skysieve.read(tmp_path / layout)
        for row in scenes(tmp_path / layout):
            name = by_row[row["split"], row["row"]]
            np.testing.assert_array_equal(
                theirs.pixels[theirs.ids.index(row["id"])], mine.pixels[mine.ids.index(name)]
            )
    produce(tmp_path / "png", miniature("png"))
    assert skysieve.read(tmp_path / "png").kind == "display"


def test_a_killed_run_ends_with_the_same_bytes(made, tmp_path, monkeypatch):
    folder = tmp_path / "deeplense"
    monkeypatch.setattr(producing, "write_part", torn_at(2, producing.write_part))
    with pytest.raises(KeyboardInterrupt):
        produce(folder, miniature("deeplense"))
    monkeypatch.undo()
    assert not (folder / "_SUCCESS").exists()
    produce(folder, miniature("deeplense"))
    assert files(folder) == files(made)


def test_truth_is_the_convergence_of_clumps_alone(made):
    mass = skysieve.read(made / "truth" / "convergence")
    told = {row["id"]: row["clump_mass_msun"] for row in scenes(made)}
    for name, plane in zip(mass.ids, mass.pixels, strict=True):
        assert (plane.sum() > 0) == bool(told[name])


def scenes(folder: Path) -> list[dict]:
    return pq.read_table(folder / "scenes.parquet").to_pylist()
