"""``skysieve simulate`` at the edge: what it refuses, and what it says."""

from __future__ import annotations

import json

import pytest

from skysieve.produce import plan as planning


class TestRefuses:
    def test_an_unknown_scenario_with_the_nearest(self, skysieve, tmp_path):
        answer = skysieve("simulate", "lens-gir", "-n", "4", "--out", str(tmp_path / "s"))
        assert answer.code == 3
        assert "Did you mean lens-gri?" in answer.err
        assert not (tmp_path / "s").exists()

    def test_an_unknown_layout_with_the_nearest(self, skysieve, tmp_path):
        answer = skysieve(
            "simulate", "lens-gri", "--layout", "parket", "--out", str(tmp_path / "s")
        )
        assert answer.code == 3
        assert "Did you mean parquet?" in answer.err

    def test_a_setting_that_is_not_there(self, skysieve, tmp_path):
        answer = skysieve(
            "simulate", "lens-gri", "--set", "lens.snr=3", "--out", str(tmp_path / "s")
        )
        assert answer.code == 3
        assert "min_arc_snr" in answer.err

    def test_to_work_without_the_extra(self, skysieve, tmp_path, monkeypatch):
        monkeypatch.setattr(planning, "LIBRARIES", ("no-such-library",))
        answer = skysieve("simulate", "lens-gri", "-n", "4", "--out", str(tmp_path / "s"))
        assert answer.code == 3
        assert "pip install 'skysieve[train]'" in answer.err


@pytest.fixture
def uncompiled(monkeypatch):
    pytest.importorskip("caustics", reason="simulating needs the extra [train]")
    from skysieve.simulate import kernels, lens_scenarios

    monkeypatch.setattr(lens_scenarios, "RENDERED", 8)
    monkeypatch.setattr(kernels, "_compiled", lambda kernel: kernel)


def test_says_what_it_made_and_where(skysieve, tmp_path, uncompiled):
    settings = ("camera.side=32", "lens.min_arc_snr=5", "lens.group_fraction=0")
    options = [word for setting in settings for word in ("--set", setting)]
    command = ("simulate", "lens-gri", "-n", "6", "--out", str(tmp_path / "s"), *options)
    answer = skysieve(*command)
    assert answer.code == 0
    assert "6 images of lens-gri 1" in answer.out
    assert "scenes.parquet" in answer.out
    told = json.loads(skysieve(*command, "--json").out)
    assert sum(told["by_kind"].values()) == told["n_rows"] == 6


def test_scenarios_are_listed_with_their_versions(skysieve):
    rows = json.loads(skysieve("list", "scenarios", "--json").out)
    assert {(row["name"], row["version"]) for row in rows} >= {
        ("lens-gri", 1),
        ("deeplense-lens", 1),
        ("survey", 1),
        ("substructure", 1),
    }
