"""``skysieve explore`` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("lens", "nonlens"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for k in range(8):
            cutout = rng.normal(size=(3, 24, 24)).astype("f4")
            np.save(tmp_path / "data" / name / f"{name}{k}.npy", cutout)
    return tmp_path / "data"


def test_it_says_what_is_there_and_where_the_page_is(skysieve, data, tmp_path):
    answer = skysieve("explore", str(data), "--out", str(tmp_path / "out"))
    assert answer.code == 0, answer.err
    assert "nonlens" in answer.out
    assert "probe_all" in answer.out
    assert str(tmp_path / "out" / "explore.html") in answer.out
    assert (tmp_path / "out" / "explore.html").is_file()


def test_json_is_that_of_the_file(skysieve, data, tmp_path):
    answer = skysieve("explore", str(data), "--out", str(tmp_path / "out"), "--json")
    assert json.loads(answer.out) == json.loads((tmp_path / "out" / "explore.json").read_text())


def test_without_classes_it_says_why_there_is_no_check(skysieve, data, tmp_path):
    files = sorted(str(path) for path in data.glob("lens/*.npy"))
    answer = skysieve("explore", *files, "--out", str(tmp_path / "out"), "--rows", "10")
    assert answer.code == 0, answer.err
    assert "No shortcut check: fewer than two classes" in answer.out


@pytest.mark.parametrize("option", [("--where", "a=b"), ("--group", "field")])
def test_what_is_about_labels_needs_labels(skysieve, data, tmp_path, option):
    answer = skysieve("explore", str(data), "--out", str(tmp_path / "out"), *option)
    assert answer.code == 2
    assert option[0] in answer.err


def test_bad_input_is_refused_in_one_line(skysieve, data, tmp_path):
    (tmp_path / "l.csv").write_text("id,label\nlens0,1\n")
    out = ("--out", str(tmp_path / "out"))
    known = ("--labels", str(tmp_path / "l.csv"))
    for arguments, words in (
        ((str(tmp_path / "nowhere"), *out), "There is no"),
        ((str(data), *out, "--labels", str(tmp_path / "no.csv")), "no labels file"),
        ((str(data), *out, *known, "--group", "field"), "no column 'field'"),
        ((str(data), "--out", str(data)), "holds no exploration"),
    ):
        answer = skysieve("explore", *arguments)
        assert answer.code == 3
        assert words in answer.err
        assert answer.err.count("\n") == 1


def test_the_labels_of_the_data_are_taken_and_said(skysieve, data, tmp_path):
    names = sorted(path.stem for path in data.rglob("*.npy"))
    lines = [f"{name},{'red' if name.endswith(('0', '1')) else 'blue'}" for name in names]
    (data / "labels.csv").write_text("\n".join(["id,label", *lines]) + "\n")
    answer = skysieve("explore", str(data), "--out", str(tmp_path / "out"), "--where", "label=red")
    assert answer.code == 0, answer.err
    assert f"{data / 'labels.csv'} (the data's own)" in answer.out.replace("\n", "")
    written = json.loads((tmp_path / "out" / "explore.json").read_text())
    assert written["classes"]["red"]["rows"] == 4
