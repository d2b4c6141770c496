"""What a session says before its first step: what is trained on what, and what there is to know about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from striate.core.events import Event

if TYPE_CHECKING:
    from striate.training.session import Session


def tell_start(session: Session, *, preparation: float) -> None:
    """Say what a session is about to train, and what was noticed of its data.

    Args:
        session: before its first step, or where it was stopped.
        preparation: seconds that opening the data took.
    """
    session.on_event(Event("start", _facts(session, preparation)))
    for note in session.dataset.notes:
        session.on_event(Event("note", {"message": note}))
    if session.dataset.rejected:
        count, listed = len(session.dataset.rejected), session.run.path / "rejected.csv"
        message = f"files that could not be read and are left out: {count:,}; {listed} lists them"
        session.on_event(Event("warning", {"message": message}))
    if session.batches.batch < session.world.size:
        size = session.world.size
        message = f"a batch of {session.batches.batch} gives {size} processes too little to do"
        session.on_event(Event("warning", {"message": message}))
    if session.dataset.test is None:
        message = (
            "there is no test part: what is reported is measured on the validation part, on which the "
            "best epoch and the temperature are chosen, and so a little too good"
        )
        session.on_event(Event("note", {"message": message}))


def _facts(session: Session, preparation: float) -> dict[str, Any]:
    dataset, recipe = session.dataset, session.recipe
    size = "x".join(map(str, dataset.size))
    return {
        "run": str(session.run.path),
        "data": dataset.name,
        "images": {
            "train": len(dataset.train),
            "validation": len(dataset.validation),
            "test": len(dataset.test) if dataset.test is not None else 0,
        },
        "classes": len(dataset.classes),
        "labels": "any number an image" if dataset.multi_label else None,
        "image": f"{size}x{dataset.channels}",
        "rejected": len(dataset.rejected),
        "model": recipe.model,
        "parameters": sum(each.numel() for each in session.classifier.network.parameters()),
        "compute": str(session.classifier.policy),
        "processes": session.world.size if session.world.size > 1 else None,
        "budget": f"{recipe.minutes:g} minutes"
        if recipe.minutes is not None
        else f"{recipe.epochs:g} epochs",
        "resident": session.batches.resident,
        "preparation_seconds": round(preparation, 3),
        "step": session.state.step,
    }
