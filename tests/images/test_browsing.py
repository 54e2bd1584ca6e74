"""Browsing: every row is told once, as it lies in its file; folders tell classes and splits."""

from __future__ import annotations

import numpy as np
import pytest

from skysieve.core.scores import Status
from skysieve.images import ReadOptions, scan
from skysieve.images.browsing import browse, class_folders, split_folders
from skysieve.images.sources import Failure
from tests.images.formats import WRITERS, sky


@pytest.mark.parametrize("writer", WRITERS.values(), ids=list(WRITERS))
def test_every_format_is_browsed_as_it_is(tmp_path, writer):
    writer(tmp_path, sky())
    listing = scan(tmp_path)
    seen = list(browse(listing, 0, listing.n_rows))
    assert [row for each in seen for row in each.rows] == list(range(3))
    assert all(not isinstance(each.piece, Failure) for each in seen)
    pixels = np.concatenate([each.piece.pixels for each in seen])
    assert pixels.shape == (3, 3, 64, 64)
    assert pixels.dtype == np.float32


def test_a_part_of_a_stack_has_its_own_rows(tmp_path):
    np.save(tmp_path / "a.npy", sky(5))
    np.save(tmp_path / "b.npy", sky(4))
    (first, second) = browse(scan(tmp_path), 3, 7)
    assert (list(first.rows), list(second.rows)) == ([3, 4], [5, 6])
    assert (first.ids, second.ids) == (("a#3", "a#4"), ("b#0", "b#1"))
    np.testing.assert_array_equal(second.piece.pixels, sky(4)[:2])


def test_a_bad_file_is_a_row_with_its_reason(tmp_path):
    np.save(tmp_path / "a.npy", sky(1)[0])
    (tmp_path / "b.npy").write_bytes(b"nonsense")
    good, bad = browse(scan(tmp_path), 0, 2)
    assert isinstance(bad.piece, Failure)
    assert bad.piece.error.status is Status.UNREADABLE
    assert bad.ids == ("b",)
    assert good.dtype == "float32"


def test_marks_of_no_data_become_nan(tmp_path):
    pixels = sky(1)[0]
    pixels[:, :4] = -99
    np.save(tmp_path / "a.npy", pixels)
    (seen,) = browse(scan(tmp_path, ReadOptions(mask_value=-99.0)), 0, 1)
    assert np.isnan(seen.piece.pixels).sum() == 3 * 4 * 64


def fill(root, *folders, n=6):
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for k in range(n):
            np.save(root / folder / f"{k}.npy", np.zeros((3, 8, 8), np.float32))


def classes(root) -> dict[str, int]:
    found = list(class_folders(scan(root)).values())
    return {name: found.count(name) for name in sorted(set(found))}


def splits(root) -> dict[str, int]:
    found = list(split_folders(scan(root)).values())
    return {name: found.count(name) for name in sorted(set(found))}


def test_folders_of_the_lens_finding_set_tell_class_and_split(tmp_path):
    fill(tmp_path, "train_lenses", "train_nonlenses", "test_lenses")
    assert classes(tmp_path) == {"lenses": 12, "nonlenses": 6}
    assert splits(tmp_path) == {"test": 6, "train": 12}


def test_folders_of_the_substructure_set_tell_class_and_split(tmp_path):
    fill(tmp_path, "train/no", "train/sphere", "val/vort", "val/no")
    assert classes(tmp_path) == {"no": 12, "sphere": 6, "vort": 6}
    assert splits(tmp_path) == {"train": 12, "val": 12}


def test_any_few_folders_are_classes(tmp_path):
    fill(tmp_path, "blobs", "rings")
    assert classes(tmp_path) == {"blobs": 6, "rings": 6}


def test_a_folder_per_object_is_no_class(tmp_path):
    fill(tmp_path, *(f"obj{k}" for k in range(4)), n=1)
    assert classes(tmp_path) == {}


def test_folders_of_splits_alone_are_no_classes(tmp_path):
    fill(tmp_path, "train", "val")
    assert classes(tmp_path) == {}
    assert splits(tmp_path) == {"train": 6, "val": 6}


def test_class_folders_may_be_named_one_by_one(tmp_path):
    fill(tmp_path, "lens", "nonlens")
    found = class_folders(scan([tmp_path / "lens", tmp_path / "nonlens"]))
    assert sorted(set(found.values())) == ["lens", "nonlens"]
    assert len(found) == 12
