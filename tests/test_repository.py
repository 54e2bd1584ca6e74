"""The repository itself: versions, pins, the license, and what may not be in a file."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import onnx
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = [
    line
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
PINNED_EXTRAS = ("train", "dev")


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    texts = [*PROJECT["dependencies"], *(text for name in PINNED_EXTRAS for text in extras[name])]
    return [Requirement(text) for text in texts]


def pinned() -> dict[str, str]:
    return dict(line.split("==") for line in PINS)


class TestConstraints:
    def test_are_exact_sorted_and_without_addresses(self):
        assert all(re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.]+", line) for line in PINS)
        assert sorted(pinned()) == list(pinned())

    @pytest.mark.parametrize("wanted", requirements(), ids=lambda wanted: wanted.name)
    def test_pin_what_the_project_asks_for(self, wanted):
        assert wanted.specifier.contains(pinned()[canonicalize_name(wanted.name)])


class TestTheCore:
    def test_asks_for_no_torch(self):
        core = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
        assert not core & {"torch", "torchvision", "timm", "lightning", "caustics"}

    def test_is_all_that_the_demo_installs(self):
        ended = subprocess.run(
            ["make", "--dry-run", "--always-make", "demo"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "--editable ." in ended.stdout
        assert "[train" not in ended.stdout


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "help", "clean"])
def test_make_knows(target):
    ended = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_continuous_integration_runs_make_check():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text("utf-8").rstrip().endswith("make check")


def test_the_citation_is_of_this_version_and_license():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")


def test_types_are_for_users_too():
    assert (ROOT / "src" / "skysieve" / "py.typed").is_file()


def test_no_file_names_a_machine_s_folder():
    machine = re.compile(r"(?<![\w.])/(?:work|root|tmp|home)/")
    files = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
    files += [
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "docs").glob("*"),
        *(ROOT / "benchmarks").glob("*.py"),
    ]
    assert [
        str(path) for path in files if path.is_file() and machine.search(path.read_text("utf-8"))
    ] == []


def test_shipped_graphs_do_not_say_where_they_were_made():
    """An exporter writes the lines and files that made each node beside it, paths included."""
    graphs = sorted((ROOT / "src/skysieve/finders").glob("*/*.onnx"))
    assert graphs
    for path in graphs:
        model = onnx.load(str(path))
        assert not [node.name for node in model.graph.node if node.metadata_props], path
        assert b"site-packages" not in path.read_bytes(), path
