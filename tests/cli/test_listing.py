"""``skysieve list`` and ``skysieve doctor``."""

from __future__ import annotations

import json

import pytest

from skysieve.cli.listing import SHELVES
from skysieve.core.survey import SURVEYS


class TestList:
    @pytest.mark.parametrize("shelf", SHELVES)
    def test_says_the_same_to_a_person_and_to_a_program(self, skysieve, shelf):
        told = skysieve("list", shelf)
        rows = json.loads(skysieve("list", shelf, "--json").out)
        assert told.code == 0
        assert all(row["name"] in told.out for row in rows)

    def test_knows_all_surveys(self, skysieve):
        rows = json.loads(skysieve("list", "surveys", "--json").out)
        assert [row["name"] for row in rows] == sorted(SURVEYS)

    def test_refuses_another_shelf(self, skysieve):
        answer = skysieve("list", "books")
        assert answer.code == 2
        assert "surveys" in answer.err


class TestDoctor:
    def test_finds_this_installation_well(self, skysieve):
        answer = skysieve("doctor", "--json")
        checks = {check["name"]: check for check in json.loads(answer.out)}
        assert [name for name, check in checks.items() if not check["ok"]] == []
        assert answer.code == 0
        assert {"python", "openvino", "runtime", "memory", "training"} <= checks.keys()

    def test_notices_a_library_that_is_not_there(self, skysieve, monkeypatch):
        monkeypatch.setattr("skysieve.cli.doctor.CORE", ("numpy", "no-such-library"))
        answer = skysieve("doctor")
        assert answer.code == 3
        assert "missing" in answer.out

    def test_notices_a_changed_finder(self, skysieve, monkeypatch, tmp_path):
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "finder.json").write_text("{}")
        monkeypatch.setattr("skysieve.finder.bundle.SHIPPED", tmp_path)
        answer = skysieve("doctor")
        assert answer.code == 3
        assert "finder broken" in answer.out
