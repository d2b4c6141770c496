"""When a training ends before its budget is spent: its target is reached, or its patience is at an end."""

from __future__ import annotations

from collections.abc import Sequence

from striate.core.recipe import Recipe
from striate.engine.run_directory import Row
from striate.training.objective import Objective


def why_end(rows: Sequence[Row], *, recipe: Recipe, objective: Objective, column: str) -> str | None:
    """Say why a training ends after its latest validation, if it does.

    Args:
        rows: of all validations so far.
        recipe: says the target and the patience.
        objective: says which figures are better where they are lower.
        column: the figure by which epochs are judged.

    Returns:
        The reason, in one sentence; ``None`` where it goes on.

    >>> row = {"validation_accuracy": 0.9, "validation_loss": 0.4, "epoch": 1.0, "share": 0.2}
    >>> given = {"objective": Objective(), "column": "validation_accuracy"}
    >>> why_end([row], recipe=Recipe(target=0.8), **given)
    'validation accuracy 0.9000 is at the target of 0.8; stopping'
    """
    named, row = column.replace("_", " "), rows[-1]
    target = recipe.target
    if target is not None and objective.signed(row[column]) >= objective.signed(target):
        return f"{named} {row[column]:.4f} is at the target of {target:g}; stopping"
    waited = validations_without_gain(rows, objective=objective, column=column)
    if recipe.patience is None or waited < recipe.patience:
        return None
    best = rows[-1 - waited]
    times = "1 validation has" if waited == 1 else f"{waited} validations have"
    left = "" if row["share"] >= 1 else f", at {row['share']:.0%} of the budget".replace("%", " %")
    said = f"{times} brought no gain since the {named} of {best[column]:.4f} in epoch {best['epoch']:g}"
    return f"{said}; stopping{left}{_of_rate(row, rows)}"


def validations_without_gain(rows: Sequence[Row], *, objective: Objective, column: str) -> int:
    """Count the latest validations that were not better than the best one before them.

    Args:
        rows: of all validations so far.
        objective: says which figures are better where they are lower.
        column: the figure by which epochs are judged; the loss decides between equal ones.

    Returns:
        0 where the latest is the best; one that is only as good brings no gain.
    """
    ranks = [(objective.signed(row[column]), -row["validation_loss"]) for row in rows]
    return len(ranks) - 1 - ranks.index(max(ranks))


def _of_rate(row: Row, rows: Sequence[Row]) -> str:
    """Say where a schedule that is made for the whole budget has left the rate."""
    peak = max(each["learning_rate"] for each in rows)
    if not peak or row["share"] >= 1:
        return ""
    share = f"{row['learning_rate'] / peak:.0%}".replace("%", " %")
    return (
        f"; the rate was still {share} of the highest, since its schedule is that of the whole budget, and a "
        "budget that ends here lets it fall to 0"
    )
