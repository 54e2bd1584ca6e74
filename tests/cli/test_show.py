"""Tables, JSON and the bar."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from skysieve.cli.show import bar, print_json, print_table
from skysieve.core.watch import Progress, ignore


def refuse(name: str):
    raise ValueError(f"{name} is no JSON")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class TestJson:
    @given(value=values)
    def test_can_always_be_read_again(self, value):
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()) as out:
            print_json(value)
        json.loads(out.getvalue(), parse_constant=refuse)

    def test_has_null_for_what_is_no_number(self, capsys):
        print_json([{"p": math.nan, "q": 0.5, "ids": ("a",)}])
        assert json.loads(capsys.readouterr().out) == [{"p": None, "q": 0.5, "ids": ["a"]}]


class TestTable:
    def test_cuts_nothing_off_for_a_program(self, capsys):
        name = "a-long-name-" * 40
        print_table("runs", [{"id": name, "p": 0.25}])
        assert name in capsys.readouterr().out

    def test_lets_no_name_command_the_terminal(self, capsys):
        print_table("runs", [{"id": "\x1b[31m[bold]x[/]\x07\n\ud800", "p": None}])
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "[bold]x[/]" in out

    def test_says_that_it_is_empty(self, capsys):
        print_table("finders", [])
        assert capsys.readouterr().out == "finders: none\n"


class TestBar:
    def test_is_silent_where_nobody_looks(self, capsys):
        with bar() as watch:
            assert watch is ignore
            watch(Progress("scoring", 1, 2))
        assert capsys.readouterr() == ("", "")

    def test_shows_stage_count_and_rate_on_a_terminal(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        with bar() as watch:
            watch(Progress("scoring", 0, 200))
            watch(Progress("scoring", 200, 200, note="almost"))
        out, err = capsys.readouterr()
        assert out == ""
        assert "scoring" in err
        assert "200/200" in err
