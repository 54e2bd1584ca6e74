"""A set of ``compound`` in every layout: read back, with its weights and its masks; goes on when killed."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")

import skysieve  # noqa: E402
from skysieve.produce import run as producing  # noqa: E402
from skysieve.produce.layouts import LAYOUTS  # noqa: E402
from skysieve.produce.plan import plan_set  # noqa: E402
from skysieve.produce.run import produce  # noqa: E402
from skysieve.recipe.compound import KINDS  # noqa: E402
from tests.produce.test_produce import files, scenes, torn_at, truth  # noqa: E402

SMALL = ("camera.side=48", "population.min_arc_snr=20", "population.min_contrast=0.05",
         "population.group_radius_arcsec=[1.5, 2.0]", "population.galaxy_radius_arcsec=[0.7, 1.5]",
         "population.pair_separation_arcsec=[2.0, 3.0]")  # fmt: skip


def plan(layout: str):
    small = plan_set("compound", 8, layout=layout, settings=SMALL)
    return small.model_copy(update={"part_rows": 3})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_back(layout, tmp_path):
    produce(tmp_path / "set", plan(layout))
    cutouts = skysieve.read(tmp_path / "set")
    assert cutouts.pixels.shape == (8, 3, 48, 48)
    assert np.isfinite(cutouts.pixels).all()
    rows = scenes(tmp_path / "set")
    assert {row["class"] for row in rows} <= set(KINDS)
    assert all(row["weight"] > 0 and row["tries"] >= 1 for row in rows)
    masks = truth(tmp_path / "set", "arcs")
    assert masks.bands == ("arcs1", "arcs2")
    assert set(np.unique(masks.pixels)) == {0.0, 1.0}


def test_a_killed_run_ends_with_the_same_bytes(tmp_path, monkeypatch):
    produce(tmp_path / "whole", plan("parquet"))
    monkeypatch.setattr(producing, "write_part", torn_at(2, producing.write_part))
    with pytest.raises(KeyboardInterrupt):
        produce(tmp_path / "torn", plan("parquet"))
    monkeypatch.undo()
    produce(tmp_path / "torn", plan("parquet"))
    assert files(tmp_path / "torn") == files(tmp_path / "whole")
