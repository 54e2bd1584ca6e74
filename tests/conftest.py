"""What all tests share: checked shapes, the real images, the browser, how hypothesis searches."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook

from tests import shapes

# From here on every call of a function of skysieve is checked against its annotations, the
# shapes among them; so no test module may import skysieve before this one.
install_import_hook("skysieve", f"{shapes.__name__}.check")

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

# A shared runner may be slow at any moment; the print-out lets a failure be repeated.
hypothesis.settings.register_profile("skysieve", deadline=None, print_blob=True)
hypothesis.settings.load_profile("skysieve")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; a test that asks for it is skipped where there is none."""
    named = os.environ.get("SKYSIEVE_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip(f"real images not found in {folder}; SKYSIEVE_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; a test that asks for it is skipped where there is none."""
    paths = filter(None, map(shutil.which, CHROMIUM_NAMES))
    path = next(paths, None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM_NAMES)} is installed")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by what it asks for, so that ``-m "not real"`` leaves none behind."""
    for item in items:
        asked = getattr(item, "fixturenames", ())
        if "real_data" in asked:
            item.add_marker("real")
        if "chromium" in asked:
            item.add_marker("browser")
