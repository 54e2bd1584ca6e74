"""The public names: all there, few, and free to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import skysieve


def test_there_are_at_most_25_names():
    assert len(skysieve.__all__) <= 25
    assert skysieve.__all__ == sorted(skysieve.__all__)
    assert set(skysieve.__all__) == set(skysieve._HOMES)


@pytest.mark.parametrize("name", skysieve.__all__)
def test_every_name_is_there_and_documented(name):
    assert getattr(skysieve, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        skysieve.nonsense  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, skysieve; print([m for m in ('numpy', 'openvino', 'torch') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
