"""The page of cameras says what the constants say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from skysieve.core.artifacts import Artifact

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "camera.md").read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_constants():
    place = ROOT / "docs" / "write_camera.py"
    spec = importlib.util.spec_from_file_location("write_camera", place)
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.with_tables(PAGE) == PAGE, "run: python docs/write_camera.py"


def test_it_tells_every_bit():
    told = {
        name: int(bit) for bit, name in re.findall(r"^\| (\d+) \| `([A-Z_]+)`", PAGE, re.MULTILINE)
    }
    assert told == {kind.name: kind.value for kind in Artifact}


def test_its_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(compile(example, "camera.md", "exec"), names)
    assert names["image"].shape == names["mask"].shape == (3, 96, 96)


def test_its_picture_is_small():
    assert (ROOT / "docs" / "images" / "artifacts.png").stat().st_size < 300_000
