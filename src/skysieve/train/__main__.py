"""``python -m skysieve.train RECIPE --out FOLDER``: make a finder, or go on making it."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from skysieve.core.errors import RecipeError, SkysieveError
from skysieve.core.watch import Lines
from skysieve.recipe.recipe import list_recipes, read_recipe, recipe_text
from skysieve.recipe.training import Recipe
from skysieve.train.amending import add_doubt
from skysieve.train.finder import train_finder


def main() -> int:
    """Parse the command line, make the finder, and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m skysieve.train", description=__doc__)
    parser.add_argument("recipe", help=f"a TOML file, or one of {', '.join(list_recipes())}")
    parser.add_argument("--out", type=Path, required=True, help="scenes, checkpoints, finder/")
    parser.add_argument(
        "--amend",
        type=Path,
        metavar="BUNDLE",
        help="make no finder: let this one, of the recipe, also say how sure it is",
    )
    arguments = parser.parse_args()
    try:
        recipe = read_recipe(arguments.recipe)
        if not isinstance(recipe, Recipe):
            raise RecipeError(
                f"The recipe {recipe.name} learns from labeled images",
                f"skysieve train {arguments.recipe} --data DIR --out FOLDER",
            )
        path = Path(arguments.recipe)
        text = path.read_text() if path.suffix == ".toml" else recipe_text(arguments.recipe)
        watch = Lines(partial(print, flush=True))
        if arguments.amend:
            card = add_doubt(recipe, arguments.amend, arguments.out, watch=watch)
        else:
            card = train_finder(recipe, arguments.out, recipe_toml=text, watch=watch)
    except SkysieveError as error:
        print(f"skysieve: error: {error}", file=sys.stderr)
        return 3
    print(f"The finder {card.name} is in {arguments.out / 'finder'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
