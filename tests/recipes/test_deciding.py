"""What is decided for data that the user said nothing about."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import AttackError, RecipeError
from striate.core.recipe import Recipe
from striate.models import CATALOGUE
from striate.recipes import resolve
from striate.recipes.deciding import DEEP_WITHOUT_NORM, LAYERS_OF_FEW

UNUSED = {
    "minutes",
    "epochs",
    "target",
    "patience",
    "lp",
    "dropout",
    "average_weights",
    "size",
    "validation",
    "layers",
    "pretrained",
    "freeze",
    "group_by",
    "augment",
    "rate_by_head",
    "robust",
    "robust_method",
    "robust_steps",
}


@given(images=st.integers(1, 10**7), height=st.integers(4, 300), width=st.integers(4, 300))
def test_everything_is_decided_and_in_range(images, height, width) -> None:
    recipe = resolve(Recipe(), images=images, size=(height, width), flip=True, precision="float32")
    undecided = {field.name for field in fields(recipe) if getattr(recipe, field.name) is None}
    assert undecided <= UNUSED
    assert recipe.model in CATALOGUE
    assert recipe.shift is not None
    assert recipe.shift < min(height, width)


def test_what_the_user_said_is_kept() -> None:
    wanted = Recipe(model="compact-small", batch=7, flip=False, minutes=2, learning_rate=0.3, shift=0)
    recipe = resolve(wanted, images=5000, size=(28, 28), flip=True, precision="float32")
    said = wanted.to_dict()
    assert {name: recipe.to_dict()[name] for name in said} == said


@pytest.mark.parametrize(
    ("budget", "smoothing"),
    [
        ({}, 0.2),
        ({"epochs": 8}, 0.2),
        ({"epochs": 7.9}, 0.1),
        ({"minutes": 60}, 0.1),
        ({"epochs": 20, "label_smoothing": 0.0}, 0.0),
    ],
)
def test_long_trainings_smooth_labels_more_unless_told_otherwise(budget, smoothing) -> None:
    recipe = resolve(Recipe(**budget), images=5000, size=(28, 28), flip=True, precision="float32")
    assert recipe.label_smoothing == smoothing


@pytest.mark.parametrize(
    ("images", "device", "asked", "share"),
    [
        (10_000, "cpu", {}, 0.5),
        (9_999, "cpu", {}, 0.0),
        (10_000, "cuda", {}, 0.0),
        (10_000, "cpu", {"prune": 0.0}, 0.0),
        (100, "cuda", {"prune": 0.3}, 0.3),
    ],
)
def test_large_sets_are_pruned_on_a_cpu_unless_told_otherwise(images, device, asked, share) -> None:
    recipe = resolve(
        Recipe(**asked), images=images, size=(28, 28), flip=True, precision="float32", device=device
    )
    assert recipe.prune == share


@pytest.mark.parametrize(
    ("budget", "model"),
    [
        ({"epochs": 2.9}, "compact-light"),
        ({"epochs": 3}, "compact-medium"),
        ({"minutes": 1}, "compact-medium"),
    ],
)
def test_brief_trainings_get_the_lightest_network(budget, model) -> None:
    wanted = Recipe(**budget)
    assert resolve(wanted, images=5000, size=(28, 28), flip=True, precision="float32").model == model
    assert resolve(wanted, images=5000, size=(224, 224), flip=True, precision="float32").model == "resnet18"


@pytest.mark.parametrize(
    ("images", "size", "asked", "model"),
    [
        (50, (150,), {}, "stacked"),
        (1000, (1024,), {}, "stacked"),
        (1001, (150,), {}, "compact-medium"),
        (50, (1025,), {}, "compact-medium"),
        (50, (16, 28, 28), {}, "compact-medium"),
        (50, (150,), {"model": "compact-small"}, "compact-small"),
        (50, (150,), {"layers": "conv8,mean"}, "stacked"),
    ],
)
def test_few_short_series_get_a_network_that_sees_every_value(images, size, asked, model) -> None:
    recipe = resolve(Recipe(**asked), images=images, size=size, flip=False, precision="float32")
    assert recipe.model == model
    assert recipe.layers == (asked.get("layers", LAYERS_OF_FEW) if model == "stacked" else None)


@pytest.mark.parametrize(
    ("images", "epochs"),
    [(1, 300), (50, 250), (100, 143), (500, 50), (5000, 50), (30_000, 20), (100_000, 10)],
)
def test_small_sets_get_more_epochs(images, epochs) -> None:
    recipe = resolve(Recipe(), images=images, size=(28, 28), flip=True, precision="float32")
    assert recipe.epochs == epochs


def test_deep_networks_without_norms_learn_slower() -> None:
    assert set(CATALOGUE) >= DEEP_WITHOUT_NORM
    rates = [
        resolve(Recipe(model=name), images=5000, size=(224, 224), flip=True, precision="float32").other_rate
        for name in ("vgg11", "vgg11-bn")
    ]
    assert rates == [0.005, 0.05]


def test_large_images_get_a_residual_network() -> None:
    recipe = resolve(Recipe(), images=5000, size=(224, 224), flip=True, precision="float32")
    assert recipe.model == "resnet18"


def test_an_unknown_model_is_refused_before_anything_is_made() -> None:
    with pytest.raises(RecipeError, match="did you mean 'compact-small'"):
        resolve(Recipe(model="compact-smal"), images=5, size=(8, 8), flip=True, precision="float32")


def test_robust_trainings_take_two_steps_and_shift_nothing_unless_told_otherwise() -> None:
    decided = {"images": 5000, "size": (28, 28), "flip": True, "precision": "float32"}

    def said(**fields: object) -> tuple[str | None, int | None, int | None]:
        recipe = resolve(Recipe(**fields), **decided)
        return recipe.robust_method, recipe.robust_steps, recipe.shift

    assert said(robust="linf:8/255") == ("pgd", 2, 0)
    assert said(robust="linf:8/255", robust_steps=7, shift=2) == ("pgd", 7, 2)
    assert said(robust="l2:0.5", robust_method="fast") == ("fast", 1, 0)
    assert said(robust="l2:0.5", robust_method="trades") == ("trades", 7, 0)
    assert said() == (None, None, 1)


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"robust": "linf:8"}, AttackError, "8/255"),
        ({"robust": "linf"}, AttackError, "linf"),
        ({"robust": "l3:0.1"}, AttackError, "l3"),
        ({"robust": "l0:5"}, RecipeError, "linf:8/255"),
        ({"robust": "linf:0"}, RecipeError, "over 0"),
        ({"robust": "l2:inf"}, RecipeError, "over 0"),
        ({"robust_method": "pgd"}, RecipeError, "no ball is given"),
        ({"rate_by_head": True}, RecipeError, "no head is fitted before the rest learns"),
        ({"robust_steps": 3}, RecipeError, "robust_steps is 3, and no ball is given"),
    ],
)
def test_balls_that_cannot_be_trained_in_are_refused(fields, error, said) -> None:
    with pytest.raises(error, match=said):
        resolve(Recipe(**fields), images=5000, size=(28, 28), flip=True, precision="float32")


def pretrained(images: int = 244, **fields) -> Recipe:
    wanted = Recipe(model="efficientnet-lite0", pretrained="efficientnet-lite0", **fields)
    return resolve(wanted, images=images, size=(224, 224), flip=True, precision="float32")


def test_what_is_trained_already_learns_slower_and_in_fewer_passes() -> None:
    scratch = resolve(
        Recipe(model="efficientnet-lite0"), images=244, size=(224, 224), flip=True, precision="float32"
    )
    for optimizer in ("muon", "sgd", "adamw"):
        fast, slow = scratch.changed(optimizer=optimizer), pretrained(optimizer=optimizer)
        assert slow.learning_rate < fast.learning_rate
        assert slow.other_rate < fast.other_rate
    assert pretrained().epochs <= scratch.epochs
    assert pretrained(images=100_000).epochs < 10
    assert pretrained(images=100_000).batch <= 32


def test_a_frozen_backbone_sees_every_image_as_it_is_unless_told_otherwise() -> None:
    frozen = pretrained(freeze="backbone")
    assert (frozen.flip, frozen.shift, frozen.average_mirrored) == (False, 0, False)
    assert (pretrained().flip, pretrained().shift) == (True, 8)
    asked = pretrained(freeze="backbone", flip=True, shift=3)
    assert (asked.flip, asked.shift) == (True, 3)


def test_freezing_needs_something_that_is_pretrained() -> None:
    for start in ({}, {"pretrained": "none"}):
        with pytest.raises(
            RecipeError, match="freeze is '2', and nothing is pre-trained that could be frozen"
        ):
            resolve(Recipe(freeze="2", **start), images=5, size=(8, 8), flip=True, precision="float32")


def test_chance_by_name_is_no_pretrained_network() -> None:
    recipe = resolve(Recipe(pretrained="none"), images=5, size=(8, 8), flip=True, precision="float32")
    assert recipe.pretrained is None


def test_what_is_drawn_equally_often_is_not_pruned() -> None:
    common = {"images": 10_000, "size": (28, 28), "flip": True, "precision": "float32"}
    assert resolve(Recipe(balance="sampling"), **common).prune == 0
    assert resolve(Recipe(balance="weights"), **common).prune == 0.5
    with pytest.raises(RecipeError, match=r"prune is 0\.2 and balance is 'sampling'"):
        resolve(Recipe(balance="sampling", prune=0.2), **common)


def test_the_best_epoch_is_chosen_by_accuracy_unless_told_otherwise() -> None:
    common = {"images": 100, "size": (28, 28), "flip": True, "precision": "float32"}
    assert resolve(Recipe(), **common).choose_by == "accuracy"
    assert resolve(Recipe(choose_by="loss"), **common).choose_by == "loss"
    with pytest.raises(RecipeError, match="choose_by is 'loss', and a robust training is judged by"):
        resolve(Recipe(choose_by="loss", robust="linf:8/255"), **common)


@pytest.mark.parametrize(("epochs", "shift"), [(2, 0), (3.5, 0), (4, 1), (10, 1)])
def test_images_stay_where_they_are_in_short_trainings(epochs, shift) -> None:
    decided = resolve(Recipe(epochs=epochs), images=55_000, size=(28, 28), flip=True, precision="bfloat16")
    assert decided.shift == shift


@pytest.mark.parametrize(
    ("size", "fields", "pixels"),
    [
        ((28, 28), {"epochs": 8}, 1),
        ((32, 32), {"epochs": 8}, 1),
        ((28, 28), {"epochs": 2}, 0),  # nothing was shifted in training
        ((28, 28), {"epochs": 8, "shift": 0}, 0),
        ((64, 64), {"epochs": 8}, 0),
        ((28, 28), {"epochs": 8, "robust": "linf:0.1"}, 0),
        ((28, 28), {"epochs": 8, "augment": "crop=0.3"}, 0),
        ((28, 28), {"epochs": 8, "average_shifted": 0}, 0),
        ((64, 64), {"epochs": 2, "average_shifted": 2}, 2),
        ((30,), {"epochs": 8}, 0),
    ],
)
def test_predictions_of_small_images_average_over_shifted_views(size, fields, pixels) -> None:
    decided = resolve(Recipe(**fields), images=60_000, size=size, flip=True, precision="float32")
    assert decided.average_shifted == pixels


@pytest.mark.parametrize("epochs", [2.0, 3.5, 5.0, 12.0])
def test_a_budget_in_minutes_is_decided_as_the_epochs_that_it_will_hold(epochs) -> None:
    facts = {"images": 60_000, "size": (28, 28), "flip": True, "precision": "float32"}
    counted = resolve(Recipe(epochs=epochs), **facts).to_dict()
    timed = resolve(Recipe(minutes=1), expected_epochs=epochs, **facts).to_dict()
    del counted["epochs"], timed["minutes"]
    assert timed == counted
