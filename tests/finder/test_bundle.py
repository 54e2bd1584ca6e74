"""A bundle is what it was when it was made, or it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skysieve.core.errors import InputError, MismatchError, MissingError, SkysieveError
from skysieve.finder.bundle import list_finders, load, read_card, save, verify
from tests.finder.tiny import tiny_card, tiny_finder, tiny_graph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_finder(tmp_path / "tiny", stages=2).folder


def test_what_is_saved_is_what_is_loaded(folder: Path) -> None:
    finder = load(folder)
    expected = tiny_card(stages=2).model_dump(exclude={"files"})
    assert finder.card.model_dump(exclude={"files"}) == expected
    assert set(finder.card.files) == {"stage-1.onnx", "stage-2.onnx", "README.md"}


def test_every_flipped_byte_is_refused(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 40)):
            flipped = bytearray(content)
            flipped[at] ^= 1
            path.write_bytes(flipped)
            with pytest.raises(SkysieveError):
                load(folder)
        path.write_bytes(content)
    load(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "stage-2.onnx").unlink()
    with pytest.raises(MissingError, match=r"stage-2\.onnx"):
        verify(folder)


def test_an_altered_card_is_refused(folder: Path) -> None:
    path = folder / "finder.json"
    path.write_text(path.read_text().replace('"slope": 0.75', '"slope": 0.76'))
    with pytest.raises(MismatchError, match="altered"):
        read_card(folder)


def test_a_newer_schema_is_refused(folder: Path) -> None:
    path = folder / "finder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    with pytest.raises(MismatchError, match="schema_version 2"):
        load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"name": "x"}', "\x00"])
def test_a_card_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "finder.json").write_text(text)
    with pytest.raises(SkysieveError):
        load(folder)


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "/etc/passwd", ""])
def test_a_file_outside_the_bundle_cannot_be_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="files"):
        save(tmp_path / "tiny", tiny_card(), {"stage-1.onnx": tiny_graph(), name: b"x"})


def test_a_stage_needs_its_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stage-1\.onnx"):
        save(tmp_path / "tiny", tiny_card(), {"README.md": b"nothing else"})


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (b"no graph", "not a graph"),
        (tiny_graph(bands=4), "takes"),
        (tiny_graph(classes=3), "logits of 2 classes"),
    ],
)
def test_a_network_that_does_not_fit_its_card_is_refused(
    tmp_path: Path, graph: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        save(tmp_path / "tiny", tiny_card(), {"stage-1.onnx": graph})


def test_an_unknown_finder_is_refused_with_what_there_is() -> None:
    with pytest.raises(MissingError, match="Shipped finders"):
        load("no-such-finder")


def test_the_shipped_finders_are_whole() -> None:
    for card in list_finders():
        assert verify(card.name) == card
