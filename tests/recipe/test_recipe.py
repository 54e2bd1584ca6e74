"""Recipes: what they say is what is made; a slip is an error that names the near one."""

from __future__ import annotations

import pytest

from skysieve.core.errors import MissingError, RecipeError
from skysieve.recipe.recipe import list_recipes, parse_recipe, read_recipe, recipe_text
from skysieve.recipe.settings import change


@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_is_valid_and_has_its_name(name):
    assert read_recipe(name).name == name


def test_a_recipe_can_be_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(recipe_text("lens-gri"))
    assert read_recipe(path) == read_recipe("lens-gri")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network", "not TOML"),
        ("name = 'a'\ndescription = ''\nstages = [{}]\n[fit]\nepoch = 3", "epochs"),
        ("name = 'a'\ndescription = ''\nstages = [{}]\n[fit]\nepochs = 0", "greater than or equal"),
        ("name = 'a'\ndescription = ''", "stages"),
    ],
)
def test_a_slip_is_named(text, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text, "mine.toml")


def test_an_unknown_recipe_names_the_known_ones(tmp_path):
    with pytest.raises(MissingError, match="lens-gri"):
        read_recipe("lens-gir")
    with pytest.raises(MissingError, match="no recipe at"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("setting", ["rotation_deg=30", "noise=0.3", "gain=[0.8,1.2]", "mixup=0.2"])
def test_no_change_that_leaves_a_trace_is_done_to_one_class_alone(setting):
    """Lenses that alone are turned by interpolation, or noisier, are told apart by that."""
    recipe = read_recipe("lens-multiscale")
    assert change(recipe, ["rare_augment={mirror=0.5}"]).rare_augment.mirror == 0.5
    with pytest.raises(RecipeError, match=f"rare_augment.{setting.split('=')[0]}"):
        change(recipe, [f"rare_augment={{{setting}}}"])
