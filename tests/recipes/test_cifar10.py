"""The recipes for CIFAR-10 leave nothing open but what the machine decides, and fit its images."""

from __future__ import annotations

from striate import recipes
from striate.core.recipe import Recipe


def test_the_sprint_is_whole_and_goes_through_toml() -> None:
    recipe = recipes.cifar10_sprint()
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    decided = recipes.resolve(recipe, images=49_000, size=(32, 32), flip=True, precision="bfloat16")
    assert decided == recipe.changed(precision="bfloat16")
    assert 49_000 % (recipe.batch or 1) == 0  # every image is seen in every epoch
    assert recipe.validate_every == recipe.epochs


def test_the_recipe_for_cpus_leaves_nothing_open_and_goes_through_toml() -> None:
    recipe = recipes.cifar10_on_cpu()
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    decided = recipes.resolve(recipe, images=49_000, size=(32, 32), flip=True, precision="bfloat16")
    assert decided == recipe.changed(precision="bfloat16")
