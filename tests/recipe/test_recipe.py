"""Recipes: what they say is what is made; a slip is an error that names the near one."""

from __future__ import annotations

import pytest

from skysieve.core.errors import MissingError, RecipeError
from skysieve.recipe.classifier import ClassifierRecipe
from skysieve.recipe.learning import AugmentPlan
from skysieve.recipe.recipe import list_recipes, parse_recipe, read_recipe, recipe_text


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


@pytest.mark.parametrize("name", list_recipes())
def test_no_change_that_leaves_a_trace_is_done_to_one_class_alone(name):
    """Lenses that alone are turned by interpolation, or noisier, are told apart by that."""
    recipe = read_recipe(name)
    if not isinstance(recipe, ClassifierRecipe):
        return
    for plan in (recipe, *recipe.members):
        rare = plan.rare_augment
        if rare is None:
            continue
        exact = {"dihedral", "mirror", "flip"}
        others = plan.augment or AugmentPlan()
        assert rare.model_dump(exclude=exact) == others.model_dump(exclude=exact)
