"""From data and a recipe to a finished run: the one function that trains a classifier."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from striate.classifier import Pretrained
from striate.core.device import Policy, choose_policy
from striate.core.errors import RecipeError, RunError
from striate.core.events import Event, OnEvent, ignore
from striate.core.recipe import Recipe
from striate.data import Dataset, HoldOut, UpTo, open_dataset
from striate.data.augment_language import check_augment, parse_policy
from striate.data.axes import NOUNS
from striate.data.leakage import audit_briefly
from striate.engine.checkpoints import computed_by, restore
from striate.engine.progress import terminal_progress
from striate.engine.randomness import borrowed_generators
from striate.engine.run_directory import clear_parts
from striate.engine.timings import Timings
from striate.engine.world import World, join
from striate.recipes import resolve
from striate.training.building import new_classifier
from striate.training.expected_epochs import expected_epochs
from striate.training.multi_label_objective import suited_to_labels
from striate.training.regularising import check_controls
from striate.training.run import Run, new_run, open_run
from striate.training.session import Session
from striate.training.starting_point import starting_point
from striate.training.state import read_checkpoint
from striate.training.transfer import frozen_blocks


def train(
    data: Any = None,
    *,
    recipe: Recipe | None = None,
    out: Path | str | None = None,
    resume: Path | str | None = None,
    device: str | None = None,
    cache_gb: float | None = None,
    on_event: OnEvent | None = None,
    **recipe_fields: Any,
) -> Run:
    """Train a classifier on images and keep everything in a run directory.

    On a CPU under Linux the process keeps memory that is freed from here on, which speeds training up.
    Processes that torchrun started train one run together; the first of them writes it and shows progress.

    Args:
        data: whatever `striate.open_dataset` takes: a named set, a folder, an archive, a CSV, an
            ``.npz``, a pair of arrays, or a `Dataset`. Not needed with ``resume``, unless the run
            was started on arrays in memory.
        recipe: what is not left to be decided; ``None``: everything is decided from the data.
        out: the run directory to make; ``None``: ``runs/NAME``.
        resume: a run directory to go on with; recipe and budget are its own.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        cache_gb: as for `striate.open_dataset`: how much decoded images may take on the disk, GB.
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
        ProcessError: where torchrun started several processes that do not fit each other, or one is lost.
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
                data,
                recipe=recipe,
                out=out,
                resume=resume,
                device=device,
                cache_gb=cache_gb,
                on_event=show,
                **recipe_fields,
            )
    world = join()
    if not world.is_writer:
        on_event = ignore
    if resume is not None:
        if recipe is not None or recipe_fields or out is not None:
            raise RunError("a resumed run keeps its recipe and its directory; give resume and data only")
        return _resume(resume, data=data, device=device, cache_gb=cache_gb, on_event=on_event, world=world)
    if data is None:
        raise RunError("there is nothing to train on: give data, or a run to resume")
    wanted = (recipe or Recipe()).changed(**recipe_fields)
    return _begin(data, wanted, out, device=device, cache_gb=cache_gb, on_event=on_event, world=world)


def _begin(
    data: Any,
    wanted: Recipe,
    out: Path | str | None,
    *,
    device: str | None,
    cache_gb: float | None,
    on_event: OnEvent,
    world: World,
) -> Run:
    parse_policy(wanted.augment or "none")  # what is misspelt is said before anything is decoded
    policy = _policy(device, wanted.precision, world)
    began = time.perf_counter()
    with world.machine_first():
        wanted, pretrained, dataset = starting_point(
            wanted, lambda recipe, **how: open_for(recipe, data, on_event, cache_gb=cache_gb, **how)
        )
        tensors = None if pretrained is None else pretrained.tensors(on_event=on_event)
    world.by_writer(lambda: _audit(dataset, wanted, on_event))
    opened = time.perf_counter()
    policy = _sound(policy, dataset, wanted)
    decided = _decide(wanted, dataset, policy, world)
    _check_fit(world, dataset, decided)
    timings = Timings(policy.device)
    with borrowed_generators(policy.device), ExitStack() as held:
        classifier = new_classifier(
            dataset, decided, policy, timings=timings, pretrained=pretrained, tensors=tensors
        )
        frozen_blocks(classifier.network, decided)  # too many are refused before anything is written
        check_controls(classifier.network, decided)

        def begin() -> bytes:
            run = new_run(dataset.name, out)  # not before: what does not fit must leave nothing behind
            held.enter_context(run.locked())
            run.check_unused()  # once more: another process may have been here since
            return os.fsencode(run.path)

        run = Run(Path(os.fsdecode(world.by_writer(begin))))
        session = Session.new(
            run,
            dataset,
            decided,
            classifier,
            on_event=on_event,
            world=world,
            timings=timings,
            pretrained=pretrained,
        )
        # What the network needs before its first step is a part of its training.
        session.state.elapsed = time.perf_counter() - opened
        return session.complete(preparation=opened - began)


def _resume(
    path: Path | str,
    *,
    data: Any,
    device: str | None,
    cache_gb: float | None,
    on_event: OnEvent,
    world: World,
) -> Run:
    run = Run(Path(path))
    with ExitStack() as held:

        def begin() -> None:
            open_run(path)
            held.enter_context(run.locked())
            clear_parts(run)

        world.by_writer(begin)
        with world.file_of_writer(run.checkpoint) as checkpoint:
            state, tensors, facts = read_checkpoint(checkpoint)
        recipe = Recipe.from_dict(facts["recipe"])
        pretrained = Pretrained.from_dict(facts["pretrained"]) if facts.get("pretrained") else None
        channels = None if pretrained is None else pretrained.channels
        source = data if data is not None else facts["source"]
        if source is None:
            raise RunError(f"{path} was trained on arrays in memory; give the same data again to go on")
        began = time.perf_counter()
        with world.machine_first():
            dataset = open_for(recipe, source, on_event, cache_gb=cache_gb, channels=channels)
        _check_fit(world, dataset, recipe)
        if dataset.fingerprint != facts["fingerprint"]:
            raise RunError(
                f"the data of {path} have changed since it was started, so it cannot go on as it was; "
                "start a new training"
            )
        preparation = time.perf_counter() - began
        policy = _policy(device, recipe.precision, world)
        with borrowed_generators(policy.device):
            classifier = new_classifier(dataset, recipe, policy, pretrained=pretrained)
            session = Session.new(
                run, dataset, recipe, classifier, on_event=on_event, world=world, pretrained=pretrained
            )
            networks = {"network": session.classifier.network}
            restore(tensors, networks=networks, optimizers=session.optimizers)
            session.state = state
            if facts.get("computed_by") != computed_by(world):
                message = (
                    "resumed with other versions, threads or processes than it was started with, so other "
                    "roundings"
                )
                session.on_event(Event("warning", {"message": message}))
            return session.complete(preparation=preparation)


def _audit(dataset: Dataset, wanted: Recipe, on_event: OnEvent) -> None:
    audit_briefly(dataset, allow_leakage=wanted.allow_leakage, on_event=on_event)


def _decide(wanted: Recipe, dataset: Dataset, policy: Policy, world: World) -> Recipe:
    decide = partial(
        resolve,
        suited_to_labels(wanted, several=dataset.multi_label),
        images=len(dataset.train),
        size=dataset.size,
        flip=dataset.flip,
        precision=policy.precision,
        device=policy.device,
    )
    decided = decide()
    check_augment(decided.augment, channels=dataset.channels, dims=dataset.dims)
    if decided.robust is not None and dataset.train.images.dtype != np.uint8:
        raise RecipeError(
            f"robust is '{decided.robust}', a ball of pixels in [0, 1], and the {NOUNS[dataset.dims]} of "
            f"{dataset.name} are "
            "of other numbers; leave robust out"
        )
    expected = expected_epochs(dataset, decided, policy, world=world)
    return decided if expected is None else decide(expected_epochs=expected)


def _policy(device: str | None, precision: str | None, world: World) -> Policy:
    policy = choose_policy(device, precision)
    return replace(policy, device=world.own_device(policy.device))


def _sound(policy: Policy, dataset: Dataset, wanted: Recipe) -> Policy:
    """Take a precision whose gradients are right, unless another one was asked for."""
    suited = policy.suited_to(dataset.dims)
    if suited != policy and wanted.precision is not None:
        raise RecipeError(
            f"precision is '{wanted.precision}', in which torch computes wrong gradients of "
            f"{NOUNS[dataset.dims]} on CPUs; "
            f"'{suited.precision}' works"
        )
    return suited


def _check_fit(world: World, dataset: Dataset, recipe: Recipe) -> None:
    """Refuse processes that would not train the same."""
    world.check_same(
        {
            "the versions or numbers of threads": json.dumps(computed_by(world)),
            "the data": dataset.fingerprint,
            "the recipes": recipe.to_toml(),
        }
    )


def open_for(
    recipe: Recipe,
    data: Any,
    on_event: OnEvent,
    *,
    cache_gb: float | None = None,
    channels: int | None = None,
    size: UpTo | None = None,
) -> Dataset:
    """Open data as a training by a recipe opens them, with the same parts.

    Args:
        recipe: says the size, the fit, and what is held out.
        data: as for `train`.
        on_event: is told of the progress.
        cache_gb: as for `train`.
        channels: 1 or 3; ``None``: 3 where any image has colour.
        size: of photos, where the recipe names none; ``None``: 128.

    Returns:
        The dataset, its content hashed.

    Raises:
        DataError: where the data cannot be used.
    """
    dataset = open_dataset(
        data,
        size=recipe.size or size,
        channels=channels,
        fit=recipe.fit or "pad",
        validation=HoldOut(recipe.validation, recipe.group_by),
        seed=recipe.seed,
        cache_gb=cache_gb,
        on_event=on_event,
    )
    dataset.hash_content(on_event)  # here, where its progress is seen
    return dataset
