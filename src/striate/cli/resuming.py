"""What verbs that can be interrupted and resumed say and refuse alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from striate.cli import output
from striate.core.errors import RecipeError, RunError


def check_resumed(recipe: object, out: Path | None, fields: Mapping[str, Any]) -> None:
    """Refuse options that a resumed run cannot have.

    Args:
        recipe: that was named; ``None``: none.
        out: the directory that was named; ``None``: none.
        fields: of the recipe, that were named.

    Raises:
        RecipeError: where choices of the recipe were named.
        RunError: where a directory was named.
    """
    named = ["--recipe"] if recipe is not None else []
    named += [f"--{name.replace('_', '-')}" for name in fields]
    if named:
        raise RecipeError(
            f"a resumed run keeps its own recipe; leave out {', '.join(named)}, or start a new training"
        )
    if out is not None:
        raise RunError("a resumed run keeps its directory; leave out --out")


def how_to_go_on(started: list[str], *verb: str) -> str:
    """Say how an interrupted training goes on.

    Args:
        started: directories of the runs that began; the last one counts.
        verb: the words of the command.

    Returns:
        One sentence.

    >>> how_to_go_on(["runs/a"], "train")
    'interrupted; this goes on from the last checkpoint: striate train --resume runs/a'
    """
    if not started:
        return "interrupted before the training began; no run was made"
    again = output.command("striate", *verb, "--resume", started[-1])
    return f"interrupted; this goes on from the last checkpoint: {again}"
