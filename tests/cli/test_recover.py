"""``skysieve recover`` as a user meets it: arcs in real frames, a threshold of their own, a function."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

import skysieve as sieve
from skysieve.measure import recovery, recovery_page
from skysieve.pipeline.joining import Made, join_trials, number_counts
from skysieve.pipeline.recovering import EVEN
from skysieve.recipe.injection import InjectionPlan
from tests.finder.tiny import tiny_finder

N = 30
PAINT = ("--survey", "des", "--seeing", "1.0", "--pixel-scale", "0.263",
         "--einstein-radius", "1", "2")  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Return a folder with 30 galaxies and a tiny finder."""
    folder = tmp_path_factory.mktemp("recover")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:41, :41] - 20
    (folder / "in").mkdir()
    for k in range(N):
        light = 300 * np.exp(-(x**2 + y**2) / 12) + rng.normal(0, 3, (3, 41, 41))
        np.save(folder / "in" / f"g{k:02}.npy", light.astype("f4"))
    tiny_finder(folder / "tiny")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw few resamples and no figure; both have tests of their own."""

    def blank(figure, stem):
        del figure
        path = stem.with_name(f"{stem.name}.svg")
        path.write_text("<svg/>")
        return path, path

    monkeypatch.setattr(recovery_page, "save_figure", blank)
    monkeypatch.setattr(recovery, "LEAST_OF_EACH", 3)


class TestRefuses:
    def test_both_or_neither_of_images_and_scenario(self, skysieve, home, tmp_path):
        command = ("recover", str(home / "tiny"), "--out", str(tmp_path / "r"))
        assert skysieve(*command).code == 2
        both = ("--images", str(home / "in"), "--scenario", "lens-gri")
        assert skysieve(*command, *both).code == 2

    def test_a_rate_and_a_threshold(self, skysieve, home, tmp_path):
        command = ("recover", str(home / "tiny"), "--images", str(home / "in"), *PAINT)
        more = ("--fpr", "0.1", "--threshold", "0.5", "--out", str(tmp_path / "r"))
        assert skysieve(*command, *more).code == 2

    def test_too_few_images_for_the_rate_before_anything_is_painted(self, skysieve, home, tmp_path):
        command = ("recover", str(home / "tiny"), "--images", str(home / "in"), *PAINT)
        answer = skysieve(*command, "--out", str(tmp_path / "r"))
        assert answer.code == 3
        assert "less than one of 30 images" in answer.err
        assert "Give 1,000 images or more" in answer.err
        assert not (tmp_path / "r").exists()

    def test_a_folder_that_holds_something_else(self, skysieve, home, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        command = ("recover", str(home / "tiny"), "--images", str(home / "in"), *PAINT)
        answer = skysieve(*command, "--out", str(tmp_path))
        assert answer.code == 3
        assert "holds no recovery" in answer.err

    def test_a_scenario_whose_arcs_have_no_signal_to_noise(self, skysieve, home, tmp_path):
        pytest.importorskip("caustics", reason="simulating needs the extra [train]")
        command = ("recover", str(home / "tiny"), "--scenario", "substructure")
        answer = skysieve(*command, "--out", str(tmp_path / "r"))
        assert answer.code == 3
        assert "signal to noise" in answer.err

    def test_a_scenario_without_negatives_and_without_a_threshold(self, skysieve, home, tmp_path):
        pytest.importorskip("caustics", reason="simulating needs the extra [train]")
        command = ("recover", str(home / "tiny"), "--scenario", "compound", "-n", "4")
        answer = skysieve(*command, "--out", str(tmp_path / "r"))
        assert answer.code == 3
        assert "Give the --threshold" in answer.err


def test_says_why_nothing_could_be_painted(skysieve, home, tmp_path):
    pytest.importorskip("caustics", reason="injecting needs the extra [train]")
    command = ("recover", str(home / "tiny"), "--images", str(home / "in" / "g00.npy"), *PAINT)
    answer = skysieve(
        *command, "--threshold", "0.5", "--einstein-radius", "9", "10", "--out", str(tmp_path / "r")
    )
    assert answer.code == 3
    assert "No arcs could be painted into the 1 images (1 bad_shape)" in answer.err


def test_counts_what_find_finds_and_goes_on_to_the_same_bytes(skysieve, home, tmp_path):
    pytest.importorskip("caustics", reason="injecting needs the extra [train]")
    out = tmp_path / "r"
    command = ("recover", str(home / "tiny"), "--images", str(home / "in"), *PAINT,
               "--fpr", "0.5", "--snr", "5", "5000", "--out", str(out))  # fmt: skip
    answer = skysieve(*command)
    assert answer.code == 0, answer.err
    told = json.loads((out / "recovery.json").read_text())
    run = next((out / "runs").iterdir())
    p = {row["id"]: row["p"] for row in pq.read_table(run / "ranking.parquet").to_pylist()}
    lenses = {name: one for name, one in p.items() if name.endswith("-lens1")}
    controls = [one for name, one in p.items() if name.endswith("-control")]
    assert len(lenses) == len(controls) == told["n_lenses"] == N
    found = {name for name, one in lenses.items() if one >= told["threshold"]}
    assert told["overall"]["n_found"] == len(found)
    assert told["false_positives"]["n_found"] == sum(one >= told["threshold"] for one in controls)
    assert told["false_positives"]["n_found"] <= N // 2
    table = Table.read(out / "completeness.ecsv")
    assert table["n_found"].sum() == len(found)
    if told["surface"] is not None:
        selection = sieve.read_selection(out)
        radius, snr = table["einstein_radius_median"], table["arc_snr_median"]
        values = selection(radius, snr, extrapolate=True)
        assert np.all((values >= 0) & (values <= 1))
    names = ("recovery.json", "completeness.ecsv", "recovery.html")
    before = {name: (out / name).read_bytes() for name in names}
    (out / "lenses" / "_SUCCESS").unlink()
    (run / "_SUCCESS").unlink()
    assert skysieve(*command).code == 0
    assert {name: (out / name).read_bytes() for name in names} == before
    other = skysieve(*command, "--seed", "2")
    assert other.code == 3
    assert "seed" in other.err


def test_joins_by_id_and_brings_signal_to_noise_to_the_sky_of_the_image(tmp_path):
    scenes = {
        "id": ["a", "b", "c", "d", "e"],
        "class": ["lens", "nonlens", "lens", None, "lens"],
        "status": ["ok", "ok", "ok", "no_arc", "ok"],
        "scene": [1, 1, 2, 3, 4],
        "einstein_radius_arcsec": [1.0, None, 2.0, None, 3.0],
        "arc_snr": [50.0, None, 80.0, None, 9.0],
        "depth": [0.8, 0.8, 1.25, None, 1.0],
    }
    scores = {
        "id": ["c", "a", "b", "e"],
        "p": [0.3, 0.1, 0.2, None],
        "status": ["ok", "ok", "ok", "empty"],
        "message": [""] * 4,
    }
    pq.write_table(pa.table(scenes), tmp_path / "scenes.parquet")
    made = Made("x", "", "", lambda rows: np.ones(len(rows["id"])), lambda r: np.ones(len(r["id"])))
    trials, left = join_trials(tmp_path / "scenes.parquet", pa.table(scores), made, "tiny")
    assert trials.p.tolist() == [0.1, 0.3]
    assert trials.arc_snr.tolist() == [40.0, 100.0]
    assert trials.image.tolist() == [1, 2]
    assert (trials.negative_p.tolist(), trials.negative_image.tolist()) == ([0.2], [1])
    assert left == {"empty": 1, "no_arc": 1}


def test_weights_make_number_counts_of_magnitudes_drawn_evenly():
    rng = np.random.default_rng(1)
    slope, zero = 0.3, 30 + rng.normal(0, 0.5, 40_000)  # magnitude at which the arcs have S/N 1
    plan = InjectionPlan(
        survey="des", source_g_ab=(20, 27), arc_snr=(5.0, 500.0), source_count_slope=EVEN
    )
    bright = np.maximum(20, zero - 2.5 * np.log10(500))
    faint = np.minimum(27, zero - 2.5 * np.log10(5))
    magnitude = bright + rng.random(len(zero)) * (faint - bright)
    rows = {
        "id": [""] * len(zero),
        "source_g_ab": magnitude.tolist(),
        "arc_snr": (10 ** (0.4 * (zero - magnitude))).tolist(),
    }
    weights = number_counts(rows, plan, slope)
    # Of systems with limits of their own, drawn with number counts: what a direct sum gives.
    grid = np.linspace(20, 27, 701)
    held = ((grid >= bright[:, None]) & (grid <= faint[:, None])).mean(axis=0)
    wanted = np.average(grid, weights=held * 10 ** (slope * (grid - 24)))
    assert np.average(magnitude, weights=weights) == pytest.approx(wanted, abs=0.02)
    assert abs(magnitude.mean() - wanted) > 0.5
