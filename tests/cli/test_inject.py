"""``skysieve inject`` at the edge: what it refuses, and what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def cutouts(tmp_path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:41, :41] - 20
    (tmp_path / "in").mkdir()
    light = 300 * np.exp(-(x**2 + y**2) / 12) + rng.normal(0, 3, (3, 41, 41))
    np.save(tmp_path / "in" / "a.npy", light.astype("f4"))
    return str(tmp_path / "in")


class TestRefuses:
    def test_an_unknown_survey_with_the_nearest(self, skysieve, cutouts, tmp_path):
        answer = skysieve("inject", cutouts, "--survey", "dess", "--out", str(tmp_path / "s"))
        assert answer.code == 3
        assert "Did you mean 'des'?" in answer.err
        assert not (tmp_path / "s").exists()

    def test_a_range_the_wrong_way_round(self, skysieve, cutouts, tmp_path):
        command = ("inject", cutouts, "--survey", "des", "--out", str(tmp_path / "s"))
        answer = skysieve(*command, "--einstein-radius", "3", "1")
        assert answer.code == 3
        assert "--einstein-radius" in answer.err
        assert "smaller number first" in answer.err

    def test_a_seeing_that_lacks_a_band(self, skysieve, cutouts, tmp_path):
        command = ("inject", cutouts, "--survey", "des", "--out", str(tmp_path / "s"))
        answer = skysieve(*command, "--seeing", "g=1.1,r=1.0")
        assert answer.code == 3
        assert "There is no seeing for band i" in answer.err

    def test_a_number_that_is_none(self, skysieve, cutouts, tmp_path):
        command = ("inject", cutouts, "--survey", "des", "--out", str(tmp_path / "s"))
        assert skysieve(*command, "--zero-point", "thirty").code == 2


def test_says_what_it_made_and_where(skysieve, cutouts, tmp_path):
    pytest.importorskip("caustics", reason="injecting needs the extra [train]")
    command = ("inject", cutouts, "--survey", "des", "--seeing", "1.0", "--pixel-scale", "0.263",
               "--einstein-radius", "1", "2", "--out", str(tmp_path / "s"))  # fmt: skip
    answer = skysieve(*command)
    assert answer.code == 0
    assert "1 images: 1 lenses, 1 controls" in answer.out
    assert "scenes.parquet" in answer.out
    told = json.loads(skysieve(*command, "--json").out)
    assert told["by_status"] == {"ok": 1}
    assert told["by_psf"] == {"seeing": 1}
