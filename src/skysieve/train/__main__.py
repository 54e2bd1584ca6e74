"""``python -m skysieve.train RECIPE --out FOLDER``: make a finder, or go on making it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from skysieve.core.errors import SkysieveError
from skysieve.core.watch import Progress
from skysieve.recipe.recipe import list_recipes, read_recipe, recipe_text
from skysieve.train.finder import train_finder

SECONDS_BETWEEN_LINES = 10.0


def main() -> int:
    """Parse the command line, make the finder, and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m skysieve.train", description=__doc__)
    parser.add_argument("recipe", help=f"a TOML file, or one of {', '.join(list_recipes())}")
    parser.add_argument("--out", type=Path, required=True, help="scenes, checkpoints, finder/")
    arguments = parser.parse_args()
    try:
        recipe = read_recipe(arguments.recipe)
        path = Path(arguments.recipe)
        text = path.read_text() if path.suffix == ".toml" else recipe_text(arguments.recipe)
        train_finder(recipe, arguments.out, recipe_toml=text, watch=_Lines())
    except SkysieveError:
        return 3
    return 0


class _Lines:
    """Prints a line now and then, for a log file."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.last = -SECONDS_BETWEEN_LINES
        self.stage = ""

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic() - self.start
        if progress.stage == self.stage and now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last, self.stage = now, progress.stage


if __name__ == "__main__":
    sys.exit(main())
