"""Labels files of every kind, and what is said of bad ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from skysieve.core.errors import InputError, MissingError
from skysieve.measure.labels import read_label_table, read_labels

IDS = ["587722953303916935", "b", "c"]  # 18 digits: a float would change them
LABELS = [1, 0, -1]


def write(path):
    table = Table({"id": IDS, "label": LABELS, "source": ["x", "y", "x"]})
    match path.suffix:
        case ".csv" | ".tsv":
            table.write(path, format="ascii.csv", delimiter="," if path.suffix == ".csv" else "\t")
        case ".parquet":
            pq.write_table(pa.table({name: table[name].tolist() for name in table.colnames}), path)
        case _:
            table.write(path)
    return path


@pytest.mark.parametrize("name", ["l.csv", "l.tsv", "l.ecsv", "l.parquet", "l.fits"])
class TestEveryFormat:
    def test_gives_the_labels(self, tmp_path, name):
        labels = read_labels(write(tmp_path / name))
        assert labels.ids == tuple(IDS)
        assert labels.values.tolist() == LABELS

    def test_gives_the_rows_that_meet_a_condition(self, tmp_path, name):
        path = write(tmp_path / name)
        assert read_labels(path, "source=x").ids == (IDS[0], "c")
        assert read_labels(path, ["source = x", "label=-1"]).ids == ("c",)

    def test_keeps_other_columns(self, tmp_path, name):
        assert read_label_table(write(tmp_path / name)).columns["source"] == ["x", "y", "x"]

    def test_says_when_the_file_is_something_else(self, tmp_path, name):
        path = tmp_path / name
        path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
        with pytest.raises(InputError, match=r"l\."):
            read_labels(path)


def test_words_are_understood(tmp_path):
    path = tmp_path / "l.csv"
    words = ["Lens", "1", "nonlens", "non-lens", "Non lens", "not_lens", "0", "", "unknown", "nan"]
    path.write_text("label,id\n" + "".join(f"{word},{k}\n" for k, word in enumerate(words)))
    assert read_labels(path).values.tolist() == [1, 1, 0, 0, 0, 0, 0, -1, -1, -1]


def test_a_file_saved_by_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes('\ufeffid,label\r\n"a,b",1\r\n\r\nc,0\r\n'.encode())
    assert read_labels(path).ids == ("a,b", "c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["l.csv", "no column id or label"]),
        ("name,label\na,1\n", ["no column id", "name, label"]),
        ("id;label\na;1\n", ["no column id or label", "id;label", "separated by commas"]),
        ("id,label,label\na,1,1\n", ["more than one column 'label'"]),
        ("id,label\na,1\nb,maybe\n", ["l.csv: line 3", "'maybe'", "Write 1 or lens"]),
        ("id,label\na,1\n,0\n", ["line 3 has no id"]),
        ("id,label\na,1\nb,0\na,0\n", ["line 4 repeats the id 'a' of line 2"]),
        ("id,label\na,1,2\n", ["line 2 has 3 fields", "2"]),
        ('id,label\n"a,1\n', ["l.csv"]),
    ],
)
def test_a_bad_file_is_told_by_name_row_and_fix(tmp_path, text, words):
    path = tmp_path / "l.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_labels(path)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.fix


def test_rows_of_a_binary_table_are_numbered_from_one(tmp_path):
    path = tmp_path / "l.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "label": [1, 7]}), path)
    with pytest.raises(InputError, match="row 2 has the label '7'"):
        read_labels(path)


def test_ids_kept_as_floats_are_refused(tmp_path):
    path = tmp_path / "l.parquet"
    pq.write_table(pa.table({"id": [5.87722953303916935e17], "label": [1]}), path)
    with pytest.raises(InputError, match="holds floats"):
        read_labels(path)


@pytest.mark.parametrize("condition", ["source", "=x", "color=red", "source=z"])
def test_a_condition_that_cannot_be_met_is_refused(tmp_path, condition):
    with pytest.raises(InputError):
        read_labels(write(tmp_path / "l.csv"), condition)


def test_a_missing_file_and_an_unknown_ending_are_told(tmp_path):
    with pytest.raises(MissingError, match="no labels file"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "l.txt").write_text("id,label\n")
    with pytest.raises(InputError, match="no labels file that skysieve reads"):
        read_labels(tmp_path / "l.txt")


def test_the_labels_of_real_images_are_read(real_data):
    labels = read_labels(real_data / "cfhtls" / "labels.csv", "source=spacewarps")
    assert np.bincount(labels.values).tolist() == [97, 49]


def classes_of(tmp_path, *labels: str) -> dict[str, str]:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["id,label", *(f"c{k},{word}" for k, word in enumerate(labels))]))
    return read_label_table(path).classes


def test_words_for_lens_or_not_are_two_classes(tmp_path):
    found = classes_of(tmp_path, "1", "0", "Lens", "not a lens", "-1", "")
    assert found == {"c0": "lens", "c1": "nonlens", "c2": "lens", "c3": "nonlens"}


def test_other_words_are_classes_as_they_stand(tmp_path):
    found = classes_of(tmp_path, "no", "sphere", "Vort", "unknown")
    assert found == {"c0": "no", "c1": "sphere", "c2": "Vort"}


def test_a_column_of_groups_is_told_by_id(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,label,field\na,1,W1\nb,0,W2\n")
    table = read_label_table(path)
    assert table.column("field") == {"a": "W1", "b": "W2"}
    with pytest.raises(InputError, match="no column 'tile'"):
        table.column("tile")
