"""From images and a recipe to a finished run: the one function that trains a generator."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from striate.core.device import Policy, choose_policy
from striate.core.errors import ProcessError, RecipeError, RunError
from striate.core.events import Event, OnEvent
from striate.data import Dataset
from striate.engine.checkpoints import computed_by
from striate.engine.progress import terminal_progress
from striate.engine.randomness import borrowed_generators
from striate.engine.run_directory import clear_parts, make_directory
from striate.engine.world import World, place
from striate.gan.differentiable_augmentation import DifferentiableAugmentation
from striate.gan.opening import open_images
from striate.gan.recipe import GanRecipe
from striate.gan.recipes import brisk, decide
from striate.gan.run import GanRun, open_gan_run
from striate.gan.session import GanSession
from striate.gan.state import read_gan_checkpoint
from striate.models.gan_catalogue import check_size, find_family


def train_gan(
    data: Any = None,
    *,
    recipe: GanRecipe | None = None,
    out: Path | str | None = None,
    resume: Path | str | None = None,
    device: str | None = None,
    cache_gb: float | None = None,
    on_event: OnEvent | None = None,
    **recipe_fields: Any,
) -> GanRun:
    """Train a generator to make images like those given, and keep everything in a run directory.

    On a CPU under Linux the process keeps memory that is freed from here on, which speeds training up.

    Args:
        data: whatever `striate.open_dataset` takes; or a folder of images without folders of classes, or an
            array of images alone. Not needed with ``resume``, unless the run was started on arrays in memory.
        recipe: what is not left to be decided; ``None``: everything is decided from the data.
        out: the run directory to make; ``None``: ``runs/NAME-gan``.
        resume: a run directory to go on with; recipe and budget are its own.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        cache_gb: as for `striate.open_dataset`: how much decoded images may take on the disk, GB.
        on_event: is given every `striate.core.events.Event`; ``None`` shows progress on the terminal.
        recipe_fields: fields of the recipe to change, such as ``minutes=10``.

    Returns:
        The finished run.

    Raises:
        DataError: where the data cannot be used, or are fewer than a batch.
        RecipeError: where a choice is unknown or out of range, or the family cannot make images of the size.
        RunError: where the run directory is taken, locked, or cannot be written.
        DeviceError: where this machine does not have the device.
        TrainingError: where a loss is no longer a number; what was saved before is kept.
        ProcessError: where torchrun started several processes.
        KeyboardInterrupt: after Ctrl-C, when the checkpoint has been written.

    >>> import tempfile
    >>> from striate.core.events import ignore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = train_gan("digits", out=Path(folder, "run"), epochs=1, width=16, on_event=ignore)
    ...     run.generator.images(run.generator.latents(2, seed=0)).shape
    torch.Size([2, 1, 8, 8])
    """
    if on_event is None:
        with terminal_progress() as show:
            return train_gan(
                data,
                recipe=recipe,
                out=out,
                resume=resume,
                device=device,
                cache_gb=cache_gb,
                on_event=show,
                **recipe_fields,
            )
    if place().size > 1:
        raise ProcessError(
            f"a generator is trained in one process, and torchrun started {place().size}; start it without "
            "torchrun"
        )
    if resume is not None:
        if recipe is not None or recipe_fields or out is not None:
            raise RunError("a resumed run keeps its recipe and its directory; give resume and data only")
        return _resume(resume, data=data, device=device, cache_gb=cache_gb, on_event=on_event)
    if data is None:
        raise RunError("there is nothing to learn from: give data, or a run to resume")
    wanted = (recipe or GanRecipe()).changed(**recipe_fields)
    return _begin(data, wanted, out, device=device, cache_gb=cache_gb, on_event=on_event)


def _begin(
    data: Any,
    wanted: GanRecipe,
    out: Path | str | None,
    *,
    device: str | None,
    cache_gb: float | None,
    on_event: OnEvent,
) -> GanRun:
    DifferentiableAugmentation.parse(wanted.augment or "none")  # what is misspelt is said before decoding
    family = wanted.family or brisk().family or ""
    if wanted.size is not None:
        check_size(family, wanted.size)
    policy = choose_policy(device, wanted.precision)
    began = time.perf_counter()
    dataset = _open(data, wanted, family, cache_gb=cache_gb, on_event=on_event)
    opened = time.perf_counter()
    decided = decide(
        wanted.changed(fit=dataset.fit),
        size=_side(dataset, family),
        channels=dataset.channels,
        images=len(dataset.train),
        classes=len(dataset.classes),
        precision=policy.precision,
    )
    run = make_directory(GanRun, f"{dataset.name}-gan", out)  # not before: what does not fit leaves nothing
    with run.locked(), borrowed_generators(policy.device):
        run.check_unused()  # once more: another process may have been here since
        session = GanSession.new(run, dataset, decided, policy, on_event=on_event)
        # What the networks need before their first step is a part of their training.
        session.state.elapsed = time.perf_counter() - opened
        return session.complete(preparation=opened - began)


def _resume(
    path: Path | str, *, data: Any, device: str | None, cache_gb: float | None, on_event: OnEvent
) -> GanRun:
    run = open_gan_run(path)
    with run.locked():
        open_gan_run(path)  # once more: another process may have ended it while this one waited
        clear_parts(run)
        state, tensors, facts = read_gan_checkpoint(run.checkpoint)
        recipe = GanRecipe.from_dict(facts["recipe"])
        source = data if data is not None else facts["source"]
        if source is None:
            raise RunError(f"{path} was trained on arrays in memory; give the same data again to go on")
        began = time.perf_counter()
        dataset = open_images(source, recipe, cache_gb=cache_gb, on_event=on_event)
        if dataset.fingerprint != facts["fingerprint"]:
            raise RunError(
                f"the data of {path} have changed since it was started, so it cannot go on as it was; "
                "start a new training"
            )
        preparation = time.perf_counter() - began
        policy: Policy = choose_policy(device, recipe.precision)
        with borrowed_generators(policy.device):
            session = GanSession.new(run, dataset, recipe, policy, on_event=on_event)
            session.resume(state, tensors)
            if facts.get("computed_by") != computed_by(World()):
                message = (
                    "resumed with other versions or threads than it was started with, so other roundings"
                )
                session.on_event(Event("warning", {"message": message}))
            return session.complete(preparation=preparation)


def _open(data: Any, wanted: GanRecipe, family: str, *, cache_gb: float | None, on_event: OnEvent) -> Dataset:
    """Open the images, in a size that the family can make where the recipe names none."""
    dataset = open_images(data, wanted, cache_gb=cache_gb, on_event=on_event)
    height, width = dataset.size
    sizes = find_family(family).sizes
    if wanted.size is not None or isinstance(data, Dataset) or (height == width and height in sizes):
        return dataset
    nearest = min((size for size in sizes if size >= max(height, width)), default=sizes[-1])
    message = (
        f"images of {height}x{width} pixels become {nearest}x{nearest}, which the family '{family}' can make"
    )
    on_event(Event("note", {"message": message}))
    return open_images(data, wanted.changed(size=nearest), cache_gb=cache_gb, on_event=on_event)


def _side(dataset: Dataset, family: str) -> int:
    height, width = dataset.size
    if height != width:
        raise RecipeError(
            f"the images have {height}x{width} pixels, and generators make squares; open them with "
            f"size={min(height, width)}"
        )
    check_size(family, height)
    return height
