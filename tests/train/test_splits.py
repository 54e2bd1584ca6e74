"""Splits: no group is parted, every class is in every part, and the order of rows is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.recipe.classifier import DataPlan
from skysieve.train.grouping import group_rows, joined
from skysieve.train.splits import PARTS, Splits, read_splits, split_rows, write_splits
from tests.train.labeled_sets import made

PLAN = DataPlan()


def rows_of(splits: Splits) -> dict[str, np.ndarray]:
    return {name: getattr(splits, name) for name in PARTS}


def ids_of(images, splits):
    return {name: {images.ids[k] for k in rows} for name, rows in rows_of(splits).items()}


def shuffled(images, order):
    return replace(
        images,
        ids=tuple(images.ids[k] for k in order),
        labels=images.labels[order],
        pixels=images.pixels[order],
        named=tuple(images.named[k] for k in order),
        groups=images.groups[order],
    )


class TestSplitRows:
    def test_each_class_has_its_share(self):
        images = made([0] * 900 + [1] * 100)
        for name, rows in rows_of(split_rows(images, PLAN)).items():
            share = {"test": 0.2, "validation": 0.08, "calibration": 0.08, "train": 0.64}[name]
            assert np.bincount(images.labels[rows]).tolist() == pytest.approx(
                [900 * share, 100 * share], abs=1
            )

    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), min_size=150, max_size=300))
    @settings(max_examples=40)
    def test_no_group_is_parted_and_none_is_lost(self, rows):
        labels, groups = (list(column) for column in zip(*rows, strict=True))
        images = made(labels, groups=groups, classes=("a", "b", "c"))
        try:
            parts = rows_of(split_rows(images, PLAN))
        except InputError:  # too few groups of a class: said, never done by halves
            return
        assert sorted(np.concatenate(list(parts.values()))) == list(range(len(labels)))
        owned = [set(images.groups[mine].tolist()) for mine in parts.values()]
        assert sum(len(each) for each in owned) == len(set().union(*owned))

    @given(st.randoms(use_true_random=False))
    @settings(max_examples=20)
    def test_the_order_of_rows_is_nothing(self, random):
        images = made([0] * 60 + [1] * 20, groups=[k // 2 for k in range(80)])
        order = list(range(80))
        random.shuffle(order)
        other = shuffled(images, order)
        first, second = split_rows(images, PLAN), split_rows(other, PLAN)
        assert ids_of(images, first) == ids_of(other, second)
        assert first.sha256 == second.sha256

    def test_another_seed_gives_other_rows(self):
        images = made([0] * 60 + [1] * 60)
        first, second = (split_rows(images, DataPlan(seed=seed)) for seed in (1, 2))
        assert set(first.test) != set(second.test)
        assert first.sha256 != second.sha256

    def test_named_test_rows_are_the_test_rows(self):
        named = (["test"] * 10 + ["train"] * 40) * 2
        images = made([0] * 50 + [1] * 50, named=named)
        splits = split_rows(images, PLAN)
        assert [named[k] for k in splits.test] == ["test"] * 20
        assert "test" not in {named[k] for k in np.concatenate(list(rows_of(splits).values())[:3])}

    def test_validation_rows_without_test_rows_are_tested_on_not_chosen_by(self):
        named = (["validation"] * 10 + ["train"] * 40) * 2
        images = made([0] * 50 + [1] * 50, named=named)
        splits = split_rows(images, PLAN)
        assert {named[k] for k in splits.test} == {"validation"}
        assert {named[k] for k in splits.validation} == {"train"}

    def test_three_named_parts_are_kept(self):
        named = (["test"] * 10 + ["validation"] * 5 + ["train"] * 35) * 2
        images = made([0] * 50 + [1] * 50, named=named)
        splits = split_rows(images, PLAN)
        assert {named[k] for k in splits.validation} == {"validation"}
        assert (len(splits.validation), len(splits.calibration)) == (10, 8)

    def test_training_rows_akin_to_test_rows_are_left_out_and_told(self):
        named = (["test"] * 10 + ["train"] * 40) * 2
        groups = list(range(100))
        groups[10], groups[60] = groups[0], groups[50]  # two training rows
        images = made([0] * 50 + [1] * 50, named=named, groups=groups)
        splits = split_rows(images, PLAN)
        used = np.concatenate(list(rows_of(splits).values()))
        assert {10, 60} & set(used.tolist()) == set()
        assert any("2 rows" in note for note in splits.notes)

    def test_a_limit_takes_the_same_rows_for_every_seed_and_leaves_the_test_rows(self):
        images = made([0] * 500 + [1] * 200, named=(["test"] + ["train"] * 9) * 70)
        plans = [DataPlan(limit=30, seed=seed) for seed in (1, 2)]
        first, second = (split_rows(images, plan) for plan in plans)
        assert np.bincount(images.labels[first.train]).tolist() == [30, 30]
        assert len(first.test) == 70
        shared = set(first.train) & set(second.train)
        assert len(shared) > 40  # but for those that one seed validates or calibrates on

    def test_a_large_group_does_not_swallow_a_part(self):
        groups = [0] * 300 + list(range(1, 301))
        images = made(([0] * 3 + [1]) * 150, groups=groups)
        splits = split_rows(images, PLAN)
        assert len(splits.test) == pytest.approx(120, abs=12)

    def test_too_few_groups_of_a_class_are_refused(self):
        images = made([0] * 50 + [1] * 50, groups=[*range(50), *[50, 51] * 25])
        with pytest.raises(InputError, match=r"'lens' has no .*data\.group"):
            split_rows(images, PLAN)


class TestSplitsOnDisk:
    @pytest.fixture
    def images(self):
        return made([0] * 40 + [1] * 20, groups=[k // 2 for k in range(60)])

    def test_are_read_as_they_were_written(self, tmp_path, images):
        splits = split_rows(images, PLAN)
        write_splits(images, splits, tmp_path / "splits.csv")
        order = np.random.default_rng(1).permutation(60)
        other = shuffled(images, order)
        read = read_splits(tmp_path / "splits.csv", other)
        assert ids_of(other, read) == ids_of(images, splits)
        assert read.sha256 == splits.sha256
        assert (tmp_path / "splits.csv").read_text().splitlines()[0] == "id,label,split"

    def test_a_changed_file_is_refused(self, tmp_path, images):
        path = tmp_path / "splits.csv"
        write_splits(images, split_rows(images, PLAN), path)
        path.write_text(path.read_text().replace(",test\n", ",train\n", 1))
        with pytest.raises(InputError, match="was changed"):
            read_splits(path, images)

    def test_other_images_are_refused(self, tmp_path, images):
        write_splits(images, split_rows(images, PLAN), tmp_path / "splits.csv")
        with pytest.raises(MismatchError, match="other images"):
            read_splits(tmp_path / "splits.csv", replace(images, sha256="b" * 64))

    def test_a_group_in_two_parts_is_refused(self, tmp_path, images):
        write_splits(images, split_rows(images, PLAN), tmp_path / "splits.csv")
        joined_up = replace(images, groups=np.zeros(60, np.int64))
        with pytest.raises(MismatchError, match="in both"):
            read_splits(tmp_path / "splits.csv", joined_up)

    def test_nothing_there(self, tmp_path, images):
        with pytest.raises(MissingError):
            read_splits(tmp_path / "splits.csv", images)


class TestGroups:
    def test_a_chain_of_likenesses_is_one_group(self):
        groups = joined(6, [(0, "a"), (1, "a"), (1, "b"), (4, "b"), (2, None), (3, None)])
        assert groups.tolist() == [0, 0, 1, 2, 0, 3]

    def test_pixels_and_columns_join_rows(self):
        columns = {"host": ["x", "y", "", "", "x"], "tile": ["1"] * 5}
        groups = group_rows(columns, [0] * 5, list("abbcd"), list("12345"), None)
        assert groups.tolist() == [0, 1, 1, 2, 0]

    def test_the_named_column_counts(self):
        columns = {"host": ["x", "y", "z"], "tile": ["1", "1", "2"]}
        groups = group_rows(columns, [0] * 3, list("abc"), list("123"), "tile")
        assert groups.tolist() == [0, 0, 1]
