"""The form of a recipe: what a field's type lets through, and what it says of the rest."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from striate.core.errors import RecipeError
from striate.core.recipe_form import RecipeForm, check_fields


@dataclass(frozen=True, kw_only=True)
class Toy(RecipeForm):
    name: str | None = None
    count: int = 1
    share: float | None = None
    on: bool = False

    def __post_init__(self) -> None:
        check_fields(self, choices={"name": ("a", "bee")}, ranges=[("share", 0, 1, True, False)])


def test_what_fits_comes_through_toml_and_files(tmp_path) -> None:
    toy = Toy(name="bee", share=1, on=True)
    assert Toy.from_toml(toy.to_toml()) == toy
    toy.save(tmp_path / "toy.toml")
    assert Toy.load(tmp_path / "toy.toml") == toy
    assert toy.to_dict() == {"name": "bee", "count": 1, "share": 1, "on": True}
    assert toy.changed(name=None).to_dict() == {"count": 1, "share": 1, "on": True}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": 3}, "name is 3, where a name is wanted"),
        ({"name": "be"}, "there is no name 'be'; did you mean 'bee'"),
        ({"count": None}, "count is None, where a whole number is wanted"),
        ({"count": 1.0}, "count is 1.0, where a whole number is wanted"),
        ({"count": True}, "count is True, where a whole number is wanted"),
        ({"share": True}, "share is True, where a number is wanted"),
        ({"share": 0}, r"share is 0, which is not in \(0, 1\]"),
        ({"share": float("nan")}, "share is nan"),
        ({"on": 1}, "on is 1, where true or false is wanted"),
    ],
)
def test_a_wrong_value_is_one_sentence(fields, sentence) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Toy(**fields)


def test_a_name_that_is_no_field_is_refused_with_the_nearest() -> None:
    for make in (lambda: Toy().changed(shar=1), lambda: Toy.from_dict({"shar": 1})):
        with pytest.raises(RecipeError, match="no recipe field 'shar'; did you mean 'share'"):
            make()
    with pytest.raises(RecipeError, match="is none"):
        Toy.from_dict([1])
    with pytest.raises(RecipeError, match="not TOML"):
        Toy.from_toml("count = ")
