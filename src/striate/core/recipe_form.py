"""The form of a recipe: a frozen dataclass whose fields are checked, changed by name, and kept as TOML."""

from __future__ import annotations

import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Self, get_args, get_type_hints

from striate.core.errors import RecipeError, unknown_name
from striate.core.files import write_text

Range = tuple[str, float, float, bool, bool]
"""Name of a field, its lowest and highest value, and whether each of these is excluded."""

_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a name"),
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}


@dataclass(frozen=True, kw_only=True)
class RecipeForm:
    """What every recipe can do; those of one kind of training are dataclasses derived from it.

    A field that is ``None`` is undecided. Where fields ``epochs`` and ``minutes`` are there, they are two
    budgets, of which one may be given.
    """

    def changed(self, **changes: Any) -> Self:
        """Copy the recipe with some fields changed.

        Args:
            changes: fields and their new values. A new budget replaces the old one.

        Returns:
            The new recipe.

        Raises:
            RecipeError: for a field that does not exist (naming the nearest) or a value out of range.

        >>> from striate.core.recipe import Recipe
        >>> Recipe(epochs=3).changed(minutes=2).epochs is None
        True
        """
        _check_names(changes, type(self))
        if changes.get("minutes") is not None and "epochs" not in changes:
            changes["epochs"] = None
        if changes.get("epochs") is not None and "minutes" not in changes:
            changes["minutes"] = None
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields that are decided, by name.

        Returns:
            A dictionary of plain values, without those that are ``None``.
        """
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a recipe from fields by name; what is absent keeps its default.

        Args:
            values: fields and values, as from a TOML file.

        Returns:
            The recipe.

        Raises:
            RecipeError: for a field that does not exist or a value out of range.
        """
        if not isinstance(values, Mapping):
            raise RecipeError(f"a recipe is a table of fields, and {values!r:.80} is none")
        _check_names(values, cls)
        return cls(**values)

    def to_toml(self) -> str:
        """Write the decided fields as TOML.

        Returns:
            The text of a recipe file.

        >>> from striate.core.recipe import Recipe
        >>> Recipe.from_toml(Recipe(epochs=3, flip=False).to_toml()) == Recipe(epochs=3, flip=False)
        True
        """
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a recipe from the text of a TOML file.

        Args:
            text: TOML with recipe fields at its top level.

        Returns:
            The recipe.

        Raises:
            RecipeError: where the text is no TOML or its fields are unknown or out of range.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"the recipe is not TOML: {error}") from error
        return cls.from_dict(values)

    def save(self, path: Path | str) -> None:
        """Write the recipe to a TOML file, atomically.

        Args:
            path: the file to be made or replaced.
        """
        write_text(path, self.to_toml())

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a recipe from a TOML file.

        Args:
            path: a file written by `save` or by hand.

        Returns:
            The recipe.

        Raises:
            RecipeError: where there is no such file, it is no TOML text, or its fields are wrong.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe {path}: {error}") from error
        return cls.from_toml(text)


def check_fields(
    recipe: RecipeForm, *, choices: Mapping[str, Sequence[str]], ranges: Sequence[Range]
) -> None:
    """Refuse a recipe with a value of a wrong type or out of range, or with two budgets.

    Args:
        recipe: just made.
        choices: the names that a field may have, by field.
        ranges: of the fields that are numbers.

    Raises:
        RecipeError: saying what is wrong with the first such value.
    """
    form: Any = type(recipe)
    for name, (kind, optional) in _types(form).items():
        value = getattr(recipe, name)
        if value is None and optional:
            continue
        accepted, said = _KINDS[kind]
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise RecipeError(f"{name} is {value!r}, where {said} is wanted")
    for name, options in choices.items():
        value = getattr(recipe, name)
        if value is not None and value not in options:
            raise RecipeError(unknown_name(name, value, options))
    epochs, minutes = getattr(recipe, "epochs", None), getattr(recipe, "minutes", None)
    if epochs is not None and minutes is not None:
        raise RecipeError(f"epochs={epochs:g} and minutes={minutes:g} are two budgets; give one of them")
    for each in ranges:
        check_range(getattr(recipe, each[0]), each)


def check_range(value: float | None, bounds: Range) -> None:
    """Refuse a number that is out of range.

    Args:
        value: of a field; ``None``: undecided.
        bounds: of it.

    Raises:
        RecipeError: saying in which range it has to be.
    """
    name, low, high, low_open, high_open = bounds
    if value is None:
        return
    inside = (low < value if low_open else low <= value) and (value < high if high_open else value <= high)
    if not inside:  # a NaN is inside nothing
        left, right = "(" if low_open else "[", ")" if high_open else "]"
        raise RecipeError(f"{name} is {value:g}, which is not in {left}{low:g}, {high:g}{right}")


def _check_names(names: Mapping[str, Any], kind: type[RecipeForm]) -> None:
    known = [field.name for field in fields(kind)]
    for name in names:
        if name not in known:
            raise RecipeError(unknown_name("recipe field", str(name), known))


@cache
def _types(kind: type[RecipeForm]) -> dict[str, tuple[type, bool]]:
    """Give the type of each field, and whether it may be ``None``."""
    hints = get_type_hints(kind)
    found = {}
    for field in fields(kind):
        parts = get_args(hints[field.name]) or (hints[field.name],)
        (plain,) = (part for part in parts if part is not types.NoneType)
        found[field.name] = plain, types.NoneType in parts
    return found
