"""From data and a recipe to a finished run: the one function that trains a classifier."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from striate.core.device import choose_policy
from striate.core.errors import RunError
from striate.core.events import Event, OnEvent
from striate.core.recipe import Recipe
from striate.data import Dataset, open_dataset
from striate.engine.progress import terminal_progress
from striate.engine.randomness import borrowed_generators
from striate.recipes import resolve
from striate.training.building import new_classifier
from striate.training.run import Run, clear_parts, new_run, open_run
from striate.training.session import Session, computed_by
from striate.training.state import read_checkpoint, restore


def train(
    data: Any = None,
    *,
    recipe: Recipe | None = None,
    out: Path | str | None = None,
    resume: Path | str | None = None,
    device: str | None = None,
    on_event: OnEvent | None = None,
    **recipe_fields: Any,
) -> Run:
    """Train a classifier on images and keep everything in a run directory.

    On a CPU under Linux the process keeps memory that is freed from here on, which speeds training up.

    Args:
        data: whatever `striate.open_dataset` takes: a named set, a folder, an archive, a CSV, an
            ``.npz``, a pair of arrays, or a `Dataset`. Not needed with ``resume``, unless the run
            was started on arrays in memory.
        recipe: what is not left to be decided; ``None``: everything is decided from the data.
        out: the run directory to make; ``None``: ``runs/NAME``.
        resume: a run directory to go on with; recipe and budget are its own.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: is given every `striate.core.events.Event`; ``None`` shows progress on the terminal.
        recipe_fields: fields of the recipe to change, such as ``epochs=6``.

    Returns:
        The finished run.

    Raises:
        DataError: where the data cannot be used.
        RecipeError: where a choice is unknown or out of range.
        RunError: where the run directory is taken, locked, or cannot be written.
        DeviceError: where this machine does not have the device.
        TrainingError: where the loss is no longer a number; what was saved before is kept.
        KeyboardInterrupt: after Ctrl-C, when the checkpoint has been written.

    >>> import tempfile, striate
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = train("digits", out=Path(folder, "run"), epochs=3, on_event=lambda event: None)
    ...     run.evaluation["validation"].accuracy > 0.8
    True
    """
    if on_event is None:
        with terminal_progress() as show:
            return train(
                data, recipe=recipe, out=out, resume=resume, device=device, on_event=show, **recipe_fields
            )
    if resume is not None:
        if recipe is not None or recipe_fields or out is not None:
            raise RunError("a resumed run keeps its recipe and its directory; give resume and data only")
        return _resume(resume, data=data, device=device, on_event=on_event)
    if data is None:
        raise RunError("there is nothing to train on: give data, or a run to resume")
    wanted = (recipe or Recipe()).changed(**recipe_fields)
    policy = choose_policy(device, wanted.precision)
    began = time.perf_counter()
    dataset = open_for(wanted, data, on_event)
    opened = time.perf_counter()
    decided = resolve(
        wanted,
        images=len(dataset.train),
        size=dataset.size,
        flip=dataset.flip,
        precision=policy.precision,
    )
    with borrowed_generators(policy.device):
        classifier = new_classifier(dataset, decided, policy)
        run = new_run(dataset.name, out)  # not before: what does not fit must leave nothing behind
        with run.locked():
            run.check_unused()  # once more: another process may have been here since
            session = Session.new(run, dataset, decided, classifier, on_event)
            # What the network needs before its first step is a part of its training.
            session.state.elapsed = time.perf_counter() - opened
            return session.complete(preparation=opened - began)


def _resume(path: Path | str, *, data: Any, device: str | None, on_event: OnEvent) -> Run:
    run = open_run(path)
    with run.locked():
        clear_parts(run)
        state, tensors, facts = read_checkpoint(run.checkpoint)
        recipe = Recipe.from_dict(facts["recipe"])
        source = data if data is not None else facts["source"]
        if source is None:
            raise RunError(f"{path} was trained on arrays in memory; give the same data again to go on")
        began = time.perf_counter()
        dataset = open_for(recipe, source, on_event)
        if dataset.fingerprint != facts["fingerprint"]:
            raise RunError(
                f"the data of {path} have changed since it was started, so it cannot go on as it was; "
                "start a new training"
            )
        preparation = time.perf_counter() - began
        policy = choose_policy(device, recipe.precision)
        with borrowed_generators(policy.device):
            classifier = new_classifier(dataset, recipe, policy)
            session = Session.new(run, dataset, recipe, classifier, on_event)
            restore(tensors, network=session.classifier.network, optimizers=session.optimizers)
            session.state = state
            if facts.get("computed_by") != computed_by():
                message = (
                    "resumed with other versions or threads than it was started with, so other roundings"
                )
                session.on_event(Event("warning", {"message": message}))
            return session.complete(preparation=preparation)


def open_for(recipe: Recipe, data: Any, on_event: OnEvent) -> Dataset:
    """Open data as a training by a recipe opens them, with the same parts.

    Args:
        recipe: says the size, the fit, and what is held out.
        data: as for `train`.
        on_event: is told of the progress.

    Returns:
        The dataset.

    Raises:
        DataError: where the data cannot be used.
    """
    return open_dataset(
        data,
        size=recipe.size,
        fit=recipe.fit,
        validation=recipe.validation,
        seed=recipe.seed,
        on_event=on_event,
    )
