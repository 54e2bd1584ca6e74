"""The pages say what is so: commands, links, statuses and the blocks that are marked to be run.

A shell block after the line ``<!-- runnable -->`` is run; ``<!-- runnable: finder -->`` needs the
shipped finder and ``<!-- runnable: real -->`` also the real images, which then lie in
``../shared/data``. The blocks of a page run one after the other in one folder, which holds
``cutouts/`` and ``labels.csv``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from skysieve.cli.examples import EXAMPLES
from skysieve.core.scores import Status
from tests.train.rings import write_rings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RUNNABLE = re.compile(
    r"^<!-- runnable(?:: (\w+))? -->\n```(?:bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


@dataclass(frozen=True)
class Block:
    """A shell block and what it needs."""

    needs: str
    script: str


def blocks(page: Path) -> list[Block]:
    found = RUNNABLE.findall(page.read_text(encoding="utf-8"))
    return [
        Block(needs, re.sub(r"^\$ ", "", script, flags=re.MULTILINE)) for needs, script in found
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the pages suppose it: cutouts, and what is known of some."""
    home = tmp_path / "skysieve"
    (home / "cutouts").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(12):
        np.save(home / "cutouts" / f"c{k:02}.npy", rng.normal(size=(3, 64, 64)).astype("f4"))
    rows = [f"c{k:02},{k % 2},visual" for k in range(10)]
    (home / "labels.csv").write_text("\n".join(["id,label,source", *rows]) + "\n")
    write_rings(home / "labeled")
    return home


def run(script: str, folder: Path) -> None:
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": programs},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{script}\n{ended.stdout}\n{ended.stderr}"


def skip_without_finder() -> None:
    if not (ROOT / "src/skysieve/finders/lens-gri/finder.json").is_file():
        pytest.skip("the finder lens-gri is not in this tree")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name
)
def test_the_blocks_of_a_page_run(page: Path, folder: Path, request: pytest.FixtureRequest):
    for block in blocks(page):
        if block.needs:
            skip_without_finder()
        if block.needs == "real":
            data = request.getfixturevalue("real_data")
            (folder.parent / "shared").mkdir(exist_ok=True)
            if not (folder.parent / "shared" / "data").exists():
                (folder.parent / "shared" / "data").symlink_to(data)
        run(block.script, folder)


def test_the_examples_of_every_help_run(folder: Path):
    skip_without_finder()
    order = (
        "find",
        "rank",
        "report",
        "explore",
        "evaluate",
        "train",
        "tune",
        "list",
        "doctor",
    )  # the quick start runs the demo
    for command in order:
        for example in EXAMPLES[command]:
            run(example, folder)


def load_writer():
    spec = importlib.util.spec_from_file_location("write_commands", ROOT / "docs/write_commands.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_commands_is_what_the_commands_say():
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == load_writer().write_page(), "run: python docs/write_commands.py"


def test_the_page_of_commands_has_all_commands():
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for command in EXAMPLES.keys() - {"skysieve"}:
        assert f"## skysieve {command}\n" in written


def test_the_run_folder_page_tells_each_status_as_the_program_does():
    written = (ROOT / "docs" / "run-folder.md").read_text(encoding="utf-8")
    for status in Status:
        assert f"| `{status}` | {status.meaning} |" in written


def flags_in_the_source() -> Iterator[str]:
    words = re.compile(r"`(\w+)`")
    page = (ROOT / "docs" / "run-folder.md").read_text(encoding="utf-8")
    for line in page.partition("## Flags")[2].splitlines():
        yield from words.findall(line)[:1]


def test_each_flag_of_the_run_folder_page_is_one_the_program_sets():
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert [flag for flag in flags_in_the_source() if f'"{flag}"' not in source] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    lost = [
        link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()
    ]
    assert lost == []


def test_the_navigation_holds_every_page_once():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = [page for entry in site["nav"] for page in entry.values()]
    assert sorted(listed) == sorted(page.name for page in PAGES if page.parent.name == "docs")
