"""How a penalty on weights is written in a recipe."""

from __future__ import annotations

from striate.core.errors import RecipeError


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
