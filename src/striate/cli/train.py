"""``striate train``: from images to a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli import output
from striate.cli.errors import Interrupted
from striate.cli.label_output import precision_line
from striate.cli.options import with_recipe_options
from striate.cli.resuming import check_resumed, how_to_go_on
from striate.core.events import Event
from striate.core.recipe import Recipe
from striate.engine.world import place

if TYPE_CHECKING:
    from striate.metrics import Evaluation, MultiLabelEvaluation
    from striate.training import Run


@with_recipe_options
def train(
    data: Annotated[
        str | None, typer.Argument(help="A named set, a folder, a .zip or .tar(.gz|.xz), a .csv or an .npz.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A recipe file (TOML), which the options below override.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run directory to make [default: runs/NAME].")] = None,
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
    """Train a classifier on images and keep everything in a run directory."""
    base = None if recipe is None else Recipe.load(recipe)
    if resume is not None:
        check_resumed(recipe, out, recipe_fields)
    elif data is None:
        raise typer.BadParameter("give DATA to train on, such as fashion-mnist or a folder")

    from striate.training import train as train_classifier

    started = [] if resume is None else [str(resume)]

    def on_event(event: Event) -> None:
        if event.kind == "start":
            started.append(str(event.data["run"]))
        told_below = "overfitting" in event.data
        if event.kind == "warning" or not (quiet or told_below):
            show(event)

    with output.progress() as show:
        try:
            run = train_classifier(
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
            raise Interrupted(how_to_go_on(started, "train")) from None
    if place().rank:
        return  # the first process says what came out
    if json:
        found = {"evaluation": _plain(run), "overfitting": run.overfitting.to_dict()}
        output.say_json({"run": str(run.path), "recipe": run.recipe.to_dict(), **found})
    else:
        _say_result(run)


def _evaluations(run: Run) -> dict[str, Evaluation | MultiLabelEvaluation]:
    return {**run.multi_label_evaluation} if run.multi_label else {**run.evaluation}


def _plain(run: Run) -> dict[str, Any]:
    return {part: evaluation.to_dict() for part, evaluation in _evaluations(run).items()}


def _say_result(run: Run) -> None:
    from striate.metrics import MultiLabelEvaluation

    for part, evaluation in _evaluations(run).items():
        if isinstance(evaluation, MultiLabelEvaluation):
            output.say(precision_line(part, evaluation))
            continue
        output.say(output.accuracy_line(part, evaluation))
        if run.recipe.choose_by == "macro-f1":
            output.say(f"{part} macro F1 {output.percent(evaluation.macro_f1)}")
    output.say(str(run.overfitting))
    for advice in run.overfitting.advice:
        output.say(f"  to try: {advice}")
    if run.recipe.robust is not None:
        best = max(row["robust_accuracy"] for row in run.rows)
        output.say(f"validation accuracy under attack (PGD, {run.recipe.robust}): {output.percent(best)}")
    drawn = "labels.png" if run.multi_label else "confusion.png"
    output.say(f"the run is {run.path}; its pictures: curves.png, {drawn}, predictions.png")
    output.say("what next:")
    output.say(f"  {output.command('striate', 'val', str(run.path))}")
    output.say(f"  {output.command('striate', 'predict', str(run.path))} PICTURE_OR_FOLDER")
    if run.recipe.robust is not None:
        norm, _, radius = run.recipe.robust.partition(":")
        words = "striate", "attack", str(run.path), "--norm", norm, "--eps", radius
        output.say(f"  {output.command(*words)}")
