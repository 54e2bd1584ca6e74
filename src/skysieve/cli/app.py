"""The program ``skysieve``: its commands, and what becomes of an error."""

from __future__ import annotations

import errno
import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import typer

from skysieve.cli.demo import demo
from skysieve.cli.doctor import doctor
from skysieve.cli.evaluate import evaluate
from skysieve.cli.examples import examples
from skysieve.cli.explore import explore
from skysieve.cli.find import find
from skysieve.cli.inject import inject
from skysieve.cli.listing import show_list
from skysieve.cli.rank import rank
from skysieve.cli.recover import recover
from skysieve.cli.report import report
from skysieve.cli.simulate import simulate
from skysieve.cli.train import train
from skysieve.cli.tune import tune
from skysieve.core.errors import SkysieveError

BUG, REFUSED, STOPPED = 1, 3, 130
"""Exit codes, beside 0 (done) and 2 (the command was not understood)."""

OF_THE_SYSTEM = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
)
"""Errors that no program can mend: no permission, or no room."""

app = typer.Typer(
    name="skysieve",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for panel, name, command in (
    ("Find lenses", "demo", demo),
    ("Find lenses", "find", find),
    ("Look at what was found", "rank", rank),
    ("Look at what was found", "report", report),
    ("Know what is here", "explore", explore),
    ("Know what is here", "evaluate", evaluate),
    ("Know what is here", "recover", recover),
    ("Make images", "simulate", simulate),
    ("Make images", "inject", inject),
    ("Make finders", "train", train),
    ("Make finders", "tune", tune),
    ("Know what is here", "list", show_list),
    ("Know what is here", "doctor", doctor),
):
    app.command(name, epilog=examples(name), rich_help_panel=panel)(command)


def _show_version(asked: bool) -> bool:
    if asked:
        print(f"skysieve {version('skysieve')}")
        raise typer.Exit
    return asked


@app.callback(epilog=examples("skysieve"))
def skysieve(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Sift survey cutouts for strong gravitational lenses.

    Every cutout gets a probability, or a reason why it has none; the best candidates come first.
    """
    del show_version  # the callback has shown it


def main() -> None:
    """Run the command line; leave with 0 done, 2 usage, 3 refused, 130 stopped, 1 a bug."""
    try:
        app(prog_name="skysieve")
    except SkysieveError as error:
        _complain(f"error: {error}")
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        _complain("stopped")
        sys.exit(STOPPED)
    except Exception as error:  # noqa: BLE001 (the last place where anything can be said)
        if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
            _complain(f"error: {error.strerror}: {error.filename or 'the run folder'}.")
            sys.exit(REFUSED)
        traceback.print_exc()
        _complain("bug: this should not happen; please report it with the lines above")
        sys.exit(BUG)


def _complain(line: str) -> None:
    print("skysieve:", " ".join(line.split()), file=sys.stderr)
