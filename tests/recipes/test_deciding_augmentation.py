"""What a recipe decides about mirroring and shifting where it names a policy of augmentation."""

from __future__ import annotations

import pytest

from striate.core.errors import RecipeError
from striate.core.recipe import Recipe
from striate.recipes import resolve


def _resolved(*, mirrorable: bool = True, **fields) -> Recipe:
    return resolve(
        Recipe(epochs=10, **fields), images=5000, size=(64, 64), flip=mirrorable, precision="float32"
    )


@pytest.mark.parametrize(
    ("fields", "mirrorable", "flip", "shift"),
    [
        ({}, True, True, 2),
        ({}, False, False, 2),
        ({"augment": "none"}, True, False, 0),
        ({"augment": "crop,hue"}, True, False, 0),
        ({"augment": "flip,crop"}, False, True, 0),
        ({"augment": "trivial"}, True, True, 0),
        ({"augment": "trivial"}, False, False, 0),
        ({"augment": "trivial", "flip": False}, True, False, 0),
        ({"augment": "crop", "flip": True, "shift": 3}, False, True, 3),
    ],
)
def test_a_policy_says_all_but_what_is_said_besides(fields, mirrorable, flip, shift) -> None:
    recipe = _resolved(mirrorable=mirrorable, **fields)
    assert (recipe.flip, recipe.average_mirrored, recipe.shift) == (flip, flip, shift)
    assert recipe.augment == fields.get("augment")


def test_contradictions_and_unknown_names_are_refused() -> None:
    with pytest.raises(RecipeError, match="augment 'flip,crop' mirrors images, and flip is false"):
        _resolved(augment="flip,crop", flip=False)
    with pytest.raises(RecipeError, match="there is no change 'croop'; did you mean 'crop'"):
        _resolved(augment="croop")


def test_files_of_recipes_keep_the_policy_and_old_ones_have_none() -> None:
    recipe = Recipe(augment="flip,crop=0.3")
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_toml("epochs = 3").augment is None
    with pytest.raises(RecipeError, match="augment is 3, where a name is wanted"):
        Recipe(augment=3)  # type: ignore[arg-type]
