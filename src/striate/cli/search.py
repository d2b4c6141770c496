"""``striate search``: look for a recipe that is better for the same training time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli import output
from striate.cli.errors import Interrupted
from striate.cli.options import with_recipe_options
from striate.core.recipe import Recipe

if TYPE_CHECKING:
    from striate.studies import Search


@with_recipe_options
def search(
    data: Annotated[
        str, typer.Argument(help="A named set, a folder, a .zip or .tar(.gz|.xz), a .csv or an .npz.")
    ],
    minutes: Annotated[
        float, typer.Option(help="How long the search may take in all; calls that went before count.")
    ] = 20.0,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="The recipe to beat (TOML); its minutes are the time of a full training [default: what is "
            "decided where nothing is said, and a twelfth of --minutes]."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder for all that is found [default: runs/search-NAME].")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A database that processes or machines share; by default: a file in --out."
        ),
    ] = None,
    finalists: Annotated[
        int, typer.Option(help="How many recipes are trained in full at the end; 0: only help others.")
    ] = 3,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    **recipe_fields: Any,
) -> None:
    """Search for a better recipe for the same training time; fields of a recipe given as options stay."""
    base = None if recipe is None else Recipe.load(recipe)

    from striate.studies import search_recipe

    with output.progress() as show:
        try:
            found = search_recipe(
                data,
                minutes=minutes,
                recipe=base,
                out=out,
                storage=storage,
                finalists=finalists,
                device=device,
                on_event=show,
                **recipe_fields,
            )
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the same command goes on with what was found") from None
    if json:
        output.say_json(found.to_dict())
    else:
        _say_result(found, data, out)


def _say_result(found: Search, data: str, out: Path | None) -> None:
    if found.finalists:
        output.say_table(found.COLUMNS, found.rows(), numbers=range(2, len(found.COLUMNS)))
        output.say()
    for finding in found.findings():
        output.say(finding)
    folder = out or Path("runs", f"search-{found.source}")
    output.say("what next:")
    output.say(f"  {output.command('striate', 'train', data, '--recipe', str(folder / 'recipe.toml'))}")
