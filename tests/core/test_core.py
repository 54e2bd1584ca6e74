"""The nouns at the bottom: what exists is right, and what is wrong says what to do."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from skysieve.core import errors
from skysieve.core.cutouts import Cutouts
from skysieve.core.files import TEMPORARY, remove_leftovers, sha256_of, whole_file, write_text
from skysieve.core.inputs import InputSpec
from skysieve.core.labels import UNKNOWN, Labels
from skysieve.core.random import seed_of, stream
from skysieve.core.scores import Scores, Status
from skysieve.core.survey import SURVEYS, survey


def cutouts(n=3, **changes):
    given = {
        "ids": tuple(f"c{k}" for k in range(n)),
        "pixels": np.arange(n * 2 * 4 * 4, dtype=np.float32).reshape(n, 2, 4, 4),
        "bands": ("g", "r"),
    }
    return Cutouts(**{**given, **changes})


class TestCutouts:
    def test_pixels_cannot_be_written(self):
        with pytest.raises(ValueError, match="read-only"):
            cutouts().pixels[0, 0, 0, 0] = 1

    def test_the_array_that_was_given_stays_writable(self):
        pixels = np.zeros((3, 2, 4, 4), np.float32)
        cutouts(pixels=pixels)
        pixels[0] = 1

    def test_valid_is_where_there_is_data(self):
        pixels = np.zeros((3, 2, 4, 4), np.float32)
        pixels[1, 0, 2, 3] = np.nan
        valid = cutouts(pixels=pixels).valid
        assert not valid[1, 0, 2, 3]
        assert valid.sum() == valid.size - 1

    @given(st.lists(st.integers(0, 4), unique=True))
    def test_a_choice_of_rows_keeps_them_together(self, rows):
        some = cutouts(5)[rows]
        assert some.ids == tuple(f"c{k}" for k in rows)
        assert some.rows == tuple(rows)
        np.testing.assert_array_equal(some.pixels, cutouts(5).pixels[rows])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"ids": ("a", "a", "b")}, "repeats"),
            ({"ids": ("a", "b")}, "2 ids but 3 pixels"),
            ({"bands": ("g", "r", "i")}, "pixels have 2"),
            ({"rows": (1, 2)}, "3 ids but 2 rows"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, changes, message):
        with pytest.raises(errors.InputError, match=message):
            cutouts(**changes)


class TestInputSpec:
    spec: ClassVar = {
        "bands": ("g", "r", "i"), "kind": "either", "pixel_scale_arcsec": 0.2,
        "pixel_scale_range_arcsec": (0.1, 0.3), "min_side": 64, "max_side": 128,
    }  # fmt: skip

    @pytest.mark.parametrize(
        ("height", "width", "side"),
        [(10, 10, 64), (64, 64, 64), (65, 60, 80), (91, 91, 96), (69, 57, 80), (500, 40, 128)],
    )
    def test_a_cutout_is_fitted_to_the_next_step(self, height, width, side):
        assert InputSpec(**self.spec).side(height, width) == side

    @pytest.mark.parametrize(
        "changes",
        [
            {"pixel_scale_arcsec": 0.5},
            {"min_side": 256},
            {"max_side": 100},
            {"bands": ()},
            {"bnads": ("g",)},
        ],
    )
    def test_a_contradiction_is_refused(self, changes):
        with pytest.raises(ValidationError):
            InputSpec(**{**self.spec, **changes})


class TestStreams:
    def test_a_stream_is_its_name(self):
        assert stream(1, "lens", 5).random() == stream(1, "lens", 5).random()

    @given(st.tuples(st.integers(0, 99), st.sampled_from(["lens", "noise"]), st.integers(0, 99)))
    def test_another_name_is_another_stream(self, name):
        seed, purpose, index = name
        here = seed_of(seed, purpose, index)
        others = [
            (seed + 1, purpose, index),
            (seed, purpose + "s", index),
            (seed, purpose, index + 1),
        ]
        assert all(seed_of(*other) != here for other in others)

    def test_streams_are_uniform_together(self):
        draws = np.array([stream(0, "x", k).random() for k in range(2000)])
        assert abs(draws.mean() - 0.5) < 0.03
        assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.1


class TestFiles:
    def test_a_file_is_whole(self, tmp_path: Path):
        write_text(tmp_path / "a", "new")
        assert (tmp_path / "a").read_text() == "new"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_after_an_error_the_old_file_stands(self, tmp_path: Path):
        write_text(tmp_path / "a", "old")
        with pytest.raises(RuntimeError), whole_file(tmp_path / "a") as temporary:  # noqa: PT012
            temporary.write_text("half")
            assert temporary.name.startswith(TEMPORARY)
            raise RuntimeError
        assert (tmp_path / "a").read_text() == "old"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_the_hash_is_the_known_one(self, tmp_path: Path):
        write_text(tmp_path / "a", "abc")
        assert sha256_of(tmp_path / "a").startswith("ba7816bf8f01cfea")

    def test_only_what_a_dead_process_left_is_removed(self, tmp_path: Path):
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        (tmp_path / "deep").mkdir()
        left = tmp_path / "deep" / f"{TEMPORARY}{dead.pid}-1a2b3c4d-a.parquet"
        kept = [
            tmp_path / f"{TEMPORARY}{os.getpid()}-1a2b3c4d-a.parquet",
            tmp_path / f"{TEMPORARY}mine",
            tmp_path / "deep" / "a.parquet",
        ]
        for path in (left, *kept):
            path.write_bytes(b"half")
        remove_leftovers(tmp_path)
        assert not left.exists()
        assert all(path.exists() for path in kept)


@pytest.mark.parametrize(
    "kind", [errors.InputError, errors.MissingError, errors.MismatchError, errors.RecipeError]
)
def test_an_error_crosses_processes_whole(kind):
    error = pickle.loads(pickle.dumps(kind("a.fits is empty", "Delete it")))
    assert type(error) is kind
    assert str(error) == "a.fits is empty. Delete it."
    assert str(kind("a.fits is empty")) == "a.fits is empty."


def test_labels_that_are_not_known_are_said_to_be_unknown():
    labels = Labels(ids=("a", "b"), values=np.array([1, 0], np.int8))
    assert labels.of(["b", "x", "a"]).tolist() == [0, UNKNOWN, 1]
    with pytest.raises(errors.InputError, match="repeats"):
        Labels(ids=("a", "a"), values=np.array([1, 0], np.int8))
    with pytest.raises(errors.InputError, match="none of"):
        Labels(ids=("a",), values=np.array([2], np.int8))


def test_scores_know_the_positive_class():
    scores = Scores(
        ids=("a",), classes=("nonlens", "lens"), positive="lens",
        probabilities=np.array([[0.25, 0.75]], np.float32), status=(Status.OK,),
        stage=np.ones(1, np.int8),
    )  # fmt: skip
    assert scores.p.tolist() == [0.75]


def test_every_status_has_a_meaning():
    assert all(status.meaning for status in Status)


@pytest.mark.parametrize("name", sorted(SURVEYS))
def test_every_survey_is_plausible_and_names_its_source(name):
    value = survey(name)
    assert 0.05 <= value.pixel_scale_arcsec < 0.5
    assert value.source
    for band in value.bands:
        assert 0.08 < band.psf_fwhm_arcsec < 2
        assert 24 < band.sky_noise_ab < 33


def test_an_unknown_survey_names_the_known_ones():
    with pytest.raises(errors.MissingError, match="cfhtls"):
        survey("sloan")
