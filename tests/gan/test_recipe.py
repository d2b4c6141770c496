"""The recipe of a generator: its way through TOML, what it refuses, and what is decided for it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from striate.core.errors import DataError, RecipeError
from striate.gan.recipe import FAMILIES, GanRecipe
from striate.gan.recipes import RECIPES, decide
from striate.models import GAN_FAMILIES

DATA = {"size": 28, "channels": 1, "images": 55_000, "classes": 10, "precision": "bfloat16"}


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_survives_toml_and_decides_everything(name, tmp_path) -> None:
    recipe = RECIPES[name]()
    assert recipe.family in FAMILIES
    decided = decide(recipe.changed(epochs=2), **DATA)
    decided.save(tmp_path / "recipe.toml")
    assert GanRecipe.load(tmp_path / "recipe.toml") == decided
    undecided = {field.name for field in fields(decided) if getattr(decided, field.name) is None}
    assert undecided == {"minutes", "fit", "validation"}
    assert decided.epochs == 2


def test_the_families_are_those_of_the_networks() -> None:
    assert tuple(GAN_FAMILIES) == FAMILIES


def test_what_was_asked_for_stays_and_the_rest_is_the_familys() -> None:
    decided = decide(GanRecipe(family="residual", batch=16, beta1=0.5), **DATA)
    assert (decided.batch, decided.beta1, decided.loss) == (16, 0.5, "hinge")
    assert decided.minutes == 10
    assert decide(GanRecipe(), **DATA).family == RECIPES["brisk"]().family


def test_small_sets_are_augmented_by_what_applies_to_them() -> None:
    few = DATA | {"images": 800}
    assert decide(GanRecipe(), **few).augment == "translation,cutout"
    assert decide(GanRecipe(), **(few | {"channels": 3})).augment == "colour,translation,cutout"
    assert decide(GanRecipe(augment="none"), **few).augment == "none"
    assert decide(GanRecipe(), **DATA).augment == "none"


def test_too_few_images_or_classes_are_refused_with_the_figures() -> None:
    with pytest.raises(DataError, match="50 images to learn from, fewer than a batch of 64"):
        decide(GanRecipe(batch=64), **(DATA | {"images": 50}))
    with pytest.raises(RecipeError, match="one class only"):
        decide(GanRecipe(classes=True), **(DATA | {"classes": 1}))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("family", "dcgn", "did you mean 'dcgan'"),
        ("loss", "hing", "did you mean 'hinge'"),
        ("on_collapse", "panic", "no on_collapse 'panic'"),
        ("batch", 1, "batch is 1, which is not in"),
        ("batch", 2.5, "a whole number is wanted"),
        ("beta1", 1, r"beta1 is 1, which is not in \[0, 1\)"),
        ("generator_rate", 0, "generator_rate is 0"),
        ("r1", -1, "r1 is -1"),
        ("decay", float("nan"), "decay is nan"),
        ("classes", None, "true or false is wanted"),
        ("ema", "long", "a number is wanted"),
    ],
)
def test_a_wrong_value_is_one_sentence(field, value, sentence) -> None:
    with pytest.raises(RecipeError, match=sentence):
        GanRecipe(**{field: value})


def test_two_budgets_are_refused_and_a_new_one_replaces_the_old() -> None:
    with pytest.raises(RecipeError, match="two budgets"):
        GanRecipe(epochs=1, minutes=1)
    assert GanRecipe(epochs=1).changed(minutes=2).epochs is None
    with pytest.raises(RecipeError, match="did you mean 'epochs'"):
        GanRecipe().changed(epoch=3)
