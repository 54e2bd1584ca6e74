"""What holds for every command: help, exit codes, and a quick answer."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
import typer

from skysieve.cli import app as edge
from skysieve.cli import listing
from skysieve.cli.examples import EXAMPLES
from skysieve.core.errors import MissingError

COMMANDS = sorted(typer.main.get_command(edge.app).commands)
HEAVY = ("torch", "openvino", "matplotlib", "sklearn", "astropy", "pandas")


def fail_with(error: BaseException):
    def fail():
        raise error

    return fail


@pytest.fixture
def failing(monkeypatch, skysieve):
    """Run ``skysieve list surveys`` with an error inside."""

    def run(error: BaseException):
        monkeypatch.setitem(listing.SHELVES, "surveys", fail_with(error))
        return skysieve("list", "surveys")

    return run


class TestEveryCommand:
    def test_is_what_the_design_says(self):
        names = ["demo", "doctor", "evaluate", "explore", "find", "inject", "list", "rank",
                 "recover", "report", "simulate", "train", "tune"]  # fmt: skip
        assert names == COMMANDS

    @pytest.mark.parametrize("command", COMMANDS)
    def test_has_help_with_its_own_example(self, skysieve, command):
        answer = skysieve(command, "--help")
        assert answer.code == 0
        assert f"$ skysieve {command}" in answer.out
        assert all(example.startswith(f"skysieve {command}") for example in EXAMPLES[command])

    @pytest.mark.parametrize("command", COMMANDS)
    def test_tells_what_each_option_is_for(self, command):
        parts = typer.main.get_command(edge.app).commands[command].params
        assert [part.name for part in parts if not part.help] == []

    @pytest.mark.parametrize("command", COMMANDS)
    def test_leaves_with_2_at_an_unknown_option(self, skysieve, command):
        assert skysieve(command, "--no-such-option").code == 2


class TestAnError:
    def test_of_ours_is_one_line_and_leaves_with_3(self, failing):
        answer = failing(MissingError("No finder is called\n'x'", "Choose another"))
        assert answer.code == 3
        assert answer.err == "skysieve: error: No finder is called 'x'. Choose another.\n"
        assert answer.out == ""

    def test_of_the_system_is_one_line_and_leaves_with_3(self, failing):
        answer = failing(OSError(errno.ENOSPC, "No space left on device", "run/part.parquet"))
        assert answer.code == 3
        assert answer.err == "skysieve: error: No space left on device: run/part.parquet.\n"

    def test_that_is_a_bug_keeps_its_traceback_and_leaves_with_1(self, failing):
        answer = failing(ZeroDivisionError("oops"))
        assert answer.code == 1
        assert "Traceback" in answer.err
        assert "oops" in answer.err
        assert "please report it" in answer.err

    def test_of_patience_leaves_with_130(self, failing):
        assert failing(KeyboardInterrupt()).code == 130

    def test_in_a_command_is_met_with_the_nearest_one(self, skysieve):
        answer = skysieve("fnd")
        assert answer.code == 2
        assert "find" in answer.err


def test_no_command_shows_the_commands(skysieve):
    answer = skysieve()
    assert all(command in answer.out + answer.err for command in COMMANDS)


def test_version_is_the_package_s(skysieve):
    from importlib.metadata import version

    assert skysieve("--version").out == f"skysieve {version('skysieve')}\n"


def test_help_answers_without_the_heavy_libraries():
    code = (
        "import sys\nfrom skysieve.cli import app\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_no_module_of_the_core_brings_torch():
    code = (
        "import pkgutil, importlib, sys, skysieve\n"
        "for part in ('core', 'recipe', 'images', 'measure', 'finder', 'search', 'pipeline', 'cli'):\n"
        "    package = importlib.import_module(f'skysieve.{part}')\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(found.name)\n"
        "print('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
