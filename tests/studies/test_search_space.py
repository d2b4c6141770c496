"""What a search chooses: recipes that can be trained, what is given kept, the recipe to beat first."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.recipe import Recipe
from striate.models import build
from striate.recipes import resolve
from striate.studies.search_parameters import Choice, Parameter, Value, Whole
from striate.studies.search_space import AUGMENT, NETWORK, OPTIMIZER, RATE, Space


def space(base: Recipe | None = None, size: tuple[int, int] = (28, 28), flip: bool = True, **fixed) -> Space:
    base = (base or Recipe()).changed(**fixed)
    decided = resolve(base.changed(minutes=1), images=5000, size=size, flip=flip, precision="float32")
    return Space(recipe=base, decided=decided, fixed=frozenset(fixed), size=size)


def any_of(data: st.DataObject, parameter: Parameter) -> Value:
    if isinstance(parameter, Choice):
        return data.draw(st.sampled_from(parameter.options))
    if isinstance(parameter, Whole):
        return data.draw(st.sampled_from(range(parameter.low, parameter.high + 1, parameter.step)))
    return data.draw(st.floats(parameter.low, parameter.high))


@settings(max_examples=60)
@given(st.data(), st.sampled_from([(8, 8), (28, 28), (64, 48), (160, 160)]), st.booleans())
def test_every_recipe_is_one_that_can_be_trained(data, size, flip) -> None:
    here = space(size=size, flip=flip)
    names = {parameter.name for parameter in here.parameters}
    asked = []

    def draw(parameter: Parameter) -> Value:
        asked.append(parameter.name)
        return any_of(data, parameter)

    recipe = here.recipe_of(draw)
    assert set(asked) <= names
    assert len(set(asked)) == len(asked)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    decided = resolve(recipe.changed(minutes=1), images=5000, size=size, flip=flip, precision="float32")
    with torch.device("meta"):
        options = {} if decided.layers is None else {"layers": decided.layers}
        build(decided.model, classes=3, channels=3, size=size, **options)
    assert decided.flip is not True or flip


def test_the_recipe_to_beat_is_tried_first_as_it_is_and_a_drawn_network_next() -> None:
    base = Recipe(model="compact-small", weight_decay=0.01, seed=7)
    here = space(base)
    first, second = here.starts()
    assert here.recipe_of(lambda parameter: first[parameter.name]) is here.recipe
    drawn = here.recipe_of(lambda parameter: second[parameter.name])
    assert drawn.model == "stacked"
    assert drawn.layers == "whitek4s2,conv32,conv64,max2,conv64,conv128,max2,conv128,max"
    assert (drawn.weight_decay, drawn.seed) == (0.01, 7)
    assert (drawn.learning_rate, drawn.other_rate) == (0.05, 0.05)


def test_rates_are_multiples_of_the_optimisers_own() -> None:
    here = space(Recipe(model="vgg11", optimizer="sgd", learning_rate=0.02))
    values = {"network": "default", "optimizer": "sgd", "rate_factor": 2.0, "augment": "default"}

    def rate(**changes: Value) -> float | None:
        return here.recipe_of(lambda parameter: {**values, **changes}[parameter.name]).learning_rate

    assert rate() == 0.04
    assert rate(optimizer="adamw") == pytest.approx(0.003 * 2 * 0.02 / 0.05)
    recipe = here.recipe_of(lambda parameter: {**values, "optimizer": "muon"}[parameter.name])
    assert recipe.other_rate == pytest.approx(2 * 0.005)


def test_rates_of_fine_tuning_are_multiples_of_those_that_the_head_chooses() -> None:
    usual = Recipe(pretrained="efficientnet-lite0")
    for base, scaled in ((usual, True), (usual.changed(freeze="none"), None)):
        here = space(base)
        values = here.starts()[0] | {RATE.name: 2.0, NETWORK.name: "default"}
        tried = here.recipe_of(lambda parameter, values=values: values[parameter.name])
        assert tried.learning_rate == pytest.approx(2 * here.decided.learning_rate)
        assert tried.rate_by_head is scaled
        network = here.starts()[1]
        drawn = here.recipe_of(lambda parameter, network=network: network[parameter.name])
        assert (drawn.model, drawn.pretrained, drawn.rate_by_head) == ("stacked", None, None)


def test_what_is_given_is_kept_and_not_drawn() -> None:
    here = space(model="lenet", optimizer="sgd")
    assert here.parameters == (RATE, AUGMENT)
    assert len(here.starts()) == 1
    recipe = here.recipe_of(lambda parameter: {"rate_factor": 2.0, "augment": "none"}[parameter.name])
    assert (recipe.model, recipe.optimizer, recipe.augment) == ("lenet", "sgd", "none")
    assert recipe.learning_rate == 0.1
    here = space(learning_rate=0.5, augment="none")
    assert here.parameters[:2] == (NETWORK, OPTIMIZER)
    assert AUGMENT not in here.parameters
    assert space(model="lenet", optimizer="sgd", learning_rate=1.0, augment="none").parameters == ()


@pytest.mark.parametrize(("flip", "augment"), [(True, "flip,turn,scale,shift"), (False, "turn,scale,shift")])
def test_images_are_mirrored_only_where_that_changes_nothing(flip, augment) -> None:
    here = space(flip=flip)
    values = {**here.starts()[0], "augment": "warped"}
    assert here.recipe_of(lambda parameter: values[parameter.name]).augment == augment


def test_images_too_small_for_a_drawn_network_keep_their_own() -> None:
    here = space(Recipe(model="mlp"), size=(3, 5))
    assert NETWORK not in here.parameters


def test_names_of_parameters_are_no_two_the_same() -> None:
    names = [parameter.name for parameter in space().parameters]
    assert len(set(names)) == len(names)
