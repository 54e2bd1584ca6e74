"""``skysieve find``, ``rank`` and ``report`` on a few cutouts and a tiny finder."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.finder.tiny import tiny_finder

N, BAD = 12, 1


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with cutouts, one of them broken, labels, and a finder."""
    monkeypatch.chdir(tmp_path)
    tiny_finder(tmp_path / "tiny")
    (tmp_path / "cutouts").mkdir()
    rng = np.random.default_rng(1)
    for k in range(N):
        np.save(tmp_path / "cutouts" / f"c{k:02}.npy", rng.normal(size=(3, 48, 48)).astype("f4"))
    (tmp_path / "cutouts" / "page.fits").write_text("<html>not found</html>")
    (tmp_path / "cutouts" / "notes.txt").write_text("no image")
    rows = [f"c{k:02},{k % 2},{'visual' if k < 8 else 'other'}" for k in range(N)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label,source", *rows]) + "\n")
    return tmp_path


FIND = ("find", "cutouts", "--finder", "tiny", "--out", "run")


class TestFind:
    def test_says_how_many_how_fast_and_where(self, skysieve, here):
        answer = skysieve(*FIND)
        assert answer.code == 0, answer.err
        assert f"{N} of {N + BAD} cutouts scored by tiny" in answer.out
        assert "a second" in answer.out
        assert "1 unreadable: the file could not be read" in answer.out
        assert (here / "run" / "report.html").is_file()
        assert "run/report.html" in answer.out
        assert answer.err == ""

    def test_given_again_says_that_it_is_done(self, skysieve, here):
        first = skysieve(*FIND)
        ranking = (here / "run" / "ranking.parquet").read_bytes()
        again = skysieve(*FIND)
        assert (first.code, again.code) == (0, 0)
        assert (here / "run" / "ranking.parquet").read_bytes() == ranking

    def test_adds_the_probability_at_the_users_prior(self, skysieve, here):
        skysieve(*FIND, "--prior", "0.001")
        table = pq.read_table(here / "run" / "ranking.parquet")
        p, p_survey = (np.array(table[name].to_pylist()[:N]) for name in ("p", "p_survey"))
        assert (p_survey < p).all()

    def test_refuses_to_read_off_the_share_what_it_cannot_check(self, skysieve, here):
        answer = skysieve(*FIND, "--prior", "auto")
        assert answer.code == 3
        assert "keeps no calibration rows" in answer.err
        assert "--prior 0.001" in answer.err
        assert not (here / "run").exists()

    def test_hints_at_the_nearest_finder(self, skysieve, here, monkeypatch):
        tiny_finder(here / "shipped" / "tiny")
        monkeypatch.setattr("skysieve.finder.bundle.SHIPPED", here / "shipped")
        answer = skysieve("find", "cutouts", "--finder", "tniy", "--out", "run")
        assert answer.code == 3
        assert "Did you mean tiny?" in answer.err
        assert not (here / "run").exists()

    def test_refuses_another_run_in_the_same_folder(self, skysieve, here):
        skysieve(*FIND)
        answer = skysieve(*FIND, "--prior", "0.1")
        assert answer.code == 3
        assert "prior" in answer.err

    def test_refuses_a_folder_without_images(self, skysieve, here):
        (here / "empty").mkdir()
        answer = skysieve("find", "empty", "--finder", "tiny", "--out", "run")
        assert answer.code == 3
        assert "no image" in answer.err

    @pytest.mark.parametrize(
        "wrong",
        [
            ("--bands", "g,,r"),
            ("--bands", "g,r,g"),
            ("--prior", "2"),
            ("--prior", "nan"),
            ("--prior", "often"),
            ("--workers", "0"),
            ("--pixel-scale", "-1"),
            ("--kind", "poster"),
        ],
    )
    def test_leaves_with_2_at_an_option_that_makes_no_sense(self, skysieve, here, wrong):
        answer = skysieve(*FIND, *wrong)
        assert answer.code == 2
        assert wrong[0] in answer.err
        assert not (here / "run").exists()

    def test_stopped_says_how_to_go_on(self, skysieve, here, monkeypatch):
        def stop(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("skysieve.pipeline.find", stop)
        answer = skysieve(*FIND)
        assert answer.code == 130
        assert "goes on from here" in answer.err

    def test_passes_every_option_on(self, skysieve, here, monkeypatch):
        seen = {}

        def take(inputs, finder, out, **rest):
            seen.update(rest, inputs=inputs, finder=finder)
            raise KeyboardInterrupt

        monkeypatch.setattr("skysieve.pipeline.find", take)
        given = (
            "--bands",
            "i, r,g",
            "--pixel-scale",
            "0.2",
            "--kind",
            "flux",
            "--mask-value",
            "99",
        )
        skysieve(*FIND, *given, "--prior", "0.01", "--workers", "2")
        options = seen["options"]
        assert options.bands == ("i", "r", "g")
        assert (options.pixel_scale_arcsec, options.kind, options.mask_value) == (0.2, "flux", 99)
        assert (seen["prior"], seen["workers"], seen["inputs"]) == (0.01, 2, ["cutouts"])


class TestRank:
    def test_shows_the_best_first(self, skysieve, here):
        skysieve(*FIND)
        rows = json.loads(skysieve("rank", "run", "-n", "5", "--json").out)
        assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
        assert sorted((row["p"] for row in rows), reverse=True) == [row["p"] for row in rows]

    def test_says_the_same_to_a_person(self, skysieve, here):
        skysieve(*FIND)
        rows = json.loads(skysieve("rank", "run", "-n", "3", "--json").out)
        told = skysieve("rank", "run", "-n", "3").out
        assert all(row["id"] in told for row in rows)
        assert "message" not in told

    def test_ranks_by_another_class(self, skysieve, here):
        skysieve(*FIND)
        best = json.loads(skysieve("rank", "run", "-n", "100", "--json").out)[:N]
        other = json.loads(skysieve("rank", "run", "-n", "100", "--for", "nonlens", "--json").out)
        assert [row["id"] for row in other[:N]] == [row["id"] for row in best[::-1]]

    def test_refuses_a_class_that_the_finder_has_not(self, skysieve, here):
        skysieve(*FIND)
        answer = skysieve("rank", "run", "--for", "comet")
        assert answer.code == 3
        assert "nonlens" in answer.err

    def test_refuses_a_folder_that_is_no_run(self, skysieve, here):
        answer = skysieve("rank", "cutouts")
        assert answer.code == 3
        assert len(answer.err.splitlines()) == 1


class TestReport:
    def test_measures_what_the_labels_know(self, skysieve, here):
        skysieve(*FIND)
        answer = skysieve("report", "run", "--labels", "labels.csv", "--json")
        assert answer.code == 0, answer.err
        auc = json.loads(answer.out)["metrics"]["roc_auc"]
        assert (auc["n_positive"], auc["n_negative"]) == (N // 2, N // 2)
        assert auc["low"] <= auc["value"] <= auc["high"]

    def test_tells_a_person_the_measures_with_their_interval(self, skysieve, here):
        skysieve(*FIND)
        told = skysieve("report", "run", "--labels", "labels.csv", "--where", "source=visual")
        assert told.code == 0, told.err
        assert "roc auc" in told.out
        assert " 4 " in told.out
        assert "run/report.html" in told.out

    def test_without_labels_needs_no_where(self, skysieve, here):
        skysieve(*FIND)
        assert skysieve("report", "run", "--where", "source=visual").code == 2

    def test_refuses_a_labels_file_that_is_not_there(self, skysieve, here):
        skysieve(*FIND)
        answer = skysieve("report", "run", "--labels", "nowhere.csv")
        assert answer.code == 3
        assert "nowhere.csv" in answer.err


def test_the_demo_tells_what_it_found(skysieve, here, monkeypatch):
    """The sample and the finder stand in for those of the package."""
    monkeypatch.setattr("skysieve.pipeline.demonstrating.SAMPLE", here / "sample")
    monkeypatch.setattr("skysieve.pipeline.demonstrating.DEMO_FINDER", here / "tiny")
    (here / "cutouts").rename(here / "sample")
    (here / "labels.csv").rename(here / "sample" / "labels.csv")
    answer = skysieve("demo", "--out", "demo-run")
    assert answer.code == 0, answer.err
    assert f"hides {N // 2} lenses among {N} cutouts" in answer.out
    assert "demo-run/report.html" in answer.out
    assert "a second" in answer.out
