"""The recipe: its way through TOML and files, its ranges, and what it says of a wrong value."""

import math
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.device import PRECISIONS
from striate.core.errors import RecipeError
from striate.core.recipe import (
    BALANCES,
    CHOSEN_BY,
    FITS,
    FREEZES,
    OPTIMIZERS,
    ROBUST_METHODS,
    SCHEDULES,
    Recipe,
)
from striate.core.weight_penalties import parse_penalty


def number(low: float, high: float, **bounds: bool) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, **bounds)


# One strategy a field, over all that the field allows; None is added for those that may be undecided.
CHOICES = {
    "optimizer": st.sampled_from(OPTIMIZERS),
    "validate_every": st.integers(1, 10**6),
    "balance": st.sampled_from(BALANCES),
    "l1": number(0, 10),
    "stochastic_depth": number(0, 1, exclude_max=True),
    "schedule": st.sampled_from(SCHEDULES),
    "warmup": number(0, 1, exclude_max=True),
    "label_smoothing": number(0, 1, exclude_max=True),
    "average_shifted": st.integers(0, 4096),
    "allow_leakage": st.booleans(),
    "compiled": st.booleans(),
    "seed": st.integers(0, 2**63 - 1),
}
UNDECIDED = {
    "model": st.text(),
    "layers": st.text(),
    "pretrained": st.text(),
    "freeze": st.sampled_from(FREEZES) | st.integers(0, 99).map(str),
    "augment": st.text(),
    "size": st.integers(4, 4096),
    "fit": st.sampled_from(FITS),
    "validation": number(0, 0.5, exclude_min=True),
    "group_by": st.text(),
    "epochs": number(0, 1e6, exclude_min=True) | st.integers(1, 10**6),
    "minutes": number(0, 1e6, exclude_min=True) | st.integers(1, 10**6),
    "target": number(0, 1, exclude_min=True, exclude_max=True),
    "choose_by": st.sampled_from(CHOSEN_BY),
    "patience": st.integers(1, 10**6),
    "lp": st.tuples(number(1, 8), number(0, 10)).map("{0[0]!r}:{0[1]!r}".format),
    "dropout": number(0, 1, exclude_max=True),
    "average_weights": number(0, 1, exclude_min=True),
    "batch": st.integers(2, 10**6),
    "prune": number(0, 1, exclude_max=True),
    "learning_rate": number(0, 1e3, exclude_min=True),
    "other_rate": number(0, 1e3, exclude_min=True),
    "rate_by_head": st.booleans(),
    "weight_decay": number(0, 10),
    "flip": st.booleans(),
    "average_mirrored": st.booleans(),
    "shift": st.integers(0, 4096),
    "robust": st.text(),
    "robust_method": st.sampled_from(ROBUST_METHODS),
    "robust_steps": st.integers(1, 1000),
    "precision": st.sampled_from(PRECISIONS),
}


@st.composite
def recipes(draw):
    chosen = draw(st.fixed_dictionaries(CHOICES))
    chosen |= draw(st.fixed_dictionaries({name: st.none() | value for name, value in UNDECIDED.items()}))
    if chosen["epochs"] is not None:
        chosen["minutes"] = None
    return Recipe(**chosen)


def test_the_strategies_cover_every_field():
    assert CHOICES.keys() | UNDECIDED.keys() == {field.name for field in fields(Recipe)}


@given(recipes())
def test_it_goes_through_toml_unchanged(recipe):
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@given(recipes())
def test_it_goes_through_a_dictionary_unchanged(recipe):
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_it_goes_through_a_file_unchanged(tmp_path):
    recipe = Recipe(model="größe \n\\ \"'", minutes=0.1, flip=False, shift=0, weight_decay=0)
    recipe.save(tmp_path / "recipe.toml")
    assert Recipe.load(tmp_path / "recipe.toml") == recipe
    assert [file.name for file in tmp_path.iterdir()] == ["recipe.toml"]


def test_it_is_frozen_hashable_and_comparable():
    with pytest.raises(FrozenInstanceError):
        Recipe().seed = 1
    assert len({Recipe(), Recipe(), Recipe(seed=1)}) == 2


def test_a_new_budget_replaces_the_old_one():
    assert Recipe(epochs=3).changed(minutes=2) == Recipe(minutes=2)
    assert Recipe(minutes=3).changed(epochs=2) == Recipe(epochs=2)
    with pytest.raises(RecipeError, match="two budgets"):
        Recipe().changed(epochs=2, minutes=3)
    with pytest.raises(RecipeError, match="epochs=2 and minutes=3"):
        Recipe(epochs=2, minutes=3)


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("optimizer", "moun", "muon"),
        ("optimizer", "adam", "adamw"),
        ("schedule", "onecycle", "one-cycle"),
        ("fit", "padd", "pad"),
        ("precision", "bfloat", "bfloat16"),
        ("balance", "weight", "weights"),
        ("choose_by", "macrof1", "macro-f1"),
    ],
)
def test_an_unknown_value_suggests_the_nearest(name, value, nearest):
    with pytest.raises(RecipeError, match=f"no {name} '{value}'; did you mean '{nearest}'"):
        Recipe(**{name: value})


@pytest.mark.parametrize(
    ("name", "nearest"), [("epoch", "epochs"), ("lr_rate", "other_rate"), ("optimiser", "optimizer")]
)
def test_an_unknown_field_suggests_the_nearest(name, nearest):
    with pytest.raises(RecipeError, match=f"no recipe field '{name}'; did you mean '{nearest}'"):
        Recipe.from_dict({name: 1})
    with pytest.raises(RecipeError, match=nearest):
        Recipe.from_toml(f"{name} = 1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 0),
        ("size", 4097),
        ("validation", 0),
        ("validation", 0.51),
        ("epochs", 0),
        ("epochs", -1),
        ("minutes", 0.0),
        ("target", 0),
        ("target", 1),
        ("batch", 1),
        ("learning_rate", 0),
        ("other_rate", -0.1),
        ("weight_decay", -1e-9),
        ("warmup", 1),
        ("patience", 0),
        ("l1", -1e-9),
        ("dropout", 1),
        ("stochastic_depth", 1.0),
        ("average_weights", 0),
        ("average_weights", 1.01),
        ("warmup", -0.1),
        ("label_smoothing", 1),
        ("shift", -1),
        ("average_shifted", -1),
        ("validate_every", 0),
        ("seed", -1),
        ("seed", 2**63),
        *(
            (name, value)
            for name in ("epochs", "target", "warmup", "weight_decay")
            for value in (math.nan, math.inf)
        ),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(name, value):
    with pytest.raises(RecipeError, match=rf"^{name} is \S+, which is not in [\[(].*[\])]$"):
        Recipe(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("epochs", "3", "a number"),
        ("epochs", True, "a number"),
        ("size", 28.0, "a whole number"),
        ("seed", None, "a whole number"),
        ("batch", True, "a whole number"),
        ("warmup", None, "a number"),
        ("flip", 1, "true or false"),
        ("average_mirrored", 0.5, "true or false"),
        ("average_shifted", 0.5, "a whole number"),
        ("validate_every", None, "a whole number"),
        ("compiled", None, "true or false"),
        ("flip", "yes", "true or false"),
        ("model", 18, "a name"),
        ("lp", 2, "a name"),
        ("patience", 2.5, "a whole number"),
        ("balance", None, "a name"),
        ("l1", None, "a number"),
        ("fit", 2, "a name"),
        ("optimizer", ["muon"], "a name"),
    ],
)
def test_a_value_of_another_type_is_refused(name, value, wanted):
    with pytest.raises(RecipeError, match=f"^{name} is .*, where {wanted} is wanted$"):
        Recipe(**{name: value})


def test_nan_from_toml_is_refused():
    with pytest.raises(RecipeError, match="epochs is nan"):
        Recipe.from_toml("epochs = nan")


@pytest.mark.parametrize("text", ["epochs 3", "epochs = ", "[", "epochs = 1\nepochs = 2", "\x00"])
def test_a_text_that_is_no_toml_is_refused(text):
    with pytest.raises(RecipeError, match="not TOML"):
        Recipe.from_toml(text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        Recipe.load(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        Recipe.load(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        Recipe.load(tmp_path / "binary.toml")


@pytest.mark.parametrize("value", ["head", "-1", "2.5", "", "all"])
def test_what_can_be_frozen_is_said(value):
    with pytest.raises(
        RecipeError, match=f"freeze is '{value}', where 'backbone', 'none' or a number of blocks"
    ):
        Recipe(freeze=value)


@pytest.mark.parametrize("text", ["", "2", "1.5:", "0.9:1", "9:1", "2:-1", "2:11", "nan:1", "2:nan", "2:1:1"])
def test_what_a_penalty_is_written_like_is_said(text):
    with pytest.raises(RecipeError, match=f"lp is '{text}', where P:STRENGTH is wanted"):
        Recipe(lp=text)


def test_penalties_are_those_of_any_strength():
    assert parse_penalty("8:10") == (8, 10)
    assert Recipe().penalties == Recipe(l1=0, lp="2:0").penalties == ()
    assert Recipe(l1=1, lp="3:0.5").penalties == ((1, 1), (3, 0.5))


def test_a_target_is_one_of_the_figure_that_is_chosen_by():
    assert Recipe(choose_by="loss", target=1.7).target == 1.7
    with pytest.raises(RecipeError, match=r"target is 1.7, which is not in \(0, 1\)"):
        Recipe(choose_by="macro-f1", target=1.7)
    with pytest.raises(RecipeError, match="target is 0, which is not in"):
        Recipe(choose_by="loss", target=0)
