"""What the fields of a recipe may hold: their types, their choices and their ranges."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from striate.core.device import PRECISIONS
from striate.core.errors import RecipeError, unknown_name

if TYPE_CHECKING:
    from striate.core.recipe import Recipe

FITS = ("pad", "crop", "stretch")
OPTIMIZERS = ("muon", "sgd", "adamw")
SCHEDULES = ("one-cycle", "linear")
ROBUST_METHODS = ("fast", "pgd", "trades", "free")
FREEZES = ("backbone", "none")
BALANCES = ("none", "weights", "sampling")
CHOSEN_BY = ("accuracy", "macro-f1", "mean-average-precision", "loss")

_CHOICES = {
    "fit": FITS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "robust_method": ROBUST_METHODS,
    "precision": PRECISIONS,
    "balance": BALANCES,
    "choose_by": CHOSEN_BY,
}

# name, lowest, highest, lowest is excluded, highest is excluded
_RANGES: tuple[tuple[str, float, float, bool, bool], ...] = (
    ("size", 1, 4096, False, False),
    ("validation", 0, 0.5, True, False),
    ("epochs", 0, 1e6, True, False),
    ("minutes", 0, 1e6, True, False),
    ("patience", 1, 1e6, False, False),
    ("validate_every", 1, 1e6, False, False),
    ("batch", 2, 1e6, False, False),
    ("prune", 0, 1, False, True),
    ("learning_rate", 0, 1e3, True, False),
    ("other_rate", 0, 1e3, True, False),
    ("weight_decay", 0, 10, False, False),
    ("l1", 0, 10, False, False),
    ("dropout", 0, 1, False, True),
    ("stochastic_depth", 0, 1, False, True),
    ("average_weights", 0, 1, True, False),
    ("warmup", 0, 1, False, True),
    ("label_smoothing", 0, 1, False, True),
    ("shift", 0, 4096, False, False),
    ("average_shifted", 0, 4096, False, False),
    ("seed", 0, 2**63 - 1, False, False),
)

_INTEGERS = ("size", "patience", "validate_every", "batch", "shift", "average_shifted", "seed")
_STRINGS = (
    "model",
    "layers",
    "pretrained",
    "freeze",
    "fit",
    "group_by",
    "choose_by",
    "balance",
    "optimizer",
    "schedule",
    "lp",
    "precision",
    "augment",
    "robust",
    "robust_method",
)
_BOOLEANS = ("allow_leakage", "flip", "average_mirrored", "compiled")
_REQUIRED = (
    "allow_leakage",
    "validate_every",
    "balance",
    "optimizer",
    "l1",
    "stochastic_depth",
    "schedule",
    "warmup",
    "average_shifted",
    "compiled",
    "seed",
)


def check(recipe: Recipe) -> None:
    """Refuse a recipe that holds what cannot be.

    Args:
        recipe: any.

    Raises:
        RecipeError: for the first value that is of another type, unknown (naming the nearest) or out of
            range, and for two budgets.
    """
    _check_types(recipe)
    for name, options in _CHOICES.items():
        value = getattr(recipe, name)
        if value is not None and value not in options:
            raise RecipeError(unknown_name(name, value, options))
    if recipe.freeze is not None and not (recipe.freeze in FREEZES or recipe.freeze.isdecimal()):
        raise RecipeError(
            f"freeze is '{recipe.freeze}', where 'backbone', 'none' or a number of blocks is wanted"
        )
    if recipe.epochs is not None and recipe.minutes is not None:
        raise RecipeError(
            f"epochs={recipe.epochs:g} and minutes={recipe.minutes:g} are two budgets; give one of them"
        )
    for name, low, high, low_open, high_open in _RANGES:
        _check_range(name, getattr(recipe, name), low, high, low_open, high_open)
    # A loss, in nats, may well be over 1.
    _check_range("target", recipe.target, 0, 1e3 if recipe.choose_by == "loss" else 1, True, True)
    if recipe.lp is not None:
        parse_penalty(recipe.lp)


def parse_penalty(text: str) -> tuple[float, float]:
    """Read a penalty on weights from the text of a recipe.

    Args:
        text: ``P:STRENGTH``, such as ``1.5:0.0001``.

    Returns:
        The power, in [1, 8], and the strength, in [0, 10].

    Raises:
        RecipeError: where it is none.

    >>> parse_penalty("1.5:0.0001")
    (1.5, 0.0001)
    """
    power, colon, strength = text.partition(":")
    try:
        found = float(power), float(strength)
    except ValueError:
        found = 0.0, 0.0
    if not colon or not (1 <= found[0] <= 8 and 0 <= found[1] <= 10):
        raise RecipeError(
            f"lp is '{text}', where P:STRENGTH is wanted with a power in [1, 8] and a strength in [0, 10], "
            "such as 1.5:0.0001"
        )
    return found


def _check_types(recipe: Recipe) -> None:
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if value is None and field.name not in _REQUIRED:
            continue
        if field.name in _STRINGS:
            fits, kind = isinstance(value, str), "a name"
        elif field.name in _BOOLEANS:
            fits, kind = isinstance(value, bool), "true or false"
        elif field.name in _INTEGERS:
            fits, kind = isinstance(value, int) and not isinstance(value, bool), "a whole number"
        else:
            fits, kind = isinstance(value, int | float) and not isinstance(value, bool), "a number"
        if not fits:
            raise RecipeError(f"{field.name} is {value!r}, where {kind} is wanted")


def _check_range(
    name: str, value: float | None, low: float, high: float, low_open: bool, high_open: bool
) -> None:
    if value is None:
        return
    inside = (low < value if low_open else low <= value) and (value < high if high_open else value <= high)
    if not inside:  # a NaN is inside nothing
        left, right = "(" if low_open else "[", ")" if high_open else "]"
        raise RecipeError(f"{name} is {value:g}, which is not in {left}{low:g}, {high:g}{right}")
