"""``skysieve evaluate`` as a user meets it: the same rows for all, classes by name, no row twice used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from onnx import numpy_helper
from sklearn.metrics import roc_auc_score

from skysieve.core.errors import InputError, MismatchError
from skysieve.finder.bundle import save
from skysieve.measure import evaluation_page
from skysieve.pipeline.asked import hash_rows, match_classes, read_named_splits
from tests.finder.tiny import tiny_card, tiny_graph
from tests.search.sky import cutouts

N = 60
PASS_LOGIT = -5.6


def write_finder(folder: Path, *, seed: int = 1, reverse: bool = False, stages: int = 1) -> Path:
    """Write a tiny finder; reversed, its classes and its graph come in the other order."""
    card = tiny_card(stages=stages)
    if stages > 1:  # about half of the cutouts pass the first mesh
        first = card.stages[0].model_copy(update={"pass_logit": PASS_LOGIT})
        card = card.model_copy(update={"stages": (first, *card.stages[1:])})
    graphs = {f"stage-{k}.onnx": tiny_graph(seed=seed + k) for k in range(1, stages + 1)}
    if reverse:
        card = card.model_copy(update={"classes": ("lens", "nonlens")})
        graphs = {name: swap_classes(graph) for name, graph in graphs.items()}
    save(folder, card, graphs)
    return folder


def swap_classes(graph: bytes) -> bytes:
    model = onnx.load_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.name in ("weight", "bias"):
            swapped = numpy_helper.to_array(tensor)[..., ::-1].copy()
            tensor.CopyFrom(numpy_helper.from_array(swapped, tensor.name))
    return model.SerializeToString()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of single images, half of them lenses, and a table of labels beside them."""
    folder = tmp_path / "data"
    folder.mkdir()
    pixels = cutouts(N)
    lines = ["id,label,kind,host"]
    for k in range(N):
        np.save(folder / f"c{k:02}.npy", pixels[k])
        lines.append(
            f"c{k:02},{'lens' if k % 2 else 'nonlens'},{'red' if k % 3 else 'blue'},h{k // 2}"
        )
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def finder(tmp_path: Path) -> Path:
    return write_finder(tmp_path / "first")


def training_run(folder: Path, splits: dict[str, str], **more) -> Path:
    write_finder(folder / "finder", **more)
    lines = [f"{name},lens,{split}" for name, split in splits.items()]
    (folder / "splits.csv").write_text("\n".join(["id,label,split", *lines]) + "\n")
    return folder


@pytest.fixture(autouse=True)
def few_figures(request, monkeypatch):
    """Draw figures only where a test looks at them: they take seconds."""

    def blank(figure, stem):
        del figure
        path = stem.with_name(f"{stem.name}.svg")
        path.write_text("<svg/>")
        return path, path

    if "draws" not in request.node.name:
        monkeypatch.setattr(evaluation_page, "save_figure", blank)


@pytest.fixture
def evaluate(skysieve, data, tmp_path):
    def run(*arguments: str, on: Path = data, code: int = 0):
        out = tmp_path / "out"
        parts = ("--data", str(on), "--out", str(out), "--resamples", "100")
        answer = skysieve("evaluate", *map(str, arguments), *parts)
        assert answer.code == code, answer.err
        if code:
            assert answer.err.count("\n") == 1
            return answer.err
        return answer, json.loads((out / "evaluation.json").read_text()), out

    return run


def test_it_draws_and_its_numbers_are_those_of_the_predictions_it_writes(evaluate, finder):
    answer, written, out = evaluate(finder)
    mine = written["finders"]["first"]
    table = pq.read_table(out / "first" / "predictions.parquet")
    truth = [label == "lens" for label in table["label"].to_pylist()]
    assert table.num_rows == written["rows"]["compared"] == N
    auc = roc_auc_score(truth, table["p_lens"].to_pylist())
    assert mine["headline"]["auc"]["value"] == pytest.approx(auc)
    assert f"{auc:.4f}" in answer.out
    rows = zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True)
    assert written["rows"]["sha256"] == hash_rows(rows)
    assert written["rows"]["group"] == "host"
    page = (out / "evaluation.html").read_text()
    assert written["rows"]["sha256"] in page
    for name in ("roc.png", "roc.svg", "first/confusion.png", "first/calibration.svg"):
        assert (out / name).is_file()


def test_it_measures_what_find_gives(evaluate, tmp_path, skysieve, data):
    cascade = write_finder(tmp_path / "cascade", stages=2)
    skysieve("find", str(data), "--finder", str(cascade), "--out", str(tmp_path / "run"))
    ranking = pq.read_table(tmp_path / "run" / "ranking.parquet")
    found = dict(zip(ranking["id"].to_pylist(), ranking["p_lens"].to_pylist(), strict=True))
    assert set(ranking["stage"].to_pylist()) == {1, 2}, "some rows must stop at the first mesh"
    _, _, out = evaluate(cascade)
    table = pq.read_table(out / "cascade" / "predictions.parquet")
    mine = dict(zip(table["id"].to_pylist(), table["p_lens"].to_pylist(), strict=True))
    assert mine == found


def test_classes_are_matched_by_name_never_by_place(evaluate, finder, tmp_path):
    reverse = write_finder(tmp_path / "reverse", reverse=True)
    _, written, out = evaluate(finder, reverse)
    tables = [pq.read_table(out / name / "predictions.parquet") for name in ("first", "reverse")]
    straight, swapped = (np.array(table["p_lens"].to_pylist()) for table in tables)
    np.testing.assert_allclose(straight, swapped, atol=1e-3)
    assert not np.allclose(straight, 1 - swapped, atol=0.05)
    one, other = (written["finders"][name]["headline"]["auc"] for name in ("first", "reverse"))
    assert one["value"] == pytest.approx(other["value"], abs=0.01)


def test_finders_are_compared_with_the_first_or_the_one_that_is_named(evaluate, finder, tmp_path):
    other = write_finder(tmp_path / "other", seed=5)
    answer, written, out = evaluate(finder, other)
    assert written["finders"]["first"]["differences"] == {}
    gap = written["finders"]["other"]["differences"]["auc"]
    aucs = [written["finders"][name]["headline"]["auc"]["value"] for name in ("first", "other")]
    assert gap["value"] == pytest.approx(aucs[1] - aucs[0])
    assert "More than first" in answer.out
    _, turned, _ = evaluate(finder, other, "--against", "other")
    back = turned["finders"]["first"]["differences"]["auc"]
    assert (back["value"], back["low"]) == pytest.approx((-gap["value"], -gap["high"]))
    assert len(list((out / "runs").iterdir())) == 2, "scores of the first evaluation are used again"
    assert "No finder is called 'third'" in evaluate(finder, "--against", "third", code=3)


def test_independent_rows_have_the_exact_tests(evaluate, finder, tmp_path, data):
    table = (data / "labels.csv").read_text().replace(",host", ",note")
    (data / "labels.csv").write_text(table)
    _, written, _ = evaluate(finder, write_finder(tmp_path / "other", seed=5))
    mine = written["finders"]["other"]
    assert mine["delong"]["method"] == "delong"
    assert mine["differences"]["auc"]["p_value"] == mine["delong"]["p_value"]
    assert mine["differences"]["accuracy"]["p_value"] == mine["mcnemar"]["p_value"]


SPLITS = {f"c{k:02}": ("test", "train", "validation", "calibration")[k // 4 % 4] for k in range(N)}


def test_rows_that_a_finder_learned_from_are_left_out(evaluate, finder, tmp_path):
    run = training_run(tmp_path / "trained", SPLITS, seed=3)
    answer, written, out = evaluate(finder, run)
    used = set(pq.read_table(out / "first" / "predictions.parquet")["id"].to_pylist())
    assert used == {name for name, split in SPLITS.items() if split == "test"}
    assert "trained learned from other rows of these data" in answer.out
    assert written["rows"]["split"] == "test"
    assert written["rows"]["read"] == N
    assert written["finders"]["trained"]["n_learned_from"] == 0
    assert written["warnings"] == []


def test_rows_that_a_training_run_left_out_are_no_test_rows_and_did_not_teach(evaluate, tmp_path):
    left = {name: split if split != "train" else "left out" for name, split in SPLITS.items()}
    run = training_run(tmp_path / "trained", left)
    assert evaluate(run)[1]["rows"]["compared"] == 16
    learned = evaluate(run, "--split", "all")[1]["finders"]["trained"]["n_learned_from"]
    assert learned == sum(split in ("validation", "calibration") for split in SPLITS.values())


def test_a_bundle_beside_its_splits_is_known_for_what_it_learned_from(evaluate, tmp_path):
    run = training_run(tmp_path / "trained", SPLITS)
    _, written, _ = evaluate(run / "finder")
    assert (written["rows"]["split"], written["rows"]["compared"]) == ("test", 16)


def test_rows_learned_from_are_told_with_every_number_when_all_are_asked_for(evaluate, tmp_path):
    run = training_run(tmp_path / "trained", SPLITS)
    answer, written, out = evaluate(run, "--split", "all")
    n = sum(split != "test" for split in SPLITS.values())
    assert written["finders"]["trained"]["n_learned_from"] == n
    warning = f"trained learned from {n} of these {N} rows: its numbers are too good"
    assert f"warning: {warning}" in answer.out
    assert warning in (out / "evaluation.html").read_text()


def test_validation_rows_are_those_of_the_run(evaluate, tmp_path):
    run = training_run(tmp_path / "trained", SPLITS)
    answer, _, out = evaluate(run, "--split", "validation")
    used = set(pq.read_table(out / "trained" / "predictions.parquet")["id"].to_pylist())
    assert used == {name for name, split in SPLITS.items() if split == "validation"}
    assert "test rows say what finders reach" in answer.out


def test_stacks_are_split_like_single_files(evaluate, tmp_path):
    folder = tmp_path / "stacks"
    for k, name in enumerate(("lens", "nonlens")):
        (folder / name).mkdir(parents=True)
        np.save(folder / name / f"{name}.npy", cutouts(20, seed=k))
    splits = {
        f"{name}#{k}": "test" if k < 5 else "train"
        for name in ("lens", "nonlens")
        for k in range(20)
    }
    _, written, _ = evaluate(training_run(tmp_path / "trained", splits), on=folder)
    assert written["rows"]["labels"] == "the names of folders"
    assert written["counts"] == {"nonlens": 5, "lens": 5}


def test_rows_that_one_finder_cannot_score_are_left_out_for_all(evaluate, finder, tmp_path, data):
    np.save(data / "c07.npy", np.zeros((3, 32, 32), np.uint8))
    answer, written, out = evaluate(finder, write_finder(tmp_path / "other", seed=5))
    assert written["rows"]["compared"] == N - 1
    assert all(each["n_unscored"] == 1 for each in written["finders"].values())
    assert "1 of 60 rows could not be scored by every finder" in answer.out
    table = pq.read_table(out / "first" / "predictions.parquet")
    by_id = dict(zip(table["id"].to_pylist(), table["status"].to_pylist(), strict=True))
    assert by_id["c07"] == "empty"


def test_kinds_are_measured_apart(evaluate, finder):
    answer, written, _ = evaluate(finder, "--by", "kind")
    counts = {(s["value"], s["of_class"]): s["n"] for s in written["finders"]["first"]["slices"]}
    assert counts == {
        ("red", "lens"): 20, ("red", "nonlens"): 20, ("blue", "lens"): 10, ("blue", "nonlens"): 10
    }  # fmt: skip
    assert "first by kind" in answer.out


def test_where_leaves_rows_out(evaluate, finder):
    _, written, _ = evaluate(finder, "--where", "kind=red")
    assert written["rows"]["compared"] == 40


def test_json_is_that_of_the_file(evaluate, finder):
    answer, written, _ = evaluate(finder, "--json")
    assert json.loads(answer.out) == written


def test_other_classes_are_refused_naming_both(evaluate, finder, data):
    text = (
        (data / "labels.csv").read_text().replace(",lens,", ",vort,").replace(",nonlens,", ",no,")
    )
    (data / "labels.csv").write_text(text)
    error = evaluate(finder, code=3)
    assert "no, vort" in error
    assert "nonlens, lens" in error


def test_bad_input_is_refused_in_one_line(evaluate, finder, data, tmp_path):
    assert "named twice" in evaluate(finder, finder, code=3)
    assert "No labeled row is a test row" in evaluate(finder, "--split", "test", code=3)
    assert "no column 'color'" in evaluate(finder, "--by", "color", code=3)
    assert "holds no evaluation" not in evaluate(finder, code=0)[0].err
    (tmp_path / "l.csv").write_text("id,label\nx,lens\ny,nonlens\n")
    assert "None of the 2 labels" in evaluate(finder, "--labels", tmp_path / "l.csv", code=3)
    (data / "labels.csv").unlink()
    assert "Nothing says the classes" in evaluate(finder, code=3)


def test_another_folder_is_not_written_into(skysieve, finder, data):
    answer = skysieve("evaluate", str(finder), "--data", str(data), "--out", str(data))
    assert answer.code == 3
    assert "holds no evaluation" in answer.err
    assert not (data / "runs").exists()


@pytest.mark.parametrize(
    ("theirs", "classes", "numbers"),
    [
        (("lens", "nonlens"), ("nonlens", "lens"), {"lens": 1, "nonlens": 0}),
        (("lenses", "nonlenses"), ("lens", "nonlens"), {"lenses": 0, "nonlenses": 1}),
        (("Lens", "non-lens"), ("nonlens", "lens"), {"Lens": 1, "non-lens": 0}),
        (("0", "1"), ("nonlens", "lens"), {"0": 0, "1": 1}),
        (("no", "sphere", "vort"), ("vort", "no", "sphere"), {"no": 1, "sphere": 2, "vort": 0}),
    ],
)
def test_names_that_mean_the_same_are_matched(theirs, classes, numbers):
    assert match_classes(theirs, classes) == numbers


@pytest.mark.parametrize(
    ("theirs", "classes"),
    [
        (("no", "sphere"), ("no", "sphere", "vort")),
        (("no", "sphere", "vort", "axion"), ("no", "sphere", "vort")),
        (("lens", "lenses", "nonlens"), ("nonlens", "lens")),
        (("0", "1"), ("a", "b")),
    ],
)
def test_names_that_do_not_match_are_refused(theirs, classes):
    with pytest.raises(MismatchError):
        match_classes(theirs, classes)


def test_damaged_splits_are_refused(tmp_path):
    path = tmp_path / "splits.csv"
    assert read_named_splits(path) == {}
    for text, words in (("a,b\n1,2\n", "no columns"), ("id,split\nx,tset\n", "'tset'")):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_named_splits(path)
