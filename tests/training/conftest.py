"""Small real data and a training that takes a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import striate
from striate.core.events import Event
from striate.training import Run, train

FAST = {"model": "compact-small", "batch": 64, "epochs": 2, "device": "cpu"}


@pytest.fixture(scope="session")
def digits() -> striate.Dataset:
    return striate.open_dataset("digits")


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., tuple[Run, list[Event]]]:
    """Train on something in a new directory and give the run and its events."""

    def call(data, **fields) -> tuple[Run, list[Event]]:
        events: list[Event] = []
        out = fields.pop("out", tmp_path / "run")
        if "minutes" in fields:
            fields.setdefault("epochs", None)
        run = train(data, out=out, on_event=events.append, **{**FAST, **fields})
        return run, events

    return call
