"""Write docs/commands.md from the command line itself: ``python docs/write_commands.py``.

A test compares the page with what this script would write, so it cannot go stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from skysieve.cli.app import app
from skysieve.cli.examples import EXAMPLES

PAGE = Path(__file__).parent / "commands.md"
HEAD = """\
# Command line

<!-- Written by docs/write_commands.py; do not edit. -->

Every command shows this with `--help`. Exit codes: 0 done; 2 the command was not understood;
3 refused, and the message says what to do; 130 stopped with Ctrl-C; 1 a bug, please report it.
Tables go to the standard output, in full if it is no terminal; progress goes to the standard error.
"""


def write_page() -> str:
    """Return the whole page."""
    group: Any = typer.main.get_command(app)
    parts = [HEAD, *(_section(name, command) for name, command in group.commands.items())]
    return "\n".join(parts)


def _section(name: str, command: Any) -> str:
    arguments = " ".join(_metavar(part) for part in command.params if _is_argument(part))
    lines = [f"## skysieve {name}", "", *_prose(command.help), ""]
    lines += ["```console", *(f"$ {example}" for example in EXAMPLES[name]), "```", ""]
    lines += [f"Usage: `skysieve {name} {arguments} [OPTIONS]`".replace("  ", " "), ""]
    lines += ["| | | |", "|---|---|---|"]
    lines += [_row(part) for part in command.params]
    return "\n".join([*lines, ""])


def _prose(text: str) -> Iterator[str]:
    yield _markdown(text.strip())


def _row(part: Any) -> str:
    names = _metavar(part) if _is_argument(part) else ", ".join(part.opts)
    about = _markdown(part.help or "").replace("|", "\\|")
    if part.required:
        about += " Required."
    elif part.default not in (None, False):
        about += f" Default: `{part.default}`."
    return f"| `{names}` | {_value(part)} | {about} |"


def _value(part: Any) -> str:
    """Return how the value of an option is written; nothing for a switch or an argument."""
    if _is_argument(part) or part.is_flag:
        return ""
    return f"`{part.metavar}`".replace("|", "\\|")


def _metavar(part: Any) -> str:
    return str(part.metavar or part.name.upper())


def _is_argument(part: Any) -> bool:
    return bool(part.param_type_name == "argument")


def _markdown(text: str) -> str:
    """Turn the markup of the terminal into Markdown."""
    return re.sub(r"\[(?:cyan|bold|dim)\](.*?)\[/\]", r"`\1`", text)


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
    print(f"wrote {PAGE}")
