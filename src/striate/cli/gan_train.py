"""``striate gan train``: from images to a generator."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli import output
from striate.cli.errors import Interrupted
from striate.cli.options import with_recipe_options
from striate.cli.resuming import check_resumed, how_to_go_on
from striate.core.errors import RecipeError, unknown_name
from striate.core.events import Event
from striate.gan.recipe import GanRecipe
from striate.gan.recipes import RECIPES

if TYPE_CHECKING:
    from striate.gan import GanRun


_Data = Annotated[
    str | None,
    typer.Argument(
        help="A named set, a folder of images with or without folders of classes, a .zip or .tar(.gz|.xz), a "
        ".csv or an .npz.",
    ),
]
_Recipe = Annotated[
    str | None,
    typer.Option(
        help=f"{', '.join(RECIPES)}, or a recipe file (TOML), which the options override [default: brisk]."
    ),
]


@partial(with_recipe_options, kind=GanRecipe)
def train(
    data: _Data = None,
    recipe: _Recipe = None,
    out: Annotated[
        Path | None, typer.Option(help="The run directory to make [default: runs/NAME-gan].")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="A run directory to go on with; DATA is then needed only where they have moved."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None,
    cache_gb: Annotated[
        float | None, typer.Option(help="How much decoded images may take on the disk, GB; 0 keeps none.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show warnings only, no progress.")] = False,
    **recipe_fields: Any,
) -> None:
    """Train a generator to make images like those given, and keep everything in a run directory."""
    base = None if recipe is None else _find_recipe(recipe)
    if resume is not None:
        check_resumed(recipe, out, recipe_fields)
    elif data is None:
        raise typer.BadParameter("give DATA to learn from, such as fashion-mnist or a folder")

    from striate.gan.start import train_gan

    started = [] if resume is None else [str(resume)]

    def on_event(event: Event) -> None:
        if event.kind == "start":
            started.append(str(event.data["run"]))
        if not quiet or event.kind == "warning":
            show(event)

    with output.progress() as show:
        try:
            run = train_gan(
                data,
                recipe=base,
                out=out,
                resume=resume,
                device=device,
                cache_gb=cache_gb,
                on_event=on_event,
                **recipe_fields,
            )
        except KeyboardInterrupt:
            raise Interrupted(how_to_go_on(started, "gan", "train")) from None
    if json:
        output.say_json({"run": str(run.path), "recipe": run.recipe.to_dict(), **run.outcome})
    else:
        _say_result(run)


def _find_recipe(word: str) -> GanRecipe:
    if word in RECIPES:
        return RECIPES[word]()
    if word.endswith(".toml") or Path(word).exists():
        return GanRecipe.load(word)
    raise RecipeError(f"{unknown_name('recipe', word, RECIPES)}; a recipe file (TOML) can be named too")


def _say_result(run: GanRun) -> None:
    outcome = run.outcome
    output.say(f"{outcome['images_seen']:,} images seen in {outcome['training_seconds']:,.0f} s")
    for finding in outcome["findings"]:
        output.say(f"{finding['name']}: {finding['verdict']} ({finding['message']})")
        if finding["advice"]:
            output.say(f"  what to try: {finding['advice']}")
    output.say(f"the run is {run.path}; what it makes of the same latents over time is in its folder sheets")
    output.say("what next:")
    output.say(f"  {output.command('striate', 'gan', 'sample', str(run.path))}")
    output.say(f"  {output.command('striate', 'gan', 'score', str(run.path))}")
