"""Labeled images: every layout gives the same truth, and bad data are named with what to do."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.images import read_span, scan
from skysieve.recipe.classifier import DataPlan
from skysieve.train.labeled import read_labeled
from skysieve.train.splits import split_rows
from tests.train.labeled_sets import lens_set, picture, substructure_set, write

PLAN = DataPlan()


def table(path, rows, columns=("id", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def refused(error, *words, data, out, plan=PLAN, **more):
    """Assert that reading is refused with an error that has these words and a fix."""
    with pytest.raises(error) as caught:
        read_labeled([data], plan, out, **more)
    assert caught.value.fix
    for word in words:
        assert word in str(caught.value)
    assert not (out / "pixels.npy").exists()


class TestLayouts:
    def test_lens_folders(self, tmp_path):
        images = read_labeled([lens_set(tmp_path / "data")], PLAN, tmp_path / "out")
        assert images.classes == ("nonlens", "lens")
        assert len(images) == 44
        for name, label, named, pixels in zip(
            images.ids, images.labels, images.named, images.pixels, strict=True
        ):
            number = int(name)
            assert label == int(number <= 100 or 200 < number <= 300)
            assert named == ("test" if number < 200 else "train")
            np.testing.assert_array_equal(pixels, picture(number))

    def test_ids_that_repeat_across_folders_stay_apart(self, tmp_path):
        for split in ("train", "test"):
            write(tmp_path / f"{split}_lenses", range(4))
            write(tmp_path / f"{split}_nonlenses", range(10, 14))
        images = read_labeled([tmp_path], PLAN, tmp_path / "out")
        assert len(set(images.ids)) == 16

    def test_substructure_folders_are_in_the_order_of_the_task(self, tmp_path):
        data = substructure_set(tmp_path / "data")
        images = read_labeled([data], PLAN, tmp_path / "out", task="substructure")
        assert images.classes == ("no", "sphere", "vort")
        assert images.pixels.shape == (72, 1, 16, 16)
        assert set(images.named) == {"train", "validation"}
        by_number = {int(name): int(k) for name, k in zip(images.ids, images.labels, strict=True)}
        assert (by_number[0], by_number[100], by_number[200]) == (2, 1, 0)

    def test_other_classes_are_sorted(self, tmp_path):
        for k, name in enumerate(("spirals", "ellipticals", "merger")):
            write(tmp_path / "data" / name, range(10 * k, 10 * k + 5))
        images = read_labeled([tmp_path / "data"], PLAN, tmp_path / "out", task="morphology")
        assert images.classes == ("elliptical", "merger", "spiral")

    def test_a_table_at_the_top(self, tmp_path):
        write(tmp_path / "data", range(12))
        rows = [(k, k % 2, f"host-{k // 3}") for k in range(11)]
        table(tmp_path / "data" / "labels.csv", rows, ("id", "label", "host"))
        images = read_labeled([tmp_path / "data"], PLAN, tmp_path / "out")
        assert len(images) == 11
        assert any("1 images have no label" in note for note in images.notes)
        for name, label, host in zip(
            images.ids, images.labels, images.columns["host"], strict=True
        ):
            assert (label, host) == (int(name) % 2, f"host-{int(name) // 3}")
        by_id = dict(zip(images.ids, images.groups.tolist(), strict=True))
        assert by_id["0"] == by_id["1"] == by_id["2"] != by_id["3"]

    def test_a_parquet_table_among_the_images_is_no_image(self, tmp_path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        write(tmp_path / "data", range(6))
        rows = pa.table({"id": [str(k) for k in range(6)], "label": [0, 1] * 3})
        pq.write_table(rows, tmp_path / "data" / "labels.parquet")
        images = read_labeled([tmp_path / "data"], PLAN, tmp_path / "out")
        assert (len(images), images.notes) == (6, ())

    def test_a_simulated_set_is_labeled_by_its_table(self, tmp_path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        write(tmp_path / "set" / "images", range(9), bands=1)
        (tmp_path / "set" / "plan.json").write_text("{}")
        kinds = ["vort", "no", "sphere"] * 3
        columns = {
            "id": [str(k) for k in range(9)],
            "label": [2, 0, 1] * 3,
            "class": kinds,
            "split": ["train"] * 6 + ["val"] * 3,
            "scene": [0] * 3 + [1] * 3 + [2] * 3,
        }
        pq.write_table(pa.table(columns), tmp_path / "set" / "scenes.parquet")
        for given in (tmp_path / "set", tmp_path / "set" / "images"):
            images = read_labeled([given], PLAN, tmp_path / given.name, task="substructure")
            assert images.classes == ("no", "sphere", "vort")
            told = [images.classes[k] for k in images.labels]
            assert told == [kinds[int(name)] for name in images.ids]
            assert images.named.count("validation") == 3
            assert len(set(images.groups.tolist())) == 3

    def test_two_sets_with_the_same_ids_and_scenes_stay_apart(self, tmp_path):
        for k, name in enumerate("ab"):
            write(tmp_path / name, range(100 * k, 100 * k + 4))
            for number in range(4):
                (tmp_path / name / f"{100 * k + number}.npy").rename(
                    tmp_path / name / f"{number}.npy"
                )
            rows = [(number, number % 2, number // 2) for number in range(4)]
            table(tmp_path / name / "labels.csv", rows, ("id", "label", "scene"))
        images = read_labeled([tmp_path / "a", tmp_path / "b"], PLAN, tmp_path / "out")
        assert (len(set(images.ids)), len(set(images.groups.tolist()))) == (8, 4)

    def test_color_pictures_are_red_green_blue(self, tmp_path):
        for name in ("lens", "nonlens"):
            (tmp_path / name).mkdir()
            for k in range(5):
                shown = (255 * picture(k + len(name) * 10)).astype(np.uint8)
                Image.fromarray(shown.transpose(1, 2, 0)).save(tmp_path / name / f"{name}{k}.png")
        images = read_labeled([tmp_path], PLAN, tmp_path / "out")
        assert images.spec.bands == ("red", "green", "blue")
        assert images.spec.kind == "display"
        np.testing.assert_array_equal(images.pixels[0], (255 * picture(40)).astype(np.uint8))

    def test_pictures_beside_flux_make_a_finder_of_either(self, tmp_path):
        write(tmp_path / "lens", range(5))
        (tmp_path / "nonlens").mkdir()
        for k in range(5):
            shown = (255 * picture(k + 10)).astype(np.uint8)
            np.save(tmp_path / "nonlens" / f"{k + 10}.npy", shown)
        images = read_labeled([tmp_path], PLAN, tmp_path / "out")
        assert (images.spec.kind, len(images)) == ("either", 10)


class TestPixels:
    @pytest.mark.parametrize(
        "plan",
        [PLAN, DataPlan(side=24), DataPlan(bands=("g", "r", "i"), pixel_scale_arcsec=0.3)],
        ids=["as they are", "padded", "named"],
    )
    def test_are_those_that_find_reads(self, tmp_path, plan):
        data = lens_set(tmp_path / "data")
        hole = picture(1)
        hole[:, :3] = np.inf
        np.save(data / "test_lenses" / "1.npy", hole)
        images = read_labeled([data], plan, tmp_path / "out")
        listing = scan(data)
        reading = read_span(listing, 0, listing.n_rows, images.spec)
        assert [row.id for row in reading.rows] == list(images.ids)
        (group,) = reading.groups
        np.testing.assert_array_equal(group.pixels, images.pixels)
        assert np.isnan(images.pixels[0]).any()
        if plan.bands:
            assert (images.spec.bands, images.spec.pixel_scale_arcsec) == (plan.bands, 0.3)

    def test_stay_on_the_disk_and_cannot_be_changed(self, tmp_path):
        images = read_labeled([lens_set(tmp_path / "data")], PLAN, tmp_path / "out")
        assert isinstance(images.pixels, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            images.pixels[0] = 0

    def test_are_written_once(self, tmp_path):
        data = lens_set(tmp_path / "data")
        first = read_labeled([data], PLAN, tmp_path / "out")
        before = (tmp_path / "out" / "pixels.npy").stat()
        again = read_labeled([data], PLAN, tmp_path / "out")
        assert (tmp_path / "out" / "pixels.npy").stat() == before
        assert (again.sha256, again.ids, again.spec) == (first.sha256, first.ids, first.spec)
        np.testing.assert_array_equal(again.groups, first.groups)

    @pytest.mark.parametrize("change", ["image", "plan", "labels"])
    def test_of_something_else_are_refused(self, tmp_path, change):
        data = lens_set(tmp_path / "data")
        plan, labels = PLAN, None
        read_labeled([data], plan, tmp_path / "out")
        if change == "image":
            np.save(data / "train_lenses" / "201.npy", picture(999))  # the same size
        elif change == "plan":
            plan = DataPlan(side=24)
        else:
            rows = [(k, int(k < 3)) for k in range(1, 7)]
            labels = table(tmp_path / "labels.csv", rows)
        with pytest.raises(MismatchError, match="other images, labels or settings"):
            read_labeled([data], plan, tmp_path / "out", labels=labels)

    def test_half_written_are_made_again(self, tmp_path):
        data = lens_set(tmp_path / "data")
        first = read_labeled([data], PLAN, tmp_path / "out")
        (tmp_path / "out" / "pixels.parquet").unlink()
        (tmp_path / "out" / "pixels.npy").write_bytes(b"half")
        assert read_labeled([data], PLAN, tmp_path / "out").sha256 == first.sha256

    def test_the_hash_sees_pixels_and_labels(self, tmp_path):
        data = lens_set(tmp_path / "data")
        first = read_labeled([data], PLAN, tmp_path / "a").sha256
        (data / "train_lenses" / "201.npy").rename(data / "train_nonlenses" / "201.npy")
        second = read_labeled([data], PLAN, tmp_path / "b").sha256
        np.save(data / "train_nonlenses" / "201.npy", picture(999))
        third = read_labeled([data], PLAN, tmp_path / "c").sha256
        assert len({first, second, third}) == 3

    def test_reading_needs_no_torch(self):
        code = (
            "import sys, skysieve.train.labeled, skysieve.train.splits, skysieve.train.sampling;"
            "sys.exit('torch' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestClassOrder:
    def test_does_not_depend_on_which_file_comes_first(self, tmp_path):
        """Swapped classes turn every prediction round."""
        for k, order in enumerate(((0, 1), (1, 0))):
            root = tmp_path / str(k)
            write(root, range(8))
            table(root / "labels.csv", [(n, order[n % 2]) for n in range(8)])
            images = read_labeled([root], PLAN, tmp_path / f"out{k}")
            assert images.classes == ("nonlens", "lens")
            assert [order[int(name) % 2] for name in images.ids] == images.labels.tolist()

    def test_is_that_of_a_finder_which_gives_it(self, tmp_path):
        data = substructure_set(tmp_path / "data")
        images = read_labeled(
            [data], PLAN, tmp_path / "out", task="substructure", classes=("vort", "no", "sphere")
        )
        assert images.classes == ("vort", "no", "sphere")
        by_number = {int(name): int(k) for name, k in zip(images.ids, images.labels, strict=True)}
        assert (by_number[0], by_number[100], by_number[200]) == (0, 2, 1)

    def test_a_class_that_a_finder_does_not_know_is_named(self, tmp_path):
        data = substructure_set(tmp_path / "data")
        out = tmp_path / "out"
        refused(
            MismatchError,
            "'vort'",
            data=data,
            out=out,
            task="substructure",
            classes=("no", "sphere"),
        )


class TestBadData:
    def test_an_empty_class_folder(self, tmp_path):
        data = lens_set(tmp_path / "data")
        (data / "train_vort").mkdir()
        refused(InputError, "train_vort", data=data, out=tmp_path / "out")

    def test_a_folder_of_a_class_may_hold_folders_of_others(self, tmp_path):
        data = substructure_set(tmp_path / "data" / "lens")
        images = read_labeled([data.parent], PLAN, tmp_path / "out", task="substructure")
        assert len(images) == 72

    def test_a_class_without_images(self, tmp_path):
        data = substructure_set(tmp_path / "data")
        for split in ("train", "val"):
            for file in (data / split / "vort").iterdir():
                file.unlink()
            (data / split / "vort").rmdir()
        refused(InputError, "'vort'", data=data, out=tmp_path / "out", task="substructure")

    def test_one_class(self, tmp_path):
        write(tmp_path / "data" / "lenses", range(9))
        refused(InputError, "one class, 'lens'", data=tmp_path / "data", out=tmp_path / "out")

    def test_no_classes_at_all(self, tmp_path):
        write(tmp_path / "data", range(9))
        refused(InputError, "--labels", data=tmp_path / "data", out=tmp_path / "out")

    def test_mixed_sides_name_both_files(self, tmp_path):
        data = lens_set(tmp_path / "data")
        write(data / "train_nonlenses", [777], side=20)
        out = tmp_path / "out"
        words = ("777.npy", "test_lenses/1.npy", "(3, 20, 20)", "(3, 16, 16)", "data.side=16")
        refused(MismatchError, *words, data=data, out=out)
        images = read_labeled([data], DataPlan(side=16), out)
        middle = picture(777, side=20)[:, 2:18, 2:18]
        np.testing.assert_array_equal(images.pixels[images.ids.index("777")], middle)

    @pytest.mark.parametrize("side", [100, 3])
    def test_sides_that_differ_much_are_refused_too(self, tmp_path, side):
        data = lens_set(tmp_path / "data")
        write(data / "train_nonlenses", [777], side=side)
        refused(MismatchError, "777.npy", data=data, out=tmp_path / "out")

    def test_mixed_bands(self, tmp_path):
        data = lens_set(tmp_path / "data")
        write(data / "train_nonlenses", [777], bands=1)
        refused(MismatchError, "777.npy", "(1, 16, 16)", data=data, out=tmp_path / "out")

    def test_labels_of_other_images(self, tmp_path):
        write(tmp_path / "data", range(4))
        labels = table(tmp_path / "labels.csv", [("x", 1), ("y", 0)])
        out = tmp_path / "out"
        refused(MismatchError, "'x'", "'0'", data=tmp_path / "data", out=out, labels=labels)

    def test_labels_beyond_the_images_are_counted(self, tmp_path):
        write(tmp_path / "data", range(4))
        rows = [*((k, k % 2) for k in range(4)), ("gone", 1), ("unknown", -1)]
        labels = table(tmp_path / "labels.csv", rows)
        images = read_labeled([tmp_path / "data"], PLAN, tmp_path / "out", labels=labels)
        assert images.notes == ("1 labels name no image",)

    def test_a_few_unreadable_images_are_left_out_and_told(self, tmp_path):
        data = lens_set(tmp_path / "data")
        (data / "train_nonlenses" / "broken.npy").write_bytes(b"nonsense")
        seen = []
        images = read_labeled([data], PLAN, tmp_path / "out", watch=seen.append)
        assert (len(images), "broken" in images.ids) == (44, False)
        assert any("broken.npy" in progress.note for progress in seen)

    def test_many_are_refused(self, tmp_path):
        data = lens_set(tmp_path / "data")
        for k in range(3):
            (data / "train_nonlenses" / f"broken{k}.npy").write_bytes(b"nonsense")
        refused(InputError, "3 of 47", "broken0.npy", data=data, out=tmp_path / "out")

    def test_images_without_data_are_refused(self, tmp_path):
        data = lens_set(tmp_path / "data")
        for file in data.rglob("*.npy"):
            np.save(file, np.full((3, 16, 16), np.nan, np.float32))
        refused(InputError, "44 of 44", data=data, out=tmp_path / "out")

    def test_bands_that_do_not_fit(self, tmp_path):
        data, plan = lens_set(tmp_path / "data"), DataPlan(bands=("g", "r"))
        refused(MismatchError, "3 planes", "data.bands", data=data, out=tmp_path / "out", plan=plan)

    def test_a_group_that_no_column_names(self, tmp_path):
        data = lens_set(tmp_path / "data")
        with pytest.raises(InputError, match=r"'field'.*data\.group"):
            read_labeled([data], DataPlan(group="field"), tmp_path / "out")

    def test_a_split_that_is_none(self, tmp_path):
        write(tmp_path / "data", range(4))
        rows = [(0, 0, "train"), (1, 1, "train"), (2, 0, "tset"), (3, 1, "test")]
        labels = table(tmp_path / "labels.csv", rows, ("id", "label", "split"))
        out = tmp_path / "out"
        refused(InputError, "'tset'", data=tmp_path / "data", out=out, labels=labels)

    def test_no_data(self, tmp_path):
        with pytest.raises(MissingError):
            read_labeled([tmp_path / "nowhere"], PLAN, tmp_path / "out")


class TestLeaks:
    def test_a_copy_of_a_test_image_under_another_name_is_not_trained_on(self, tmp_path):
        data = lens_set(tmp_path / "data", train=(8, 40))
        for number in (1, 101):
            kind = "lenses" if number == 1 else "nonlenses"
            np.save(data / f"train_{kind}" / f"copy{number}.npy", picture(number))
        images = read_labeled([data], PLAN, tmp_path / "out")
        assert any("2 images have the pixels of another" in note for note in images.notes)
        splits = split_rows(images, PLAN)
        taught = {images.ids[k] for k in (*splits.train, *splits.validation, *splits.calibration)}
        assert not taught & {"copy1", "copy101"}
        assert any("2 rows" in note for note in splits.notes)


class TestRealImages:
    def test_class_folders(self, real_data, tmp_path):
        images = read_labeled([real_data / "cfhtls_wide"], PLAN, tmp_path / "out")
        assert images.pixels.shape == (167, 3, 128, 128)
        assert np.bincount(images.labels).tolist() == [97, 70]
        assert images.spec.kind == "display"

    def test_a_table_at_the_top(self, real_data, tmp_path):
        few = tmp_path / "gz1"
        few.mkdir()
        lines = (real_data / "gz1" / "labels.csv").read_text().splitlines()
        (few / "labels.csv").write_text("\n".join(lines[:41]))
        for line in lines[1:41]:
            name = f"{line.split(',')[0]}.jpeg"
            (few / name).write_bytes((real_data / "gz1" / "images" / name).read_bytes())
        images = read_labeled([few], PLAN, tmp_path / "out", task="morphology")
        assert images.classes == tuple(sorted(images.classes))
        assert (len(images), images.pixels.shape[1]) == (40, 3)
        told = dict(line.split(",")[:2] for line in lines[1:41])
        assert [told[name] for name in images.ids] == [images.classes[k] for k in images.labels]
