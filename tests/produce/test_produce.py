"""Simulated sets: an image is its number, a killed run ends the same, every layout is read back."""

from __future__ import annotations

import csv
import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

import skysieve  # noqa: E402
from skysieve.core.errors import InputError, MismatchError, RecipeError  # noqa: E402
from skysieve.images import scan  # noqa: E402
from skysieve.measure.labels import read_labels  # noqa: E402
from skysieve.produce import run as producing  # noqa: E402
from skysieve.produce.layouts import LAYOUTS  # noqa: E402
from skysieve.produce.plan import SetPlan, plan_set  # noqa: E402
from skysieve.produce.run import produce  # noqa: E402
from skysieve.simulate import casting, euclid, kernels, lens_scenarios, render  # noqa: E402

LONGEST_S = 300
"""A miniature takes seconds; one that hangs must fail its test, not stop the suite."""

SIMULATE = """
import sys
from pathlib import Path
import torch
from skysieve import pipeline
from skysieve.simulate import lens_scenarios
lens_scenarios.RENDERED = 8
torch.set_num_threads(1)
plan = pipeline.plan_set("lens-gri", 40, layout=sys.argv[2], settings=sys.argv[3:])
pipeline.simulate(plan.model_copy(update={"part_rows": 4}), sys.argv[1])
"""

EASY = ("camera.side=32", "lens.min_arc_snr=5", "lens.min_contrast=0.1", "lens.group_fraction=0",
        "artifacts=none")  # fmt: skip
EUCLID = ("side=62", "offset_arcsec=0.5", "lens.min_arc_snr=5", "lens.min_contrast=0.1",
          "lens.group_fraction=0", "lens.galaxy_radius_arcsec=[0.5, 1.2]")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small():
    """Eight scenes at once, without compiling: a miniature is not worth a minute of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lens_scenarios, "RENDERED", 8)
        patch.setattr(euclid, "RENDERED", 4)
        patch.setattr(render, "_compiled_paint", lambda: render.paint_planes)
        patch.setattr(kernels, "_compiled", lambda kernel: kernel)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # for images this small, threads cost more than they do
        yield
        torch.set_num_threads(threads)


def miniature(layout: str = "parquet", *, scenario: str = "lens-gri", n: int = 10) -> SetPlan:
    plan = plan_set(scenario, n, layout=layout, settings=EASY)
    return plan.model_copy(update={"part_rows": 4})


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A set in every layout."""
    folders = {}
    for layout in LAYOUTS:
        folders[layout] = tmp_path_factory.mktemp("sets") / layout
        produce(folders[layout], miniature(layout))
    return folders


class TestEveryLayout:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_is_read_back_with_the_ids_of_its_labels(self, made, layout):
        cutouts = skysieve.read(made[layout])
        labels = read_labels(made[layout] / "labels.csv")
        assert sorted(cutouts.ids) == sorted(labels.ids)
        assert cutouts.pixels.shape == (10, 3, 32, 32)
        assert np.isfinite(cutouts.pixels).all()
        assert sorted(scan([made[layout] / "images"]).sources, key=str) == sorted(
            scan([made[layout]]).sources, key=str
        )

    @pytest.mark.parametrize("layout", ["deeplense", "fits"])
    def test_holds_the_same_pixels_as_the_shards(self, made, layout):
        shards, others = skysieve.read(made["parquet"]), skysieve.read(made[layout])
        mine = {row["scene"]: row for row in scenes(made["parquet"])}
        assert len(mine) < len(shards)  # a control has the scene of its lens
        order = {name: k for k, name in enumerate(others.ids)}
        named = [row["id"] for row in scenes(made[layout])]
        for k, row in enumerate(scenes(made["parquet"])):
            there = order[named[k]]
            np.testing.assert_array_equal(
                shards.pixels[shards.ids.index(row["id"])], others.pixels[there]
            )

    def test_of_fits_says_where_and_what(self, made):
        from astropy.io import fits
        from astropy.wcs import WCS

        row = scenes(made["fits"])[0]
        path = next(made["fits"].rglob(f"{row['id']}.fits"))
        with fits.open(path) as opened:
            assert opened[0].header["CLASS"] == row["class"] == path.parent.name
            assert [hdu.header["FILTER"] for hdu in opened[1:]] == ["g", "r", "i"]
            place = WCS(opened[1].header).pixel_to_world(15.5, 15.5)
        assert (place.ra.deg, place.dec.deg) == pytest.approx((row["ra"], row["dec"]))
        cutouts = skysieve.read(path)
        assert cutouts.bands == ("g", "r", "i")
        assert cutouts.pixel_scale_arcsec == pytest.approx(0.187)
        assert cutouts.ra_deg[0] == pytest.approx(row["ra"])

    def test_of_png_is_a_color_picture(self, made):
        cutouts = skysieve.read(made["png"])
        assert cutouts.kind == "display"
        assert cutouts.bands == ("red", "green", "blue")
        folders = {source.label for source in scan([made["png"]]).sources}
        assert folders == {"lens", "nonlens"}


@pytest.mark.parametrize("layout", ["parquet", "fits", "png"])
def test_a_set_of_two_cameras_is_read_back_from_each(tmp_path, layout):
    plan = plan_set("euclid", 2, layout=layout, settings=EUCLID)
    produce(tmp_path / "set", plan)
    labels = read_labels(tmp_path / "set" / "labels.csv")
    for camera, side, scale in (("vis", 62, 0.1), ("nisp", 20, 0.3)):
        cutouts = skysieve.read(tmp_path / "set" / "images" / camera)
        assert sorted(cutouts.ids) == sorted(labels.ids)
        assert cutouts.pixels.shape[2:] == (side, side)
        if layout != "png":
            assert cutouts.pixel_scale_arcsec == pytest.approx(scale)
            assert cutouts.bands == (("VIS",) if camera == "vis" else ("Y", "J", "H"))
        numbers = truth(tmp_path / "set", f"{camera}/neighbor-numbers").pixels
        assert (numbers == numbers.round()).all()


def test_npy_files_cannot_hold_two_cameras():
    with pytest.raises(InputError, match="vis, nisp"):
        plan_set("euclid", 2, layout="deeplense", settings=EUCLID)


def scenes(folder: Path) -> list[dict]:
    return pq.read_table(folder / "scenes.parquet").to_pylist()


def truth(folder: Path, plane: str) -> skysieve.Cutouts:
    return skysieve.read(folder / "truth" / plane)


class TestTruth:
    def test_lensed_light_is_where_a_lens_is(self, made):
        lensed = truth(made["parquet"], "lensed")
        lens = {row["id"]: row["class"] == "lens" for row in scenes(made["parquet"])}
        for name, pixels in zip(lensed.ids, lensed.pixels, strict=True):
            assert (pixels.sum() > 0) == lens[name]

    def test_a_control_has_the_host_of_its_lens(self, made):
        host = truth(made["parquet"], "host")
        by_scene: dict[int, list[str]] = {}
        for row in scenes(made["parquet"]):
            by_scene.setdefault(row["scene"], []).append(row["id"])
        pairs = [names for names in by_scene.values() if len(names) == 2]
        assert pairs
        for one, other in pairs:
            np.testing.assert_array_equal(
                host.pixels[host.ids.index(one)], host.pixels[host.ids.index(other)]
            )

    def test_can_be_left_out(self, tmp_path):
        plan = plan_set("lens-gri", 2, settings=EASY, truth=False)
        produce(tmp_path / "set", plan)
        assert not (tmp_path / "set" / "truth").exists()


class TestGoingOn:
    def test_a_killed_run_ends_with_the_same_bytes(self, made, tmp_path, monkeypatch):
        monkeypatch.setattr(producing, "write_part", torn_at(3, producing.write_part))
        with pytest.raises(KeyboardInterrupt):
            produce(tmp_path / "set", miniature("deeplense"))
        monkeypatch.undo()
        assert not (tmp_path / "set" / "_SUCCESS").exists()
        produce(tmp_path / "set", miniature("deeplense"))
        assert files(tmp_path / "set") == files(made["deeplense"])

    def test_a_lost_part_comes_back_the_same(self, made):
        before = files(made["parquet"])
        (made["parquet"] / "parts" / "train-00000004.parquet").unlink()
        (made["parquet"] / "images" / "train-00000004.parquet").unlink()
        produce(made["parquet"], miniature("parquet"))
        assert files(made["parquet"]) == before

    def test_a_finished_set_is_left_alone(self, made):
        seen = []
        produce(made["png"], miniature("png"), watch=seen.append)
        assert seen == []

    def test_another_plan_is_refused_by_the_setting_that_differs(self, made):
        other = plan_set("lens-gri", 10, settings=(*EASY, "lens.min_arc_snr=6"))
        other = other.model_copy(update={"part_rows": 4})
        with pytest.raises(MismatchError, match=r"lens\.min_arc_snr 5\.0, not 6\.0"):
            produce(made["parquet"], other)

    def test_a_strange_folder_is_left_alone(self, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(InputError, match="not empty"):
            produce(tmp_path, miniature())
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("layout", ["parquet", "deeplense"])
def test_a_process_killed_half_way_and_started_again_ends_byte_identical(tmp_path, layout):
    """SIGKILL, which nothing can catch; the same command again must end with the same bytes."""

    def command(name: str) -> list[str]:
        settings = (*EASY, "compiled=false")
        return [sys.executable, "-c", SIMULATE, str(tmp_path / name), layout, *settings]

    subprocess.run(command("undisturbed"), check=True, timeout=LONGEST_S)
    with subprocess.Popen(command("set")) as process:
        wait_for_parts(process, tmp_path / "set", 3)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "it was never stopped: the test needs more rows"
    done = len(list((tmp_path / "set" / "parts").glob("*.parquet")))
    assert 3 <= done < 10
    assert not (tmp_path / "set" / "_SUCCESS").exists()
    subprocess.run(command("set"), check=True, timeout=LONGEST_S)
    found = files(tmp_path / "set")
    assert {"scenes.parquet", "labels.csv", "_SUCCESS"} < set(found)
    assert any(name.startswith("truth/lensed/") for name in found)
    assert found == files(tmp_path / "undisturbed")


def wait_for_parts(process: subprocess.Popen[bytes], folder: Path, wanted: int) -> None:
    """Wait until a set has this many parts, or its process has ended."""
    until = time.monotonic() + LONGEST_S
    while process.poll() is None and time.monotonic() < until:
        if len(list(folder.glob("parts/*.parquet"))) >= wanted:
            return
        time.sleep(0.002)


def torn_at(part: int, write):
    """Return a writer of parts that is killed after half of the files of one."""
    left = [part]

    def torn(folder, rows):
        write(folder, rows)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    return torn


def test_the_size_of_the_parts_changes_no_image(made, tmp_path):
    plan = miniature("parquet").model_copy(update={"part_rows": 7})
    produce(tmp_path / "set", plan)
    a, b = skysieve.read(made["parquet"]), skysieve.read(tmp_path / "set")
    assert a.ids == b.ids
    np.testing.assert_array_equal(a.pixels, b.pixels)


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(tmp_path):
    """Slow: each process compiles, for nothing can be patched in it."""
    plan = plan_set("lens-gri", 8, settings=(*EASY, "compiled=false"))
    plan = plan.model_copy(update={"part_rows": 4})
    for workers in (1, 2):
        produce(tmp_path / str(workers), plan, workers=workers)
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_a_plan_that_no_lens_meets_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(casting, "CANDIDATES", 6)
    plan = plan_set("lens-gri", 2, settings=(*EASY, "lens.min_arc_snr=1e9"))
    with pytest.raises(RecipeError, match="signal to noise of 1e\\+09"):
        produce(tmp_path / "set", plan)


def test_a_range_that_no_galaxy_has_is_refused(tmp_path):
    plan = plan_set("lens-gri", 2, settings=(*EASY, "lens.galaxy_radius_arcsec=[8, 9]"))
    with pytest.raises(RecipeError, match=r"Widen lens\.galaxy_radius_arcsec"):
        produce(tmp_path / "set", plan)


def test_labels_are_those_of_the_scenes(made):
    with (made["png"] / "labels.csv").open() as text:
        rows = list(csv.DictReader(text))
    told = {row["id"]: (row["class"], row["kind"]) for row in scenes(made["png"])}
    assert {row["id"]: (row["class"], row["kind"]) for row in rows} == told
