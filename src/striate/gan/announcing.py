"""What a generator's training says when it begins: what was decided, and what the user should know."""

from __future__ import annotations

from collections.abc import Iterator

from striate.core.events import Event
from striate.data import Dataset
from striate.gan.contest import Contest
from striate.gan.run import GanRun


def announcements(
    run: GanRun,
    dataset: Dataset,
    contest: Contest,
    *,
    resident: bool,
    watched: bool,
    preparation: float,
    step: int,
) -> Iterator[Event]:
    """Give the events with which a training begins.

    Args:
        run: where everything is written.
        dataset: what is learnt from.
        contest: the networks and the recipe.
        resident: whether the images live on the device.
        watched: whether a watch judges samples.
        preparation: seconds that opening the data took.
        step: at which it begins, or goes on.

    Yields:
        What was decided, and then notes and warnings.
    """
    recipe = contest.recipe
    sizes = {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in (("generator", contest.generator), ("discriminator", contest.discriminator))
    }
    minutes, epochs = recipe.minutes, recipe.epochs
    figures = {
        "run": str(run.path),
        "data": dataset.name,
        "images": {"train": len(dataset.train), "held out": len(dataset.validation)},
        "classes": len(dataset.classes) if recipe.classes else None,
        "image": f"{recipe.size}x{recipe.size}x{dataset.channels}",
        "rejected": len(dataset.rejected),
        "networks": f"{recipe.family}, width {recipe.width}",
        "parameters": sizes,
        "loss": recipe.loss,
        "compute": str(contest.policy),
        "budget": f"{minutes:g} minutes" if minutes is not None else f"{epochs:g} epochs",
        "resident": resident,
        "preparation_seconds": round(preparation, 3),
        "step": step,
    }
    yield Event("start", figures)
    for note in dataset.notes:
        yield Event("note", {"message": note})
    if dataset.rejected:
        count, listed = len(dataset.rejected), run.path / "rejected.csv"
        message = f"files that could not be read and are left out: {count:,}; {listed} lists them"
        yield Event("warning", {"message": message})
    if not watched:
        message = f"{len(dataset.train)} images are too few to tell whether samples are as diverse"
        yield Event("warning", {"message": message})
