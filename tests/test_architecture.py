"""docs/architecture.md names every file of the package, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "skysieve"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def named() -> set[Path]:
    found = set()
    for line in PAGE.splitlines():
        if not line.startswith("| `"):
            continue
        folder = ""
        for name in re.findall(r"`([^`]+)`", line.split("|")[1]):
            folder = name.rsplit("/", 1)[0] + "/" if "/" in name.rstrip("/") else folder
            found.add(SOURCE / (name if "/" in name or not folder else folder + name))
    return found


def test_every_named_file_is_there():
    assert not sorted(str(path) for path in named() if not path.exists())


def test_every_module_is_named():
    told = named()
    modules = {path for path in SOURCE.rglob("*.py") if path.name != "__init__.py"}
    missing = {
        path for path in modules if path not in told and not any(p in told for p in path.parents)
    }
    assert not sorted(str(path.relative_to(SOURCE)) for path in missing)
