"""Exploring: nothing is lost, shortcuts and twins are found, and the sample has a seed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from skysieve import pipeline
from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import InputError, MismatchError
from skysieve.images import write_shard
from skysieve.search import explore as search_explore

HOSTILE = "<script>alert(1)</script>"


def sky(n: int, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32] - 15.5
    galaxy = 20 * np.exp(-np.hypot(x, y) / 3)
    return (noise * rng.normal(size=(n, 3, 32, 32)) + galaxy).astype(np.float32)


def fill(folder: Path, pixels: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for k, cutout in enumerate(pixels):
        np.save(folder / f"{k:03}.npy", cutout)


def explore(root: Path, out: Path, *more, **options) -> dict:
    paths = pipeline.explore([root], out, *more, **options)
    return json.loads(paths.json.read_text("utf-8"))


@pytest.fixture
def folders(tmp_path) -> Path:
    """Two classes of which one has noisier cutouts; two bad files; a twin across the splits."""
    root = tmp_path / "data"
    lenses, others = sky(30, 1, 1.3), sky(40, 2)
    fill(root / "train_lenses", lenses)
    fill(root / "train_nonlenses", others)
    fill(root / "test_lenses", sky(8, 3, 1.3))
    np.save(root / "test_lenses" / "copy.npy", np.rot90(lenses[4], 1, (1, 2)))
    (root / "train_lenses" / "bad.npy").write_bytes(b"nonsense")
    (root / "test_lenses" / "cut.npy").write_bytes(
        (root / "test_lenses" / "000.npy").read_bytes()[:-50]
    )
    (root / "notes.txt").write_text("no image")
    return root


def test_every_row_is_counted_by_class_status_and_split(tmp_path, folders):
    found = explore(folders, tmp_path / "out")
    assert (found["rows"], found["readable"]) == (81, 79)
    assert found["status"] == {"ok": 79, "unreadable": 1, "truncated": 1}
    lenses = found["classes"]["lenses"]
    assert (lenses["rows"], lenses["readable"], lenses["measured"]) == (41, 39, 39)
    assert lenses["splits"] == {"test": 10, "train": 31}
    assert found["settings"]["ignored"] == {".txt": 1}
    (layout,) = found["layouts"]
    assert layout["by_class"] == {"lenses": 39, "nonlenses": 40}
    assert layout["sizes"] == {"32 x 32": 79}


def test_noise_that_gives_a_class_away_is_found_and_color_is_not(tmp_path, folders):
    cues = explore(folders, tmp_path / "out")["check"]["cues"]
    assert cues["noise_scatter"]["auc"]["value"] > 0.99
    assert cues["noise_scatter"]["positive"] == "lenses"
    assert cues["color_core_1_3"]["auc"]["low"] < 0.5 + 0.1
    page = (tmp_path / "out" / "explore.html").read_text("utf-8")
    assert "Noise alone tells lenses apart" in page


def test_a_turned_twin_across_the_splits_is_found(tmp_path, folders):
    twins = explore(folders, tmp_path / "out")["twins"]
    assert (twins["n_identical"], twins["n_near"], twins["n_across_splits"]) == (0, 1, 1)
    (pair,) = twins["shown"]
    assert pair["ids"] == ["copy", "train_lenses/004"]
    assert pair["splits"] == ["test", "train"]


def test_an_identical_twin_across_classes_is_found(tmp_path):
    fill(tmp_path / "data" / "lens", sky(8, 1))
    fill(tmp_path / "data" / "nonlens", np.concatenate([sky(8, 2), sky(8, 1)[3:4]]))
    twins = explore(tmp_path / "data", tmp_path / "out")["twins"]
    assert (twins["n_identical"], twins["n_near"], twins["n_across_classes"]) == (1, 0, 1)


def test_empty_frames_are_no_twins(tmp_path):
    fill(tmp_path / "data", np.zeros((5, 3, 32, 32), np.float32))
    found = explore(tmp_path / "data", tmp_path / "out")
    assert found["twins"]["n_identical"] == 0
    assert found["layouts"][0]["constant"] == 5


def test_labels_may_be_any_classes_and_unlabeled_rows_are_shown(tmp_path):
    fill(tmp_path / "data", sky(30))
    words = ["spiral", "ring", "unknown"]
    lines = [f"{k:03},{words[k % 3]},f{k % 5}" for k in range(24)]
    (tmp_path / "l.csv").write_text("\n".join(["id,label,field", *lines, "999,ring,f0"]))
    labels = pipeline.ExploreLabels(tmp_path / "l.csv", (), "field")
    found = explore(tmp_path / "data", tmp_path / "out", labels)
    counts = {name: each["rows"] for name, each in found["classes"].items()}
    assert counts == {"ring": 8, "spiral": 8, "no label": 14}
    assert found["settings"]["n_orphans"] == 1
    assert found["check"]["counts"] == {"ring": 8, "spiral": 8}
    assert found["check"]["grouped"]
    assert len(list((tmp_path / "out").glob("sheet-*.png"))) == 3


def test_labels_of_something_else_are_refused_and_nothing_is_written(tmp_path):
    fill(tmp_path / "data", sky(3))
    (tmp_path / "l.csv").write_text("id,label\nother,1\n")
    with pytest.raises(MismatchError, match="'other'"):
        explore(tmp_path / "data", tmp_path / "out", pipeline.ExploreLabels(tmp_path / "l.csv"))
    assert not (tmp_path / "out").exists()


def test_a_measurement_is_no_class(tmp_path):
    fill(tmp_path / "data", sky(2))
    lines = ["id,label", *(f"{k:03},{k / 7}" for k in range(60))]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match="60 different labels"):
        explore(tmp_path / "data", tmp_path / "out", pipeline.ExploreLabels(tmp_path / "l.csv"))


def test_data_without_labels_is_explored_without_the_check(tmp_path):
    fill(tmp_path / "data", sky(6))
    found = explore(tmp_path / "data", tmp_path / "out")
    assert found["check"] is None
    assert "nothing says which class" in found["why_no_check"]
    assert [row["band"] for row in found["pixels"]] == ["1", "2", "3"]


def test_a_folder_of_unreadable_files_has_a_page(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.npy").write_bytes(b"nonsense")
    found = explore(tmp_path / "data", tmp_path / "out")
    assert (found["rows"], found["readable"]) == (1, 0)
    assert "No cutout could be read" in (tmp_path / "out" / "explore.html").read_text("utf-8")


def test_the_sample_has_a_cap_per_class_and_a_seed(tmp_path, monkeypatch, folders):
    one = explore(folders, tmp_path / "one", sample=(12, 3), seed=5)
    assert {each["measured"] for each in one["classes"].values()} == {12}
    monkeypatch.setattr(search_explore, "cpu_threads", lambda: 1)
    again = explore(folders, tmp_path / "one", sample=(12, 3), seed=5)
    other = explore(folders, tmp_path / "other", sample=(12, 3), seed=6)
    assert one == again
    assert one["pixels"] != other["pixels"]
    assert one["rows"] == other["rows"]


def test_rows_of_a_shard_are_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(search_explore, "SPAN_ROWS", 7)
    monkeypatch.setattr(search_explore, "_BLOCK_BYTES", 3 * 3 * 32 * 32 * 4)
    pixels = sky(40)
    ids = tuple(f"c{k}" for k in range(40))
    (tmp_path / "data").mkdir()
    cutouts = Cutouts(ids=ids, pixels=pixels, bands=("g", "r", "i"))
    write_shard(tmp_path / "data" / "a.parquet", cutouts)
    lines = ["id,label", *(f"{name},{k % 2}" for k, name in enumerate(ids))]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    labels = pipeline.ExploreLabels(tmp_path / "l.csv")
    found = explore(tmp_path / "data", tmp_path / "out", labels)
    counts = {name: each["measured"] for name, each in found["classes"].items()}
    assert counts == {"lens": 20, "nonlens": 20}
    assert "color_core_g_r" in found["check"]["cues"]


def test_a_folder_with_something_else_is_left_alone(tmp_path, folders):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="holds no exploration"):
        explore(folders, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_an_exploration_within_the_data_is_no_data(tmp_path, folders):
    one = explore(folders, folders / "explored")
    again = explore(folders, folders / "explored")
    assert one["rows"] == again["rows"] == 81


def test_hostile_names_are_text_and_the_page_needs_nothing_else(tmp_path):
    fill(tmp_path / "data", sky(14))
    lines = [f"{k:03},{['a/../b', HOSTILE][k % 2]}" for k in range(14)]
    (tmp_path / "l.csv").write_text("\n".join(["id,label", *lines]))
    explore(tmp_path / "data", tmp_path / "out", pipeline.ExploreLabels(tmp_path / "l.csv"))
    page = (tmp_path / "out" / "explore.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    addresses = re.findall(r"<[^>]*?(?:src|href)=\"([^\"]{1,8})", page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names[:2] == ["explore.html", "explore.json"]
    assert all(re.fullmatch(r"sheet-\d-[A-Za-z0-9_-]+\.png", name) for name in names[2:])


def test_a_sheet_shows_each_chosen_cutout(tmp_path, folders):
    explore(folders, tmp_path / "out", sample=(20, 6))
    with Image.open(tmp_path / "out" / "sheet-1-lenses.png") as sheet:
        assert sheet.size == (3 * 130 + 2, 2 * 130 + 2)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_the_page_without_error(tmp_path, folders, chromium, width):
    from playwright.sync_api import sync_playwright

    explore(folders, tmp_path / "out", sample=(30, 6))
    events = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda message: events.append(message.text))
        page.on("request", lambda request: events.append(request.url))
        page.goto((tmp_path / "out" / "explore.html").as_uri())
        assert page.locator("figure svg").count() == 5
        assert page.locator(".sheet img").count() == 12
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0
        browser.close()
    assert [event for event in events if not re.match("data:|file:", event)] == []


def test_real_candidates_have_the_cues_that_graders_saw(tmp_path, real_data):
    labels = pipeline.ExploreLabels(
        real_data / "cfhtls" / "labels.csv", ("source=spacewarps",), "field"
    )
    found = explore(real_data / "cfhtls_wide", tmp_path / "out", labels, sample=(500, 4))
    counts = {name: each["rows"] for name, each in found["classes"].items()}
    assert counts == {"lens": 49, "nonlens": 97, "no label": 21}
    cues = found["check"]["cues"]
    assert 0.6 < cues["color_core_blue_red"]["auc"]["value"] < 0.8
    assert not cues["color_core_blue_red"]["larger"]  # lens galaxies are red
    assert found["twins"]["n_across_classes"] == 0


class TestTheLabelsOfTheData:
    """A folder that holds its own labels, as simulated sets do."""

    @pytest.fixture
    def labeled(self, tmp_path) -> Path:
        """Six lenses and their controls, alike but for a few pixels, and what scene each shows."""
        root = tmp_path / "set"
        both = sky(6, 5)
        lenses = both.copy()
        lenses[:, :, 8:11, 8:24] += 4
        fill(root / "images", np.concatenate([lenses, both, sky(6, 6)]))
        (root / "plan.json").write_text("{}")
        names = [f"{k:03}" for k in range(18)]
        labels = [int(k < 6) for k in range(18)]
        lines = [f"{name},{label}" for name, label in zip(names, labels, strict=True)]
        (root / "labels.csv").write_text("\n".join(["id,label", *lines]) + "\n")
        scenes = [*range(6), *range(6), *range(20, 26)]
        table = pa.table({"id": names, "label": labels, "scene": scenes})
        pq.write_table(table, root / "scenes.parquet")
        return root

    def test_are_taken_without_being_named(self, tmp_path, labeled):
        found = explore(labeled, tmp_path / "out")
        assert found["settings"]["labels"] == "scenes.parquet"
        assert {name: each["rows"] for name, each in found["classes"].items()} == {
            "lens": 6,
            "nonlens": 12,
        }

    def test_give_way_to_those_that_are_named(self, tmp_path, labeled):
        others = tmp_path / "others.csv"
        others.write_text("id,label\n000,star\n001,star\n002,disk\n")
        found = explore(labeled, tmp_path / "out", pipeline.ExploreLabels(others))
        assert set(found["classes"]) == {"star", "disk", "no label"}

    def test_keep_the_images_of_a_scene_together_in_a_probe(self, tmp_path, labeled):
        assert explore(labeled, tmp_path / "out")["check"]["grouped"]

    def test_are_called_by_the_names_of_their_classes(self, tmp_path, labeled):
        names = ["no", "sphere", "vort"]
        rows = [f"{k:03},{k % 3},{names[k % 3]}" for k in range(18)]
        (labeled / "scenes.parquet").unlink()
        (labeled / "labels.csv").write_text("\n".join(["id,label,class", *rows]) + "\n")
        assert set(explore(labeled, tmp_path / "out")["classes"]) == set(names)

    def test_of_another_form_are_none(self, tmp_path, labeled):
        (labeled / "scenes.parquet").unlink()
        (labeled / "labels.csv").write_text("name,what\n000,star\n")
        assert explore(labeled, tmp_path / "out")["why_no_check"].startswith("nothing says")
        assert pipeline.own_labels([labeled]) is None

    def test_may_be_a_parquet_table(self, labeled):
        (labeled / "scenes.parquet").unlink()
        (labeled / "labels.csv").unlink()
        path = labeled / "labels.parquet"
        pq.write_table(pa.table({"id": ["000"], "label": [1]}), path)
        assert pipeline.own_labels([labeled]) == path

    def test_of_paired_controls_are_not_called_wrong(self, tmp_path, labeled):
        twins = explore(labeled, tmp_path / "out")["twins"]
        assert (twins["n_paired"], twins["n_across_classes"]) == (6, 0)
        page = (tmp_path / "out" / "explore.html").read_text("utf-8")
        assert "Paired controls: 6 times two classes show one scene" in page
        assert "the same cutout is in two classes" not in page

    def test_that_nothing_calls_pairs_are_to_be_looked_at(self, tmp_path, labeled):
        (labeled / "scenes.parquet").unlink()
        twins = explore(labeled, tmp_path / "out")["twins"]
        assert (twins["n_paired"], twins["n_across_classes"]) == (0, 6)
        page = (tmp_path / "out" / "explore.html").read_text("utf-8")
        assert "if these are none, labels are wrong" in page

    def test_with_a_pair_of_two_scenes_are_called_wrong(self, tmp_path, labeled):
        scenes = [*range(6), 9, *range(1, 6), *range(20, 26)]
        path = labeled / "scenes.parquet"
        table = pq.read_table(path)
        pq.write_table(table.set_column(2, "scene", pa.array(scenes)), path)
        twins = explore(labeled, tmp_path / "out")["twins"]
        assert (twins["n_paired"], twins["n_across_classes"]) == (5, 1)
