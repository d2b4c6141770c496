"""Open data for a study of many trainings: found, audited and told of once for all of them."""

from __future__ import annotations

from dataclasses import replace

from striate.core.events import Event, OnEvent
from striate.core.recipe import Recipe
from striate.data import Dataset, Split, UpTo
from striate.data.label_sets import refuse_several
from striate.data.leakage import audit_briefly
from striate.data.opening import Source
from striate.training import open_for
from striate.training.starting_point import starting_point


def open_once(recipe: Recipe, source: Source, on_event: OnEvent) -> tuple[Recipe, Dataset]:
    """Open the data of a study as a training by a recipe would.

    Args:
        recipe: what its trainings start from.
        source: what `striate.open_dataset` takes.
        on_event: is told of the progress, and of what is to be known of the data.

    Returns:
        The recipe with the network that it starts from, and the data without the names of files, rejected
        files and notes, which every training would look at and tell of again.

    Raises:
        DataError: where the data cannot be used, or pictures are on both sides of a split.
    """

    def opened(recipe: Recipe, *, channels: int | None = None, size: UpTo | None = None) -> Dataset:
        return open_for(recipe, source, on_event, channels=channels, size=size)

    found, _, dataset = starting_point(recipe, opened)
    refuse_several(dataset.train.labels, what="a study of many trainings")
    audit_briefly(dataset, allow_leakage=found.allow_leakage, on_event=on_event)
    for note in dataset.notes:
        on_event(Event("note", {"message": note}))
    if dataset.rejected:
        first = dataset.rejected[0]
        count = len(dataset.rejected)
        message = f"files that could not be read and are left out: {count:,}, such as {first.name}"
        on_event(Event("warning", {"message": message}))
    bare = replace(
        dataset,
        train=_nameless(dataset.train),
        validation=_nameless(dataset.validation),
        test=None if dataset.test is None else _nameless(dataset.test),
        rejected=(),
        notes=(),
    )
    return found, bare


def _nameless(split: Split) -> Split:
    return replace(split, names=None)
