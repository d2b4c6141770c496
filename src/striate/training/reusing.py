"""Which trainings run from recordings, and how the next one of the same shapes finds these again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import torch

from striate.core.errors import TrainingError
from striate.core.events import Event
from striate.data.planning import can_be_planned
from striate.engine.budgets import StepBudget
from striate.training.program import Program

if TYPE_CHECKING:
    from striate.training.session import Session

MOST_EVALUATED = 2000
"""How many images are evaluated at once, at most: enough to keep a GPU busy."""

MOST_KEPT_BYTES = 2**30
"""Up to how many bytes of images a program is kept for the next training: it holds memory until then."""

_KEPT: dict[Hashable, Program] = {}


def program_of(session: Session) -> Program | None:
    """Give the program of a training that runs from recordings, and let the session go on with its network.

    Where the last training of this process had the same shapes and the same recipe but for the seed, its
    program is found again, with nothing to compile or record.

    Args:
        session: before its first step, or where it was stopped.

    Returns:
        The program; ``None`` where the ordinary loop is to train.
    """
    if not runs_from_recordings(session):
        if session.recipe.compiled and _on_cuda(session):
            session.classifier.network.compile()
        return None
    key = _key(session)
    program = _KEPT.pop(key, None)
    _KEPT.clear()
    if program is not None:
        with session.timings.of("recording"):
            program.take(session.classifier, session.optimizers, session.batches, session.objective)
    else:
        program = _recorded(session)
    if program is None:
        return None
    program.key = key
    session.classifier.network, session.optimizers = program.network, program.optimizers
    with session.timings.of("moving images"):
        for split in (session.dataset.validation, session.dataset.test):
            if split is not None and len(split):
                program.hold(split.images)
    return program


def runs_from_recordings(session: Session) -> bool:
    """Say whether a training runs from recordings of its step.

    Args:
        session: before its first step, or where it was stopped.

    Returns:
        True on a CUDA device that holds all images, where one process trains a whole network for a budget in
        epochs on all images as they are: only then is everything known beforehand that a step depends on. The
        best epoch has to be chosen by accuracy or loss, and each image to be of one class.
    """
    recipe = session.recipe
    plain = session.transfer is None and recipe.robust is None and not recipe.prune
    chosen = session.objective.chosen_by in ("accuracy", "loss") and not session.dataset.multi_label
    known = plain and chosen and session.world.size == 1 and isinstance(session.budget(), StepBudget)
    return known and _on_cuda(session) and can_be_planned(session.batches)


def keep(program: Program) -> None:
    """Keep a program that is done for the next training of the same shapes and recipe in this process.

    Args:
        program: of which nothing is needed any more; one of too many images is let go.
    """
    _KEPT.clear()
    if program.plan.images.numel() <= MOST_KEPT_BYTES:
        _KEPT[program.key] = program


def forget_recordings() -> None:
    """Let go of the program that is kept, and of the device's memory that it holds."""
    _KEPT.clear()


def _on_cuda(session: Session) -> bool:
    return session.classifier.policy.device.startswith("cuda")


def _recorded(session: Session) -> Program | None:
    told = {"what": "preparing the steps", "total": 1, "unit": "recordings"}
    session.on_event(Event("prepare", {**told, "done": 0}))
    try:
        program = Program(
            session.classifier,
            session.optimizers,
            session.batches,
            recipe=session.recipe,
            objective=session.objective,
            steps=_steps(session),
            evaluated=_evaluated(session),
        )
        program.record(compiled=session.recipe.compiled and _on_cuda(session), timings=session.timings)
    except TrainingError as error:
        message = f"{error}; so the host starts every operation by itself, which is slower"
        session.on_event(Event("warning", {"message": message}))
        return None
    session.on_event(Event("prepare", {**told, "done": 1}))
    return program


def _steps(session: Session) -> int:
    budget = session.budget()
    assert isinstance(budget, StepBudget)
    return budget.steps


def _evaluated(session: Session) -> int:
    return min(MOST_EVALUATED, len(session.dataset.validation))


def _key(session: Session) -> Hashable:
    """Give all that a program depends on besides values that can be copied into it."""
    classifier, batches = session.classifier, session.batches
    images, _ = batches.resident_images()
    choices = session.recipe.changed(seed=0), classifier.policy, torch.get_num_threads()
    shapes = len(classifier.classes), tuple(images.shape), batches.batch, _steps(session), _evaluated(session)
    return (*choices, *shapes)
